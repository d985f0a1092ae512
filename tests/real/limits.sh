#!/bin/bash
# limits.sh - descriptors, processes, memory and processors run out inside:
# the program is told, the sandbox may end, the host and others go on.
# usage: B=build tests/real/limits.sh
. "$(dirname "$0")/../lib.sh"
export XDG_RUNTIME_DIR=$TMP/run NO_COLOR=1
mkdir -m 700 "$XDG_RUNTIME_DIR"
trap '$BAILEY rm -f -a >/dev/null 2>&1; rm -rf "$TMP"' EXIT
run() { timeout -k 2 60 "$BAILEY" run "$@" </dev/null; }

cat >"$TMP/eat.c" <<'EOF'
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
/* eat MB...: allocates and touches; by malloc, in children, in a file */
static int by_malloc(long mb)
{
	while (mb--) {
		char *p = malloc(1 << 20);
		if (!p)
			return errno;
		memset(p, 1, 1 << 20);
	}
	return 0;
}
static int by_fork(long mb)
{
	int st, err = by_malloc(mb / 10);
	for (int i = 0; i < 9 && !err; i++) {
		pid_t p = fork();
		if (p < 0)
			return errno;
		if (p == 0) {
			err = by_malloc(mb / 10);
			sleep(err ? 0 : 3);
			_exit(err);
		}
	}
	while (wait(&st) > 0)
		err = err ? err : WEXITSTATUS(st);
	return err;
}
static int by_file(long mb)
{
	static char block[1 << 20];
	FILE *f = fopen("/tmp/f", "w");
	memset(block, 1, sizeof(block));
	while (mb--)
		if (fwrite(block, sizeof(block), 1, f) != 1)
			return errno;
	return 0;
}
int main(int argc, char **argv)
{
	long mb = atol(argv[2]);
	int err = *argv[1] == 'm' ? by_malloc(mb) : *argv[1] == 'f'
		? by_fork(mb) : by_file(mb);
	printf("%s\n", err ? strerror(err) : "fine");
	return err ? 1 : 0;
}
EOF
cc -O1 -o "$TMP/eat" "$TMP/eat.c" || fail "eat.c"
eat() { run -v "$TMP:/t:ro" "${@:3}" /t/eat "$1" "$2" 2>&1; }

# A neighbour must not notice anything of what follows.
"$BAILEY" run -d --name neighbour sh -c \
	'i=0; while [ $i -lt 1000 ]; do /bin/true && i=$((i+1)); sleep 0.1; done' \
	>/dev/null || fail "neighbour"

# ---- memory
memory_by=$("$BAILEY" doctor | grep -c 'cgroup limits.* memory')
over() { # NAME HOW MB: over 64 MB; either way the host is spared
	local out
	out=$(eat "$2" "$3" --memory 64m)
	local st=$?
	if [ "$memory_by" = 1 ] && [ "$2" != w ]; then
		same "$1: ended" "137 1" \
			"$st $(echo "$out" | grep -c 'out of memory (--memory 64m)')"
	else
		same "$1: told" "1" "$(echo "$out" | grep -Ec \
			'^(Cannot allocate memory|No space left on device)$')"
	fi
}
same "memory: within the limit" fine "$(eat m 40 --memory 64m)"
same "memory: no limit" fine "$(eat m 300)"
over "memory: malloc" m 2000
over "memory: many processes" f 400
over "memory: files" w 400
same "memory: what it is told" "65536 64" "$(run --memory 64m sh -c \
	'echo $(sed -n "s/MemTotal: *\([0-9]*\) kB/\1/p" /proc/meminfo) \
		$(free -m | awk "/Mem:/ { print \$2 }")' 2>/dev/null)"
same "memory: python is told, and goes on" \
	"$([ "$memory_by" = 1 ] && echo "ended 137" || echo "alive 0")" \
	"$(run --memory 128m python3 -c '
