#!/bin/bash
# move.sh - a program moves between two hosts, made of network namespaces with
# a real sshd: it runs on there, and is gone here; a connection that breaks
# leaves it here.
. "$(dirname "$0")/lib.sh"
n=bly$$
sshd=$(command -v /usr/sbin/sshd sshd | head -n 1)
if [ "$(id -u)" != 0 ] || [ -z "$sshd" ] ||
   ! ip netns add "${n}a" 2>/dev/null; then
	skip "move between two hosts" "needs root, sshd and network namespaces"
	finish
	exit
fi
move_clean() {
	there rm -f -a >/dev/null 2>&1
	[ -e "$TMP/sshd.pid" ] && kill "$(cat "$TMP/sshd.pid")"
	save_clean
	ip netns del "${n}a"
	ip netns del "${n}b"
}
trap move_clean EXIT
here_() { ip netns exec "${n}a" timeout -k 2 60 "$BAILEY" "$@"; }
there() {
	XDG_RUNTIME_DIR=$TMP/there ip netns exec "${n}b" timeout -k 2 60 \
		"$BAILEY" "$@"
}

ip netns add "${n}b"
ip link add "v$n" netns "${n}a" type veth peer name "w$n" netns "${n}b"
ip -n "${n}a" addr add 10.77.0.1/24 dev "v$n"
ip -n "${n}b" addr add 10.77.0.2/24 dev "w$n"
for x in a b; do ip -n "$n$x" link set lo up; done
ip -n "${n}a" link set "v$n" up
ip -n "${n}b" link set "w$n" up

mkdir -m 700 "$TMP/there" "$TMP/ssh"
mkdir -p /run/sshd
ssh-keygen -q -t ed25519 -N '' -f "$TMP/ssh/host"
ssh-keygen -q -t ed25519 -N '' -f "$TMP/ssh/key"
cat >"$TMP/ssh/sshd" <<A
Port 22
HostKey $TMP/ssh/host
AuthorizedKeysFile $TMP/ssh/key.pub
PidFile $TMP/sshd.pid
StrictModes no
PermitRootLogin yes
UsePAM no
SetEnv XDG_RUNTIME_DIR=$TMP/there XDG_CACHE_HOME=$TMP/there/cache
A
cat >"$TMP/ssh/config" <<A
IdentityFile $TMP/ssh/key
StrictHostKeyChecking no
UserKnownHostsFile /dev/null
LogLevel ERROR
A
ip netns exec "${n}b" "$sshd" -f "$TMP/ssh/sshd" -E "$TMP/ssh/log"
move() {
	here_ move --ssh "ssh -F $TMP/ssh/config" --bailey "$BAILEY" "$@"
}
script='i=0; while :; do i=$((i + 1)); echo $i; sleep 0.02; done'
value() { "$1" logs "$2" 2>/dev/null | grep -x '[0-9]*' | tail -n 1; }
grows() { # WHERE NAME
	local a
	a=$(value "$1" "$2")
	sleep 0.4
	a=$(($(value "$1" "$2") - ${a:-0}))
	[ "$a" -gt 0 ]
}

here_ run -d --name web -p 8080:8000 sh -c "$script & cd /usr/share/doc;
	exec /usr/bin/python3 -m http.server 8000" >/dev/null
fetch() { ip netns exec "$1" curl -sf -m 2 -o /dev/null http://127.0.0.1:8080/; }
check "it serves here" tries 50 fetch "${n}a"
check "it counts here" grows here_ web
count=$(value here_ web)
check "move" move web root@10.77.0.2
check "it counts there" grows there web
check "it counts on from where it was" test "$(value there web)" -gt "$count"
check "it serves there" tries 20 fetch "${n}b"
same "it is gone here" "" "$(here_ ps -q)"
check "nothing serves here" fails fetch "${n}a"

# ---- what fails leaves it here
here_ run -d --name stay sh -c "$script" >/dev/null
check "no such host" fails here_ move --ssh 'ssh -o ConnectTimeout=1' stay \
	10.77.0.9
check "it runs on here" grows here_ stay
check "no bailey there" fails move --bailey /nosuch stay 10.77.0.2
check "it runs on here, still" grows here_ stay
here_ run -d --name big /usr/bin/python3 -c '
import os, time
x = os.urandom(300 << 20); n = 0
while True: n += 1; print(n, flush=True); time.sleep(0.02)' >/dev/null
tries 100 grows here_ big
move big 10.77.0.2 >"$TMP/broken" 2>&1 &
pid=$!
sleep 0.8
ip -n "${n}b" link set "w$n" down
wait $pid
check "a broken connection: an error" test $? != 0
check "it runs on here after that" tries 30 grows here_ big
ip -n "${n}b" link set "w$n" up
same "and not there" "" "$(there ps | grep -w big)"
(exec ip netns exec "${n}a" "$BAILEY" move --ssh "ssh -F $TMP/ssh/config" \
	--bailey "$BAILEY" big 10.77.0.2) >/dev/null 2>&1 &
pid=$!
sleep 0.5
kill -9 $pid # ip has become bailey
wait $pid 2>/dev/null
check "move killed: it runs on here" tries 30 grows here_ big
tries 50 sh -c "! XDG_RUNTIME_DIR=$TMP/there '$BAILEY' ps | grep -qw big"
same "and not there either" "" "$(there ps | grep -w big)"
check "a move after all" move big 10.77.0.2
check "it counts there at last" tries 30 grows there big
finish
