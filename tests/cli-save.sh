#!/bin/bash
# Saving and resuming, the command's side: options, refusals, what is left
# after every failure.  The sandbox is a stand-in (fake_monitor.py) that fails
# on request; images are real.  usage: B=build tests/cli-save.sh
. "$(dirname "$0")/lib.sh"
here=$(dirname "$0")

export XDG_RUNTIME_DIR=$TMP/run XDG_CACHE_HOME=$TMP/cache NO_COLOR=1
mkdir -m 700 "$XDG_RUNTIME_DIR" "$XDG_RUNTIME_DIR/bailey"
mkdir "$TMP/out"
pids=
trap 'kill $pids 2>/dev/null; rm -rf "$TMP"' EXIT

# ours NAME TEXT ARGUMENTS...: status 125, TEXT on stderr, nothing on stdout
ours() {
	local name=$1 text=$2 got
	shift 2
	"$BAILEY" "$@" >"$TMP/stdout" 2>"$TMP/stderr" </dev/null
	got=$?
	if [ $got = 125 ] && [ ! -s "$TMP/stdout" ] &&
	   grep -qF -- "$text" "$TMP/stderr" &&
	   [ "$(wc -l <"$TMP/stderr")" -le 3 ]; then
		pass "$name"
	else
		fail "$name" "status $got: $(cat "$TMP/stderr")"
	fi
}
until_true() {
	for _ in $(seq 50); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.1
	done
	return 1
}
# fake NAME MODE: a sandbox that can be saved, or fails so
fake() {
	python3 "$here/fake_monitor.py" "$XDG_RUNTIME_DIR/bailey" "$1" \
		"$B/libos.elf" "$2" &
	pids="$pids $!"
	until_true "$BAILEY" inspect "$1"
	until_true sh -c "'$BAILEY' ps | grep -q ' $1\$'"
}
log_of() {
	local top=$XDG_RUNTIME_DIR/bailey
	echo "$top/$(readlink "$top/names/$1")/LOG"
}
# what it was asked since the last time, in a row
asked() {
	local log=$(log_of "$1")
	sleep 0.1
	tr '\n' ' ' <"$log" | sed 's/ $//'
	: >"$log"
}
nothing_left() { same "$1: no file" "" "$(ls -A "$TMP/out")"; }
is_json() { python3 -c 'import json, sys; json.load(sys.stdin)'; }

# ---- usage
fake web good
ours "save what" "which one" save
ours "save where" "where to" save web
ours "save an unknown one" 'no sandbox "nosuch"' save nosuch -o "$TMP/out/x"
ours "stop or pause" "either" save web -o "$TMP/out/x" --stop --pause
ours "level" "from 1 to 19" save web -o "$TMP/out/x" --level 20
ours "progress" "auto, json or none" save web -o "$TMP/out/x" --progress bar
ours "no passphrase file" "No such file" save web -o "$TMP/out/x" \
	--passphrase-file "$TMP/no"
ours "save into nowhere" "No such file" save web -o "$TMP/no/x"
ours "resume what" "which image" resume
ours "resume nothing" "No such file" resume "$TMP/no.bly"
ours "resume no image" "$B/libos.elf" resume "$B/libos.elf"
ours "clones in front" "needs -d" resume --clones 2 "$TMP/no.bly"
ours "clones" "clones '0'" resume -d --clones 0 "$TMP/no.bly"
ours "ports of all clones" "from 1 to 65535" resume -d --clones 9 \
	-p 65530+:80 "$TMP/no.bly"
ours "input is the image" "leave -i out" resume -i -
ours "warm what" "which image" warm
ours "image what" "usage: bailey image" image
ours "image which" "which image" image verify
ours "image diff" "usage: bailey image diff" image diff x
ours "move where" "usage: bailey move" move web
ours "move to an option" "is not the name" move web -- -oProxyCommand=x
ours "branch" "usage: bailey branch" branch web
ours "branch of itself" "in use" branch web web
ours "pause what" "which one" pause
same "nothing was asked" "" "$(asked web)"
nothing_left usage

# ---- saved, and it runs on
check "save" sh -c "'$BAILEY' save web -o '$TMP/a.bly' 2>'$TMP/report'"
check "reports" grep -qE '^saved web: .* of memory\), pause [0-9.]+ ms$' \
	"$TMP/report"
