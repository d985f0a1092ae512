#!/usr/bin/env python3
"""Measure bailey against the native program, side by side, in one run.

usage: bench/run.py [--rounds N] [--bailey PATH] [--json FILE] [NAME...]

Every figure is a ratio: the same work natively and inside, in turn, ROUNDS
times (default 7); the median of each is divided.  "cost" rows are better when
smaller, "rate" rows (nginx, redis) when larger.  Prints a table; --json also
writes all samples.  Needs nginx, wrk, redis, gcc, git, python3 (a missing one
is named and its rows are left out).
"""
import argparse
import json
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import hostcpu
import hostmem

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ["PATH"] += ":/usr/sbin:/sbin"  # nginx, for an ordinary user
MICRO = {  # name: the most that SPECIFICATION.md allows, times native
    "getppid": 0.08, "clock_gettime": 0.15, "sigprocmask": 0.15,
    "futex_wake": 0.15, "read_zero": 0.3, "write_null": 0.3,
    "pread_4k": 1.25, "pwrite_4k": 1.4, "open_close": 0.7, "stat": 1.0,
    "package_open": 0.7, "package_read": 0.7, "volume_open": 1.0, "volume_stat": 1.0,
    "pipe_pingpong": 1.1, "socketpair_pingpong": 1.1,
    "fork_exit_wait": 1.3, "fork_exec_wait": 1.3, "pthread": 1.3,
    "mmap_64k": 1.3,
}
MESSAGES = {  # the least number of messages a second
    "pipe_64": 1.2, "unix_64": 1.2,
}
CONNECTIONS, TALKERS = 10000, 10
FORKS = 20  # of a gigabyte


