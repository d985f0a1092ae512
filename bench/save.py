#!/usr/bin/env python3
"""Measure saving and resuming: sizes, pauses, throughput, starts, clones.

usage: bench/save.py [--rounds N] [--redis-mb N] [--bailey PATH] [--json FILE]
                     [NAME...]

Each row: the median of ROUNDS samples (default 7) with its spread (smallest
to largest), beside a reference where there is one: a cold start, zstd on the
same bytes, CRIU on the same program tree.  "cost" rows are better when
smaller, "rate" rows when larger.  --json also writes all samples.  Names: see
PARTS.  Needs nginx, redis, zstd, python3, gcc; a missing one is named and its
rows are left out.  CRIU's rows need root and a CRIU that works here.
"""
import argparse
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import criu
import hostmem

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ["PATH"] += ":/usr/sbin:/sbin"  # nginx, for an ordinary user
PYTHON = "/usr/bin/python3"
PARTS = {"nginx": ["nginx"], "python": [PYTHON], "gui": [PYTHON],
         "redis": ["redis-server", "zstd"], "clones": ["nginx"],
         "criu": ["nginx"]}

# As much as Flask with an application of 50 routes loads (310 modules, 21 MB
# of private memory), from the standard library alone.
FRAMEWORK = """
import argparse, ast, asyncio, calendar, cgi, concurrent.futures, configparser
import csv, ctypes, dataclasses, datetime, decimal, difflib, email.mime.text
import email.policy, fractions, ftplib, gettext, glob, gzip, hashlib, html
import html.parser, http.client, http.cookies, http.server, imaplib, inspect
import ipaddress, json, logging.config, logging.handlers, lzma, mimetypes
import multiprocessing, pdb, pickle, pprint, pydoc, secrets, shelve, smtplib
import socketserver, sqlite3, ssl, statistics, tarfile, tempfile, typing
import unittest.mock, urllib.request, uuid, wsgiref.simple_server
import xml.dom.minidom, xml.etree.ElementTree, xmlrpc.server, zipfile
class Route:
    def __init__(self, i): self.i, self.rule = i, "/page/%d" % i
routes = {r.rule: r for r in map(Route, range(50))}
logging.basicConfig()
print("READY", flush=True)
import time
time.sleep(100000)
"""

# 60 MB as a program with windows holds them: pictures that are not in use as
# files any more (gradients with noise, flat areas), texts, and objects.
GUI = """
import random, time
random.seed(1)
def picture(w, h):
    rows = []
    for y in range(h):
        if y % 3 == 0:
            rows.append(bytes((240, 240, 245, 255)) * w)
        else:
            a = y * 255 // h
            rows.append(b"".join(bytes((a, (x // 5) & 255, (a + (x * 7919 ^ y)
                        % 3) & 255, 255)) for x in range(w)))
    return bytearray(b"".join(rows))
pictures = [picture(1280, 720) for _ in range(10)]
words = ["".join(random.choices("etaoinshrdlu", k=random.randint(2, 9)))
         for _ in range(4000)]
texts = [" ".join(random.choices(words, k=120)) for _ in range(12000)]
class Node:
    def __init__(self, i): self.i, self.kids, self.name = i, [], "node%d" % i
nodes = [Node(i) for i in range(24000)]
for n in nodes: nodes[n.i // 2].kids.append(n)
print("READY", flush=True)
time.sleep(100000)
"""


def available_kb():
    with open("/proc/meminfo") as f:
        for line in f:
            if line.startswith("MemAvailable"):
                return int(line.split()[1])
    return 0


class Client(threading.Thread):
    """Asks again and again on one connection; keeps the longest latency."""

    def __init__(self, port, question):
        super().__init__(daemon=True)
        self.question, self.is_over = question, False
        self.longest = self.count = 0
        self.sock = socket.create_connection(("127.0.0.1", port), 5)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self):
        while not self.is_over:
            start = time.monotonic()
            self.sock.sendall(self.question)
            if not self.sock.recv(65536):
                self.longest = float("inf")
                return
            self.longest = max(self.longest, time.monotonic() - start)
            self.count += 1

    def end(self):
        self.is_over = True
        self.join(10)
        self.sock.close()
        return self.longest * 1e3


