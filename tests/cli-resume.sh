#!/bin/bash
# Saving and resuming real sandboxes, by every verb of the command.
# usage: B=build tests/cli-resume.sh
. "$(dirname "$0")/lib.sh"

export XDG_RUNTIME_DIR=$TMP/run XDG_CACHE_HOME=$TMP/cache NO_COLOR=1
mkdir -m 700 "$XDG_RUNTIME_DIR" "$TMP/there"
trap '"$BAILEY" rm -f -a >/dev/null 2>&1
      XDG_RUNTIME_DIR=$TMP/there "$BAILEY" rm -f -a >/dev/null 2>&1
      rm -rf "$TMP"' EXIT
b() { timeout -k 2 60 "$BAILEY" "$@"; }
until_true() {
	for _ in $(seq 50); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.1
	done
	return 1
}
# ok NAME ARGUMENTS...: the command succeeds
ok() {
	local name=$1
	shift
	check "$name" timeout -k 2 60 "$BAILEY" "$@"
}
counts() { [ "$(b logs --tail 1 "$1")" -gt "${2:-0}" ]; }
COUNT='i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done'

# ---- saved and resumed: not a number is lost
b run -d --name count sh -c "$COUNT" >/dev/null
until_true counts count 3
ok "save" save count -o "$TMP/count.bly"
last=$(b logs --tail 1 count)
check "runs on" until_true counts count "$last"
ok "save --stop" save count -o "$TMP/count.bly" --stop
last=$(b logs --tail 1 count)
check "stopped" sh -c "'$BAILEY' ps -a | grep -q 'Exited (137)'"
ok "resume" resume -d "$TMP/count.bly"
check "under its name" until_true counts count "$last"
same "not a number is lost" "" "$(b logs count | awk '$1 != NR')"
same "inspect tells the image" 32 "$(b inspect count | sed -n \
	's/.*"Image": "\(.*\)".*/\1/p' | tr -d '\n' | wc -c | tr -d ' ')"
ok "another" resume -d --name two "$TMP/count.bly"
check "runs too" until_true counts two "$last"
status "exec in it" 4 "$BAILEY" exec two sh -c 'exit 4'
ok "saved again" save two -o "$TMP/two.bly" --stop
ok "resumed again" resume -d --name three "$TMP/two.bly"
check "third generation" until_true counts three "$last"
b save count -o - 2>/dev/null | b resume -d --name piped - >/dev/null
check "through a pipe" until_true counts piped "$last"
b rm -f two three piped >/dev/null

# ---- pause
ok "pause" pause count
last=$(b logs --tail 1 count)
sleep 0.3
same "it stands still" "$last" "$(b logs --tail 1 count)"
ok "saved while paused" save count -o "$TMP/paused.bly"
check "still paused" sh -c "'$BAILEY' ps | grep -q Paused"
status "no exec meanwhile" 125 "$BAILEY" exec count true
ok "unpause" unpause count
check "it goes on" until_true counts count "$last"
ok "save --pause" save count -o "$TMP/paused.bly" --pause
check "paused after it" sh -c "'$BAILEY' ps | grep -q Paused"
ok "kill a paused one" kill count

# ---- branch
b run -d --rm --name tree sh -c "$COUNT" >/dev/null
until_true counts tree 3
ok "branch" branch tree leaf
last=$(b logs --tail 1 tree)
check "the original runs" until_true counts tree "$last"
check "the copy runs" until_true counts leaf "$last"
b rm -f leaf >/dev/null

# ---- move, to another state directory as to another host
cat >"$TMP/ssh" <<END
#!/bin/sh
export XDG_RUNTIME_DIR=$TMP/there
exec sh -c "\$2"
END
chmod +x "$TMP/ssh"
last=$(b logs --tail 1 tree)
status "move: refused there" 125 "$BAILEY" move tree host --ssh "$TMP/ssh" \
	--bailey "$PWD/$BAILEY" --name 'not good'
check "runs on here" until_true counts tree "$last"
last=$(b logs --tail 1 tree)
ok "move" move tree host --ssh "$TMP/ssh" --bailey "$PWD/$BAILEY"
same "gone here" "" "$(b ps -a | grep tree)"
there() { XDG_RUNTIME_DIR=$TMP/there "$@"; }
check "runs there" there until_true counts tree "$last"
there b rm -f tree >/dev/null

