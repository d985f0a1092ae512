#!/bin/bash
# servers.sh - nginx and redis under load, Go's net/http, curl over TLS inside.
. "$(dirname "$0")/../lib.sh"
n=srv$$
port=$((20000 + $$ % 20000))
by() { timeout -s KILL 60 "$BAILEY" "$@"; }
clean() {
	for x in web redis py tls; do
		by kill "$n$x"; sleep 0.2; by rm "$n$x"
	done >/dev/null 2>&1
	rm -rf "$TMP"
}
trap clean EXIT
answers() { # URL: within five seconds
	for _ in $(seq 50); do curl -sf -m 2 -o /dev/null "$1" && return; sleep 0.1; done
	return 1
}
same_load() { # NAME: wrk, and no answer but 200
	timeout -s KILL 30 wrk -t2 -c16 -d2s "http://127.0.0.1:$port/" >"$TMP/wrk" 2>&1
	if grep -q 'Requests/sec' "$TMP/wrk" && ! grep -qE 'Non-2xx|Socket errors' "$TMP/wrk" &&
	   [ "$(awk '/requests in/ { print $1 }' "$TMP/wrk")" -gt 100 ]; then
		pass "$1"
	else
		fail "$1" "$(tail -n 4 "$TMP/wrk" | xargs)"
	fi
}

# ---- nginx
mkdir "$TMP/n"
cat >"$TMP/n/nginx.conf" <<A
worker_processes 2; daemon off; pid /tmp/pid; error_log stderr;
events { worker_connections 256; }
http { access_log off; server { listen 80; root /n; location = / { return 200 "hello\n"; }
	location /slow/ { alias /n/; limit_rate 400k; } } }
A
head -c 1000000 /dev/urandom >"$TMP/n/big"
chmod 755 "$TMP" "$TMP/n"
by run -d --name "${n}web" -p "127.0.0.1:$port:80" -v "$TMP/n:/n:ro" nginx -c /n/nginx.conf >/dev/null
check "nginx answers" answers "http://127.0.0.1:$port/"
same_load "nginx under wrk"
sleep 0.3
same "titles" "master worker worker" "$(by exec "${n}web" ps -C nginx -o args= | awk '{ print $2 }' | xargs)"
same "idle, it sleeps" "S S S" "$(by exec "${n}web" sh -c "ps -C nginx -o s=" | cut -c1 | xargs)"
# A reload closes the old workers' idle connections, and a client that has
# just sent on one sees that, natively too: one read error for each at most.
# A request on a connection of its own must never fail.
reloads() { # WRK'S ARGUMENTS...: three reloads while it runs
	timeout -s KILL 30 wrk -t2 -c16 -d3s "$@" "http://127.0.0.1:$port/" >"$TMP/wrk" 2>&1 &
	for _ in 1 2 3; do
		sleep 0.7
		by exec "${n}web" sh -c 'kill -HUP $(cat /tmp/pid)' || return
	done
	wait $!
	awk '/Socket errors/ { gsub(",", ""); e = $4 + $6 + $8 + $10 } /Non-2xx/ { e += $NF }
		/requests in/ { n = $1 } END { print (n > 100 ? e + 0 : "few requests") }' "$TMP/wrk"
}
same "nginx: no request fails across reloads" 0 "$(reloads -H 'Connection: close')"
errors=$(reloads)
[ "$errors" -le 48 ] && pass "nginx: kept connections across reloads" ||
	fail "nginx: kept connections across reloads" "$errors errors for 3 times 16"
answers "http://127.0.0.1:$port/"
same_load "nginx under wrk after the reloads"
curl -s "http://127.0.0.1:$port/slow/big" | md5sum >"$TMP/slow" &
sleep 0.5
check "nginx: quit" by exec "${n}web" sh -c 'kill -QUIT $(cat /tmp/pid)'
wait $!
same "nginx: what was under way is answered" "$(md5sum <"$TMP/n/big")" "$(cat "$TMP/slow")"
for _ in $(seq 50); do answers_not=$(curl -s -m 1 "http://127.0.0.1:$port/") || break; sleep 0.1; done
same "nginx has gone" "" "$answers_not"

# ---- redis
by run -d --name "${n}redis" -w /tmp redis-server --appendonly yes --save '' >/dev/null
for _ in $(seq 50); do by exec "${n}redis" redis-cli ping 2>/dev/null | grep -q PONG && break; sleep 0.1; done
check "redis-benchmark, all commands" sh -c "timeout -s KILL 60 '$BAILEY' exec ${n}redis redis-benchmark -n 2000 -q >'$TMP/bench' 2>&1 &&
	[ \$(grep -c 'requests per second' '$TMP/bench') -ge 15 ]"