try:
    b = bytearray(1 << 30)
    b[::4096] = b"x" * (len(b) // 4096)
except MemoryError:
    print("alive")' 2>/dev/null | grep . || echo ended) $(run --memory 128m \
	python3 -c '
try:
    b = bytearray(1 << 30)
    b[::4096] = b"x" * (len(b) // 4096)
except MemoryError:
    pass' >/dev/null 2>&1; echo $?)"

# ---- processes
same "processes: a fork bomb ends" 0 "$(run --pids-limit 50 bash -c \
	'b() { b | b & }; b 2>/dev/null
	while [ $SECONDS -lt 3 ]; do :; done; exit 0' >/dev/null 2>&1
	echo $?)"
same "processes: EAGAIN, then room again" "again 30" "$(run --pids-limit 40 \
	python3 -c '
import os, time
pids = []
try:
    while True:
        p = os.fork()
        if p == 0:
            time.sleep(100)
        pids.append(p)
except BlockingIOError:
    print("again", end=" ")
for p in pids:
    os.kill(p, 9)
    os.waitpid(p, 0)
n = 0
for i in range(30):
    p = os.fork()
    if p == 0:
        os._exit(0)
    os.waitpid(p, 0)
    n += 1
print(n)')"
same "processes: threads count" "RuntimeError" "$(run --pids-limit 20 \
	python3 -c '
import threading, time
try:
    for i in range(100):
        threading.Thread(target=time.sleep, args=(2,), daemon=True).start()
except RuntimeError as e:
    print("RuntimeError")')"

# ---- descriptors
same "descriptors: EMFILE at the limit" "24 64" "$(run --ulimit nofile=64 \
	python3 -c '
import os
n = []
try:
    while True:
        n.append(os.open("/dev/null", 0))
except OSError as e:
    print(e.errno, n[-1] + 1)')"
same "descriptors: thousands, and given back" "5000 0" "$(run \
	--ulimit nofile=6000 python3 -c '
import os
r = 0
for i in range(3):
    fds = [os.open("/etc/passwd", 0) for i in range(5000)]
    r = len(fds)
    for f in fds:
        os.close(f)
print(r, len(os.listdir("/proc/self/fd")) - 4)')"
same "descriptors: host files until there are no more" "told 1" "$(run \
	--ulimit nofile=1048576 python3 -c '
import os, socket
keep = []
try:
    while len(keep) < 600000:
        keep.append(os.eventfd(0))
        keep += socket.socketpair()
    print("told", end=" ")
except OSError as e:
    print("told" if e.errno in (12, 23, 24, 105) else e, end=" ")
for k in keep:
    k.close() if hasattr(k, "close") else os.close(k)
print(len([os.open("/etc/passwd", 0)]))')"

# ---- processors
same "processors: what it is told" "1 1" "$(run --cpus 0.5 sh -c \
	'echo $(nproc) $(grep -c ^processor /proc/cpuinfo)')"

# Two that never rest, for two seconds: what they used, all in all.
used() {
	local TIMEFORMAT='%U %S'
	{ time run "$@" sh -c 'timeout 2 sh -c "while :; do :; done" &
		timeout 2 sh -c "while :; do :; done"; wait' >/dev/null 2>&1
	} 2>&1 | awk '{ print $1 + $2 }'
}
check "processors: no more than one" \
	awk -v used="$(used --cpus 1)" 'BEGIN { exit !(used > 0 && used < 2.8) }'

# ---- the others
same "the neighbour goes on" "running 0" "$("$BAILEY" inspect neighbour |
	sed -n 's/.*"Status": "\([a-z]*\)".*/\1/p') $("$BAILEY" exec neighbour \
	true; echo $?)"
same "nothing else is left" neighbour "$("$BAILEY" ps -a | awk 'NR > 1 { print $NF }')"
same "no control group is left" "" "$(find /sys/fs/cgroup -maxdepth 4 \
	-name 'bailey-*' 2>/dev/null | grep -v "$("$BAILEY" ps -q)")"
finish