class Bench:
    def __init__(self, args):
        self.bailey = os.path.abspath(args.bailey)
        self.rounds = args.rounds
        self.tmp = tempfile.mkdtemp(prefix="bailey-bench.")
        os.chmod(self.tmp, 0o777)
        self.state = hostmem.state_directory()
        os.environ["XDG_RUNTIME_DIR"] = self.state
        self.rows = []
        self.port = 20000 + os.getpid() % 20000

    def run(self, cmd, **kw):
        return subprocess.run(cmd, check=True, capture_output=True, text=True,
                              timeout=300, **kw).stdout

    def inside(self, cmd, *flags):
        return [self.bailey, "run", "-i", "-v", f"{self.tmp}:/bench",
                *flags, *cmd]

    def next_port(self):
        self.port += 1
        return self.port

    def add(self, name, native, inside, limit, kind="cost", unit="ns"):
        n, i = statistics.median(native), statistics.median(inside)
        ratio = i / n if n else float("nan")
        good = ratio <= limit if kind == "cost" else ratio >= limit
        self.rows.append(dict(name=name, native=n, inside=i, ratio=ratio,
                              limit=limit, kind=kind, unit=unit, met=good,
                              native_samples=native, inside_samples=inside))
        print(f"{name:28} {n:14.1f} {i:14.1f} {unit:8} {ratio:8.3f} "
              f"{'<=' if kind == 'cost' else '>='} {limit:<5} "
              f"{'yes' if good else 'NO'}", flush=True)

    def pair(self, name, native, inside, limit, kind="cost", unit="ns"):
        """native, inside: functions that return one sample."""
        a, b = [], []
        for _ in range(self.rounds):
            a.append(native())
            b.append(inside())
        self.add(name, a, b, limit, kind, unit)

    # ---- system calls -------------------------------------------------------
    def micro(self, names):
        exe = self.micro_exe()
        data = os.path.join(self.tmp, "data")
        with open(data, "wb") as f:
            f.write(b"x" * 65536)
        os.chmod(data, 0o666)
        for name in names:
            self.pair(name,
                      lambda: float(self.run([exe, name, data])),
                      lambda: float(self.run(self.inside(
                          ["/bench/micro", name, "/bench/data"]))),
                      MICRO[name])

    def micro_exe(self):
        exe = os.path.join(self.tmp, "micro")
        if not os.path.exists(exe):
            self.run(["gcc", "-O2", "-pthread", "-o", exe,
                      os.path.join(HERE, "micro.c")])
        return exe

    def messages(self):
        exe = self.micro_exe()
        for name, limit in MESSAGES.items():
            self.pair(name, lambda: 1e9 / float(self.run([exe, name])),
                      lambda: 1e9 / float(self.run(self.inside(
                          ["/bench/micro", name]))),
                      limit, "rate", "msg/s")

    # ---- fork of a process with a gigabyte ----------------------------------
    def fork_1g(self):
        exe = self.micro_exe()
        self.pair("fork_1g", lambda: float(self.run([exe, "fork_1g"])),
                  lambda: float(self.run(self.inside(
                      ["/bench/micro", "fork_1g"]))), 1.1)
        if not hostcpu.can_measure():
            print("fork_1g_cpu: not measured, needs a control group",
                  file=sys.stderr)
            return
        self.pair("fork_1g_cpu", lambda: self.fork_cpu([exe]),
                  lambda: self.fork_cpu(self.inside(["/bench/micro"])), 1.1,
                  unit="us")

    def fork_cpu(self, micro):
        """Processor time of one fork, exit and wait, the host's work for
        them too: what more of them cost more.  (Inside, the parent goes on
        before the host has taken the child's memory apart: back to back
        forks are faster then, but the two disturb each other.)"""
        few, many = (hostcpu.processor_us(
            [*micro, "fork_1g_apart", "-", str(n)]) for n in (1, 1 + FORKS))
        return (many - few) / (FORKS + FORKS // 20)

    # ---- ten thousand connections -------------------------------------------
    def connections(self):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if most < CONNECTIONS + 100:
            print(f"connections: not measured, {most} open files at most",
                  file=sys.stderr)
            return
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        exe = self.micro_exe()

        def native():
            port = self.next_port()
            return self.connected([exe, "epoll_10000", str(port)], port)

        def inside():
            port = self.next_port()
            return self.connected(self.inside(
                ["/bench/micro", "epoll_10000", "8000"],
                "-p", f"127.0.0.1:{port}:8000"), port)

        self.pair("epoll_10000", native, inside, 1.3)

    def connected(self, cmd, port):
        p = subprocess.Popen(cmd, stdout=subprocess.PIPE, text=True,
                             stdin=subprocess.DEVNULL)
        socks = []
        try:
            for i in range(CONNECTIONS):
                socks.append(self.connect(port))
            for s in socks[::CONNECTIONS // TALKERS]:
                s.send(b"x")
            return float(p.communicate(timeout=120)[0])
        finally:
            p.kill()
            p.wait()
            for s in socks:
                s.close()

    @staticmethod
    def connect(port):
        """A connection that leaves nothing behind when it is closed."""
        for attempt in range(100):
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                         struct.pack("ii", 1, 0))
            try:
                s.connect(("127.0.0.1", port))
                return s
            except OSError:
                s.close()
                time.sleep(0.05)
        raise RuntimeError(f"nothing answers on port {port}")

    # ---- whole commands -----------------------------------------------------
    def seconds(self, cmd, **kw):
        start = time.monotonic()
        self.run(cmd, **kw)
        return (time.monotonic() - start) * 1e3

    def timed_inside(self, script):
        """The time that a command takes inside, without the sandbox's start."""
        out = self.run(self.inside(["bash", "-c", self.timer(script)]))
        return float(out.strip().splitlines()[-1])

    def timed_native(self, script):
        out = self.run(["bash", "-c", self.timer(script)], cwd=self.tmp)
        return float(out.strip().splitlines()[-1])

    @staticmethod
    def timer(script):
        return ("t() { " + script + "; }; t >/dev/null; s=$EPOCHREALTIME; "
                "t >/dev/null; e=$EPOCHREALTIME; "
                "echo $(( (${e/./} - ${s/./}) ))")

    def start(self):
        self.pair("run_true", lambda: self.seconds(["/bin/true"]),
                  lambda: self.seconds([self.bailey, "run", "/bin/true"]),
                  4, unit="ms")

    def gcc(self):
        src = os.path.join(self.tmp, "big.c")
        with open(src, "w") as f:
            f.write("#include <stdio.h>\n")
            for i in range(1250):
                f.write(f"int f{i}(int x)\n{{\n\treturn x * {i} + (x >> 3);"
                        "\n}\n")
        self.pair("gcc_5000_lines",
                  lambda: self.timed_native(f"gcc -O1 -c -o /tmp/b.o {src}"),
                  lambda: self.timed_inside(
                      "gcc -O1 -c -o /tmp/b.o /bench/big.c"),
                  1.15, unit="us")

    def python(self):
        self.pair("python_startup",
                  lambda: self.timed_native("/usr/bin/python3 -c 'import json'"),
                  lambda: self.timed_inside("/usr/bin/python3 -c 'import json'"),
                  1.15, unit="us")

    def git(self):
        make = ("rm -rf /tmp/bgit; mkdir /tmp/bgit; cd /tmp/bgit; "
                "git init -q .; for d in $(seq 100); do mkdir $d; "
                "for f in $(seq 100); do echo $d $f > $d/$f; done; done; "
                "git add .; git -c user.name=a -c user.email=a@b commit -qm x; ")
        self.pair("git_status_10000",
                  lambda: self.prepared_native(make, "git status"),
                  lambda: self.prepared_inside(make, "git status"),
                  1.15, unit="us")

    def prepared_native(self, prepare, script):
        return float(self.run(["bash", "-c", prepare + self.timer(script)])
                     .strip().splitlines()[-1])

    def prepared_inside(self, prepare, script):
        return float(self.run(self.inside(
            ["bash", "-c", prepare + self.timer(script)]))
            .strip().splitlines()[-1])

    # ---- servers --------------------------------------------------------------
    def wait_port(self, port, host="127.0.0.1"):
        for _ in range(300):
            try:
                socket.create_connection((host, port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"nothing answers on port {port}")

    def served(self, cmd, port, load):
        p = subprocess.Popen(cmd, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL,
                             stdin=subprocess.DEVNULL)
        try:
            self.wait_port(port)
            return load(port)
        finally:
            p.send_signal(signal.SIGTERM)
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()

    def nginx(self):
        root = os.path.join(self.tmp, "www")
        os.makedirs(root, exist_ok=True)
        with open(os.path.join(root, "index.html"), "w") as f:
            f.write("x" * 1024)
        os.chmod(root, 0o755)

        def conf(name, port, where):
            text = (f"user root; worker_processes 2; daemon off; "
                    f"pid /tmp/nginx-bench.pid; error_log /dev/null;\n"
                    f"events {{ worker_connections 1024; }}\n"
                    f"http {{ access_log off; keepalive_requests 1000000;\n"
                    f"server {{ listen {port}; root {where}/www; }} }}\n")
            path = os.path.join(self.tmp, name)
            with open(path, "w") as f:
                f.write(text)
            return name

        def load(port):
            out = self.run(["wrk", "-t1", "-c16", "-d2s",
                            f"http://127.0.0.1:{port}/index.html"])
            return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))

        def native():
            port = self.next_port()
            conf("native.conf", port, self.tmp)
            return self.served(["nginx", "-c",
                                os.path.join(self.tmp, "native.conf")],
                               port, load)

        def inside(where, prepare):
            port = self.next_port()
            conf("inside.conf", 80, where)
            return self.served(self.inside(
                ["sh", "-c", prepare + "exec nginx -c /bench/inside.conf"],
                "-p", f"127.0.0.1:{port}:80"), port, load)

        # as natively: a document root of its own file system
        self.pair("nginx_requests", native,
                  lambda: inside("/srv", "cp -r /bench/www /srv/www; "),
                  0.9, "rate", "req/s")
        self.pair("nginx_volume", native, lambda: inside("/bench", ""),
                  0.8, "rate", "req/s")

    def redis(self):
        for depth in (1, 16):
            for test in ("get", "set"):
                self.redis_one(test, depth)

    def redis_one(self, test, depth):
        args = ["--save", "", "--appendonly", "no", "--protected-mode", "no"]

        def load(port):
            out = self.run(["redis-benchmark", "-p", str(port), "-t", test,
                            "-n", str(100000 * (1 if depth == 1 else 5)),
                            "-P", str(depth), "-q"])
            return float(re.findall(r"([\d.]+) requests per second", out)[-1])

        def native():
            port = self.next_port()
            return self.served(["redis-server", "--port", str(port), *args],
                               port, load)

        def inside():
            port = self.next_port()
            return self.served(self.inside(
                ["redis-server", "--port", "6379", *args],
                "-p", f"127.0.0.1:{port}:6379"), port, load)

        self.pair(f"redis_{test}_P{depth}", native, inside, 0.9, "rate",
                  "req/s")

    # ---- saving by fork -----------------------------------------------------
    def bgsave(self):
        """Commands a second while redis writes its 500 MB in a child; and in
        the ten seconds from then on, since a save that is done earlier takes
        more of the processors while it lasts."""
        def conf(name, where, port):
            path = os.path.join(self.tmp, name)
            if os.path.exists(path + ".rdb"):
                os.unlink(path + ".rdb")
            with open(path, "w") as f:
                f.write(f"port {port}\nsave \"\"\nappendonly no\n"
                        f"protected-mode no\ndir {where}\n"
                        f"dbfilename {name}.rdb\n"
                        f"enable-debug-command yes\n")
            return path

        def native():
            port = self.next_port()
            return self.served(["redis-server", conf("n.conf", self.tmp,
                                                     port)],
                               port, self.save_under_load)

        def inside():
            port = self.next_port()
            conf("i.conf", "/bench", 6379)
            return self.served(self.inside(
                ["redis-server", "/bench/i.conf"],
                "-p", f"127.0.0.1:{port}:6379"), port, self.save_under_load)

        n, i = [], []
        for _ in range(self.rounds):
            n.append(native())
            i.append(inside())
        for k, name in enumerate(["redis_bgsave", "redis_bgsave_10s"]):
            self.add(name, [x[k] for x in n], [x[k] for x in i], 0.95,
                     "rate", "req/s")

    def redis_info(self, port, field):
        out = self.run(["redis-cli", "-p", str(port), "info"])
        return int(re.search(field + r":(\d+)", out).group(1))

    def save_under_load(self, port):
        cli = ["redis-cli", "-p", str(port)]
        self.run([*cli, "debug", "populate", "1000000", "key", "400"])
        load = subprocess.Popen(
            ["redis-benchmark", "-p", str(port), "-t", "set", "-n",
             "1000000000", "-r", "1000000", "-d", "400", "-P", "4", "-q"],
            stdout=subprocess.DEVNULL)
        try:
            time.sleep(1)
            start = time.monotonic()
            before = self.redis_info(port, "total_commands_processed")

            def rate():
                now = self.redis_info(port, "total_commands_processed")
                return (now - before) / (time.monotonic() - start)

            self.run([*cli, "bgsave"])
            while self.redis_info(port, "rdb_bgsave_in_progress"):
                time.sleep(0.1)
            during = rate()
            time.sleep(max(0, start + 10 - time.monotonic()))
            return during, rate()
        finally:
            load.kill()
            load.wait()

    # ---- memory -----------------------------------------------------------------
    @staticmethod
    def available_kb():
        with open("/proc/meminfo") as f:
            for line in f:
                if line.startswith("MemAvailable"):
                    return int(line.split()[1])
        return 0

    def memory(self, count=200):
        ids = []
        self.run([self.bailey, "run", "/bin/true"])
        time.sleep(1)
        before = self.available_kb()
        try:
            for i in range(count):
                name = f"bench-{os.getpid()}-{i}"
                self.run([self.bailey, "run", "-d", "--name", name, "sleep",
                          "1000"])
                ids.append(name)
            time.sleep(2)
            each = (before - self.available_kb()) / count / 1024
        finally:
            for name in ids:
                subprocess.run([self.bailey, "rm", "-f", name],
                               capture_output=True)
        self.rows.append(dict(name="idle_sandbox_memory", inside=each,
                              limit=1.0, kind="cost", unit="MB",
                              met=each <= 1.0))
        print(f"{'idle_sandbox_memory':28} {'':14} {each:14.3f} {'MB':8} "
              f"{'':8} <= 1.0   {'yes' if each <= 1.0 else 'NO'}", flush=True)


