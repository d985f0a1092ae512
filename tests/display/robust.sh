#!/bin/bash
# robust.sh - what the screen withstands: viewers that stall, lie or vanish,
# and a program that floods it with windows.  The sandbox and the next viewer
# go on.
. tests/lib.sh
missing=
for p in Xvfb:xvfb xterm:xterm xwininfo:x11-utils; do
	command -v "${p%:*}" >/dev/null || missing="$missing ${p#*:}"
done
[ -x "$B/bench/rdp-client" ] || missing="$missing freerdp2-dev"
if [ -n "$missing" ]; then
	skip "what the screen withstands" "not installed:$missing"
	finish
	exit
fi
export XDG_RUNTIME_DIR=$TMP/run HOME=$TMP/home WLOG_LEVEL=OFF
mkdir -p -m 700 "$XDG_RUNTIME_DIR" "$HOME/.config"
end() {
	for n in $("$BAILEY" ps -q); do "$BAILEY" rm -f "$n" >/dev/null; done
	wait
	rm -rf "$TMP"
}
trap end EXIT

field() { # SANDBOX FIELD
	"$BAILEY" inspect "$1" | sed -n "s/^ *\"$2\": \"\(.*\)\",*$/\1/p" |
		head -1
}
client() { # SANDBOX WHAT...: the client itself
	local at
	at=$(field "$1" Address)
	exec "$B/bench/rdp-client" "${at%:*}" "${at#*:}" bailey \
		"$(field "$1" Password)" "${@:2}" </dev/null >/dev/null 2>&1
}
viewer() { # SANDBOX WHAT...
	(client "$@") &
	wait $!
}
titled() { # SANDBOX TITLE
	"$BAILEY" exec -e DISPLAY=:0 "$1" xwininfo -root -tree |
		grep -q "\"$2\""
}
takes_keys() { viewer "$1" keys 3; }
start() { # NAME ARG...
	"$BAILEY" run -d -q --name "$1" --display --clipboard both "${@:2}" \
		>/dev/null
}
memory() { # SANDBOX: KB that no other has; only root is told
	"$BAILEY" inspect --memory "$1" |
		awk '/"Total":/ { print int($2 / 1024) }'
}
grew_by() { # SANDBOX BEFORE MOST
	test -z "$2" || test $(($(memory "$1") - $2)) -lt "$3"
}

# The session's process has a limit, the others have none.
has_limit() { # SANDBOX
	"$BAILEY" exec "$1" sh -c 'grep -h Max.data.size /proc/[0-9]*/limits' |
		grep -q 402653184
}
bounded() { # SANDBOX
	client "$1" stay 5 &
	until_true 5 has_limit "$1"
}

# ---- viewers -----------------------------------------------------------------
start lines xterm -title lines -e 'while read -t 0.02 x <> <(:) || :; do
	date +%N; done'
until_true 20 titled lines lines
check "a viewer" viewer lines connect
client lines stay 50 &
stalled=$!
sleep 3
kill -STOP $stalled
sleep 1
before=$(memory lines)
sleep 4
check "a viewer that stalls costs no memory" \
	grew_by lines "$before" 8192
check "... and another one takes over" viewer lines connect
kill -KILL $stalled
wait $stalled 2>/dev/null
before=$(memory lines)
client lines clipboard 0xfffffff0 &
sleep 2
check "a viewer that copies 4 GB is not believed" grew_by lines "$before" 65536
check "... nor could it have so much" bounded lines
wait $!
check "... and the next one is shown the screen" viewer lines connect
for i in {1..12}; do
	client lines stay 9 &
	sleep "0.$((i * 7 % 10))"
	kill -KILL $!
	wait $! 2>/dev/null
done
check "after a dozen that vanish" viewer lines connect
"$BAILEY" rm -f lines >/dev/null

# ---- a program -----------------------------------------------------------------
start flood -v "$(realpath "$B/tests"):/t:ro" /t/x-flood 8
check "a viewer while windows come and go" viewer flood stay 5
check "... and the program's last window" until_true 30 titled flood 'still here'
check "... takes keys" until_true 10 takes_keys flood
finish
