#!/bin/bash
# outside.sh - what a resumed program finds of the world outside it: ports,
# connections, volumes, randomness, time, its name and its output.
. "$(dirname "$0")/lib.sh"
port=$((10000 + $$ % 9000))
compile outside && compile twins

# Three connections that say "hello" when USR1 comes to us.
clients() {
	exec python3 -c '
import signal, socket, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
s = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in "abc"]
signal.sigwait([signal.SIGUSR1])
for x in s:
    x.send(b"hello")
signal.sigwait([signal.SIGUSR1])
' "$1"
}
serve() { # NAME PORT
	quietly run -d --name "$1" -p "127.0.0.1:$2:7000" \
		-v "$progs:/progs:ro" /progs/outside 7000
	shows "$1" LISTENS
	clients "$2" &
	client=$!
	shows "$1" READY
}
say() { # PORT: what a new client hears
	python3 -c '
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
s.settimeout(5)
s.send(b"hi")
print(s.recv(64).decode())' "$1" 2>&1 | tail -n 1
}

# ---- it runs on: the connections are as they were
serve on $port
check "save while it serves" save_on on "$TMP/on.bly"
kill -USR1 $client
sleep 0.3
go_on on
shows on NEXT
same "a new client is served after a save" welcome "$(say $port)"
ended on >/dev/null
same "its connections live on" "reader 5 watcher 1 events 0x1 poll 1 revents \
0x5 idle 5 idle again -1 EAGAIN write 1" "$(by logs on | sed '0,/^GO/d;
	/^NEXT/,$d; s/ $//' | xargs)"
kill $client; wait $client 2>/dev/null

# ---- ended and resumed at another port: reset, at once
serve off $((port + 1))
check "save --stop while it serves" save_stop off "$TMP/off.bly"
check "resume at another port" resume off2 "$TMP/off.bly" \
	-p "127.0.0.1:$((port + 2)):7000"
go_on off2
check "the program goes on" shows off2 NEXT
same "the listening socket is bound again" welcome "$(say $((port + 2)))"
ended off2 >/dev/null
by logs off2 | sed '0,/^GO/d; /^NEXT/,$d; s/ $//' >"$TMP/reset"
same "a blocked reader gets ECONNRESET" "reader -1 ECONNRESET" \
	"$(grep ^reader "$TMP/reset")"
bits() { echo $(($(sed -n "s/^$1 //p" "$TMP/reset") & 0x18)); }
same "epoll tells EPOLLERR and EPOLLHUP" 24 "$(bits events)"
same "poll tells POLLERR and POLLHUP" 24 "$(bits revents)"
same "an idle one gets ECONNRESET" "idle -1 ECONNRESET" \
	"$(grep '^idle -' "$TMP/reset")"
same "then the end" "idle again 0" "$(grep '^idle again' "$TMP/reset")"
same "and a write gets EPIPE" "write -1 EPIPE" "$(grep ^write "$TMP/reset")"
kill $client; wait $client 2>/dev/null

# ---- twins differ; the time is right
begin twins /progs/twins
save_stop twins "$TMP/twins.bly"
resume twin1 "$TMP/twins.bly"
resume twin2 "$TMP/twins.bly"
for t in twin1 twin2; do
	go_on $t
	ended $t >/dev/null
	by logs $t >"$TMP/$t"
done
now=$(date +%s)
for what in getrandom getentropy urandom random uuid generation; do
	a=$(grep "^differ $what" "$TMP/twin1")
	check "twins differ: $what" test -n "$a" -a "$a" != \
		"$(grep "^differ $what" "$TMP/twin2")"
done
same "who polls /dev/generation is told" "told 1" "$(grep ^told "$TMP/twin1")"
same "the program's own generator goes on" "$(grep ^same "$TMP/twin1")" \
	"$(grep ^same "$TMP/twin2")"
check "CLOCK_REALTIME is right" awk -v n="$now" '$1 == "time" {
	good = $2 <= n + 1 && $2 > n - 20 } END { exit !good }' "$TMP/twin1"
check "twins have other ids" test "$(by inspect twin1 | grep '"Id"')" != \
	"$(by inspect twin2 | grep '"Id"')"

# ---- the private layer over a tree of the host; volumes, one changed
mkdir "$TMP/v"
echo first >"$TMP/v/kept"
echo first >"$TMP/v/changed"
echo first >"$TMP/v/own"
chmod -R a+rwX "$TMP/v"
script='echo mine > /usr/share/mine; exec 7>>/v/own; echo more >&7; rm /usr/bin/env; exec 5</v/kept 6</v/changed
	read a <&5; echo READY; while [ ! -e /go ]; do sleep 0.05; done
	cat /usr/share/mine; [ -e /usr/bin/env ] || echo removed
	cat /v/kept; cat /v/changed; echo out > /v/new; echo END'
quietly run -d --name vol -v "$TMP/v:/v" bash -c "$script"
shows vol READY
save_stop vol "$TMP/vol.bly"
sleep 1.1
echo second >"$TMP/v/changed"
by resume -d --name vol2 -v "$TMP/v:/v" "$TMP/vol.bly" >"$TMP/out" 2>&1
check "a changed file of a volume is reported" grep -q 'file changed' "$TMP/out"
check "one that the program wrote itself is not" fails grep -q own "$TMP/out"
check "exec in a resumed one" by exec vol2 touch /go
check "it goes on" shows vol2 END
same "private layer and volume" "mine removed first second END" \
	"$(by logs vol2 | xargs)"
same "volumes are written" out "$(cat "$TMP/v/new" 2>/dev/null)"

# ---- the volume is not given: nothing starts
status "a volume that is not granted" 125 "$BAILEY" resume -d --name vol3 \
	"$TMP/vol.bly"
check "it says which" grep -q -- '-v HOST:/v' "$TMP/status.log"
mkdir "$TMP/other"
echo other >"$TMP/other/kept"
cp "$TMP/v/changed" "$TMP/other/"
by resume -d --name vol4 -v "$TMP/other:/v" "$TMP/vol.bly" >/dev/null 2>&1 &&
	same "another directory in its place is what is seen" other \
		"$(by exec vol4 cat /v/kept 2>&1)"

# ---- pause and unpause
quietly run -d --name ticks sh -c 'i=0; while :; do i=$((i + 1)); echo $i
	sleep 0.02; done'
shows ticks 10
check "pause" quietly pause ticks
sleep 0.2
a=$(by logs ticks | wc -l)
sleep 0.3
same "nothing runs while it is paused" "$a" "$(by logs ticks | wc -l)"
check "unpause" quietly unpause ticks
sleep 0.3
check "it runs on" test "$(by logs ticks | wc -l)" -gt "$a"
check "save --pause" quietly save --pause ticks -o "$TMP/paused.bly"
a=$(by logs ticks | wc -l)
sleep 0.3
same "it stays paused" "$a" "$(by logs ticks | wc -l)"
check "unpause after the save" quietly unpause ticks
grants=()
check "a paused one's image resumes" resume ticks2 "$TMP/paused.bly"
check "and counts on from there" shows ticks2 $((a + 3))
check "branch" quietly branch ticks ticks3
check "both run" shows ticks3 $((a + 10))
finish
