#!/bin/bash
# runtimes.sh - programs that lean hard on threads, signals and memory: node,
# java, PostgreSQL, memcached, and more tools.  Those that are not installed
# are skipped (`make test-all` installs them).
. "$(dirname "$0")/../lib.sh"
export LC_ALL=C
n=rt$$
mkdir "$TMP/v"
chmod 755 "$TMP" "$TMP/v"
trap '"$BAILEY" rm -f $n >/dev/null 2>&1; rm -rf "$TMP"' EXIT
run() { timeout -s KILL 120 "$BAILEY" run -w /tmp -e HOME=/tmp -v "$TMP/v:/v:ro" "$@" </dev/null 2>&1; }
has() { # NAME PROGRAM...
	local p
	for p in "${@:2}"; do
		command -v "$p" >/dev/null || { skip "$1" "no $p here"; return 1; }
	done
}

# ---- node: http, workers, children, files, the thread pool
cat >"$TMP/v/t.js" <<'A'
const http = require('http'), fs = require('fs'), zlib = require('zlib');
const { Worker } = require('worker_threads'), cp = require('child_process');
const get = (port, i) => new Promise((ok, no) => http.get({ port, host: '127.0.0.1', path: '/' + i }, r => {
	let d = ''; r.on('data', c => d += c); r.on('end', () => ok(d === 'x'.repeat(1000) + '/' + i ? 1 : 0)); }).on('error', no));
const s = http.createServer((q, r) => r.end('x'.repeat(1000) + q.url));
s.listen(0, '127.0.0.1', async () => {
	const all = await Promise.all([...Array(200).keys()].map(i => get(s.address().port, i)));
	const sum = await new Promise(ok => new Worker(
		"let s = 0; for (let i = 0; i < 1e6; i++) s += i; require('worker_threads').parentPort.postMessage(s)",
		{ eval: true }).on('message', ok));
	const sub = await new Promise(ok => cp.exec('echo sub; exit 3', (e, o) => ok(o.trim() + e.code)));
	fs.writeFileSync('/tmp/f', 'hello'); let w = fs.watch('/tmp/f'); w.close();
	const back = zlib.gunzipSync(await new Promise(ok => zlib.gzip(Buffer.alloc(1e6, 'a'), (e, b) => ok(b)))).length;
	console.log(all.reduce((a, b) => a + b), sum, sub, fs.readFileSync('/tmp/f', 'utf8'), back);
	process.kill(process.pid, 'SIGTERM');
});
process.on('SIGTERM', () => { console.log('term'); process.exit(5); });
A
has "node" node && same "node: http, workers, children, files, signals" "200 499999500000 sub3 hello 1000000 term 5" \
	"$(run sh -c 'node /v/t.js; echo $?' | xargs)"

# ---- java: threads, collection, faults as exceptions, sockets, children
cat >"$TMP/v/T.java" <<'A'
import java.io.*; import java.net.*; import java.util.*; import java.util.concurrent.*;
public class T {
	static int deep(int i) { return deep(i + 1) + 1; }
	static long churn(int k) {
		long s = 0;
		List<byte[]> keep = new ArrayList<>();
		for (int j = 0; j < 5000; j++) { byte[] b = new byte[1000 + j % 1000]; s += b.length + k; if (j % 50 == 0) keep.add(b); }
		return s + keep.size();
	}
	public static void main(String[] a) throws Exception {
		ExecutorService e = Executors.newFixedThreadPool(16);
		List<Future<Long>> f = new ArrayList<>();
		for (int i = 0; i < 64; i++) { int k = i; f.add(e.submit(() -> churn(k))); }
		long t = 0; for (var x : f) t += x.get();
		e.shutdown(); System.gc();
		String r = "" + t;
		try { Object o = null; o.toString(); } catch (NullPointerException x) { r += " null"; }
		try { deep(0); } catch (StackOverflowError x) { r += " deep"; }
		ServerSocket ss = new ServerSocket(0); int port = ss.getLocalPort();
		Thread th = new Thread(() -> { try { for (int i = 0; i < 20; i++) try (Socket s = ss.accept()) {
			s.getOutputStream().write(s.getInputStream().read() + 1); } } catch (IOException x) { } });
		th.start(); int n = 0;
		for (int i = 0; i < 20; i++) try (Socket s = new Socket("127.0.0.1", port)) {
			s.getOutputStream().write(i); if (s.getInputStream().read() == i + 1) n++; }
		Process p = new ProcessBuilder("sh", "-c", "echo sub; exit 3").start();
		r += " " + n + " " + new BufferedReader(new InputStreamReader(p.getInputStream())).readLine() + p.waitFor();
		Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
		System.out.println(r);
		new ProcessBuilder("kill", "-TERM", "" + ProcessHandle.current().pid()).start(); Thread.sleep(20000);
	}
}
A
has "java" java javac && same "java: threads, collection, faults, sockets, children" \
	"489926400 null deep 20 sub3 hook 143" "$(run sh -c 'java /v/T.java; echo $?' | xargs)"

