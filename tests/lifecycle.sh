#!/bin/sh
# The command with real sandboxes: run, ps, exec, logs, kill, stop, wait, rm,
# streams, statuses, volumes, ports, manifests, the terminal, the trace.
# usage: B=build tests/lifecycle.sh
. "$(dirname "$0")/lib.sh"

export XDG_RUNTIME_DIR=$TMP/run NO_COLOR=1
mkdir -m 700 "$XDG_RUNTIME_DIR"
trap '$BAILEY rm -f -a >/dev/null 2>&1; rm -rf "$TMP"' EXIT
run() { timeout -k 2 20 "$BAILEY" run "$@"; }
quiet() { "$@" 2>/dev/null </dev/null; }
# until COMMAND...: try for three seconds
until_true() {
	for i in 1 2 3 4 5 6 7 8 9 10; do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.3
	done
	return 1
}

# ---- exit statuses
status "status of the program" 3 "$BAILEY" run sh -c 'exit 3'
status "a signal is 128+n" 143 "$BAILEY" run sh -c 'kill -TERM $$'
status "not found" 127 "$BAILEY" run nosuchprogram
status "not executable" 126 "$BAILEY" run /etc/passwd
status "a directory" 126 "$BAILEY" run /etc
same "nothing is left behind" "" "$("$BAILEY" ps -aq)"

# ---- streams and environment
same "output" hello "$(quiet run echo hello)"
same "input with -i" "1 data" "$(echo data | run -i sh -c 'sort | uniq -c' |
	tr -s ' ' | sed 's/^ //')"
same "no input without -i" "" "$(echo data | run cat)"
same "errors on stderr" "err" "$(run sh -c 'echo err >&2' 2>&1 >/dev/null)"
(run echo 1; run cat /etc/hostname -h x; run echo 2) >"$TMP/appended" \
	2>/dev/null </dev/null
same "output appends to a file" "1 2" "$(grep -x '[12]' "$TMP/appended" |
	tr '\n' ' ' | sed 's/ $//')"
same "environment is not inherited" "" "$(SECRET=x quiet run env |
	grep SECRET)"
same "environment is given" "A=b" "$(quiet run -e A=b env | grep ^A=)"
same "container" "container=bailey" "$(quiet run env | grep ^container)"
same "host name" box "$(quiet run --hostname box uname -n)"
same "working directory" /usr "$(quiet run -w /usr pwd)"
same "user" "33 33" "$(quiet run -u www-data sh -c 'echo $(id -u) $(id -g)')"
same "entry point" "a b" "$(quiet run --entrypoint echo a b)"

# ---- what is visible
same "no users' files" "" "$(quiet run ls /home /root | grep -v :)"
same "no secrets" "" "$(quiet run cat /etc/shadow /etc/ssl/private/* \
	/etc/ssh/ssh_host_rsa_key)"
status "may write anywhere" 0 "$BAILEY" run sh -c 'echo x > /usr/bin/new &&
	echo y > /etc/passwd && rm /usr/bin/env'
check "the host does not change" test ! -e /usr/bin/new -a -e /usr/bin/env
status "read-only" 0 "$BAILEY" run --read-only sh -c '! touch /usr/x &&
	touch /tmp/x'
mkdir "$TMP/volume"
echo inside >"$TMP/volume/a"
same "volume" inside "$(quiet run -v "$TMP/volume:/v:ro" cat /v/a)"
status "read-only volume" 1 "$BAILEY" run -v "$TMP/volume:/v:ro" touch /v/b
status "writable volume" 0 "$BAILEY" run -v "$TMP/volume:/v" \
	sh -c 'echo out > /v/c'
same "volume was written" out "$(cat "$TMP/volume/c" 2>/dev/null)"
status "tmpfs limit" 1 "$BAILEY" run --tmpfs /t:size=64k \
	sh -c 'head -c 100000 /dev/zero > /t/a'