class Bench:
    def __init__(self, args):
        self.bailey = os.path.abspath(args.bailey)
        self.rounds, self.redis_mb = args.rounds, args.redis_mb
        self.names, self.json = args.names, args.json
        self.tmp = tempfile.mkdtemp(prefix="bailey-save.")
        os.chmod(self.tmp, 0o755)
        self.state = hostmem.state_directory()
        os.environ["XDG_RUNTIME_DIR"] = self.state
        os.environ["XDG_CACHE_HOME"] = self.path("cache")
        self.rows = []
        self.port = 12000 + os.getpid() % 18000  # none that is given out
        self.serial = 0

    def path(self, name):
        return os.path.join(self.tmp, name)

    def run(self, *cmd, **kw):
        kw.setdefault("timeout", 600)
        r = subprocess.run(cmd, capture_output=True, text=True, **kw)
        if r.returncode:
            raise RuntimeError(f"{' '.join(cmd[:4])}: {r.stderr.strip()}")
        return r

    def b(self, *cmd):
        return self.run(self.bailey, *cmd)

    def name(self, stem):
        self.serial += 1
        return f"{stem}{self.serial}"

    def next_port(self):
        self.port += 1
        return self.port

    def gone(self, *names):
        for n in names:
            subprocess.run([self.bailey, "rm", "-f", n], capture_output=True)

    def measure(self, parts):
        """All parts, or those that were named; the exit status."""
        print(f"{'what':27} {'median':>10} {'spread':>19} {'unit':5} "
              f"{'beside':>10} {'ratio':>7}    goal     met")
        try:
            for name, tools in parts.items():
                if not self.names or name in self.names:
                    self.part(name, tools)
        finally:
            subprocess.run([self.bailey, "rm", "-f", "-a"],
                           capture_output=True)
            shutil.rmtree(self.tmp, ignore_errors=True)
            shutil.rmtree(self.state, ignore_errors=True)
            if self.json:
                with open(self.json, "w") as f:
                    json.dump(self.rows, f, indent=1)
        return 0

    def part(self, name, tools):
        missing = [t for t in tools if not shutil.which(t)]
        if missing:
            self.say(name, f"not measured: missing {' '.join(missing)}")
            return
        try:
            getattr(self, name)()
        except (RuntimeError, OSError, KeyError, ValueError,
                subprocess.TimeoutExpired) as e:
            self.say(name, f"failed: {e}")

    # ---- rows -----------------------------------------------------------------
    def add(self, name, samples, limit, unit, reference=None, kind="cost",
            relative=False, note=""):
        """limit is for the value, or (relative) for the ratio."""
        value = statistics.median(samples)
        ref = statistics.median(reference) if reference else None
        ratio = value / ref if ref else None
        judged = ratio if relative else value
        good = None
        if judged is not None:
            good = judged <= limit if kind == "cost" else judged >= limit
        self.rows.append(dict(name=name, value=value, low=min(samples),
                              high=max(samples), unit=unit, reference=ref,
                              ratio=ratio, limit=limit, kind=kind, met=good,
                              relative=relative, note=note, samples=samples,
                              reference_samples=reference))
        spread = f"{min(samples):.4g}..{max(samples):.4g}"
        print(f"{name:27} {value:10.3f} {spread:>19} {unit:5} "
              f"{'' if ref is None else f'{ref:10.3f}':>10} "
              f"{'' if ratio is None else f'{ratio:7.3f}':>7} "
              f"{'<=' if kind == 'cost' else '>='} {limit:<5}"
              f"{' x' if relative else '  '} "
              f"{ {True: 'yes', False: 'NO', None: '-'}[good] }"
              f"{'  ' + note if note else ''}", flush=True)

    def say(self, name, text):
        self.rows.append(dict(name=name, met=None, note=text))
        print(f"{name:27} {text}", flush=True)

    # ---- steps ------------------------------------------------------------------
    def save(self, name, image, *flags):
        """The last report of a save, and how long it took in seconds."""
        start = time.monotonic()
        r = self.b("save", "--progress", "json", *flags, name, "-o", image)
        took = time.monotonic() - start
        lines = [x for x in r.stderr.splitlines() if x.startswith("{")]
        report = json.loads(lines[-1]) if lines else {}
        return report, took

    def wait_ready(self, name):
        for _ in range(600):
            if "READY" in self.b("logs", name).stdout:
                return
            time.sleep(0.05)
        raise RuntimeError(f"{name} is not ready")

    def first_answer(self, cmd, port, question, want):
        """Milliseconds from starting cmd to the first right answer."""
        start = time.monotonic()
        p = subprocess.Popen(cmd, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE,
                             stdin=subprocess.DEVNULL)
        while time.monotonic() - start < 30:
            s = socket.socket()
            s.settimeout(10)
            try:
                s.connect(("127.0.0.1", port))
                s.sendall(question)
                if s.recv(65536).startswith(want):
                    took = (time.monotonic() - start) * 1e3
                    p.communicate()
                    return took
            except OSError:
                pass
            finally:
                s.close()
            if p.poll():
                break
        raise RuntimeError(f"no answer: {p.communicate()[1][-200:]}")

    HTTP = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    def first_200(self, cmd, port):
        return self.first_answer(cmd, port, self.HTTP, b"HTTP/1.1 200")

    def nginx_conf(self, name="nginx.conf", port=80):
        path = self.path(name)
        with open(path, "w") as f:
            f.write("worker_processes 1; daemon off; user root; "
                    f"pid {'/tmp' if port == 80 else self.tmp}/nginx.pid; "
                    "error_log stderr;\n"
                    "events { worker_connections 256; }\n"
                    "http { access_log off; keepalive_requests 10000000;\n"
                    f"server {{ listen {port}; location / "
                    "{ return 200 \"hello\\n\"; } } }\n")
        return path

    def volume(self):
        return ["-v", f"{self.path('nginx.conf')}:/n.conf:ro"]

    def nginx_command(self, name, port):
        return [self.bailey, "run", "-d", "--name", name, "-p",
                f"127.0.0.1:{port}:80", *self.volume(), "nginx", "-c",
                "/n.conf"]

    def start_nginx(self):
        name, port = self.name("web"), self.next_port()
        self.nginx_conf()
        self.first_200(self.nginx_command(name, port), port)
        time.sleep(0.3)
        return name, port

    def resume_command(self, name, port, image):
        return [self.bailey, "resume", "-d", "--name", name, "-p",
                f"127.0.0.1:{port}:80", *self.volume(), image]

    FELT = ("longest answer to a client that asks all the time, beside the "
            "longest in as long without a save")

    def felt(self, name, port, question, image):
        """Milliseconds: the pause as reported, the longest answer during a
        save, and the longest in as long without one."""
        client = Client(port, question)
        client.start()
        time.sleep(0.2)
        report, took = self.save(name, image)
        time.sleep(0.1)
        longest = client.end()
        client = Client(port, question)
        client.start()
        time.sleep(0.3 + took)
        return report["pause_ns"] / 1e6, longest, client.end()

    # ---- nginx ------------------------------------------------------------------
    def nginx(self):
        name, port = self.start_nginx()
        image = self.path("nginx.bly")
        sizes, pauses, felt, quiet = [], [], [], []
        for _ in range(self.rounds):
            pause, longest, before = self.felt(name, port, self.HTTP, image)
            pauses.append(pause)
            felt.append(longest)
            quiet.append(before)
        self.gone(name)
        name, port = self.start_nginx()  # idle, as it is after its start
        for _ in range(self.rounds):
            self.save(name, image)
            sizes.append(os.path.getsize(image) / 1e6)
        self.gone(name)
        self.add("image_nginx", sizes, 1.0, "MB")
        self.add("pause_nginx_reported", pauses, 5, "ms")
        self.add("pause_nginx_felt", felt, 5, "ms", quiet, note=self.FELT)
        self.nginx_starts(image)

    def nginx_starts(self, image):
        self.b("warm", image)
        warm, cold = [], []
        for _ in range(self.rounds):
            name, port = self.name("cold"), self.next_port()
            cold.append(self.first_200(self.nginx_command(name, port), port))
            self.gone(name)
            name, port = self.name("warm"), self.next_port()
            warm.append(self.first_200(self.resume_command(name, port, image),
                                       port))
            self.gone(name)
        self.add("resume_nginx", warm, 5, "ms", note="warm, to the first 200")
        self.add("resume_nginx_to_cold", warm, 0.2, "ms", cold, relative=True,
                 note="beside its cold start")

    # ---- sizes --------------------------------------------------------------------
    def private_bytes(self, script):
        """What the same program has written natively."""
        p = subprocess.Popen([PYTHON, "-c", script], stdout=subprocess.PIPE)
        p.stdout.readline()
        kb = 0
        with open(f"/proc/{p.pid}/smaps_rollup") as f:
            for line in f:
                if line.startswith("Private_Dirty"):
                    kb = int(line.split()[1])
        p.kill()
        p.wait()
        return kb * 1024

    def sized(self, script):
        name, image = self.name("size"), self.path("size.bly")
        self.b("run", "-d", "--name", name, PYTHON, "-c", script)
        self.wait_ready(name)
        sizes = []
        for _ in range(min(self.rounds, 3)):
            self.save(name, image)
            sizes.append(os.path.getsize(image) / 1e6)
        self.gone(name)
        return sizes

    def python(self):
        self.add("image_python_framework", self.sized(FRAMEWORK), 4, "MB",
                 [self.private_bytes(FRAMEWORK) / 1e6],
                 note="beside its private bytes")

    def gui(self):
        self.add("image_gui_sized", self.sized(GUI), 0.25, "MB",
                 [self.private_bytes(GUI) / 1e6], relative=True,
                 note="beside its private bytes")

    # ---- redis ----------------------------------------------------------------------
    def fill(self, port):
        """Values of 1,000 bytes of words; one in memory is like no other."""
        random.seed(7)
        words = ["".join(random.choices("abcdefghijklmnopqrstuvwxyz",
                                        k=random.randint(2, 10)))
                 for _ in range(20000)]
        text = " ".join(random.choices(words, k=1500000)).encode()
        s = socket.create_connection(("127.0.0.1", port))
        reader = s.makefile("rb")
        count, batch = self.redis_mb * 1000, 1000
        for start in range(0, count, batch):
            out = []
            for i in range(start, start + batch):
                at = random.randrange(len(text) - 1000)
                key = b"key:%d" % i
                out.append(b"*3\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$1000\r\n%b\r\n"
                           % (len(key), key, text[at:at + 1000]))
            s.sendall(b"".join(out))
            for _ in range(batch):
                reader.readline()
        s.close()

    REDIS = ["--save", "", "--appendonly", "no", "--protected-mode", "no"]
    PING = b"*2\r\n$3\r\nGET\r\n$6\r\nkey:77\r\n"

    def start_redis(self):
        name, port = self.name("redis"), self.next_port()
        self.first_answer([self.bailey, "run", "-d", "--name", name, "-p",
                           f"127.0.0.1:{port}:6379", "redis-server",
                           *self.REDIS], port, b"PING\r\n", b"+PONG")
        self.fill(port)
        return name, port

    def redis(self):
        name, port = self.start_redis()
        image = self.path("redis.bly")
        pauses, felt, quiet, rates = [], [], [], []
        for _ in range(self.rounds):
            pause, longest, before = self.felt(name, port, self.PING, image)
            pauses.append(pause)
            felt.append(longest)
            quiet.append(before)
        for _ in range(self.rounds):
            report, took = self.save(name, image)
            rates.append(report["memory_bytes"] / took / 1e6)
        what = f"redis_{self.redis_mb}mb"
        self.add(f"pause_{what}_reported", pauses, 30, "ms")
        self.add(f"pause_{what}_felt", felt, 30, "ms", quiet, note=self.FELT)
        self.gone(name)
        self.throughput(rates)
        self.redis_starts(image, what)

    def throughput(self, rates):
        """zstd -1 -T2 on the memory of the same program, run natively."""
        port = self.next_port()
        p = subprocess.Popen(["redis-server", "--port", str(port),
                              *self.REDIS], stdout=subprocess.DEVNULL)
        time.sleep(0.5)
        self.fill(port)
        dump, size = self.path("memory"), 0
        with open(f"/proc/{p.pid}/maps") as maps, open(
                f"/proc/{p.pid}/mem", "rb", 0) as mem, open(dump, "wb") as out:
            for line in maps:
                words = line.split()
                if "w" not in words[1] or "[v" in line:
                    continue
                start, end = (int(x, 16) for x in words[0].split("-"))
                mem.seek(start)
                while start < end:
                    data = mem.read(min(end - start, 1 << 20))
                    if not data:
                        break
                    start += len(data)
                    size += out.write(data)
        p.kill()
        p.wait()
        zstd = []
        for _ in range(self.rounds):
            start = time.monotonic()
            self.run("zstd", "-1", "-T2", "-q", "-f", dump, "-o",
                     self.path("memory.zst"))
            os.sync()
            zstd.append(size / (time.monotonic() - start) / 1e6)
        os.unlink(dump)
        self.add("save_throughput", rates, 0.7, "MB/s", zstd, "rate", True,
                 note="beside zstd -1 -T2 on the same program's memory")

    def redis_starts(self, image, what):
        self.b("warm", image)
        warm = []
        for _ in range(self.rounds):
            name, port = self.name("back"), self.next_port()
            warm.append(self.first_answer(
                [self.bailey, "resume", "-d", "--name", name, "-p",
                 f"127.0.0.1:{port}:6379", image], port, self.PING, b"$1000"))
            self.gone(name)
        self.add(f"resume_{what}", warm, 20, "ms",
                 note="warm, to the first answer")
        os.unlink(image)

    # ---- clones ---------------------------------------------------------------------
    def clones(self, count=200):
        name, _ = self.start_nginx()
        image = self.path("clone.bly")
        self.save(name, image, "--stop")
        self.gone(name)
        self.b("warm", image)
        times, memory = [], []
        for n in range(min(self.rounds, 3)):
            self.port += 1
            base, self.port = self.port, self.port + count
            names = [f"clone{n}-{i}" for i in range(count)]
            self.run("sync")
            time.sleep(1)
            before = available_kb()
            start = time.monotonic()
            self.b("resume", "-d", "--clones", str(count), "--name",
                   f"clone{n}-{{}}", "-p", f"127.0.0.1:{base}+:80",
                   *self.volume(), image)
            times.append((time.monotonic() - start) * 1e3 / count)
            for i in range(count):
                self.ask(base + i)
            time.sleep(1)
            memory.append((before - available_kb()) / 1024 / count)
            self.gone(*names)
        self.add(f"clones_{count}_time_each", times, 2, "ms")
        self.add(f"clones_{count}_memory_each", memory, 1.2, "MB",
                 note="each has answered one request")

    def ask(self, port):
        with socket.create_connection(("127.0.0.1", port), 10) as s:
            s.sendall(self.HTTP)
            if not s.recv(4096).startswith(b"HTTP/1.1 200"):
                raise RuntimeError("a clone does not answer")

    # ---- CRIU -------------------------------------------------------------------------
    def criu(self):
        c = criu.Criu(os.path.join(HERE, "..", "build", "peers"))
        if c.why:
            self.say("criu", f"not measured: {c.why}")
            return self.ours_alone()
        theirs, ours = [], []
        for _ in range(self.rounds):
            theirs.append(self.criu_once(c))
            ours.append(self.ours_once())
        self.add("dump_and_restore_nginx", ours, 0.5, "ms", theirs,
                 relative=True, note="beside CRIU")

    def ours_alone(self):
        ours = [self.ours_once() for _ in range(self.rounds)]
        self.add("dump_and_restore_nginx", ours, 0.5, "ms", None,
                 relative=True, note="save --stop and resume, not warmed")

    def ours_once(self):
        name, _ = self.start_nginx()
        image, port = self.path("criu.bly"), self.next_port()
        start = time.monotonic()
        self.save(name, image, "--stop")
        took = (time.monotonic() - start) * 1e3
        self.gone(name)
        name = self.name("back")
        took += self.first_200(self.resume_command(name, port, image), port)
        self.gone(name)
        return took

    def criu_once(self, c):
        port, where = self.next_port(), self.path("criu")
        p = subprocess.Popen(["nginx", "-c",
                              self.nginx_conf("native.conf", port)],
                             stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL,
                             start_new_session=True)
        for _ in range(100):
            try:
                self.ask(port)
                break
            except OSError:
                time.sleep(0.05)
        time.sleep(0.3)
        took = c.save(p, where)
        try:
            return took + self.first_200([c.exe, "restore", "-d", "-D",
                                          where], port)
        finally:
            c.end()


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--rounds", type=int, default=7)
    ap.add_argument("--redis-mb", type=int, default=1000)
    ap.add_argument("--bailey", default=os.path.join(HERE, "..", "build",
                                                     "bailey"))
    ap.add_argument("--json")
    ap.add_argument("names", nargs="*")
    args = ap.parse_args()
    return Bench(args).measure(PARTS)


if __name__ == "__main__":
    sys.exit(main())
