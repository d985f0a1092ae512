#!/bin/bash
# real.sh - programs at real work that are saved in the middle, ended and
# resumed, and go on as if nothing had happened.
# usage: [LOAD=1] tests/save/real.sh [NAME...]   (all: every one)
# LOAD=1: see lib.sh.
. "$(dirname "$0")/lib.sh"
short='shell python pipeline nginx redis vim pool'
long='make postgres node java go generations redis_load postgres_load'
port=$((20000 + $$ % 9000))
python=/usr/bin/python3
work=$TMP/work
mkdir "$work"
chmod 777 "$work"
grants=(-v "$work:/work")

need() { # NAME TOOL...: false, and a line, if one is missing
	local tool
	for tool in "${@:2}"; do
		command -v "$tool" >/dev/null || [ -x "$tool" ] || {
			skip "$1" "no $tool"
			return 1
		}
	done
}
answers() { tries 100 curl -sf -m 2 -o /dev/null "$1"; }
stop_and_resume() { # TITLE NAME [OPTION...]: NAME becomes NAME-2
	local size
	check "$1: save --stop" by save --stop "$2" -o "$TMP/$2.bly"
	check "$1: it has ended" sh -c "! '$BAILEY' ps -q | grep -q ."
	check "$1: resume" by resume -d --name "$2-2" -v "$work:/work" \
		"${@:3}" "$TMP/$2.bly"
	size=$(stat -c %s "$TMP/$2.bly" 2>/dev/null)
	[ -n "$QUIET" ] || echo "     image of $2: $((size / 1024)) KiB"
	rm -f "$TMP/$2.bly"
	"$BAILEY" ps -q --no-trunc | grep -q . # else there is nothing to check
}
started() { # NAME OPTION... PROGRAM ARG...
	quietly run -d --name "$1" -v "$work:/work" "${@:2}"
}

# ---- a shell: variables, functions, a background job, a half-typed line
test_shell() {
	rm -f "$TMP/typed"
	$python "$here/talk.py" "$TMP/shell.log" 'expect=# ' \
		'send=V=kept; f() { echo "f-$1-$V"; }\n' 'expect=# ' \
		'send=set -o vi; set -o emacs; sleep 1000 &\n' 'expect=# ' \
		'send=cd /usr/lib; x=(1 2 three)\n' 'expect=# ' \
		'send=echo "$(f half)-${x[2' 'expect=x[2' "until=$TMP/saved" \
		-- "$BAILEY" run -it -e 'PS1=# ' --name sh bash --norc \
		>"$TMP/typed" 2>&1 &
	local talker=$!
	tries 100 grep -q 'x\[2' "$TMP/shell.log"
	sleep 0.3
	check "shell: save --stop" by save --stop sh -o "$TMP/sh.bly"
	touch "$TMP/saved"
	wait $talker
	check "shell: variables, function, half a line, job, directory" \
		$python "$here/talk.py" "$TMP/shell2.log" \
		'send=]}"\n' 'expect=f-half-kept-three' \
		'send=jobs; pwd\n' 'expect=Running' 'expect=sleep 1000' \
		'expect=/usr/lib' 'send=kill %%; sleep 0.5\n' 'expect=Terminated' \
		'send=sleep 77\n' 'send=\x03' \
		'send=echo was-$?\n' 'expect=was-130' \
		'send=stty size | tr " " x\n' 'expect=30x100' \
		'send=exit 6\n' 'end=6' \
		-- "$BAILEY" resume -it --name sh2 "$TMP/sh.bly"
}

