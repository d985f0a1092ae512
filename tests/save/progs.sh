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
# way_X PROGRAM NAME: the ways run at the same time, under different names.
way_plain() { begin "$2" "/progs/$1" && finally "$2"; }
way_on() {
	begin "$2" "/progs/$1" && save_on "$2" "$TMP/$2.bly" && sleep 0.1 &&
		save_on "$2" "$TMP/$2.bly" && finally "$2"
}
way_resumed() {
	begin "$2" "/progs/$1" && save_stop "$2" "$TMP/$2.bly" && sleep 0.2 &&
		by logs "$2" && resume "$2-2" "$TMP/$2.bly" && finally "$2-2"
}
way_twins() {
	begin "$2" "/progs/$1" && save_stop "$2" "$TMP/$2.bly" &&
		by logs "$2" && resume "$2-2" "$TMP/$2.bly" &&
		resume "$2-3" "$TMP/$2.bly" && finally "$2-2" >"$TMP/first" &&
		finally "$2-3" >"$TMP/second" && cat "$TMP/first" &&
		diff "$TMP/first" "$TMP/second" >&2
}
way_generations() {
	local i=0 name=$2
	begin "$name" "/progs/$1" && by logs "$name" || return
	for i in 1 2 3 4 5 6 7 8 9 10; do
		save_stop "$name" "$TMP/$2.bly" || return
		name=$2-$i
		resume "$name" "$TMP/$2.bly" || return
	done
	finally "$name"
}

# Every line that is missing is counted, the first three are shown.
compare() { # NAME WAY
	local line missing=0 got=$TMP/got.$2
	while IFS= read -r line; do
		if grep -qxF -- "$line" "$got"; then
			QUIET=1 pass "$1: $line"
		elif [ $((missing += 1)) -gt 3 ]; then
			failed=$((failed + 1))
		else
			fail "$1 ($2): $line" \
			     "$(grep -F -- "${line#* }" "$got" | head -n 1)"
		fi
	done < <(grep '^ok ' "$TMP/native")
	if cmp -s "$TMP/native" "$got"; then
		pass "$1 ($2)"
	else
		fail "$1 ($2)" "$(diff "$TMP/native" "$got" |
			head -n 3 | tr '\n' '|') $(tail -n 3 "$TMP/errors.$2" |
			tr '\n' ' ')"
	fi
}

for n in "${names[@]}"; do
	if ! compile "$n" 2>"$TMP/cc"; then
		fail "$n" "does not compile: $(head -n 1 "$TMP/cc")"
		continue
	fi
	(natively "$n") 2>/dev/null &
	jobs=$!
	for way in $WAYS; do
		errors=$TMP/errors.$way "way_$way" "$n" "$n-$way" \
			>"$TMP/got.$way" 2>"$TMP/errors.$way" &
		jobs="$jobs $!"
	done
	wait $jobs
	if grep -q '^FAIL' "$TMP/native"; then
		fail "$n natively" "$(grep '^FAIL' "$TMP/native" | head -n 1)"
	fi
	for way in $WAYS; do
		compare "$n" "$way"
	done
	"$BAILEY" rm -f -a >/dev/null 2>&1
	rm -f "$TMP"/*.bly
done
finish
