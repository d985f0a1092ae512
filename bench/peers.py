#!/usr/bin/env python3
"""Measure bailey beside other ways to run a program, in one run.

usage: bench/peers.py [--rounds N] [--counts 1,10,100,1000] [--budget SIZE]
                      [--kernel FILE] [--bailey PATH] [--out DIR]
                      [--only PEER,PEER] [PART...]

PARTS: memory (idle nginx: what one costs as their number grows, until the
budget of memory is used), start (to the first answer, and /bin/true), micro
(system calls, fork), throughput (nginx, redis), save (save, resume, CRIU).
Peers: see peer.py; one that is not installed or does not work here is named
with the reason.  Writes report.md, report.json and plots (SVG) into DIR.
"""
import argparse
import datetime
import json
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

import hostmem
import peer
import plot
import services
from density import NET, PORTS, place, size

HERE = os.path.dirname(os.path.abspath(__file__))
MICRO = ["getppid", "read_zero", "pread_4k", "open_close", "stat",
         "pipe_pingpong", "fork_exit_wait", "fork_exec_wait", "mmap_64k"]
PARTS = ["memory", "start", "micro", "throughput", "save"]


class Bench:
    def __init__(self, args):
        self.args = args
        self.tmp = tempfile.mkdtemp(prefix="bailey-peers.")
        os.chmod(self.tmp, 0o755)
        self.group = hostmem.Group()
        self.rows = []     # dict(part, peer, what, value, unit, samples)
        self.missing = {}  # peer: why
        self.peers, self.made = [], []
        self.serial = 0
        exe = os.path.abspath(args.bailey)
        subprocess.run(["gcc", "-O2", "-pthread", "-o",
                        os.path.join(self.tmp, "micro"),
                        os.path.join(HERE, "micro.c")], check=True)
        for make in (peer.Native, lambda d: peer.Bailey(d, exe),
                     lambda d: peer.Clones(d, exe), peer.Bubblewrap,
                     peer.Crun, peer.Podman, peer.Nspawn, peer.Uml,
                     lambda d: peer.Microvm(d, args.kernel)):
            self.add_peer(make)

    def add_peer(self, make):
        self.serial += 1
        d = os.path.join(self.tmp, f"p{self.serial}")
        os.mkdir(d)
        shutil.copy(os.path.join(self.tmp, "micro"), d)
        p = make(d)
        self.made.append(p)
        if self.args.only and p.name.split()[0] not in self.args.only and \
                p.name != "native":
            return
        why = p.missing()
        if why:
            self.missing[p.name] = why
            print(f"{p.name}: {why}", flush=True)
        else:
            self.peers.append(p)

    def close(self):
        for p in self.made:
            p.close()
        self.group.close()
        subprocess.run(["sh", "-c", "umount -l "
                        f"{self.tmp}/*/podman/store/overlay 2>/dev/null"])
        shutil.rmtree(self.tmp, ignore_errors=True)

    def add(self, part, p, what, samples, unit, **more):
        v = statistics.median(samples)
        name = p if isinstance(p, str) else p.name
        self.rows.append(dict(part=part, peer=name, what=what, value=v,
                              low=min(samples), high=max(samples), unit=unit,
                              samples=samples, **more))
        print(f"{part:10} {name:16} {what:22} {v:12.4g} {unit:6} "
              f"({min(samples):.4g} to {max(samples):.4g})", flush=True)

    def attempt(self, part, p, fn):
        try:
            fn(p)
        except (RuntimeError, OSError, subprocess.SubprocessError) as e:
            self.missing[f"{p.name}, {part}"] = str(e)[:200]
            print(f"{p.name}, {part}: {e}", flush=True)
        finally:
            p.stop()

    # ---- starting ---------------------------------------------------------------
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
            self.start(p, 0)
            p.b("save", f"i{p.serial}", "-o", path, "--stop")
            p.stop()
        return path

    def start_until(self, p, have, count):
        if not isinstance(p, peer.Clones):
            for n in range(have, count):
                self.start(p, n)
            return
        image = self.image(p)
        while have < count:
            step = min(count - have, PORTS - have % PORTS)
            p.start_many(image, have, step, *place(have))
            for n in range(have, have + step):
                services.get_patiently(*place(n), "/first")
            have += step

    # ---- parts ------------------------------------------------------------------
    def memory(self, p):
        if isinstance(p, peer.Clones):
            self.image(p)
        self.group.fresh()
        group = hostmem.settled(self.group.used)
        before = hostmem.settled()
        have = 0
        for count in self.args.counts:
            if have and self.used(before, group) / have * count > \
                    self.args.budget:
                self.missing[f"{p.name}, memory of {count}"] = \
                    "more than the budget of memory"
                break
            self.start_until(p, have, count)
            have = count
            time.sleep(1)
            self.add("memory", p, f"{count} idle nginx, each",
                     [self.used(before, group) / count / 1e6], "MB",
                     count=count, available=(before - hostmem.available())
                     / count / 1e6)

    def used(self, before, group):
        return before - hostmem.available() if group is None else \
            self.group.used() - group

    def start_times(self, p):
        times = []
        for n in range(self.args.rounds):
            if isinstance(p, peer.Clones):
                self.image(p)
            start = time.monotonic()
            if isinstance(p, peer.Clones):
                self.start_until(p, 0, 1)
            else:
                self.start(p, n)
            times.append((time.monotonic() - start) * 1e3)
            p.stop()
        self.add("start", p, "nginx, first answer", times, "ms")
        if isinstance(p, peer.Clones):
            return
        times = []
        for _ in range(self.args.rounds):
            start = time.monotonic()
            p.run(["/bin/true"])
            times.append((time.monotonic() - start) * 1e3)
        self.add("start", p, "/bin/true, to its end", times, "ms")

    def micro(self, p):
        if isinstance(p, peer.Clones):
            return
        exe = os.path.join(p.share, "micro")
        for name in MICRO:
            samples = [float(p.run([exe, name, self.data(p)]).split()[-1])
                       for _ in range(self.args.rounds)]
            self.add("micro", p, name, samples, "ns")

    def data(self, p):
        path = os.path.join(p.share, "data")
        if not os.path.exists(path):
            with open(path, "wb") as f:
                f.write(b"x" * 65536)
        return path

    def throughput(self, p):
        if not p.is_reachable or isinstance(p, peer.Clones):
            return
        self.start(p, 0)
        address, port = place(0)
        if shutil.which("wrk"):
            self.add("throughput", p, "nginx", [
                float(re.search(r"Requests/sec:\s+([\d.]+)", peer.checked(
                    ["wrk", "-t1", "-c16", "-d2s",
                     f"http://{address}:{port}/"])).group(1))
                for _ in range(self.args.rounds)], "req/s")
        p.stop()
        if shutil.which("redis-benchmark"):
            self.redis(p)

    def redis(self, p):
        address, port = place(1)
        host, inner = p.place(address, port)
        p.start(["redis-server", "--port", str(inner), "--bind", host,
                 "--save", "", "--protected-mode", "no"], address, port)
        for _ in range(200):
            r = subprocess.run(["redis-cli", "-h", address, "-p", str(port),
                                "ping"], capture_output=True, text=True)
            if "PONG" in r.stdout:
                break
            time.sleep(0.02)
        for test in ("get", "set"):
            out = [peer.checked(["redis-benchmark", "-h", address, "-p",
                                 str(port), "-t", test, "-n", "100000", "-q"])
                   for _ in range(self.args.rounds)]
            self.add("throughput", p, f"redis {test}", [
                float(re.findall(r"([\d.]+) requests per second", o)[-1])
                for o in out], "req/s")

    def save(self, p):
        if isinstance(p, peer.Clones):
            self.save_bailey(p)
        elif p.name == "native":
            self.save_criu(p)

    def save_bailey(self, p):
        saved, resumed = [], []
        for n in range(self.args.rounds):
            image = os.path.join(p.share, f"s{n}.bly")
            self.start(p, n)
            start = time.monotonic()
            p.b("save", f"i{p.serial}", "-o", image, "--stop")
            saved.append((time.monotonic() - start) * 1e3)
            start = time.monotonic()
            p.b("resume", "-d", "-p", "%s:%d:80" % place(n), image)
            services.get_patiently(*place(n), "/again")
            resumed.append((time.monotonic() - start) * 1e3)
            p.stop()
        self.add("save", "bailey", "nginx, save", saved, "ms")
        self.add("save", "bailey", "nginx, first answer", resumed, "ms")
        self.add("save", "bailey", "nginx, image",
                 [os.path.getsize(image) / 1e6], "MB")

    def save_criu(self, p):
        if not shutil.which("criu"):
            self.missing["CRIU"] = "not installed (Debian backports: criu)"
            return
        r = subprocess.run(["criu", "check"], capture_output=True, text=True)
        if r.returncode:
            lines = [x for x in (r.stdout + r.stderr).splitlines() if x]
            self.missing["CRIU"] = "does not work on this host: " + \
                (lines[0] if lines else f"status {r.returncode}")
            return
        saved, resumed = [], []
        for n in range(self.args.rounds):
            d = os.path.join(p.share, f"criu{n}")
            os.mkdir(d)
            self.start(p, n)
            pid = p.children[-1].pid
            start = time.monotonic()
            peer.checked(["criu", "dump", "-t", str(pid), "-D", d])
            saved.append((time.monotonic() - start) * 1e3)
            p.children.pop().wait()
            start = time.monotonic()
            peer.checked(["criu", "restore", "-d", "-D", d, "--pidfile",
                          d + "/pid"])
            services.get_patiently(*place(n), "/again")
            resumed.append((time.monotonic() - start) * 1e3)
            os.killpg(int(hostmem.read(d + "/pid")), signal.SIGKILL)
        self.add("save", "CRIU", "nginx, save", saved, "ms")
        self.add("save", "CRIU", "nginx, first answer", resumed, "ms")

    # ---- the report ---------------------------------------------------------------
    def table(self, part):
        rows = [r for r in self.rows if r["part"] == part]
        whats = list(dict.fromkeys(r["what"] for r in rows))
        peers = list(dict.fromkeys(r["peer"] for r in rows))
        by = {(r["peer"], r["what"]): r for r in rows}
        out = ["| | " + " | ".join(peers) + " |", "| --- " * (1 + len(peers))
               + "|"]
        for w in whats:
            cells = []
            for p in peers:
                r = by.get((p, w))
                first = by.get(("native", w))
                text = f"{r['value']:.4g}" if r else "-"
                if r and len(r["samples"]) > 1:
                    text += f" ({r['low']:.3g} to {r['high']:.3g})"
                if r and first and r is not first:
                    text += f", {r['value'] / first['value']:.2f} ×"
                cells.append(text)
            unit = next(r["unit"] for r in rows if r["what"] == w)
            out.append(f"| {w}, {unit} | " + " | ".join(cells) + " |")
        return out

    def plots(self, out):
        made = []

        def write(name, svg):
            with open(os.path.join(out, name), "w") as f:
                f.write(svg)
            made.append(name)

        memory = {}
        for r in self.rows:
            if r["part"] == "memory":
                memory.setdefault(r["peer"], []).append((r["count"],
                                                         r["value"]))
        if memory:
            write("memory.svg", plot.lines("Memory of an idle nginx",
                                           "instances", "MB each", memory))
        for part in ("start", "throughput", "micro"):
            for w in dict.fromkeys(r["what"] for r in self.rows
                                   if r["part"] == part):
                rows = [r for r in self.rows if r["what"] == w and
                        r["part"] == part]
                name = re.sub(r"\W+", "-", f"{part}-{w}").strip("-")
                write(name + ".svg", plot.bars(f"{part}: {w}",
                                               rows[0]["unit"],
                                               {r["peer"]: r["value"]
                                                for r in rows}))
        return made

    def report(self, out):
        os.makedirs(out, exist_ok=True)
        made = self.plots(out)
        text = ["# bailey and its peers", "",
                f"Measured {datetime.date.today()} by `make bench-peers` on "
                f"{os.cpu_count()} processors, Linux {platform.release()}, "
                f"load {os.getloadavg()[1]:.1f}; medians of "
                f"{self.args.rounds} (smallest to largest), and how many "
                "times the native program's.", "",
                "Memory is what " + ("the memory control group of the run "
                "was charged with" if self.group.dir else "the system had "
                "less of") + ", divided by the number."]
        for part in PARTS:
            if any(r["part"] == part for r in self.rows):
                text += ["", f"## {part}", ""] + self.table(part)
        if self.missing:
            text += ["", "## Not measured", ""]
            text += [f"- {k}: {v}" for k, v in self.missing.items()]
        text += ["", "## Plots", ""] + [f"![{m}]({m})" for m in made]
        with open(os.path.join(out, "report.md"), "w") as f:
            f.write("\n".join(text) + "\n")
        with open(os.path.join(out, "report.json"), "w") as f:
            json.dump(dict(rows=self.rows, missing=self.missing), f, indent=1)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse
                                 .RawDescriptionHelpFormatter)
    ap.add_argument("--rounds", type=int, default=7)
    ap.add_argument("--counts", default="1,10,100,1000",
                    type=lambda s: [int(x) for x in s.split(",")])
    ap.add_argument("--budget", type=size)
    ap.add_argument("--kernel")
    ap.add_argument("--only", type=lambda s: s.split(","))
    ap.add_argument("--out", default=os.path.join(HERE, "out"))
    ap.add_argument("--bailey", default=os.path.join(HERE, "..", "build",
                                                     "bailey"))
    ap.add_argument("parts", nargs="*", metavar="PART")
    args = ap.parse_args()
    args.budget = args.budget or hostmem.available() // 4
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    b = Bench(args)
    steps = dict(memory=b.memory, start=b.start_times, micro=b.micro,
                 throughput=b.throughput, save=b.save)
    try:
        for part in args.parts or PARTS:
            for p in b.peers:
                b.attempt(part, p, steps[part])
    finally:
        b.report(args.out)
        b.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