same "frozen and let go" "save thaw-0" "$(asked web)"
"$BAILEY" save web -o - >"$TMP/b.bly" 2>/dev/null
check "to a pipe" "$BAILEY" image verify "$TMP/b.bly"
same "quiet" "" "$("$BAILEY" save -q web -o "$TMP/b.bly" 2>&1)"
"$BAILEY" save web -o "$TMP/b.bly" --progress json 2>"$TMP/progress"
check "progress is JSON" python3 -c 'import json, sys
lines = [json.loads(x) for x in open(sys.argv[1])]
sys.exit(not (lines[-2]["done"] and lines[-1]["pause_ns"]))' "$TMP/progress"
asked web >/dev/null
check "pause" "$BAILEY" pause web
check "paused" sh -c "'$BAILEY' ps | grep -q '(Paused).* web\$'"
same "paused, as JSON" paused "$("$BAILEY" ps --json | sed -n \
	's/.*"State": "\(.*\)",/\1/p')"
same "paused, inspected" paused "$("$BAILEY" inspect web | sed -n \
	's/.*"Status": "\(.*\)".*/\1/p')"
check "unpause" "$BAILEY" unpause web
same "asked so" "pause unpause" "$(asked web)"
check "save --pause" "$BAILEY" save web -o "$TMP/b.bly" --pause
same "stays frozen" "save thaw-1" "$(asked web)"
check "stays paused" sh -c "'$BAILEY' ps | grep -q '(Paused).* web\$'"

# ---- what is in it
"$BAILEY" image inspect --json "$TMP/a.bly" >"$TMP/info"
check "inspect" python3 -c 'import json, sys
o = json.load(open(sys.argv[1]))[0]
m = o["Manifest"]
assert m["bailey"]["name"] == "web" and m["hostname"] == "box"
assert m["bailey"]["trees"][1]["Guest"] == "/data"
assert m["process"]["args"] == ["sleep", "1"]
assert len(o["Id"]) == 32 and o["MemoryBytes"] >= 16384' "$TMP/info"
"$BAILEY" image inspect "$TMP/a.bly" >"$TMP/info"
check "inspect for people" grep -q '^volume *\/data (it was /tmp)' "$TMP/info"
check "verify" "$BAILEY" image verify "$TMP/a.bly"
check "verify --json" sh -c "'$BAILEY' image verify --json '$TMP/a.bly' |
	grep -q '\"Good\": true'"
check "diff" sh -c "'$BAILEY' image diff --json '$TMP/a.bly' '$TMP/b.bly' |
	python3 -c 'import json, sys; d = json.load(sys.stdin)
