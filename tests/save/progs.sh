#!/bin/bash
# progs.sh - the small programs: natively; inside, saved twice while they run
# on; inside, saved, ended and resumed; and (WAYS) resumed as twins, or ten
# generations on.  Output and status are the same each time.
# usage: [WAYS='on resumed twins generations plain'] tests/save/progs.sh [NAME...]
. "$(dirname "$0")/lib.sh"
WAYS=${WAYS:-on resumed}
names=("$@")
special=' outside twins tamper '
[ $# -gt 0 ] || for f in "$here"/*.c; do
	x=$(basename "$f" .c)
	[[ $special = *" $x "* ]] || names+=("$x")
done

natively() { # NAME
	mkdir -p "$TMP/native.d"
	: >"$TMP/native"
	cd "$TMP/native.d" || exit
	"$progs/$1" >"$TMP/native" 2>/dev/null </dev/null &
	local pid=$!
	tries 100 grep -q READY "$TMP/native"
	kill -USR1 $pid
	tries 250 not_there $pid || kill -9 $pid
	wait $pid
	echo "status $?" >>"$TMP/native"
}
not_there() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status"; }

# What came out before and after, and the status.
finally() { # NAME-OF-THE-LAST
	go_on "$1"
	local status
	status=$(LIMIT=40 ended "$1")
	by logs "$1" 2>/dev/null
	echo "status $status"
}
way_plain() { begin "$1" "/progs/$1" && finally "$1"; }
way_on() {
	begin "$1" "/progs/$1" && save_on "$1" "$TMP/$1.on" && sleep 0.1 &&
		save_on "$1" "$TMP/$1.on" && finally "$1"
}
way_resumed() {
	begin "$1" "/progs/$1" && save_stop "$1" "$TMP/$1.bly" && sleep 0.2 &&
		by logs "$1" && resume "$1-2" "$TMP/$1.bly" && finally "$1-2"
}
way_twins() {
	begin "$1" "/progs/$1" && save_stop "$1" "$TMP/$1.bly" &&
		by logs "$1" && resume "$1-2" "$TMP/$1.bly" &&
		resume "$1-3" "$TMP/$1.bly" && finally "$1-2" >"$TMP/first" &&
		finally "$1-3" >"$TMP/second" && cat "$TMP/first" &&
		diff "$TMP/first" "$TMP/second" >&2
}
way_generations() {
	local i=0 name=$1
	begin "$name" "/progs/$1" && by logs "$name" || return
	for i in 1 2 3 4 5 6 7 8 9 10; do
		save_stop "$name" "$TMP/$1.bly" || return
		name=$1-$i
		resume "$name" "$TMP/$1.bly" || return
	done
	finally "$name"
}

# Every line that is missing is counted, the first three are shown.
compare() { # NAME WAY
	local line missing=0
	while IFS= read -r line; do
		if grep -qxF -- "$line" "$TMP/got"; then
			QUIET=1 pass "$1: $line"
		elif [ $((missing += 1)) -gt 3 ]; then
			failed=$((failed + 1))
		else
			fail "$1 ($2): $line" \
			     "$(grep -F -- "${line#* }" "$TMP/got" | head -n 1)"
		fi
	done < <(grep '^ok ' "$TMP/native")
	if cmp -s "$TMP/native" "$TMP/got"; then
		pass "$1 ($2)"
	else
		fail "$1 ($2)" "$(diff "$TMP/native" "$TMP/got" |
			head -n 3 | tr '\n' '|') $(why)"
	fi
}

for n in "${names[@]}"; do
	if ! compile "$n" 2>"$TMP/cc"; then
		fail "$n" "does not compile: $(head -n 1 "$TMP/cc")"
		continue
	fi
	(natively "$n") 2>/dev/null
	if grep -q '^FAIL' "$TMP/native"; then
		fail "$n natively" "$(grep '^FAIL' "$TMP/native" | head -n 1)"
	fi
	for way in $WAYS; do
		: >"$TMP/errors"
		"way_$way" "$n" >"$TMP/got" 2>>"$TMP/errors"
		compare "$n" "$way"
		"$BAILEY" rm -f -a >/dev/null 2>&1
	done
done
finish
