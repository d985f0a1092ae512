#!/usr/bin/env python3
"""Measure what a screen costs: memory, latency, pictures, image.

usage: bench/display.py [--rounds N] [--bailey PATH] [--json FILE] [NAME...]

A real RDP client (bench/rdp-client.c, on FreeRDP's library) over loopback
looks at real programs.  Rows as in bench/save.py.  Names: see PARTS.

memory      of all processes of a sandbox with mousepad, a viewer connected,
            beside mousepad and Xvfb natively: PSS, and what of it no other
            process has
keys        key press to changed pixel, xterm
idle        processor time of the whole sandbox while nobody does anything
video       a noisy moving picture of 1280x720 with 25 frames a second
reconnect   first full picture after a resume, from the client's first packet
image       of a saved mousepad with some text
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import save

TOOLS = os.path.join(os.path.dirname(save.HERE), "build", "bench")
PARTS = {"memory": ["mousepad", "Xvfb"], "keys": ["xterm"],
         "idle": ["xterm"], "video": [], "reconnect": ["mousepad"],
         "image": ["mousepad"]}
SIZE = "1280x800"
IDLE_SECONDS = VIDEO_SECONDS = 10


def children_of(pid):
    found = []
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{p}/stat") as f:
                if int(f.read().rsplit(")", 1)[1].split()[1]) == pid:
                    found.append(int(p))
        except (OSError, IndexError):
            pass
    return found


def tree_of(pid):
    """It and all below it."""
    return [pid] + [q for c in children_of(pid) for q in tree_of(c)]


def memory_of(pids):
    """MB of PSS, and of what is not in files."""
    pss = own = 0
    for p in pids:
        try:
            with open(f"/proc/{p}/smaps_rollup") as f:
                for line in f:
                    words = line.split()
                    if words[0] == "Pss:":
                        pss += int(words[1])
                    if words[0] in ("Pss_Anon:", "Pss_Shmem:"):
                        own += int(words[1])
        except OSError:
            pass
    return pss / 1e3 * 1.024, own / 1e3 * 1.024


def spent_ms(pids):
    """Processor time of all threads."""
    total = 0
    for p in pids:
        try:
            for t in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{t}/schedstat") as f:
                    total += int(f.read().split()[0])
        except OSError:
            pass
    return total / 1e6


def is_session(pid):
    try:
        with open(f"/proc/{pid}/maps") as f:
            return "bailey-display-session" in f.read()
    except OSError:
        return False


class Screen:
    """A sandbox with a screen."""

    def __init__(self, bench, name, started):
        self.bench, self.name, self.started = bench, name, started

    def address(self):
        """With a password, which is for one log-in."""
        for _ in range(300):
            r = subprocess.run([self.bench.bailey, "inspect", self.name],
                               capture_output=True, text=True)
            o = json.loads(r.stdout)[0].get("Display") if r.stdout else None
            if o and o.get("Password") and o["Address"][-2:] != ":0":
                return o["Address"].split(":") + [o["User"], o["Password"]]
            time.sleep(0.1)
        raise RuntimeError("no screen")

    def client(self, *what):
        return subprocess.Popen(
            [os.path.join(TOOLS, "rdp-client"), *self.address(), *what],
            env=dict(os.environ, WLOG_LEVEL="OFF"), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def ask(self, *what):
        p = self.client(*what)
        out, why = p.communicate(timeout=120)
        if p.returncode:
            raise RuntimeError(f"rdp-client {what[0]} fails: {out[-80:]} "
                               f"{why[-80:]}")
        return [[float(x) for x in line.split()] for line in
                out.splitlines()]

    def wait(self, text):
        """Until a window with this in its title has been there a while."""
        for _ in range(300):
            r = subprocess.run(
                [self.bench.bailey, "exec", "-e", "DISPLAY=:0", self.name,
                 "xwininfo", "-root", "-tree"], capture_output=True, text=True)
            if text in r.stdout:
                return time.sleep(2)
            time.sleep(0.1)
        raise RuntimeError(f"no window {text}")

    def pids(self):
        return tree_of(self.started.pid)


class Bench(save.Bench):
    def start(self, *program, title=None, options=()):
        name = self.name("screen")
        p = subprocess.Popen(
            [self.bailey, "run", "-q", "--name", name, "--display",
             "--display-size", SIZE, *options, *program],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        s = Screen(self, name, p)
        if title:
            s.wait(title)
        return s

    def end(self, s):
        self.gone(s.name)
        s.started.wait()

    # ---- memory ------------------------------------------------------------
    def native(self, *options):
        """mousepad and its X server, as `start` has them."""
        read, write = os.pipe()
        server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", SIZE + "x24",
             "-nolisten", "tcp", *options], pass_fds=[write],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as f:
            number = f.readline().strip()
        program = subprocess.Popen(
            ["mousepad"], env=dict(os.environ, DISPLAY=f":{number}"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(4)
        found = memory_of(tree_of(server.pid) + tree_of(program.pid))
        program.kill()
        program.wait()
        server.kill()
        server.wait()
        return found

    def memory(self):
        added, own, alone, lacking = [], [], [], []
        for _ in range(min(self.rounds, 3)):
            s = self.start("mousepad", title="Mousepad")
            before = memory_of(s.pids())
            client = s.client("stay", "8")
            time.sleep(5)
            inside = memory_of(s.pids())
            client.wait()
            self.end(s)
            native, lean = self.native(), self.native("-extension", "GLX")
            lacking.append(inside[0] - lean[0])
            added.append(inside[0] - native[0])
            own.append(inside[1] - native[1])
            alone.append(before[0] - native[0])
        note = f"mousepad and Xvfb natively: {native[0]:.1f}"
        self.add("memory_added", added, 16, "MB", note=note)
        self.add("memory_added_not_in_files", own, 16, "MB",
                 note=f"natively {native[1]:.1f}")
        self.add("memory_added_no_viewer", alone, 16, "MB")
        self.add("memory_added_to_no_gl", lacking, 16, "MB",
                 note=f"natively without GLX: {lean[0]:.1f}; both then go "
                 "without Mesa")

    # ---- time --------------------------------------------------------------
    def keys(self):
        s = self.start("xterm", "-e", "cat", title="xterm")
        times = [x[0] for x in s.ask("keys", "60")]
        self.end(s)
        self.add("key_to_pixel", times, 25, "ms", note="xterm")

    def idle(self):
        s = self.start("xterm", "-e", "cat", title="xterm")
        client = s.client("stay", str(IDLE_SECONDS + 4))
        time.sleep(3)
        pids = s.pids()
        before = spent_ms(pids)
        time.sleep(IDLE_SECONDS)
        spent = spent_ms(pids) - before
        client.wait()
        self.end(s)
        self.add("idle_processor_time", [spent], 0, "ms",
                 note=f"in {IDLE_SECONDS} s, all processes, a viewer there")

    def video(self):
        frames, cores, display = [], [], []
        for _ in range(min(self.rounds, 3)):
            s = self.start("/bench/x-video", "25", str(VIDEO_SECONDS * 3),
                           title="x-video", options=["-v",
                                                      f"{TOOLS}:/bench:ro"])
            client = s.client("frames", str(VIDEO_SECONDS))
            time.sleep(3)
            pids, seconds = s.pids(), VIDEO_SECONDS - 3
            session = [p for p in pids if is_session(p)]
            before, ours = spent_ms(pids), spent_ms(session)
            time.sleep(seconds)
            cores.append((spent_ms(pids) - before) / 1e3 / seconds)
            display.append((spent_ms(session) - ours) / 1e3 / seconds)
            out = client.communicate()[0].split()
            frames.append(float(out[1]) if len(out) == 2 else 0)
            self.end(s)
        self.add("video_frames", frames, 24.5, "1/s", kind="rate",
                 note="that arrive in one piece, of 25")
        self.add("video_processor", cores, 1, "cores",
                 note="the whole sandbox, program and X server too")
        self.add("video_session", display, 1, "cores",
                 note="of that the RDP session alone")

    # ---- saved -------------------------------------------------------------
    def saved(self):
        s, image = self.start("mousepad", title="Mousepad"), self.path("m.bly")
        s.ask("keys", "5")
        self.save(s.name, image, "--stop")
        self.end(s)
        return image

    def reconnect(self):
        image, times = self.saved(), []
        self.b("warm", image)
        for _ in range(self.rounds):
            name = self.name("back")
            p = subprocess.Popen(
                [self.bailey, "resume", "-q", "--name", name, image],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
            time.sleep(1)
            s = Screen(self, name, p)
            times.append(s.ask("connect")[0])
            self.end(s)
        tls, session, first, whole = (list(x) for x in zip(*times))
        split = [statistics.median(x) for x in (tls, session, first, whole)]
        self.add("reconnect_to_picture", whole, 300, "ms",
                 note=f"TLS {split[0]:.0f}, log-in and session "
                 f"{split[1] - split[0]:.0f}, first pixel "
                 f"{split[2] - split[1]:.0f}, last "
                 f"{split[3] - split[2]:.0f}")

    def image(self):
        sizes = [os.path.getsize(self.saved()) / 1e6
                 for _ in range(min(self.rounds, 3))]
        self.add("image_mousepad", sizes, 4, "MB")


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--rounds", type=int, default=7)
    ap.add_argument("--bailey", default=os.path.join(save.HERE, "..", "build",
                                                     "bailey"))
    ap.add_argument("--json")
    ap.add_argument("names", nargs="*")
    args = ap.parse_args()
    args.redis_mb = 0
    b = Bench(args)
    os.environ["HOME"] = b.path("home")
    os.makedirs(b.path("home/.config"))
    return b.measure(PARTS)


if __name__ == "__main__":
    sys.exit(main())
