#!/usr/bin/env python3
"""Measure bailey beside other ways to run a program, in one run.

usage: bench/peers.py [--quick] [--rounds N] [--counts 1,10,100,1000,5000]
                      [--sizes 1,10,...] [--processes 1,10,...]
                      [--budget SIZE] [--patience SECONDS] [--only PEER,PEER]
                      [--tools FOLDER] [--kernel FILE] [--bailey PATH]
                      [--out DIR] [PART...]

PARTS: memory (idle nginx: what one costs as their number grows), start (to
the first answer, and /bin/true), micro (system calls, fork), throughput
(nginx, redis), save (save, go on), size and processes (how start, fork,
memory, save and going on grow with the program), host (what the host's kernel
takes for what all this is made of).  Default: all.

Peers: see peer.py, machine.py, criu.py; one that is not installed or does not
work here is named with the reason.  What is compared is measured in turn,
round by round.  A series ends early when the next point would need more than
the budget of memory (default: half of what is free), more than --patience
seconds, or more processes than the host allows; the report says which.

Writes report.md, report.json and plots/ (SVG) into DIR; parts that are not
measured now stay in them as they were.  --quick: 3 rounds, shorter series.
"""
import argparse
import concurrent.futures
import datetime
import itertools
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import criu
import growth
import hostmem
import machine
import peer
import report
import services
from density import PORTS, place, size

HERE = os.path.dirname(os.path.abspath(__file__))
MICRO = {  # name: how often, natively and in containers
    "getppid": 500000, "read_zero": 250000, "pread_4k": 100000,
    "open_close": 50000, "stat": 100000, "pipe_pingpong": 10000,
    "fork_exit_wait": 1000, "fork_exec_wait": 100, "mmap_64k": 5000}
PARTS = ["memory", "start", "micro", "throughput", "save", "size",
         "processes", "host"]
RATE = r"(?:Requests/sec:\s+|rps=| )([\d.]+)(?=\n| requests per second)"
WORKERS = (os.cpu_count() or 1) + 1
MACHINE_ROUNDS = 2  # each of them starts a machine


