#!/bin/bash
# save.sh - the longer tests of saving and resuming, for `make test-all`: as
# twins, ten generations on, under load, slow programs, between two hosts.
# The shorter ones are in run.sh.
cd "$(dirname "$0")/.." || exit
status=0
run() {
	echo "--- $1"
	shift
	env QUIET=1 "$@" || status=1
}
run "twins, and ten generations" WAYS='twins generations' \
	bash tests/save/progs.sh
run "small programs under load" LOAD=1 bash tests/save/progs.sh
run "slow programs, and while they work" bash tests/save/real.sh make postgres \
	node java go generations redis_load postgres_load
run "programs under load" LOAD=1 bash tests/save/real.sh all
run "nothing is lost, forty times" ROUNDS=40 bash tests/save/robust.sh
run "between two hosts" bash tests/save/move.sh
run "into a virtual machine and back" bash tests/save/vm.sh
exit $status
