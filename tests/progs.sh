#!/bin/bash
# progs.sh - the small C programs: each runs natively and inside; output and
# exit status must be equal, and every check in them counts.
# usage: tests/progs.sh [NAME...]
. "$(dirname "$0")/lib.sh"
out=$B/tests
mkdir -p "$out"
names=("$@")
[ $# -gt 0 ] || names=($(cd "$(dirname "$0")/progs" && ls ./*.c | sed 's|^./||; s|\.c$||'))
src=$(cd "$(dirname "$0")/progs" && pwd)

compile() { # NAME
	[ "$out/$1" -nt "$src/$1.c" ] ||
		${CC:-gcc} -O1 -pthread -w -I"$src" -o "$out/$1" "$src/$1.c" -lrt
}

for n in "${names[@]}"; do
	if ! compile "$n" 2>"$TMP/cc"; then
		fail "$n" "does not compile: $(head -n 1 "$TMP/cc")"
		continue
	fi
	abs=$(realpath "$out/$n")
	mkdir -p "$TMP/work"
	(cd "$TMP/work" && timeout 60 "$abs" </dev/null) >"$TMP/native" 2>"$TMP/native.err"
	ns=$?
	timeout 60 "$BAILEY" run -i -v "$(dirname "$abs"):/progs:ro" -w /tmp \
		"/progs/$n" </dev/null >"$TMP/inside" 2>"$TMP/inside.err"
	is=$?
	while IFS= read -r line; do
		if grep -qxF -- "$line" "$TMP/inside"; then
			QUIET=1 pass "$n: $line"
		else
			fail "$n: $line" "$(grep -F -- "${line#* }" "$TMP/inside" | head -n 1)"
		fi
	done < <(grep '^ok ' "$TMP/native")
	if cmp -s "$TMP/native" "$TMP/inside" && [ $ns = $is ]; then
		pass "$n (same output, status $is)"
	else
		fail "$n" "status $ns natively, $is inside; $(diff "$TMP/native" "$TMP/inside" | head -n 4 | tr '\n' '|') $(tail -n 2 "$TMP/inside.err")"
	fi
done
finish