same "BGSAVE while written to" "ok" "$(by exec "${n}redis" bash -c '
	redis-benchmark -n 20000 -t set -q >/dev/null & redis-cli bgsave >/dev/null; wait
	for i in $(seq 50); do redis-cli info persistence | grep -q "rdb_bgsave_in_progress:0" && break; sleep 0.1; done
	redis-cli info persistence | grep -q "rdb_last_bgsave_status:ok" && test -s /tmp/dump.rdb && echo ok')"
same "AOF is written" "ok" "$(by exec "${n}redis" sh -c 'redis-cli set zebra 1 >/dev/null; sleep 1.2; grep -rq zebra /tmp/appendonlydir && echo ok')"

same "AOF rewritten while written to" ok "$(by exec "${n}redis" bash -c '
	redis-benchmark -n 20000 -r 1000 -t set,lpush -q >/dev/null & redis-cli bgrewriteaof >/dev/null; wait
	for i in $(seq 50); do redis-cli info persistence | grep -q "aof_rewrite_in_progress:0" && break; sleep 0.1; done
	redis-cli info persistence | grep -q "aof_last_bgrewrite_status:ok" && echo ok')"
same "a second server reads the dump and the AOF" "ok ok" "$(by exec "${n}redis" bash -c 'cd /tmp; redis-cli set zebra 2 >/dev/null
	sleep 1.2; n=$(redis-cli dbsize); mkdir two three; cp -r appendonlydir two; redis-cli save >/dev/null; cp dump.rdb three
	start() { (cd $1; redis-server --port $2 --save "" ${@:3} --daemonize yes >/dev/null)
		for i in $(seq 50); do redis-cli -p $2 ping 2>/dev/null | grep -q PONG && break; sleep 0.1; done
		[ "$(redis-cli -p $2 get zebra)$(redis-cli -p $2 dbsize)" = "2$n" ] && echo ok; }
	start two 7001 --appendonly yes; start three 7002' | xargs)"

# ---- Go
cat >"$TMP/n/s.go" <<'A'
package main
import ("fmt"; "io"; "net"; "net/http"; "sync")
func main() {
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) }))
	var wg sync.WaitGroup; var mu sync.Mutex; ok := 0
	for i := 0; i < 100; i++ { wg.Add(1); go func(i int) { defer wg.Done()
		r, err := http.Get(fmt.Sprintf("http://%s/%d", l.Addr(), i)); if err != nil { return }
		b, _ := io.ReadAll(r.Body); r.Body.Close()
		if string(b) == fmt.Sprintf("/%d", i) { mu.Lock(); ok++; mu.Unlock() } }(i) }
	wg.Wait(); fmt.Println(ok)
}
A
(cd "$TMP/n" && CGO_ENABLED=0 GO111MODULE=off GOCACHE=${GOCACHE:-$HOME/.cache/go-build} timeout 100 go build -o s s.go) 2>&1
same "Go: goroutines and net/http" 100 "$(by run -v "$TMP/n:/n:ro" /n/s 2>&1)"

# ---- python3 -m http.server: inside only, no -p
by run -d --name "${n}py" -w /usr/include/linux python3 -m http.server $((port + 1)) >/dev/null
same "python3 -m http.server under requests" "200 $(md5sum </usr/include/linux/if.h | xargs)" "$(by exec "${n}py" bash -c '
	for i in $(seq 50); do curl -sf -o /dev/null localhost:'$((port + 1))'/ && break; sleep 0.1; done
	seq 200 | xargs -P 8 -I N curl -sf localhost:'$((port + 1))'/if.h?N -o /tmp/N && cat /tmp/1 | cmp - /tmp/200 &&
	echo $(ls /tmp | grep -c "^[0-9]*$") $(md5sum </tmp/77)')"
same "and nothing outside can reach it" 7 "$(curl -s -m 2 "localhost:$((port + 1))"; echo $?)"

# ---- TLS
by run -d --name "${n}tls" -w /tmp sh -c 'openssl req -x509 -newkey rsa:2048 -nodes -keyout k -out c -days 2 \
	-subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null && exec openssl s_server -accept 4433 -key k -cert c -www' >/dev/null
same "curl over TLS to openssl s_server" ok "$(by exec "${n}tls" sh -c 'cd /tmp
	for i in $(seq 50); do curl -sf --cacert c https://localhost:4433/ | grep -q Cipher && echo ok && break; sleep 0.2; done')"
finish