# ---- python: threads and a generator, in the middle
test_python() {
	cat >"$work/compute.py" <<'A'
import hashlib, sys, threading
def collatz():
    n = 1
    while True:
        n += 1
        m, steps = n, 0
        while m != 1:
            m = m // 2 if m % 2 == 0 else 3 * m + 1
            steps += 1
        yield n, steps
result, lock = {}, threading.Lock()
def work(k):
    h = hashlib.sha256(str(k).encode())
    for i in range(300000):
        h.update(h.digest())
    with lock:
        result[k] = h.hexdigest()[:16]
ts = [threading.Thread(target=work, args=(k,)) for k in range(4)]
[t.start() for t in ts]
best = (0, 0)
g = collatz()
for i in range(120000):
    n, s = next(g)
    best = max(best, (s, n))
    if i == 6000:
        print("READY", flush=True)
[t.join() for t in ts]
print(best, next(g), sorted(result.items()), round(sum(
    1 / k ** 1.1 for k in range(1, 100000)), 12))
A
	started py $python /work/compute.py
	check "python: computes" shows py READY
	same "python: it has not ended" READY "$(by logs py)"
	stop_and_resume python py || return
	same "python: it ends well" 0 "$(ended py-2)"
	same "python: the same numbers" \
		"$($python "$work/compute.py" | tail -n 1)" "$(by logs py-2)"
}

# ---- processes of python that share memory, locks and queues
test_pool() {
	cat >"$work/pool.py" <<'A'
import multiprocessing as mp, time
def work(i, total, lock, q):
    for k in range(4000):
        with lock:
            total.value += (i * 7 + k) % 11
        if k % 50 == 0:
            q.put((i, k))
            time.sleep(0.02)
    q.put(None)
if __name__ == "__main__":
    total, lock, q = mp.Value("l", 0), mp.Lock(), mp.Queue()
    ps = [mp.Process(target=work, args=(i, total, lock, q)) for i in range(4)]
    [p.start() for p in ps]
    got, ends = 0, 0
    while ends < 4:
        x = q.get()
        ends += x is None
        got += x is not None
        if got == 60:
            print("READY", flush=True)
    [p.join() for p in ps]
    print(got, total.value, [p.exitcode for p in ps])
A
	started pool $python /work/pool.py
	check "pool: works" shows pool READY
	stop_and_resume pool pool || return
	same "pool: it ends well" 0 "$(ended pool-2)"
	same "pool: nothing lost, nothing twice" \
		"$($python "$work/pool.py" | tail -n 1)" \
		"$(by logs pool-2 | tail -n 1)"
}

# ---- five processes in full flow
test_pipeline() {
	local line='seq 1 9000000 | sed s/7/seven/ | awk "{ print \$1, NR % 97 }" |
		tr a-e A-E | md5sum'
	local i
	started flow sh -c "$line"
	sleep 0.3
	for i in 1 2 3; do
		check "pipeline: save $i, it flows on" by save flow -o "$TMP/f.bly"
	done
	same "pipeline: still flowing" "" "$(by logs flow)"
	stop_and_resume pipeline flow || return
	same "pipeline: ends well" 0 "$(ended flow-2)"
	same "pipeline: byte for byte" "$(sh -c "$line")" "$(by logs flow-2)"
}