class Bench:
    def __init__(self, args):
        self.args = args
        self.tmp = tempfile.mkdtemp(prefix="bailey-peers.")
        os.chmod(self.tmp, 0o755)
        self.group = hostmem.Group()
        self.rows, self.missing, self.parts = [], [], {}
        self.peers, self.made, self.part = [], [], ""
        self.places = itertools.count(100000)  # no port is used twice
        for name in ("micro", "grow", "host"):
            subprocess.run(["gcc", "-O2", "-pthread", "-o",
                            os.path.join(self.tmp, name),
                            os.path.join(HERE, name + ".c")], check=True)
        self.criu = criu.Criu(args.tools)
        if self.criu.why:
            self.lacks("CRIU", self.criu.why)
        exe = os.path.abspath(args.bailey)
        for make in (peer.Native, lambda d: peer.Bailey(d, exe),
                     lambda d: peer.Clones(d, exe), peer.Bubblewrap,
                     peer.Crun, peer.Podman, peer.Nspawn, machine.Uml,
                     lambda d: machine.Microvm(d, args.kernel)):
            self.add_peer(make)

    def add_peer(self, make):
        d = os.path.join(self.tmp, f"p{len(self.made)}")
        os.mkdir(d)
        for name in ("micro", "grow"):
            shutil.copy(os.path.join(self.tmp, name), d)
        p = make(d)
        self.made.append(p)
        if self.args.only and p.name.split()[0] not in self.args.only and \
                p.name != "native":
            return
        why = p.missing()
        if getattr(p, "without_kvm", None):
            self.lacks("qemu microvm with KVM", p.without_kvm)
        if why:
            self.lacks(p.name, why)
        else:
            self.peers.append(p)

    def close(self):
        for p in self.made:
            p.close()
        self.group.close()
        shutil.rmtree(self.tmp, ignore_errors=True)

    # ---- what comes out -----------------------------------------------------
    def lacks(self, name, why):
        self.missing.append(dict(peer=name, part=self.part, why=why))
        print(f"{self.part} {name}: {why}", flush=True)

    def add(self, p, what, samples, unit, **more):
        if not samples:
            return
        samples = [float(f"{s:.4g}") for s in samples]
        v = statistics.median(samples)
        name = p if isinstance(p, str) else p.name
        self.rows.append(dict(part=self.part, peer=name, what=what, value=v,
                              low=min(samples), high=max(samples), unit=unit,
                              samples=samples, **more))
        print(f"{self.part:10} {name:16} {what:34} {v:12.4g} {unit:6} "
              f"({min(samples):.4g} to {max(samples):.4g})", flush=True)

    def attempt(self, p, fn, *args):
        """fn(p, ...), or None if that does not work."""
        try:
            return fn(p, *args)
        except (RuntimeError, OSError, subprocess.SubprocessError,
                IndexError, ValueError) as e:
            self.lacks(p if isinstance(p, str) else p.name, str(e)[:300])
            return None

    def in_turn(self, fn, unit_of, peers=None, rounds=None):
        """fn(peer, round) gives {what: value}; each round takes every peer."""
        peers = list(self.peers if peers is None else peers)
        found = {p: {} for p in peers}
        for n in range(rounds or self.args.rounds):
            for p in list(peers):
                if isinstance(p, machine.Machine) and n >= MACHINE_ROUNDS:
                    continue
                values = self.attempt(p, fn, n)
                p.stop()
                if values is None:
                    peers.remove(p)
                for what, v in (values or {}).items():
                    found[p].setdefault(what, []).append(v)
        for p, whats in found.items():
            for what, samples in whats.items():
                self.add(p, what, samples, unit_of(what))

    # ---- starting -----------------------------------------------------------
    def start(self, p, n, service="nginx"):
        """Start instance n; it has answered when this returns."""
        address, port = place(n)
        where = p.place(address, port)
        p.start(services.command(service, n, p.directory, *where), address,
                port)
        if p.is_reachable:
            services.get_patiently(address, port, "/first", 30)

    def image(self, p):
        path = os.path.join(p.share, "nginx.bly")
        if not os.path.exists(path):
            self.start(p, next(self.places))
            p.save(path, "--stop")
            p.stop()
        return path

    def start_until(self, p, have, count):
        if isinstance(p, peer.Clones):
            image = self.image(p)
            while have < count:
                step = min(count - have, PORTS - have % PORTS)
                p.start_many(image, have, step, *place(have))
                for n in range(have, have + step):
                    services.get_patiently(*place(n), "/first")
                have += step
            return
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(lambda n: self.start(p, n), range(have, count)))

    @staticmethod
    def ask_all(p, first, end):
        if p.is_reachable:
            with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
                list(pool.map(lambda n: services.get(*place(n), "/again"),
                              range(first, end)))

    # ---- parts --------------------------------------------------------------
    def memory(self):
        for p in self.peers:
            self.attempt(p, self.memory_of)
            p.stop()

    def memory_of(self, p):
        first = 10000 * self.peers.index(p)
        if isinstance(p, peer.Clones):
            self.image(p)
        self.group.fresh()
        group = hostmem.settled(self.group.used)
        before = hostmem.settled()
        limits, have, took = hostmem.limits(), 0, 0
        for count in self.args.counts:
            why = have and self.too_much(before, group, have, took, count,
                                         limits)
            if why:
                return self.lacks(p.name, f"{count}: {why}")
            start = time.monotonic()
            self.start_until(p, first + have, first + count)
            took = (time.monotonic() - start) / (count - have)
            have = count
            time.sleep(1)
            self.ask_all(p, first, first + count)
            self.add(p, f"{count} idle nginx, each",
                     [self.used(before, group) / count / 1e6], "MB", x=count,
                     measure="idle nginx, each", x_name="instances",
                     available=(before - hostmem.available()) / count / 1e6)
        return None

    def too_much(self, before, group, have, took, count, first):
        """Why there cannot be count, or None."""
        if self.used(before, group) / have * count > self.args.budget:
            return "more than the budget of memory"
        if took * (count - have) > self.args.patience:
            return f"would take {took * (count - have):.0f} s"
        for name, (used, most, how) in hostmem.limits().items():
            each = (used - first[name][0]) / have
            if most and used + each * (count - have) * 1.05 > most:
                return f"the host's limit of {most} {name}; raise it: {how}"
        return None

    def used(self, before, group):
        return before - hostmem.available() if group is None else \
            self.group.used() - group

    def start_part(self):
        self.in_turn(self.start_times, lambda what: "ms")

    def start_times(self, p, n):
        is_clones = isinstance(p, peer.Clones)
        if is_clones:
            self.image(p)
        at = next(self.places)
        start = time.monotonic()
        if is_clones:
            self.start_until(p, at, at + 1)
        else:
            self.start(p, at)
        found = {"nginx, first answer": (time.monotonic() - start) * 1e3}
        p.stop()
        if not is_clones:
            start = time.monotonic()
            p.run(["/bin/true"])
            found["/bin/true, to its end"] = (time.monotonic() - start) * 1e3
        return found

    def programs(self):
        """Peers that run programs, not images."""
        return [p for p in self.peers if not isinstance(p, peer.Clones)]

    def micro(self):
        self.in_turn(self.micro_once, lambda what: "ns", self.programs())

    def micro_once(self, p, n):
        data = os.path.join("/srv" if isinstance(p, machine.Machine)
                            else p.share, "data")
        script = 'head -c 65536 /dev/zero >"$2"; for n in $3; do ' \
            '"$1" ${n%:*} "$2" ${n#*:}; done'
        fewer = 15 if isinstance(p, machine.Machine) else 1
        out = p.run(["bash", "-c", script, "bash",
                     os.path.join(p.share, "micro"), data, " ".join(
                         f"{name}:{count // fewer + 1}"
                         for name, count in MICRO.items())]).split()
        return dict(zip(MICRO, map(float, out[-len(MICRO):])))

    def throughput(self):
        missing = [t for t in ("wrk", "redis-server", "redis-benchmark",
                               "redis-cli") if not shutil.which(t)]
        for t in missing:
            self.lacks(t, "not installed: make deps-peers")
        if not missing:
            self.in_turn(self.throughput_once, lambda what: "req/s",
                         self.programs())

    REDIS = ["--save", "", "--protected-mode", "no"]

    def throughput_once(self, p, n):
        found = {}
        for what, words, tool in self.loads(p):
            if isinstance(p, machine.Machine):
                out = p.load(words("0.0.0.0", 80), tool("127.0.0.1", 80))
            else:
                address, port = place(next(self.places))
                p.start(words(*p.place(address, port)), address, port)
                growth.wait_port(address, port)
                out = peer.checked(["bash", "-c", tool(address, port)])
                p.stop()
            found[what] = float(re.findall(RATE, out)[-1])
        return found

    def loads(self, p):
        """(what, its command, the command that asks it)"""
        count = 2000 if isinstance(p, machine.Machine) else 100000

        def nginx(address, port):
            return services.command("nginx-unlogged", 0, p.directory, address,
                                    port)

        def redis(address, port):
            return ["redis-server", "--bind", address, "--port", str(port),
                    *self.REDIS]

        def wrk(address, port):
            return f"wrk -t1 -c16 -d2s http://{address}:{port}/"

        def benchmark(test):
            return lambda address, port: \
                f"redis-benchmark -h {address} -p {port} -t {test} " \
                f"-n {count} -q"

        return [("nginx", nginx, wrk), ("redis get", redis, benchmark("get")),
                ("redis set", redis, benchmark("set"))]

    def save(self):
        growth.save(self)

    def size(self):
        growth.sizes(self)

    def processes(self):
        growth.processes(self)

    def host(self):
        exe = os.path.join(self.tmp, "host")
        self.in_turn(lambda p, n: {
            name: float(v) for name, v in (
                x.split() for x in p.run([exe]).splitlines())},
            lambda what: "ns", [self.peers[0]])

    # ---- the report ---------------------------------------------------------
    def measure(self, part):
        self.part = part
        start = time.monotonic()
        try:
            getattr(self, "start_part" if part == "start" else part)()
        finally:
            self.parts[part] = dict(
                date=str(datetime.datetime.now())[:16],
                rounds=self.args.rounds, load="%.1f" % os.getloadavg()[1],
                seconds=round(time.monotonic() - start))
            self.part = ""

    def report(self, out):
        os.makedirs(out, exist_ok=True)
        report.write(dict(
            rows=self.rows, missing=self.missing, parts=self.parts,
            host=f"`make bench-peers` on {os.cpu_count()} processors, "
            f"{hostmem.meminfo('MemTotal') / 1e9:.0f} GB, Linux "
            f"{platform.release()}.",
            memory="Memory is what " + (
                "the memory control group of the run was charged with"
                if self.group.dir else "the system had less of") +
            ", divided by the number. A machine with a kernel of its own "
            "(user-mode-linux, qemu) is loaded from within."), out)


