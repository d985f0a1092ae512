#!/bin/bash
# servers.sh - nginx and redis under load, Go's net/http, curl over TLS inside.
. "$(dirname "$0")/../lib.sh"
n=srv$$
port=$((20000 + $$ % 20000))
by() { timeout -s KILL 60 "$BAILEY" "$@"; }
clean() {
	for x in web redis tls; do
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
http { access_log off; server { listen 80; location / { return 200 "hello\n"; } } }
A
chmod 755 "$TMP" "$TMP/n"
by run -d --name "${n}web" -p "127.0.0.1:$port:80" -v "$TMP/n:/n:ro" nginx -c /n/nginx.conf >/dev/null
check "nginx answers" answers "http://127.0.0.1:$port/"
same_load "nginx under wrk"
check "nginx: reload" by exec "${n}web" sh -c 'kill -HUP $(cat /tmp/pid)'
sleep 1 # the old workers close what they have open
check "nginx answers after the reload" answers "http://127.0.0.1:$port/"
same_load "nginx under wrk after the reload"
check "nginx: quit" by exec "${n}web" sh -c 'kill -QUIT $(cat /tmp/pid)'
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

# ---- TLS
by run -d --name "${n}tls" -w /tmp sh -c 'openssl req -x509 -newkey rsa:2048 -nodes -keyout k -out c -days 2 \
	-subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null && exec openssl s_server -accept 4433 -key k -cert c -www' >/dev/null
same "curl over TLS to openssl s_server" ok "$(by exec "${n}tls" sh -c 'cd /tmp
	for i in $(seq 50); do curl -sf --cacert c https://localhost:4433/ | grep -q Cipher && echo ok && break; sleep 0.2; done')"
finish