# ---- PostgreSQL: processes, shared memory, semaphores, fsync, recovery
pg=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)
cat >"$TMP/v/pg.sh" <<'A'
cd /tmp; opt="-D d -l log -w"
initdb -D d >init 2>&1 || { tail -n 3 init; exit 1; }
echo "unix_socket_directories = '/tmp'" >>d/postgresql.conf
ask() { psql -h /tmp -At "$@" postgres; }
pg_ctl $opt start >/dev/null || { tail -n 5 log; exit 1; }
pgbench -h /tmp -i -q postgres 2>/dev/null
pgbench -h /tmp -c 8 -j 4 -T 2 postgres 2>&1 | grep -o 'failed transactions: 0 '
psql -h localhost -Atc 'select count(*) from pgbench_accounts' postgres
ask -q -c 'set max_parallel_workers_per_gather = 4; set parallel_setup_cost = 0; set parallel_tuple_cost = 0;
	set min_parallel_table_scan_size = 0; select count(*) from pgbench_accounts where abalance is not null'
ask -c "insert into pgbench_history values (1, 1, 1, 471100)" >/dev/null
pg_ctl $opt -m immediate stop >/dev/null
pg_ctl $opt start >/dev/null # it replays its log
ask -c "select delta from pgbench_history where delta = 471100; select sum(bbalance) = (select sum(delta) from pgbench_history where delta <> 471100) from pgbench_branches"
pg_ctl $opt -m fast stop | tail -n 1; grep -icE 'panic|fatal' log
A
if [ -z "$pg" ]; then
	skip "PostgreSQL" "not installed"
else
	same "PostgreSQL: initdb, pgbench, parallel workers, recovery" \
		"failed transactions: 0 100000 100000 471100 t server stopped 0" \
		"$(run -u postgres -e "PATH=$pg:$PATH" bash /v/pg.sh | xargs)"
fi

# ---- smaller ones
if has "memcached" memcached; then
	"$BAILEY" run -d --name $n memcached -u nobody -l 127.0.0.1 -t 4 >/dev/null
	same "memcached: 4 threads, 20 clients" "2000 right" "$(timeout 60 "$BAILEY" exec $n /usr/bin/python3 -c '
import socket, threading, time
def client(i):
    for t in range(50):
        try: s = socket.create_connection(("127.0.0.1", 11211)); break
        except OSError: time.sleep(0.1)
    f = s.makefile("rwb")
    for j in range(100):
        f.write(b"set k%d-%d 0 0 4\r\n%04d\r\nget k%d-%d\r\n" % (i, j, j, i, j)); f.flush()
        r = [f.readline() for x in range(4)]
        right.append(r[2] == b"%04d\r\n" % j)
right = []
t = [threading.Thread(target=client, args=(i,)) for i in range(20)]
[x.start() for x in t]; [x.join() for x in t]; print(sum(right), "right")' 2>&1)"
	"$BAILEY" rm -f $n >/dev/null 2>&1
fi
has "rsync" rsync && same "rsync: copies, changes, deletes" "ok 1" "$(run sh -c '
	cp -r /usr/include/linux s; rsync -a s/ d && diff -r s d && rm s/a*.h && echo x >>s/bpf.h &&
	rsync -a --delete s/ d && diff -r s d && echo ok; grep -c "^x$" d/bpf.h' | xargs)"
has "ssh-keygen" ssh-keygen && same "ssh-keygen: makes, shows, signs, verifies" "256 Good" "$(run sh -c '
	ssh-keygen -q -t ed25519 -N "" -f k && ssh-keygen -lf k.pub | cut -d" " -f1; echo "a $(cat k.pub)" >allowed
	echo text >t; ssh-keygen -q -Y sign -f k -n file t; ssh-keygen -Y verify -f allowed -I a -n file -s t.sig <t | cut -d" " -f1' 2>/dev/null | xargs)"
same "openssl speed, two processes" 1 "$(run openssl speed -seconds 1 -bytes 1024 -multi 2 sha256 | grep -c '^sha256')"
has "zstd" zstd && same "zstd -T2" "ok" "$(run sh -c 'tar -C /usr/include -cf t . && zstd -q -T2 t -o z && zstd -qdc z | cmp - t && echo ok')"
has "ruby" ruby && same "ruby: threads, fork" "90 a 3" "$(run ruby -e '
	puts (1..9).map { |i| Thread.new { i * 2 } }.map(&:value).sum, `echo a`; fork { exit 3 }; Process.wait; puts $?.exitstatus' | xargs)"
has "strace" strace && same "strace says that there is no ptrace" 1 "$(run strace true 2>&1 | grep -c '^strace: ptrace.*Function not implemented')"
finish
