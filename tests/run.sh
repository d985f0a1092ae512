#!/bin/bash
# run.sh - everything `make test` checks, in turn; ends with one line
# "N passed, N failed, N skipped".
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
export B BAILEY RESULTS=$TMP/results
: >"$RESULTS"
failures=$TMP/failures

part() { # TITLE COMMAND...
	echo "--- $1"
	shift
	QUIET=1 timeout 1200 "$@" 2>&1 | tee -a "$failures.log" | grep -vE '^ok '
	return "${PIPESTATUS[0]}"
}
# A tool that only succeeds or fails counts as one check.
one() { # NAME COMMAND...
	if "${@:2}" >"$TMP/one.log" 2>&1; then
		pass "$1"
	else
		fail "$1" "$(tail -n 4 "$TMP/one.log")"
	fi
}

echo "--- tables and units"
one "the host ABI's table is the header" sh tests/unit/abi_table.sh
one "the system-call table tells the truth" \
	sh tools/check-syscalls.sh "$B/libos.elf" libos/sys/syscalls.tbl
one "no host call outside the host layer" sh tools/check-calls.sh "$B/libos.elf"
one "units of the library OS, hosted and under sanitizers" \
	make -s -j2 B="$B" units
one "unit: list of mappings" "$B/tests/unit-vma"
for t in $("$B/tests/unit-libos" --list); do
	one "unit: $t" "$B/tests/unit-libos" "$t"
done
one "fuzz: ELF headers" "$B/tests/fuzz-elf" 200000
one "fuzz: the rewriter, on random code and on programs" \
	"$B/tests/fuzz-rewrite" 30000 /lib/x86_64-linux-gnu/libc.so.6 \
	/lib64/ld-linux-x86-64.so.2 /bin/busybox /usr/bin/redis-server \
	"$(readlink -f "$(command -v go)")"
one "fuzz: what strangers send to a page of \`view --web\`" \
	make -s B="$B" fuzz-web
one "the monitor: the wall, the decoder fuzzed, the ways to end" \
	make -s B="$B" test-monitor
for t in tests/unit/*.mk; do
	[ -e "$t" ] && one "$(basename "$t" .mk)" make -s -f "$t" B="$B" run
done
part "the command" bash tests/cli.sh
part "saving, the command's side" bash tests/cli-save.sh
part "the life of sandboxes" bash tests/lifecycle.sh
part "saving and resuming, by every verb" bash tests/cli-resume.sh
part "small programs, natively and inside" bash tests/progs.sh
for t in tests/hostile/*.sh tests/real/*.sh tests/display/*.sh; do
	# needs big packages: make test-all
	[ "$t" = tests/display/programs.sh ] && continue
	[ -e "$t" ] && part "$t" bash "$t"
done
part "saved: every kind of descriptor and wait" bash tests/save/progs.sh
part "saved: the world outside" bash tests/save/outside.sh
part "saved: programs at work" bash tests/save/real.sh
part "saved: nothing is lost" env ROUNDS=4 bash tests/save/robust.sh
part "as an ordinary user" bash tests/user.sh

while read -r p f s; do
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done <"$RESULTS"
if [ "$skipped" -gt 0 ]; then
	echo "$passed passed, $failed failed, $skipped skipped"
else
	echo "$passed passed, $failed failed"
fi
[ "$failed" = 0 ]