assert any(x[\"ChangedPages\"] for x in d)'"
head -c 3000 "$TMP/a.bly" >"$TMP/cut.bly"
ours "a cut image" "cut.bly" image verify "$TMP/cut.bly"
ours "a cut image is not resumed" "cut.bly" resume -d "$TMP/cut.bly"
cp "$TMP/a.bly" "$TMP/bad.bly"
printf X | dd of="$TMP/bad.bly" bs=1 seek=1000 conv=notrunc 2>/dev/null
ours "a flipped byte" "bad.bly" image verify "$TMP/bad.bly"

# ---- encrypted, incremental
echo secret >"$TMP/pass"
echo wrong >"$TMP/wrong"
check "encrypted" "$BAILEY" save web -o "$TMP/e.bly" \
	--passphrase-file "$TMP/pass"
check "opened" "$BAILEY" image verify --passphrase-file "$TMP/pass" \
	"$TMP/e.bly"
ours "without passphrase" "passphrase" image verify "$TMP/e.bly"
ours "wrong passphrase" "passphrase" image verify \
	--passphrase-file "$TMP/wrong" "$TMP/e.bly"
check "since" "$BAILEY" save web -o "$TMP/c.bly" --since "$TMP/a.bly"
check "verify since" "$BAILEY" image verify "$TMP/c.bly"
ours "since nothing" "no.bly" save web -o "$TMP/out/x" --since "$TMP/no.bly"

# ---- an image gets what the user grants, not what it asks for
ours "volume needed" "-v HOST:/data:ro  (it was /tmp)" resume -d "$TMP/a.bly"
ours "volume unknown" "volume /other: the image was not" resume -d \
	-v /tmp:/data:ro -v /tmp:/other:ro "$TMP/a.bly"
ours "volume of another kind" "with a directory there" resume -d \
	-v /etc/passwd:/data:ro "$TMP/a.bly"
ours "rootfs unknown" "leave it out" resume -d --rootfs / \
	-v /tmp:/data:ro "$TMP/a.bly"
ours "no terminal" "without a terminal" resume -d -t -v /tmp:/data:ro \
	"$TMP/a.bly"
same "nothing was started" web "$("$BAILEY" ps -a | awk 'NR > 1 {print $NF}')"

# ---- failures: the sandbox is as it was, and there is no file
asked web >/dev/null
ours "full disk" "No space left" save web -o /dev/full --level 1
fake busy refuse
ours "refused" "a save is going on" save busy -o "$TMP/out/x"
same "refused: not frozen" save "$(asked busy)"
fake device unable
ours "cannot be saved" "it holds a device" save device -o "$TMP/out/x" --stop
same "cannot be saved: nothing more" save "$(asked device)"
fake failing fail
ours "fails later" "a process went away" save failing -o "$TMP/out/x"
ours "fails later, stopped" "a process went away" save failing \
	-o "$TMP/out/x" --stop
same "fails later: goes on" "save thaw-0 save thaw-1 unpause" \
	"$(asked failing)"
fake cut cut
ours "stream ends early" "" save cut -o "$TMP/out/x" --stop
same "stream ends early: goes on" "save thaw-1 unpause" "$(asked cut)"
check "pause" "$BAILEY" pause cut
ours "was paused" "" save cut -o "$TMP/out/x" --stop
same "was paused: stays so" "pause save thaw-1" "$(asked cut)"
nothing_left failures

# ---- interrupted and killed
fake slow hang
for sig in INT TERM KILL; do
	"$BAILEY" save slow -o "$TMP/out/x" --stop 2>"$TMP/stderr" &
	pid=$!
	until_true grep -q thaw-1 "$(log_of slow)"
	kill -$sig $pid
	wait $pid 2>/dev/null
	got=$?
	same "status after SIG$sig" $((128 + $(kill -l $sig))) $got
	until_true grep -q unpause "$(log_of slow)"
	same "SIG$sig: goes on" "save thaw-1 unpause" "$(asked slow)"
	nothing_left "SIG$sig"
done

# ---- moved
cat >"$TMP/ssh" <<'END'
#!/bin/sh
# HOST COMMAND
echo "$2" >"${0%/*}/command"
exec sh -c "$2"
END
chmod +x "$TMP/ssh"
cat >"$TMP/there" <<'END'
#!/usr/bin/env python3
# takes an image as `resume --handover` does (cli/baton.h)
import os, struct, sys
if sys.argv[1] == "resume":
    a = sys.stdin.buffer
    with open(os.path.dirname(sys.argv[0]) + "/moved.bly", "wb") as out:
        while size := struct.unpack("<I", a.read(4))[0]:
            out.write(a.read(size))
    print("bailey-is-prepared", "%064d" % 7, flush=True)
    if a.read(3) == b"go\n":
        print("%064d" % 7)
END
chmod +x "$TMP/there"
{ cat "$TMP/there"; echo 'sys.exit(3)'; } | sed '/prepared/,/print(/d' \
	>"$TMP/refuses"
sed -i 's/^sys.exit(3)/if sys.argv[1] == "resume": sys.exit(3)/' "$TMP/refuses"
chmod +x "$TMP/refuses"
fake gone good
ours "move: no host" "no bailey can be reached at host" move gone host \
	--ssh false
ours "move: no bailey there" "no bailey can be reached at host" move gone \
	host --ssh "$TMP/ssh" --bailey false
same "move: not touched" "" "$(asked gone)"
ours "move: refused there" "it runs on here" move gone host --ssh "$TMP/ssh" \
	--bailey "$TMP/refuses"
same "move: refused, goes on" "save thaw-1 unpause" "$(asked gone)"
check "move" "$BAILEY" move gone user@host --ssh "$TMP/ssh" \
	--bailey "$TMP/there" -v /x:/data:ro -p 80:80
same "move: nothing is left here" "" "$("$BAILEY" ps -a | grep gone)"
same "move: asked there" "resume -d -q --handover --progress none --name 'gone' \
-v '/x:/data:ro' -p '80:80' --network 'none' -" \
	"$(sed "s,.*there resume,resume," "$TMP/command")"
check "move: image there" "$BAILEY" image verify "$TMP/moved.bly"

# ---- ended by its save
check "save --stop" "$BAILEY" save web -o "$TMP/b.bly" --stop
same "ended after it" "save thaw-1 kill-9" "$(asked web)"
ours "save an ended one" "is not running" save web -o "$TMP/out/x"

finish
