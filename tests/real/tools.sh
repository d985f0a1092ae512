#!/bin/bash
# tools.sh - git, gcc and make, sqlite3 and python3 at their real work.
. "$(dirname "$0")/../lib.sh"
export LC_ALL=C
run() { timeout -s KILL 100 "$BAILEY" run -w /tmp -e HOME=/tmp "$@" </dev/null 2>&1; }
last() { tail -n 1; }

same "git: init, add, commit, log, branch, merge, clone, gc, fsck" "ok 3 12" "$(run bash -ec '
	git config --global user.name a; git config --global user.email a@b; git config --global init.defaultBranch main
	git init -q r; cd r; cp -r /usr/include/linux .; git add .; git commit -qm one
	echo x >x; git add x; git commit -qm two; git checkout -q -b side HEAD~1; for i in $(seq 12); do echo $i >f$i; done
	git add .; git commit -qm three; git checkout -q main; git merge -q --no-edit side; [ -z "$(git status --short)" ]
	cd ..; git clone -q r c; cd c; git gc -q; git fsck >/dev/null 2>&1
	diff -r linux /usr/include/linux; echo ok $(git log --oneline --no-merges | wc -l) $(ls f* | wc -l)' | last)"

mkdir "$TMP/src"
for i in 1 2 3 4 5 6 7 8; do
	printf '#include <stdio.h>\n#include <stdlib.h>\nint f%s(int x) { return x * %s; }\n' $i $i >"$TMP/src/f$i.c"
	calls="$calls + f$i(1)" decls="$decls int f$i(int);"
done
printf '#include <stdio.h>\n%s\nint main(void) { printf("%%d\\n", 0%s); return 5; }\n' "$decls" "$calls" >"$TMP/src/main.c"
printf 'O = $(patsubst /src/%%.c,%%.o,$(wildcard /src/*.c))\nall: $(O)\n\tgcc -o all $(O)\n%%.o: /src/%%.c\n\tgcc -O2 -Wall -c -o $@ $<\n' >"$TMP/src/Makefile"
same "make -j4 of a project, and its program" "36 5" \
	"$(run -v "$TMP/src:/src:ro" sh -c 'make -s -j4 -f /src/Makefile; ./all; echo $?' | xargs)"

awk 'BEGIN { print "create table t(i integer primary key, s text); begin;"
	for (i = 1; i <= 100000; i++) print "insert into t values(" i ", " i * 7 ");"
	print "commit; create index x on t(s);" }' >"$TMP/src/rows.sql"
same "sqlite3: 100,000 inserts in a file" "100000|5000050000|ok" "$(run -v "$TMP/src:/src:ro" sh -c '
	sqlite3 d.db </src/rows.sql
	sqlite3 d.db "select count(*), sum(i), (select * from pragma_integrity_check) from t"' | last)"

py() { # NAME EXPECTED SCRIPT
	printf '%s\n' "$3" >"$TMP/src/p.py"
	same "python3: $1" "$2" "$(run -v "$TMP/src:/src:ro" /usr/bin/python3 /src/p.py | last)"
}
py "http.server under requests" "200 requests, 200 right" '
import http.server, threading, urllib.request, concurrent.futures
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(self.path.encode())
    def log_message(self, *a): pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", 8000), H)
threading.Thread(target=s.serve_forever, daemon=True).start()
def get(i): return urllib.request.urlopen("http://127.0.0.1:8000/%d" % i).read() == b"/%d" % i
with concurrent.futures.ThreadPoolExecutor(8) as e: r = list(e.map(get, range(200)))
s.shutdown(); print("%d requests, %d right" % (len(r), sum(r)))'
py "threading" "40000" '
import threading
n, l, c = 0, threading.Lock(), threading.Barrier(8)
def f():
    global n
    c.wait()
    for i in range(5000):
        with l: n += 1
t = [threading.Thread(target=f) for i in range(8)]
[x.start() for x in t]; [x.join() for x in t]; print(n)'
for m in fork spawn; do
	py "multiprocessing, $m" "332833500" '
import multiprocessing as mp
def sq(x): return x * x
if __name__ == "__main__":
    mp.set_start_method("'$m'")
    with mp.Pool(4) as p: print(sum(p.map(sq, range(1000))))'
done
py "asyncio" "50" '
import asyncio
async def serve(r, w):
    w.write(await r.readline()); await w.drain(); w.close()
async def ask(i):
    r, w = await asyncio.open_connection("127.0.0.1", 9000)
    w.write(b"%d\n" % i); x = int(await r.readline()); w.close(); return x == i
async def main():
    s = await asyncio.start_server(serve, "127.0.0.1", 9000)
    r = await asyncio.gather(*[ask(i) for i in range(50)])
    p = await asyncio.create_subprocess_exec("true"); assert await p.wait() == 0
    s.close(); print(sum(r))
asyncio.run(main())'
py "sqlite3, subprocess, socketpair, mmap, signal" "5000 HI b'ab' z 1" '
import sqlite3, subprocess, socket, mmap, signal, os
d = sqlite3.connect("p.db"); d.execute("create table t(i)")
d.executemany("insert into t values(?)", [(i,) for i in range(5000)]); d.commit()
n = d.execute("select count(*) from t").fetchone()[0]
h = subprocess.run(["tr", "a-z", "A-Z"], input=b"hi", capture_output=True).stdout.decode()
a, b = socket.socketpair()
if os.fork() == 0: a.send(b"ab"); os._exit(0)
x = b.recv(9); os.wait(); m = mmap.mmap(-1, 4096)
if os.fork() == 0: m[0] = 122; os._exit(0)
os.wait(); g = []; signal.signal(signal.SIGALRM, lambda *a: g.append(1)); signal.setitimer(signal.ITIMER_REAL, 0.1)
signal.pause(); print(n, h, x, chr(m[0]), len(g))'
finish