# ---- nginx: master and two workers
nginx_conf() {
	mkdir -p "$work/n"
	cat >"$work/n/nginx.conf" <<'A'
worker_processes 2; daemon off; pid /tmp/pid; error_log stderr;
events { worker_connections 256; }
http { access_log off; server { listen 80; location / { return 200 "hello\n"; } } }
A
}
wrk_is_good() { # TITLE PORT
	timeout 30 wrk -t1 -c8 -d"${3:-1}s" "http://127.0.0.1:$2/" >"$TMP/wrk" 2>&1
	if grep -q Requests/sec "$TMP/wrk" &&
	   ! grep -qE 'Non-2xx|Socket errors' "$TMP/wrk"; then
		pass "$1"
	else
		fail "$1" "$(tail -n 4 "$TMP/wrk" | xargs)"
	fi
}
test_nginx() {
	need nginx nginx wrk || return
	nginx_conf
	local p=$((++port)) i
	started web -p "127.0.0.1:$p:80" nginx -c /work/n/nginx.conf
	check "nginx answers" answers "http://127.0.0.1:$p/"
	(sleep 0.3; for i in 1 2 3; do
		quietly save web -o "$TMP/web.bly" || touch "$TMP/unsaved"
		sleep 0.2
	done) &
	wrk_is_good "nginx: saved three times under load, no request lost" $p 3
	wait $!
	check "nginx: the saves went well" test ! -e "$TMP/unsaved"
	timeout 5 wrk -t1 -c8 -d3s "http://127.0.0.1:$p/" >/dev/null 2>&1 &
	local load=$!
	sleep 0.5
	: $((++port))
	stop_and_resume "nginx under load" web -p "127.0.0.1:$port:80" ||
		return
	check "nginx serves again at once" curl -sf -m 1 -o /dev/null \
		"http://127.0.0.1:$port/"
	wait $load
	wrk_is_good "nginx: both workers, under load, after the resume" $port
	same "nginx: master and two workers" 3 "$(by exec web-2 sh -c \
		'cat /proc/[0-9]*/comm' 2>/dev/null | grep -c nginx)"
	check "nginx: reload" by exec web-2 sh -c 'kill -HUP $(cat /tmp/pid)'
	sleep 1
	check "nginx answers after a reload" answers "http://127.0.0.1:$port/"
	quietly kill -s QUIT web-2
	same "nginx: quits well" 0 "$(ended web-2)"
}

# ---- redis with 100 MB, in the middle of BGSAVE
redis() { timeout 60 redis-cli -p $port "$@" 2>&1; }
test_redis() {
	need redis redis-server redis-cli || return
	local digest last
	: $((++port))
	started redis -p "127.0.0.1:$port:6379" -w /tmp redis-server --save '' \
		--protected-mode no --enable-debug-command yes
	tries 100 sh -c "redis-cli -p $port ping | grep -q PONG"
	redis debug populate 100000 key 1000 >/dev/null
	redis set counter 41 >/dev/null
	digest=$(redis debug digest)
	redis config set rdb-key-save-delay 20 >/dev/null
	last=$(redis lastsave)
	redis bgsave >/dev/null
	same "redis: BGSAVE goes on" 1 "$(redis info persistence | tr -d '\r' |
		sed -n 's/rdb_bgsave_in_progress://p')"
	: $((++port))
	stop_and_resume redis redis -p "127.0.0.1:$port:6379" || return
	check "redis answers at once" sh -c "redis-cli -p $port ping | grep -q PONG"
	same "redis: it writes" 42 "$(redis incr counter)"
	redis set counter 41 >/dev/null
	same "redis: the same data" "$digest" "$(redis debug digest)"
	redis config set rdb-key-save-delay 0 >/dev/null
	tries 300 sh -c "redis-cli -p $port info persistence |
		grep -q bgsave_in_progress:0"
	same "redis: BGSAVE ended well" ok "$(redis info persistence |
		tr -d '\r' | sed -n 's/rdb_last_bgsave_status://p')"
	check "redis: and it was this one" test "$(redis lastsave)" -gt "$last"
	check "redis: restarts from the file it wrote" sh -c "
		redis-cli -p $port debug reload nosave | grep -q OK"
	same "redis: the file was whole" "$digest" "$(redis debug digest)"
	redis shutdown nosave >/dev/null
	same "redis: ends well" 0 "$(ended redis-2)"
}
test_redis_load() {
	need redis_load redis-server redis-benchmark || return
	: $((++port))
	started rload -p "127.0.0.1:$port:6379" redis-server --save '' \
		--protected-mode no
	tries 100 sh -c "redis-cli -p $port ping | grep -q PONG"
	redis-benchmark -p $port -t set,get,incr -n 200000 -q >"$TMP/rb" 2>&1 &
	local bench=$! i
	for i in 1 2 3 4 5; do
		quietly save rload -o "$TMP/rl.bly" || touch "$TMP/unsaved.r"
		sleep 0.2
	done
	check "redis: five saves under load" test ! -e "$TMP/unsaved.r"
	wait $bench
	same "redis: the benchmark's connections live on" 0 $?
	same "redis: no increment lost" 200000 "$(redis get \
		counter:__rand_int__)"
	quietly rm -f rload
}

