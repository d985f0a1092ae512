#!/bin/bash
# wall.sh - attacks that skip the library OS, and what is left when something
# is killed.  attack.c jumps to the host layer's own call instructions; every
# attempt must end its sandbox or come back with nothing.
# usage: wall.sh [STEP]: of the call numbers, only every STEP-th
. "$(dirname "$0")/../lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$TMP/h" "$TMP/v"
chmod 755 "$TMP" "$TMP/h"
for p in attack readback; do
	${CC:-gcc} -O1 -w -I"$here/../../include" -o "$TMP/h/$p" "$here/$p.c" ||
		fail "$p does not compile"
done
attack() { timeout -s KILL 10 "$BAILEY" run -v "$TMP/h:/h:ro" "$@"; }
allowed=$("$BAILEY" abi --host --json | python3 -c '
import json, sys
print(" ".join(str(c["number"]) for c in json.load(sys.stdin)["syscalls"]))')
same "nineteen host calls" 19 "$(wc -w <<<"$allowed")"

# ---- every other number ends the sandbox (219 only ends a stopped wait)
bad=
for n in $(seq 0 "${1:-1}" 500) $((0x40000000)) $((0x40000009)) $((0x40000200)); do
	[[ " $allowed 219 " == *" $n "* ]] && continue
	attack /h/attack nr "$n" >"$TMP/out" 2>&1 </dev/null
	s=$?
	# uretprobe and uprobe: newer host kernels exempt them from every
	# filter; without a probe of the host's root they only fail
	[ $n = 335 ] || [ $n = 336 ] && ! grep -q 'returned [0-9]' "$TMP/out" &&
		continue
	{ [ $s = 159 ] && ! grep -q returned "$TMP/out"; } || bad="$bad $n:$s"
done
same "no other number is let through" "" "$bad"

# ---- the allowed ones with forbidden arguments
bad=
for a in $("$TMP/h/attack" arg list); do
	attack /h/attack arg "$a" >"$TMP/out" 2>&1 </dev/null
	s=$?
	{ [ $s = 159 ] && ! grep -q returned "$TMP/out"; } || bad="$bad $a:$s"
done
same "no forbidden argument is let through" "" "$bad"

# ---- malformed and forged requests end it; paths lead nowhere
bad=
for a in $("$TMP/h/attack" form list); do
	attack /h/attack form "$a" >"$TMP/out" 2>&1 </dev/null
	s=$?
	{ [ $s != 0 ] && ! grep -q '^got' "$TMP/out"; } || bad="$bad $a:$s"
done
same "malformed requests get nothing" "" "$bad"
ln -s /etc/shadow "$TMP/v/link"
mkfifo "$TMP/v/fifo"
chmod 755 "$TMP/v"
bad=
for path in /etc/shadow ../etc/shadow link fifo link/. shadow ./shadow proc/self/mem \
	fifo/../../etc/shadow; do
	attack -v "$TMP/v:/v" /h/attack open "$path" 1 >"$TMP/out" 2>&1 </dev/null
	grep -q '^got' "$TMP/out" && bad="$bad $path"
done
same "no path leads out of its tree" "" "$bad"
# (they end the process that makes them, and no other)
for a in int80 sysenter; do
	timeout 20 "$BAILEY" run -i -v "$TMP/h:/h:ro" sh -c "
		/h/attack $a; echo \$?" >"$TMP/out" 2>/dev/null </dev/null
	s=$(tail -n 1 "$TMP/out") # AMD's processors refuse sysenter: SIGILL
	[ $a = sysenter ] && [ "$s" = 132 ] && s=139
	same "$a ends its process only" 139 "$s"
	attack /h/attack $a >"$TMP/out" 2>&1 </dev/null
	if [ $? -ge 128 ] && ! grep -q returned "$TMP/out"; then
		pass "$a"
	else
		fail "$a" "$(tail -n 1 "$TMP/out")"
	fi
done

# ---- what the host says of a picoprocess
name=wall-$$
start() { timeout 10 "$BAILEY" run -d --name "$name" sleep 300 >/dev/null; }
pico() { pgrep -P "$(monitor)" | head -n 1; }
monitor() { pgrep -f "^$BAILEY run -d --name $name " | head -n 1; }
gone() { # PID...: within two seconds; a zombie that nobody collects is gone
	local i p left
	for i in $(seq 20); do
		left=
		for p in "$@"; do
			[ -d "/proc/$p" ] &&
				! grep -q '^State:.Z' "/proc/$p/status" 2>/dev/null && left=$p
		done
		[ -z "$left" ] && return 0
		sleep 0.1
	done
	return 1
}
start
p=$(pico)
if [ -n "$p" ]; then
	field() { awk -v k="$1:" '$1 == k { print $2 }' "/proc/$p/status"; }
	same "seccomp filter" 2 "$(field Seccomp)"
	same "no new privileges" 1 "$(field NoNewPrivs)"
	same "no capabilities" 0000000000000000 "$(field CapEff)"
	same "not root" no "$([ "$(field Uid)" = 0 ] && echo root || echo no)"
	# stopped and continued from outside, it sleeps on
	kill -STOP "$p" && sleep 0.3 && kill -CONT "$p" && sleep 0.3
	[ -d "/proc/$p" ] && pass "survives SIGSTOP and SIGCONT" ||
		fail "survives SIGSTOP and SIGCONT"
	m=$(monitor)
	kill -KILL "$p"
	gone "$p" "$m" && pass "kill -9 of a picoprocess leaves nothing" ||
		fail "kill -9 of a picoprocess leaves something"
	"$BAILEY" rm -f "$name" >/dev/null 2>&1
	start
	p=$(pico) m=$(monitor)
	kill -KILL "$m"
	gone "$p" "$m" && pass "kill -9 of the monitor leaves nothing" ||
		fail "kill -9 of the monitor leaves something"
else
	fail "no picoprocess found"
fi
"$BAILEY" rm -f "$name" >/dev/null 2>&1
lines=$(cat "$here"/../../monitor/*.[ch] "$here"/../../monitor/*.tbl \
	"$here"/../../monitor/arch/*/*.[ch] | wc -l)
[ "$lines" -le 6000 ] && pass "the monitor has at most 6,000 lines" ||
	fail "the monitor has $lines lines"
finish
