#!/bin/bash
# save.sh - all about saving and resuming; LONG=1: the longer set as well.
cd "$(dirname "$0")/.." || exit
status=0
run() { echo "--- tests/save/$1"; bash "tests/save/$1" "${@:2}" || status=1; }
run progs.sh
run outside.sh
run real.sh
run robust.sh
if [ -n "$LONG" ]; then
	WAYS='twins generations' run progs.sh
	LOAD=1 WAYS='on resumed' run progs.sh
	run real.sh postgres node java go generations redis_load postgres_load
	LOAD=1 run real.sh
	ROUNDS=40 run robust.sh
	run move.sh
fi
exit $status