# ---- make -j4 in the middle of a build
test_make() {
	need make gcc make || return
	local i
	mkdir -p "$work/src"
	for i in $(seq 40); do
		{
			echo '#include <stdio.h>'
			seq 150 | sed "s/.*/int f${i}_&(int x) { return x * & + (x >> 3) ^ $i; }/"
			echo "int part$i(int x) { int s = 0;"
			seq 150 | sed "s/.*/s += f${i}_&(x);/"
			echo 'return s; }'
		} >"$work/src/p$i.c"
	done
	{
		echo '#include <stdio.h>'
		seq 40 | sed 's/.*/int part&(int);/'
		echo 'int main(void) { int s = 0;'
		seq 40 | sed 's/.*/s += part&(&);/'
		echo 'printf("%d\n", s); return 0; }'
	} >"$work/src/main.c"
	printf 'P := $(patsubst %%.c,%%.o,$(wildcard *.c))\nall: $(P)\n\tgcc -o all $(P)\n%%.o: %%.c\n\tgcc -O2 -c -o $@ $<\n' \
		>"$work/src/Makefile"
	started build sh -c 'cp -r /work/src /tmp/src; cd /tmp/src;
		make -j4 && cp all /work/all.saved && ./all'
	tries 100 sh -c "'$BAILEY' logs build | grep -qc 'p1[0-9].o'"
	stop_and_resume make build || return
	same "make: ends well" 0 "$(LIMIT=120 ended build-2)"
	(cp -r "$work/src" "$TMP/src" && cd "$TMP/src" && make -j4 >/dev/null)
	same "make: what was built runs" "$("$TMP/src/all")" \
		"$(by logs build-2 | tail -n 1)"
	check "make: the same program, bit for bit" \
		cmp "$TMP/src/all" "$work/all.saved"
}

# ---- vim in tmux with unsaved text
test_vim() {
	need vim vim tmux || return
	started ed -e LANG=C.UTF-8 -e TERM=xterm sh -c '
		tmux new-session -d -x 100 -y 29 -s ed "vim -u NONE /tmp/text"
		tmux send-keys -t ed "iunsaved text, line one" Enter "line two"
		exec sleep 1000'
	check "vim: has the text" tries 50 sh -c "'$BAILEY' exec ed tmux \
		capture-pane -p -t ed | grep -q 'line two'"
	stop_and_resume vim ed || return
	check "vim: attached again, the text is there, and is written" \
		$python "$here/talk.py" "$TMP/vim.log" \
		'expect=unsaved text' 'expect=line two' 'send= and more\x1b' \
		'send=:wq\n' 'end=0' -- "$BAILEY" exec -it -e TERM=xterm \
		-e LANG=C.UTF-8 ed-2 tmux attach -t ed
	same "vim: the file" "unsaved text, line one line two and more" \
		"$(by exec ed-2 cat /tmp/text | xargs)"
	quietly rm -f ed-2
}

