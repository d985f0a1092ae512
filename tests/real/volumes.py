#!/usr/bin/env python3
"""Change a volume from the host, step by step, and ask a program inside after
each step what it sees: it must be what a program outside sees.

usage: volumes.py BAILEY DIR   (DIR is empty, and beside it is a file, secret)
Prints "ok NAME" or "FAIL NAME: why" for each step.
"""
import mmap
import os
import random
import shutil
import subprocess
import sys
import time

AGENT = r"""
import os, random, sys, threading, time
held = {}
def storm(seed, path, end):
    r = random.Random(seed)
    while time.time() < end:
        try:
            fd = os.open(path + r.choice(["/a", "/b", "/c/a", "/c/b", "/d"]),
                         r.choice([os.O_RDONLY, os.O_RDWR, os.O_CREAT |
                                   os.O_EXCL | os.O_RDWR]))
            os.fstat(fd)
            os.close(fd)
        except OSError:
            pass
def info(s):
    return (f"{s.st_mode:o} size {s.st_size} nlink {s.st_nlink} "
            f"mtime {s.st_mtime_ns} ino {s.st_ino}")
def answer(what, path):
    if what == "stat":
        return info(os.stat(path))
    if what == "lstat":
        return info(os.lstat(path))
    if what == "list":
        return " ".join(sorted(os.listdir(path)))
    if what == "hold":
        held[path] = os.open(path, os.O_RDONLY)
        return "held"
    if what == "fstat":
        return info(os.fstat(held[path]))
    if what == "storm":
        t = [threading.Thread(target=storm, args=(n, path, time.time() + 2))
             for n in range(4)]
        for x in t:
            x.start()
        for x in t:
            x.join()
        return "calm"
    if what == "write":
        with open(path, "w") as f:
            f.write("written by the program")
            f.flush()
            return str(os.fstat(f.fileno()).st_size)
    with open(path) as f:
        return info(os.fstat(f.fileno())) + " " + f.read()
for line in sys.stdin:
    what, path = line.split()
    try:
        print(answer(what, path))
    except OSError as e:
        print(f"error {e.errno}")
    sys.stdout.flush()
"""


class Agent:
    def __init__(self, cmd, cwd):
        self.p = subprocess.Popen(cmd, cwd=cwd, text=True,
                                  stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)

    def tell(self, what, path):
        self.p.stdin.write(f"{what} {path}\n")
        self.p.stdin.flush()

    def ask(self, what, path):
        self.tell(what, path)
        return self.p.stdout.readline().strip()

    def end(self):
        self.p.stdin.close()
        return self.p.wait(20)


class Steps:
    def __init__(self, bailey, top):
        self.top = top
        self.outside = Agent(["python3", "-c", AGENT], top)
        self.inside = Agent([bailey, "run", "-i", "-v", f"{top}:/v", "-w",
                             "/v", "python3", "-c", AGENT], top)

    def same(self, name, *questions):
        """Twice: what was remembered of the first answer counts too."""
        for _ in range(2):
            for q in questions:
                what, path = q.split()
                want = self.outside.ask(what, path)
                got = self.inside.ask(what, path)
                if want != got:
                    print(f"FAIL {name}: {q}: {got!r}, not {want!r}")
                    return
        print(f"ok {name}")

    def put(self, path, text, mode="w"):
        with open(os.path.join(self.top, path), mode) as f:
            f.write(text)

    def at(self, path):
        return os.path.join(self.top, path)


def files(s):
    ask = ("stat f", "read f", "lstat f")
    s.same("not there yet", *ask, "list .")
    s.put("f", "one")
    s.same("made", *ask, "list .")
    s.put("f", "two and more")
    s.same("written anew", *ask)
    s.put("f", " appended", "a")
    s.same("appended", *ask)
    os.truncate(s.at("f"), 4)
    s.same("shortened", *ask)
    s.put("g", "another file")
    os.rename(s.at("g"), s.at("f"))
    s.same("replaced by rename", *ask, "stat g")
    os.chmod(s.at("f"), 0o600)
    s.same("mode changed", *ask)
    os.utime(s.at("f"), ns=(5, 1234567890))
    s.same("times changed", *ask)
    os.link(s.at("f"), s.at("h"))
    s.same("linked", *ask, "stat h")
    s.put("h", "by its other name", "a")
    s.same("written by its other name", *ask, "read h")
    os.unlink(s.at("f"))
    s.same("removed", *ask, "read h", "list .")


def kinds(s):
    ask = ("stat k", "lstat k", "read k")
    s.put("t", "target")
    s.put("k", "a file")
    s.same("kind: file", *ask)
    os.unlink(s.at("k"))
    os.symlink("t", s.at("k"))
    s.same("kind: symlink", *ask)
    os.unlink(s.at("k"))
    os.symlink("h", s.at("k"))
    s.same("kind: another symlink", *ask)
    os.unlink(s.at("k"))
    os.symlink("../secret", s.at("k"))
    got = s.inside.ask("read", "k")
    print("ok a symlink out of the volume leads nowhere" if got == "error 2"
          else f"FAIL a symlink led out: {got!r}")
    os.unlink(s.at("k"))
    os.mkdir(s.at("k"))
    s.same("kind: directory", "list k", "read k")