# ---- the line breaks: it runs here or there, or still stands here; never both
# broken WHERE TIMES: a line that breaks at that point, so many times
cat >"$TMP/broken" <<'END'
#!/usr/bin/env python3
# HOST COMMAND, with WHERE and TIMES in the environment
import os, subprocess, sys, threading
where, left = os.environ["WHERE"], os.environ["LEFT"]
times = int(open(left).read() or 0)
open(left, "w").write(str(times - 1))
if times <= 0:
    where = "nowhere"
elif where == "again" and times < int(os.environ["TIMES"]):
    sys.exit(255)
env = dict(os.environ, XDG_RUNTIME_DIR=os.environ["THERE"])
p = subprocess.Popen(["sh", "-c", sys.argv[2]], stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE, env=env)
def forward():
    while data := os.read(0, 65536):
        if where == "word" and data.endswith(b"go\n"):
            data = data[:-3]
            p.stdin.write(data)
            break
        p.stdin.write(data)
        p.stdin.flush()
    p.stdin.close()
threading.Thread(target=forward, daemon=True).start()
for line in p.stdout:
    text = line.decode()
    if where == "prepared" and text.startswith("bailey-is-prepared") or \
       where in ("answer", "again") and len(text) == 65:
        os._exit(255)
    sys.stdout.write(text)
    sys.stdout.flush()
os._exit(255 if where == "word" else p.wait())
END
chmod +x "$TMP/broken"
broken() { # WHERE TIMES
	echo "$2" >"$TMP/left"
	WHERE=$1 TIMES=$2 LEFT=$TMP/left THERE=$TMP/there timeout 60 \
		"$BAILEY" move baton host --ssh "$TMP/broken" \
		--bailey "$PWD/$BAILEY" 2>"$TMP/stderr" >/dev/null
}
baton() { b rm -f baton >/dev/null 2>&1
	there b rm -f baton >/dev/null 2>&1
	b run -d --name baton sleep 1000 >/dev/null; }
holders() { # where it is, and how
	echo "$(b ps -a | grep ' baton$' | grep -o 'Up\|Paused' | tr '\n' ' ')/$(
		there b ps -a | grep ' baton$' | grep -o 'Up\|Paused' |
		tr '\n' ' ')"
}
baton
broken prepared 1
same "broken before it is prepared: not moved" 125 $?
check "it runs here alone" until_true eval '[ "$(holders)" = "Up /" ]'
baton
broken word 1
same "the word is lost: not moved" 125 $?
check "it runs here alone" until_true eval '[ "$(holders)" = "Up /" ]'
baton
broken answer 1
same "the answer is lost: moved" 0 $?
same "it runs there alone" "/Up " "$(holders)"
baton
broken again 4
same "nobody answers any more: neither is sure" 125 $?
check "and it says what to do" grep -q 'bailey unpause baton' "$TMP/stderr"
same "it stands still here" "Up Paused /Up " "$(holders)"
check "ps says why" eval 'b ps | grep -q "Paused, moving to host"'
there b rm -f baton >/dev/null
ok "it goes on here" unpause baton
same "it runs here alone" "Up /" "$(holders)"
b rm -f baton >/dev/null

# ---- volumes
mkdir "$TMP/a" "$TMP/b"
b run -d --name vol -v "$TMP/a:/data" sh -c '
	while ! [ -e /data/end ]; do echo x >/data/out; sleep 0.1; done
	exit 7' >/dev/null
until_true test -e "$TMP/a/out"
ok "save with a volume" save vol -o "$TMP/vol.bly" --stop
status "not granted" 125 "$BAILEY" resume -d "$TMP/vol.bly"
b resume -q --name there -v "$TMP/b:/data" "$TMP/vol.bly" </dev/null \
	>/dev/null 2>&1 &
check "another directory is written" until_true test -e "$TMP/b/out"
touch "$TMP/b/end"
wait $!
same "foreground: its status" 7 $?
b rm vol >/dev/null

