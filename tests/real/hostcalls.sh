#!/bin/bash
# hostcalls.sh - what is answered without the host: more of it makes no more
# host calls.  Natively (the counter counts) each is one.
. "$(dirname "$0")/../lib.sh"

for f in count quiet; do
	check "host calls: $f compiles" gcc -O1 -w -pthread -o "$TMP/$f" \
		"tests/hostcalls/$f.c"
done
calls() { # FILE: all that are counted in it
	awk '{ n += $2 } END { print n + 0 }' "$1"
}
counted() { # COMMAND...: how many host calls it and what it starts make
	timeout 60 "$TMP/count" "$TMP/counts" "$@" >/dev/null 2>"$TMP/err" \
		</dev/null && calls "$TMP/counts"
}
inside() { # KIND ROUNDS
	counted "$BAILEY" run -i -v "$TMP:/t:ro" /t/quiet "$1" "$2"
}
few=300 many=5300
a=$(counted "$TMP/quiet" shared-futexes $few)
b=$(counted "$TMP/quiet" shared-futexes $many)
same "host calls: natively each is one" $((10 * (many - few))) $((b - a))
for kind in $("$TMP/quiet"); do
	a=$(inside "$kind" $few)
	b=$(inside "$kind" $many)
	if [ -z "$a" ] || [ -z "$b" ]; then
		fail "host calls: $kind" "$(tail -n 1 "$TMP/err")"
	elif [ $((b - a)) -lt 100 ]; then
		pass "host calls: $kind ($((b - a)) more for $((many - few)))"
	else
		fail "host calls: $kind" "$((b - a)) more for $((many - few))"
	fi
done
finish