def directories(s):
    ask = ("read d/e/f", "read d/e/g", "list d", "list d/e")
    s.same("no directory", *ask)
    os.makedirs(s.at("d/e"))
    s.put("d/e/f", "deep")
    s.same("deep file", *ask)
    s.put("d/e/g", "second")
    s.same("second deep file", *ask)
    os.rename(s.at("d/e"), s.at("d/x"))
    s.same("directory renamed", *ask, "read d/x/f")
    os.makedirs(s.at("d/e"))
    s.put("d/e/f", "other")
    s.same("another in its place", *ask, "read d/x/f")
    shutil.rmtree(s.at("d/e"))
    os.symlink("x", s.at("d/e"))
    s.same("a symlink in its place", *ask)
    os.rename(s.at("d"), s.at("moved"))
    s.same("parent renamed", *ask, "read moved/e/f")
    shutil.rmtree(s.at("moved"))
    s.same("tree removed", *ask, "read moved/e/f")


def data(s):
    s.put("m", "x" * 5000)
    s.same("before a mapping", "read m")
    with open(s.at("m"), "r+b") as f:
        with mmap.mmap(f.fileno(), 5000) as m:
            m[0:6] = b"mapped"
    s.same("written through a mapping", "read m", "stat m")
    s.same("held open", "hold m", "fstat m")
    s.put("m", " more", "a")
    s.same("grown while held", "fstat m", "read m")
    print("ok the program writes" if s.inside.ask("write", "m") == "22"
          else "FAIL the program writes")
    s.same("written by the program", "read m", "fstat m")
    s.put("m", "by the host again")
    s.same("and by the host again", "read m", "fstat m")
    for n in range(200):
        s.put("many", str(n))
        want, got = s.outside.ask("read", "many"), s.inside.ask("read", "many")
        if want != got:
            print(f"FAIL 200 changes: {n}: {got!r}, not {want!r}")
            return
    print("ok 200 changes")


PLACES = ["r/a", "r/b", "r/c/a", "r/c/b", "r/d/a", "r/d/a/b", "r/c", "r/d"]


def change(s, r):
    """One change by chance; some fail, as they should."""
    a, b = s.at(r.choice(PLACES)), s.at(r.choice(PLACES))
    text = "x" * r.randrange(100)
    ops = [lambda: s.put(a, text), lambda: s.put(a, text, "a"),
           lambda: os.truncate(a, r.randrange(50)), lambda: os.unlink(a),
           lambda: os.rename(a, b), lambda: os.link(a, b),
           lambda: os.symlink(r.choice(["a", "../b", "c/a", "none"]), a),
           lambda: os.mkdir(a), lambda: os.rmdir(a),
           lambda: os.chmod(a, r.choice([0o755, 0o700, 0o711])),
           lambda: os.utime(a, (r.randrange(9), r.randrange(9)))]
    try:
        r.choice(ops)()
    except OSError:
        pass


def chance(s, steps=600):
    r = random.Random(7)
    for d in ("r", "r/c", "r/d"):
        os.mkdir(s.at(d))
    for n in range(steps):
        change(s, r)
        for path in r.sample(PLACES, 4):
            what = r.choice(["stat", "lstat", "read"])
            want, got = s.outside.ask(what, path), s.inside.ask(what, path)
            if want != got:
                print(f"FAIL chance: step {n}: {what} {path}: {got!r}, "
                      f"not {want!r}")
                return
    print(f"ok {steps} changes by chance")


def storm(s):
    """Threads inside and the host, all at the same names, of one file."""
    r = random.Random(1)
    shutil.rmtree(s.at("r"))
    os.makedirs(s.at("r/c"))
    s.put("r/a", "one file")
    for name in ("r/b", "r/c/a", "r/c/b", "r/d"):
        os.link(s.at("r/a"), s.at(name))
    end = time.time() + 2
    s.inside.tell("storm", "r")
    while time.time() < end:
        if r.random() < 0.05:
            change(s, r)
        time.sleep(0.0005)
    got = s.inside.p.stdout.readline().strip()
    print("ok storm" if got == "calm" else f"FAIL storm: {got!r}")


def main():
    s = Steps(sys.argv[1], sys.argv[2])
    # so often that it watches the directory instead of asking
    s.same("at first", *["stat watched"] * 20)
    for part in (files, kinds, directories, data, chance, storm):
        part(s)
    s.outside.end()
    status = s.inside.end()
    print("ok the end" if status == 0 else f"FAIL the end: {status}")


if __name__ == "__main__":
    main()
