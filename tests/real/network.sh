#!/bin/bash
# network.sh - ports published over TCP and UDP, IPv4 and IPv6; --network host;
# and that nothing of the host can be reached without them.
. "$(dirname "$0")/../lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
n=net$$
port=$((20000 + $$ % 20000))
host=$((port + 1))
servers=
trap 'for x in 1 2 3; do "$BAILEY" rm -f $n$x; done >/dev/null 2>&1
	kill $servers 2>/dev/null; rm -rf "$TMP"' EXIT
mkdir "$TMP/v"
cp "$here"/{echo,ask,reach}.py "$TMP/v"
chmod -R a+rX "$TMP"
run() { timeout -s KILL 30 "$BAILEY" run -v "$TMP/v:/v:ro" "$@" </dev/null 2>&1; }
inside() { timeout -s KILL 30 "$BAILEY" exec "$@" 2>&1; }
py() { timeout -s KILL 60 /usr/bin/python3 "$@" 2>&1; }
p=/usr/bin/python3
is_up() { # COMMAND: what a server has printed so far
	for _ in $(seq 100); do "$@" 2>/dev/null | grep -q '^up$' && return; sleep 0.05; done
	return 1
}

# ---- published ports
run -d --name ${n}1 -p "127.0.0.1:$port:7" -p "127.0.0.1:$port:7/udp" \
	$p /v/echo.py 0.0.0.0 7 >/dev/null
is_up "$BAILEY" logs ${n}1
same "-p: TCP" 200 "$(py "$here/ask.py" tcp 127.0.0.1 $port)"
same "-p /udp: UDP" 200 "$(py "$here/ask.py" udp 127.0.0.1 $port)"
same "and inside over the loopback: TCP" 200 "$(inside ${n}1 $p /v/ask.py tcp 127.0.0.1 7)"
same "and inside: UDP" 200 "$(inside ${n}1 $p /v/ask.py udp 127.0.0.1 7)"
if grep -q . /proc/net/if_inet6 2>/dev/null; then
	run -d --name ${n}2 -p "[::1]:$port:7" -p "[::1]:$port:7/udp" \
		$p /v/echo.py :: 7 >/dev/null
	is_up "$BAILEY" logs ${n}2
	same "-p [::1]: TCP" 200 "$(py "$here/ask.py" tcp ::1 $port)"
	same "-p [::1]: UDP" 200 "$(py "$here/ask.py" udp ::1 $port)"
	same "and inside over ::1" 200 "$(inside ${n}2 $p /v/ask.py tcp ::1 7)"
else
	skip "IPv6" "the host has none"
fi

# ---- what the host has, for the rest
py "$here/echo.py" 127.0.0.1 $host >"$TMP/up" &
servers=$!
$p -c "
import socket, time
s = socket.socket(socket.AF_UNIX); s.bind('\0bailey-test-$$'); s.listen()
t = socket.socket(socket.AF_UNIX); t.bind('$TMP/path'); t.listen()
print('up', flush=True); time.sleep(60)" >"$TMP/up2" &
servers="$servers $!"
is_up cat "$TMP/up"
is_up cat "$TMP/up2"

# ---- --network host
same "--network host: TCP" 200 "$(run --network host $p /v/ask.py tcp 127.0.0.1 $host)"
same "--network host: UDP" 200 "$(run --network host $p /v/ask.py udp 127.0.0.1 $host)"
same "--network host: a refused connection" "Connection refused" "$(run --network host bash -c \
	'exec 3<>/dev/tcp/127.0.0.1/1' | grep -o 'Connection refused' | head -n 1)"

# ---- nothing else of the host
own=$(hostname -I 2>/dev/null | awk '{ print $1 }')
reach() { run "$@" $p /v/reach.py $host "bailey-test-$$" "$TMP/path" "${own:-192.0.2.2}" | xargs; }
same "the host can reach them" "tcp reached udp reached abstract reached path reached" \
	"$(py "$here/reach.py" $host "bailey-test-$$" "$TMP/path" 127.0.0.1 | grep -E '^(tcp|udp|abstract|path) r' | xargs)"
same "nothing of the host" "" "$(reach | grep -o '[a-z-]* reached')"
same "and how it fails" "tcp ECONNREFUSED udp ECONNREFUSED own ENETUNREACH own-udp ENETUNREACH away ENETUNREACH abstract ECONNREFUSED path ENOENT unix 1 tcp 1 udp 1" \
	"$(reach)"
same "--network host: neither abstract sockets nor paths" "abstract ECONNREFUSED path ENOENT" \
	"$(reach --network host | grep -o 'abstract [A-Za-z]* path [A-Za-z]*')"
run -d --name ${n}3 $p /v/echo.py 0.0.0.0 $((port + 2)) >/dev/null
is_up "$BAILEY" logs ${n}3
connect="
import errno, socket
try: socket.create_connection(('127.0.0.1', $((port + 2)))); print('met')
except OSError as e: print(errno.errorcode[e.errno])"
same "a server without -p is not seen outside" ECONNREFUSED "$(py -c "$connect")"
same "nor in another sandbox" ECONNREFUSED "$(run $p -c "$connect")"
same "but in its own" met "$(inside ${n}3 $p -c "$connect")"
finish
