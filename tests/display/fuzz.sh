#!/bin/bash
# fuzz.sh - hostile RDP clients, before and after the log-in, against the
# screen's session with sanitizers, on the host.  ROUNDS=2000 SEED=$RANDOM for
# more than `make test` does.
. tests/lib.sh
missing=
for p in Xvfb:xvfb xterm:xterm xclip:xclip; do
	command -v "${p%:*}" >/dev/null || missing="$missing ${p#*:}"
done
[ -x "$B/tests/rdp-fuzz" ] || missing="$missing freerdp2-dev"
if [ -n "$missing" ]; then
	skip "hostile RDP clients" "not installed:$missing"
	finish
	exit
fi
here=$PWD
case $B in /*) ;; *) B=$here/$B ;; esac
own=()
end() {
	kill "${own[@]}" 2>/dev/null
	wait
	rm -rf "$TMP"
}
trap end EXIT
mkdir "$TMP/session" "$TMP/home"
cd "$TMP/session" || exit 1
export HOME=$TMP/home ASAN_OPTIONS=detect_leaks=0:exitcode=99 \
	UBSAN_OPTIONS=halt_on_error=1:exitcode=98:print_stacktrace=1
# as much as session.c lets itself have
ASAN_OPTIONS=$ASAN_OPTIONS:max_allocation_size_mb=384:allocator_may_return_null=1
exec 7>"$TMP/number"
timeout -k 5 3000 Xvfb -displayfd 7 -screen 0 1280x800x24 -fbdir . \
	-nolisten tcp -noreset 2>/dev/null &
own+=($!)
exec 7>&-
for _ in {1..100}; do
	[ -s "$TMP/number" ] && break
	sleep 0.1
done
DISPLAY=:$(cat "$TMP/number")
export DISPLAY
# a picture that changes, programs that copy and paste
timeout -k 5 3000 xterm -e 'while :; do date; sleep 0.05; done' 2>/dev/null &
own+=($!)
(while :; do
	timeout 1 xclip -o -selection clipboard
	echo text | timeout 2 xclip -i -selection clipboard
	sleep 0.2
done) >/dev/null 2>&1 &
own+=($!)
check "a key and a certificate" "$B/tests/session-fuzzed" --certificate
check "hostile clients (${ROUNDS:-40} from ${SEED:-1})" "$B/tests/rdp-fuzz" \
	"$B/tests/session-fuzzed" "${ROUNDS:-40}" "${SEED:-1}"
cd "$here" || exit 1
finish
