#!/usr/bin/env python3
"""How many idle services fit into 16 GiB, from clones and from cold starts.

usage: bench/density.py [--budget SIZE] [--count N] [--idle SECONDS]
                        [--bailey PATH] [--json FILE] [--step N]
                        [SERVICE[:WAY]...]

Starts instances of a service (nginx, python, node), each with its own
published port and its own files, until the budget of memory is used (default:
a quarter of the free memory) or N run.  Each answers one request as soon as
it runs.  WAY: clones of one saved sandbox (`bailey resume -d --clones`), or
cold starts; default both.  At the end every one is asked again, and must show
that it remembers its own first request and no other's.

The cost of one is what the system's MemAvailable lost, divided by the number,
at the largest number reached; kernel memory, page tables and monitors are in
it.  "group" is what a memory control group says, where one can be made: other
work on the machine is not in that one.  A limit of the host that ends a run
early is named.  --idle also measures the processor time of all instances
together while nobody asks them anything, in percent of one processor.
"""
import argparse
import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import hostmem
import services

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ["PATH"] += ":/usr/sbin:/sbin"  # nginx, for an ordinary user
GIB = 1 << 30
AIMS = {("nginx", "clones"): 16000, ("nginx", "cold"): 6000}
PORTS = 250  # instances on one loopback address
FIRST_PORT = 20000


def size(text):
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    unit = units.get(text[-1:].upper())
    return int(float(text[:-1]) * unit) if unit else int(text)


NET = f"127.{64 + os.getpid() % 128}"


def place(n):
    """Where instance n answers: no two share address and port."""
    block = n // PORTS
    return f"{NET}.{block // 250}.{block % 250 + 1}", FIRST_PORT + n % PORTS


class Stop(Exception):
    """No more instances can be started; says why."""