# ---- a detached one
id=$(run -d --name life sh -c 'echo out; echo err >&2; exec sleep 1000')
same "id" 64 "$(printf %s "$id" | wc -c | tr -d ' ')"
same "ps" life "$("$BAILEY" ps | awk 'NR == 2 { print $NF }')"
same "ps -q" "$(printf %.12s "$id")" "$("$BAILEY" ps -q)"
check "logs come" until_true sh -c "'$BAILEY' logs life | grep -q err"
same "logs --tail" err "$("$BAILEY" logs --tail 1 life)"
status "name in use" 125 "$BAILEY" run --name life true
status "exec status" 4 "$BAILEY" exec life sh -c 'exit 4'
same "exec sees the others" 1 "$(quiet "$BAILEY" exec life sh -c \
	'cat /proc/1/cmdline | tr "\0" " " | grep -c "sleep 1000"')"
same "exec -i" data "$(echo data | "$BAILEY" exec -i life cat)"
status "exec not found" 127 "$BAILEY" exec life nosuchprogram
for i in 1 2 3 4 5 6 7 8 9 10; do
	quiet "$BAILEY" exec life true
done
check "inspect counts processes" until_true sh -c \
	"'$BAILEY' inspect life | grep -q '\"ProcessCount\": 1,'"
same "inspect" running "$("$BAILEY" inspect life | sed -n \
	's/.*"Status": "\(.*\)".*/\1/p')"
status "rm of a running one" 125 "$BAILEY" rm life
status "kill -s" 0 "$BAILEY" kill -s TERM life
same "wait" 143 "$("$BAILEY" wait life)"
same "exited" 1 "$("$BAILEY" ps -a | grep -c 'Exited (143)')"
status "exec in an ended one" 125 "$BAILEY" exec life true
status "rm" 0 "$BAILEY" rm life
run -d --name stubborn sh -c 'trap "" TERM; echo up; while :; do sleep 1
	done' >/dev/null
until_true sh -c "'$BAILEY' logs stubborn | grep -q up"
status "stop kills in the end" 0 "$BAILEY" stop -t 1 stubborn
same "it was killed" 137 "$("$BAILEY" wait stubborn)"
status "replace" 0 "$BAILEY" run -d --replace --name stubborn sleep 100
status "rm -f" 0 "$BAILEY" rm -f stubborn
run -d --rm --name brief true >/dev/null
check "--rm" until_true sh -c "! '$BAILEY' ps -aq | grep -q ."

# ---- signals and ports
timeout -s TERM 2 "$BAILEY" run sh -c 'trap "exit 9" TERM
	while :; do sleep 0.1; done' >/dev/null 2>&1 </dev/null
status "the program gets our signals" 9 sh -c "'$BAILEY' run sh -c 'trap \
	\"exit 9\" TERM; while :; do sleep 0.1; done' & sleep 1
	kill -TERM \$!; wait \$!"
if command -v python3 >/dev/null && command -v curl >/dev/null; then
	run -d --name web -p 127.0.0.1::8000 python3 -m http.server 8000 \
		>/dev/null
	port=$("$BAILEY" ps | sed -n 's/.*127.0.0.1:\([0-9]*\)->8000.*/\1/p')
	check "published port" until_true curl -sf "http://127.0.0.1:$port/"
	status "port in use" 125 "$BAILEY" run -p "127.0.0.1:$port:1" true
	"$BAILEY" rm -f web >/dev/null
fi

# ---- manifest and trace
"$BAILEY" spec -o - sh -c 'pwd; hostname' |
	sed 's,"cwd": "/",\"cwd": "/usr",' >"$TMP/m.json"
same "manifest" "/usr bailey" "$(quiet run --manifest "$TMP/m.json" |
	tr '\n' ' ' | sed 's/ $//')"
quiet run --trace="$TMP/trace" ls /nosuch >/dev/null
check "trace: errors by name" grep -q 'ENOENT (No such file' "$TMP/trace"
check "trace: flags" grep -q 'openat(AT_FDCWD, .*O_RDONLY|O_CLOEXEC' \
	"$TMP/trace"
check "trace: the end" grep -q '+++ exited with 2 +++' "$TMP/trace"
quiet run --trace="$TMP/trace" sh -c '/bin/true; exit 3' >/dev/null
check "trace: processes" grep -q '^\[pid .*wait4.*WEXITSTATUS(s) == 0' \
	"$TMP/trace"
check "trace: signals" grep -q -- '--- SIGCHLD {.*CLD_EXITED' "$TMP/trace"

# ---- the terminal
if command -v python3 >/dev/null; then
	check "terminal" timeout 60 python3 "$(dirname "$0")/terminal.py" \
		"$BAILEY"
fi
finish