NEEDS = {"nginx": ["nginx", "wrk"], "redis": ["redis-server",
         "redis-benchmark"], "gcc": ["gcc"], "git": ["git"],
         "python": ["/usr/bin/python3"], "start": [], "memory": [],
         "messages": [], "fork_1g": [], "connections": [],
         "bgsave": ["redis-server", "redis-benchmark", "redis-cli"]}


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--rounds", type=int, default=7)
    ap.add_argument("--bailey", default=os.path.join(HERE, "..", "build",
                                                     "bailey"))
    ap.add_argument("--json")
    ap.add_argument("names", nargs="*")
    args = ap.parse_args()
    b = Bench(args)
    print(f"{'what':28} {'native':>14} {'inside':>14} {'unit':8} "
          f"{'ratio':>8}    goal  met")
    micro = [n for n in MICRO if not args.names or n in args.names]
    try:
        if micro:
            b.micro(micro)
        for name, tools in NEEDS.items():
            if args.names and name not in args.names:
                continue
            missing = [t for t in tools if not shutil.which(t)]
            if missing:
                print(f"{name}: not measured, missing {' '.join(missing)}",
                      file=sys.stderr)
                continue
            getattr(b, name)()
    finally:
        shutil.rmtree(b.tmp, ignore_errors=True)
        shutil.rmtree(b.state, ignore_errors=True)
        if args.json:
            with open(args.json, "w") as f:
                json.dump(b.rows, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