# ---- PostgreSQL under pgbench: what was committed is there
pg() { timeout 60 psql -h 127.0.0.1 -p $port -U postgres -Atqc "$1" 2>&1; }
pg_start() {
	started "$1" -u postgres -p "127.0.0.1:$port:5432" sh -c '
		D=/tmp/pg; P=$(echo /usr/lib/postgresql/*/bin)
		$P/initdb -D $D -A trust >/dev/null &&
		echo "host all all 0.0.0.0/0 trust" >>$D/pg_hba.conf &&
		exec $P/postgres -D $D -k /tmp -h 0.0.0.0 -p 5432'
	tries 300 psql -h 127.0.0.1 -p $port -U postgres -Atqc 'select 1'
	timeout 60 pgbench -h 127.0.0.1 -p $port -U postgres -i -q -s 2 \
		postgres >/dev/null 2>&1
}
test_postgres() {
	need postgres psql pgbench postgres || return
	local old committed
	: $((++port))
	pg_start pg
	(cd "$TMP" && timeout 60 pgbench -h 127.0.0.1 -p $port -U postgres \
		-c 4 -T 20 -l -n postgres >/dev/null 2>&1) &
	old=$!
	sleep 3
	: $((++port))
	stop_and_resume "postgres under pgbench" pg -p "127.0.0.1:$port:5432" || return
	wait $old
	committed=$(cat "$TMP"/pgbench_log.* | wc -l)
	check "postgres: pgbench did work" test "$committed" -gt 50
	check "postgres: takes connections" tries 100 psql -h 127.0.0.1 \
		-p $port -U postgres -Atqc 'select 1'
	check "postgres: no committed transaction lost" test \
		"$(pg 'select count(*) from pgbench_history')" -ge "$committed"
	same "postgres: balances add up" t "$(pg 'select (select sum(abalance)
		from pgbench_accounts) = (select sum(delta) from
		pgbench_history) and (select sum(bbalance) from
		pgbench_branches) = (select sum(delta) from pgbench_history)')"
	check "postgres: clients reconnect" timeout 60 pgbench -h 127.0.0.1 \
		-p $port -U postgres -c 4 -t 100 -n postgres
	quietly kill -s INT pg-2
	same "postgres: ends well" 0 "$(ended pg-2)"
}
test_postgres_load() {
	need postgres_load psql pgbench postgres || return
	: $((++port))
	pg_start pgl
	timeout 60 pgbench -h 127.0.0.1 -p $port -U postgres -c 4 -t 1000 -n \
		postgres >"$TMP/pgb" 2>&1 &
	local old=$! i
	for i in 1 2 3 4 5; do
		quietly save pgl -o "$TMP/pgl.bly" || touch "$TMP/unsaved.p"
		sleep 0.3
	done
	wait $old
	same "postgres: pgbench does not notice five saves" 0 $?
	check "postgres: the saves went well" test ! -e "$TMP/unsaved.p"
	check "postgres: all transactions" grep -q '4000/4000' "$TMP/pgb"
	quietly rm -f pgl
}

# ---- services in node, Java and Go: they count, and answer with the count
counts_on() { # TITLE NAME PORT-INSIDE
	local before after
	check "$1 answers" answers "http://127.0.0.1:$port/"
	curl -s "http://127.0.0.1:$port/" >/dev/null
	before=$(curl -s "http://127.0.0.1:$port/")
	: $((++port))
	stop_and_resume "$1" "$2" -p "127.0.0.1:$port:$3" || return
	check "$1 serves again" answers "http://127.0.0.1:$port/"
	after=$(curl -s "http://127.0.0.1:$port/")
	check "$1 counts on ($before, $after)" test "${after%% *}" -gt \
		"${before%% *}"
	[ -z "${before#* }" ] || same "$1: its state" "${before#* }" "${after#* }"
	quietly rm -f "$2-2"
}
test_node() {
	need node node || return
	cat >"$work/s.js" <<'A'
let n = 0, ticks = 0; const kept = new Map();
for (let i = 0; i < 20000; i++) kept.set("k" + i, { i, text: "x".repeat(50) });
setInterval(() => ticks++, 20);
setImmediate(function f() { setTimeout(f, 1); });
require("http").createServer((q, r) => r.end(`${++n} ${kept.get("k777").i + kept.size}`)).listen(8000);
A
	: $((++port))
	started node -p "127.0.0.1:$port:8000" node /work/s.js
	counts_on node node 8000
}
test_java() {
	need java java javac || return
	mkdir -p "$work/j"
	cat >"$work/j/S.java" <<'A'
import com.sun.net.httpserver.*;
import java.net.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
public class S {
	public static void main(String[] a) throws Exception {
		AtomicLong n = new AtomicLong(), work = new AtomicLong();
		ConcurrentHashMap<Integer, String> kept = new ConcurrentHashMap<>();
		for (int i = 0; i < 100000; i++) kept.put(i, "value " + i);
		for (int t = 0; t < 2; t++) {
			Thread x = new Thread(() -> { while (true) {
				work.addAndGet(kept.get((int)(work.get() % 100000)).length());
				try { Thread.sleep(1); } catch (Exception e) { work.set(-1L << 60); }
			} });
			x.setDaemon(true); x.start();
		}
		HttpServer s = HttpServer.create(new InetSocketAddress(8000), 0);
		s.setExecutor(Executors.newFixedThreadPool(8));
		s.createContext("/", e -> {
			byte[] b = (n.incrementAndGet() + " " + kept.size() + kept.get(777) +
				(work.get() > 0 ? " works" : " broken")).getBytes();
			e.sendResponseHeaders(200, b.length);
			e.getResponseBody().write(b); e.close();
		});
		s.start();
	}
}
A
	javac -d "$work/j" "$work/j/S.java" || return
	: $((++port))
	started java -p "127.0.0.1:$port:8000" java -Xmx128m -cp /work/j S
	counts_on java java 8000
}
test_go() {
	need go go || return
	mkdir -p "$work/g"
	cat >"$work/g/s.go" <<'A'
package main
import ("fmt"; "net/http"; "sync/atomic"; "time")
func main() {
	var n, ticks int64
	ring := make([]chan int, 1000)
	for i := range ring { ring[i] = make(chan int) }
	for i := range ring {
		go func(i int) { for v := range ring[i] {
			if i == 0 { atomic.AddInt64(&ticks, 1); time.Sleep(time.Millisecond) }
			ring[(i+1)%1000] <- v + 1
		} }(i)
	}
	ring[0] <- 0
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a := atomic.LoadInt64(&ticks); time.Sleep(300 * time.Millisecond)
		fmt.Fprintf(w, "%d turning %v", atomic.AddInt64(&n, 1), atomic.LoadInt64(&ticks) > a)
	})
	http.ListenAndServe(":8000", nil)
}
A
	(cd "$work/g" && GOCACHE=$TMP/gocache GO111MODULE=off go build -o s s.go) || {
		fail "go: build"
		return
	}
	: $((++port))
	started go -p "127.0.0.1:$port:8000" /work/g/s
	counts_on go go 8000
}

# ---- ten generations of one that counts, and of nginx
test_generations() {
	local i name=gen old
	started gen bash -c 'n=0; while :; do n=$((n + 1)); echo $n; sleep 0.01; done'
	nginx_conf
	started web0 -p "127.0.0.1:$((++port)):80" nginx -c /work/n/nginx.conf
	answers "http://127.0.0.1:$port/"
	for i in 1 2 3 4 5 6 7 8 9 10; do
		old=$(by logs $name | tail -n 1)
		save_stop $name "$TMP/g.bly" || {
			fail "generation $i: save" "$(why)"
			return
		}
		name=gen-$i
		resume $name "$TMP/g.bly" || fail "generation $i: resume" "$(why)"
		check "generation $i counts on from ${old:-nothing}" \
			shows $name $((old + 5))
		save_stop web$((i - 1)) "$TMP/w.bly"
		resume web$i "$TMP/w.bly" -p "127.0.0.1:$((++port)):80"
		check "generation $i of nginx serves" answers \
			"http://127.0.0.1:$port/"
	done
}

[ $# -gt 0 ] || set -- $short
[ "$1" != all ] || set -- $short $long
for t in "$@"; do
	[ -z "$TIMES" ] || echo "$t $SECONDS s"
	"test_$t"
	"$BAILEY" rm -f -a >/dev/null 2>&1
done
finish