def numbers(text):
    return [int(x) for x in text.split(",")]


def arguments():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse
                                 .RawDescriptionHelpFormatter)
    ap.add_argument("--quick", action="store_true")
    ap.add_argument("--rounds", type=int)
    ap.add_argument("--counts", type=numbers)
    ap.add_argument("--sizes", type=numbers)
    ap.add_argument("--processes", type=numbers)
    ap.add_argument("--budget", type=size)
    ap.add_argument("--patience", type=float)
    ap.add_argument("--tools", default=os.path.join(HERE, "..", "build",
                                                    "peers"))
    ap.add_argument("--kernel")
    ap.add_argument("--only", type=lambda s: s.split(","))
    ap.add_argument("--out", default=HERE)
    ap.add_argument("--bailey", default=os.path.join(HERE, "..", "build",
                                                     "bailey"))
    ap.add_argument("parts", nargs="*", metavar="PART")
    args = ap.parse_args()
    q = args.quick
    args.rounds = args.rounds or (3 if q else 5)
    args.counts = args.counts or [1, 10, 100, 1000] + ([] if q else [5000])
    args.sizes = args.sizes or [1, 10, 100, 1000] + ([] if q else [4000])
    args.processes = args.processes or [1, 10, 50, 200]
    args.patience = args.patience or (40 if q else 90)
    args.budget = args.budget or hostmem.available() // 2
    args.tools = os.path.abspath(args.tools)
    kernel = os.path.join(args.tools, "vmlinuz")
    if not args.kernel and os.path.exists(kernel):
        args.kernel = kernel
    for part in args.parts:
        if part not in PARTS:
            ap.error(f"no part {part}: {' '.join(PARTS)}")
    return args


def without_second_hierarchy():
    """crun refuses a host that has control groups of both versions; so this
    run's mounts have those of one version only."""
    unified = "/sys/fs/cgroup/unified"
    if os.geteuid() or not os.path.exists(unified + "/cgroup.procs"):
        return
    os.execvp("unshare", ["unshare", "-m", "--propagation", "private", "sh",
                          "-c", f'umount {unified} && exec "$@"', "sh",
                          sys.executable, *sys.argv])


def main():
    args = arguments()
    without_second_hierarchy()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    b = Bench(args)
    try:
        for part in args.parts or PARTS:
            b.measure(part)
    finally:
        try:
            b.report(args.out)
        finally:
            b.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