class Density:
    def __init__(self, args):
        self.bailey = os.path.abspath(args.bailey)
        self.args = args
        # as XDG_RUNTIME_DIR is: its files are memory, and counted
        shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.tmp = tempfile.mkdtemp(prefix="bailey-density.", dir=shm)
        self.image = os.path.join(self.tmp, "service.bly")
        self.env = dict(os.environ, XDG_RUNTIME_DIR=self.tmp,
                        XDG_CACHE_HOME=os.path.join(self.tmp, "cache"))
        self.group = hostmem.Group()
        self.rows = []
        self.workers = (os.cpu_count() or 1) + 1

    def b(self, *cmd):
        r = subprocess.run([self.bailey, *cmd], env=self.env, text=True,
                           stdin=subprocess.DEVNULL, capture_output=True,
                           timeout=600)
        if r.returncode:
            raise Stop(r.stderr.strip().replace("\n", "; ") or
                       f"status {r.returncode}")
        return r.stdout

    def clear(self):
        subprocess.run([self.bailey, "rm", "-fa"], env=self.env,
                       capture_output=True, timeout=600)

    def close(self):
        self.clear()
        self.group.close()
        shutil.rmtree(self.tmp, ignore_errors=True)

    # ---- starting -------------------------------------------------------------
    def prepare(self, service):
        """The image that clones are made of; it has answered nobody yet."""
        address, port = place(0)
        self.b("run", "-d", "--name", "original", "-p",
               f"{address}:{port}:80", *services.command(service, 0))
        services.get_patiently(address, port, "/log")
        self.b("save", "original", "-o", self.image, "--stop")
        self.b("rm", "-f", "original")

    def start_clones(self, service, first, count):
        address, port = place(first)
        share = [] if os.geteuid() else ["--share-network"]
        self.b("resume", "-d", "-q", *share, "--clones", str(count), "--name",
               f"c{first}-{{}}", "-p", f"{address}:{port}+:80", self.image)

    def start_cold(self, service, first, count):
        def one(n):
            address, port = place(n)
            self.b("run", "-d", "-p", f"{address}:{port}:80",
                   *services.command(service, n))

        with concurrent.futures.ThreadPoolExecutor(self.workers) as pool:
            list(pool.map(one, range(first, first + count)))

    def greet(self, numbers):
        """Each instance's own first request."""
        def one(n):
            try:
                services.get_patiently(*place(n), f"/first-{n}")
            except OSError as e:
                raise Stop(f"instance {n} does not answer: {e}") from e

        with concurrent.futures.ThreadPoolExecutor(self.workers) as pool:
            list(pool.map(one, numbers))

    def check(self, count):
        """The numbers of those that do not remember what they were asked."""
        def is_good(n):
            try:
                return services.get(*place(n), "/log") == f"/first-{n}\n"
            except OSError:
                return False

        with concurrent.futures.ThreadPoolExecutor(self.workers) as pool:
            good = list(pool.map(is_good, range(count)))
        return [n for n in range(count) if not good[n]]

    # ---- measuring ------------------------------------------------------------
    def used(self):
        group = self.group.used()
        return self.before[0] - hostmem.available(), \
            None if group is None else group - self.before[1]

    def limit_near(self, grown, count):
        """The host's limit that the next count instances would meet."""
        for name, (used, most, how) in hostmem.limits().items():
            each = grown.get(name, 0)
            if most and used + each * count * 1.02 + 50 > most:
                return f"the host's limit of {most} {name}; raise it: {how}"
        return None

    def fill(self, service, start):
        """Start instances until something ends it: (how many, why)."""
        count, most = 0, self.args.count or 1 << 30
        first = {k: v[0] for k, v in hostmem.limits().items()}
        grown = {}
        while count < most:
            step = min(self.args.step, most - count, PORTS - count % PORTS)
            why = self.limit_near(grown, step)
            if why:
                return count, why
            try:
                start(service, count, step)
                self.greet(range(count, count + step))
            except Stop as e:
                return count, str(e)
            count += step
            grown = {k: (v[0] - first[k]) / count
                     for k, v in hostmem.limits().items()}
            self.series.append((count, *self.used()))
            self.tell(count)
            if self.series[-1][1] >= self.args.budget:
                return count, "the budget"
        return count, "--count"

    def tell(self, count):
        if sys.stderr.isatty():
            print(f"\r{count} instances, {self.series[-1][1] / GIB:.2f} GiB ",
                  end="", file=sys.stderr, flush=True)

    def idle(self):
        if not self.args.idle:
            return None
        before, start = hostmem.spent_ns(self.bailey), time.monotonic()
        time.sleep(self.args.idle)
        took = time.monotonic() - start
        return (hostmem.spent_ns(self.bailey) - before) / took / 1e9

    def measure(self, service, way):
        if way == "clones":
            self.prepare(service)
            self.start_clones(service, 0, 1)  # its files are in memory now
            self.clear()
        else:
            self.start_cold(service, 0, 1)
            self.greet([0])
            self.clear()
        self.series = []
        self.group.fresh()
        group = hostmem.settled(self.group.used)
        self.before = hostmem.settled(), group
        start = time.monotonic()
        count, why = self.fill(service, getattr(self, "start_" + way))
        took = time.monotonic() - start
        time.sleep(1)
        used, group = self.used()
        idle = self.idle()
        wrong = self.check(count)
        self.clear()
        if not count:
            raise Stop(why)
        self.add(dict(service=service, way=way, count=count, ended_by=why,
                      bytes_each=used / count,
                      group_each=None if group is None else group / count,
                      start_ms_each=took * 1e3 / count, idle_share=idle,
                      wrong=wrong, series=self.series,
                      aim=AIMS.get((service, way))))

    def add(self, r):
        r["per_16_gib"] = int(16 * GIB / max(r["bytes_each"], 1))
        r["met"] = not r["wrong"] and (not r["aim"] or
                                       r["per_16_gib"] >= r["aim"])
        self.rows.append(r)
        group = r["group_each"]
        print(f"{r['service']:7} {r['way']:7} {r['count']:9} "
              f"{r['bytes_each'] / 1e6:8.2f} "
              f"{'-' if group is None else f'{group / 1e6:.2f}':>8} "
              f"{r['per_16_gib']:10} {r['aim'] or '-':>7} "
              f"{r['start_ms_each']:9.1f} "
              f"{'-' if r['idle_share'] is None else '%.2f%%' % (100 * r['idle_share']):>7}"
              f"  ended by {r['ended_by']}", flush=True)
        if r["wrong"]:
            print(f"  {len(r['wrong'])} do not answer as they should: "
                  f"{r['wrong'][:8]}", flush=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__,
                                 formatter_class=argparse.
                                 RawDescriptionHelpFormatter)
    ap.add_argument("--budget", type=size)
    ap.add_argument("--count", type=int)
    ap.add_argument("--step", type=int, default=50)
    ap.add_argument("--idle", type=float, default=10)
    ap.add_argument("--bailey", default=os.path.join(HERE, "..", "build",
                                                     "bailey"))
    ap.add_argument("--json")
    ap.add_argument("what", nargs="*")
    args = ap.parse_args()
    args.budget = args.budget or hostmem.available() // 4
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    d, failed = Density(args), False
    print("service way     instances  MB each    group  in 16 GiB     aim  "
          "ms each    idle")
    try:
        for word in args.what or ["nginx", "python", "node"]:
            service, _, way = word.partition(":")
            if not shutil.which(services.needs(service)):
                print(f"{service}: not measured, missing "
                      f"{services.needs(service)}")
                continue
            for w in [way] if way else ["clones", "cold"]:
                try:
                    d.measure(service, w)
                except (Stop, OSError) as e:
                    failed = True
                    print(f"{service} {w}: {e}")
                    d.clear()
    finally:
        d.close()
        if args.json:
            with open(args.json, "w") as f:
                json.dump(d.rows, f, indent=1)
    return 1 if failed or any(r["wrong"] for r in d.rows) else 0


if __name__ == "__main__":
    sys.exit(main())