# ---- a file that is not in the image, only named
if [ -x /bin/busybox ]; then
	mkdir -p "$TMP/root/bin"
	cp /bin/busybox "$TMP/root/bin/sleep"
	b run -d --name own --rootfs "$TMP/root" /bin/sleep 1000 >/dev/null
	ok "save a program of another root" save own -o "$TMP/own.bly" --stop
	status "warm it without its root" 125 "$BAILEY" warm "$TMP/own.bly"
	ok "warm it" warm --rootfs "$TMP/root" "$TMP/own.bly"
	status "the root is not granted" 125 "$BAILEY" resume -d "$TMP/own.bly"
	ok "resume it" resume -d --rootfs "$TMP/root" "$TMP/own.bly"
	b rm -f own >/dev/null
	echo more >>"$TMP/root/bin/sleep"
	b resume -d --rootfs "$TMP/root" "$TMP/own.bly" >/dev/null \
		2>"$TMP/stderr"
	same "the program has changed" 125 $?
	check "it is named" grep -q bin/sleep "$TMP/stderr"
	b warm -q --remove "$TMP/own.bly"
fi

# ---- warm, clones, ports
if command -v python3 >/dev/null && command -v curl >/dev/null; then
	b run -d --name web -p 127.0.0.1::8000 python3 -m http.server 8000 \
		--directory /etc >/dev/null
	port=$(b ps | sed -n 's/.*127.0.0.1:\([0-9]*\)->8000.*/\1/p')
	get() { curl -sf -m 5 "http://127.0.0.1:$1/hostname"; }
	until_true get "$port"
	ok "save a server" save web -o "$TMP/web.bly" --stop
	ok "the port is free again" resume -d --name web \
		-p "127.0.0.1:$port:8000" "$TMP/web.bly"
	check "and answers" get "$port"
	b rm -f web >/dev/null
	same "warm" "$TMP/web.bly" "$(b warm "$TMP/web.bly" |
		awk '{ print $NF }')"
	id=$(b warm --list | awk '{ print $1 }')
	same "warm --list" 32 "$(printf %s "$id" | wc -c | tr -d ' ')"
	ok "clones" resume -d --clones 5 --name 'web-{}' \
		-p 127.0.0.1:21300+:8000 "$TMP/web.bly"
	n=0
	for i in 0 1 2 3 4; do
		get 2130$i >/dev/null && n=$((n + 1))
	done
	same "all answer" 5 $n
	same "names" "web-0 web-1 web-2 web-3 web-4" "$(b ps |
		awk 'NR > 1 { print $NF }' | sort | tr '\n' ' ' | sed 's/ $//')"
	b rm -f web-0 web-1 web-3 web-4 >/dev/null
	check "warm --list: in use" eval \
		'b warm --list --json | grep -q "\"InUse\": true"'
	same "warm --prune keeps it" "" "$(b warm --prune)"
	status "so does the limit" 125 "$BAILEY" warm --cache-limit 1k
	b resume -d --clones 4 --name 'new-{}' -p 127.0.0.1:21300+:8000 \
		"$TMP/web.bly" >"$TMP/ids" 2>"$TMP/stderr"
	same "a port is taken" 125 $?
	check "named" grep -q 'new-2: port 127.0.0.1:21302/tcp is already' \
		"$TMP/stderr"
	check "counted" grep -q '3 of 4 clones run' "$TMP/stderr"
	same "no half-made one" "new-0 new-1 new-3 web-2" "$(b ps -a |
		awk 'NR > 1 { print $NF }' | grep -E 'new|web' | sort |
		tr '\n' ' ' | sed 's/ $//')"
	ok "warm --remove" warm --remove "$id"
	same "removed" "" "$(b warm --list)"
	b rm -f new-0 new-1 new-3 web-2 >/dev/null
	status "warm: no room" 125 env BAILEY_CACHE_LIMIT=1m "$BAILEY" \
		warm "$TMP/web.bly"
	ok "warm: room" warm --cache-limit 1g "$TMP/web.bly"
	same "warm --prune" "$id" "$(b warm --prune)"
	same "pruned" "" "$(b warm --list)"
fi
finish
