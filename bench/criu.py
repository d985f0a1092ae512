"""CRIU: saves a native program's processes and goes on with them.

Debian 12's CRIU does not know the clock code of newer kernels; a newer one
that bench/fetch.sh has unpacked is taken then.  Saving ends the processes.
Those that lose their parent are adopted and collected here, since a program
can go on only when its old process numbers are free.
"""
import ctypes
import os
import shutil
import subprocess
import time

import hostmem
from peer import checked, end_trees

PR_SET_CHILD_SUBREAPER = 36


def below(pid):
    """The process and all below it."""
    line = [pid]
    for p in line:
        for t in os.listdir(f"/proc/{p}/task"):
            line += [int(x) for x in hostmem.read(
                f"/proc/{p}/task/{t}/children").split()]
    return line


def adopt(is_on):
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(is_on), 0, 0, 0)


class Criu:
    name = "CRIU"

    def __init__(self, folder):
        self.exe = self.why = None
        for exe in ("criu", os.path.join(folder, "criu")):
            if not shutil.which(exe):
                continue
            r = subprocess.run([exe, "check"], capture_output=True, text=True)
            if r.returncode == 0:
                self.exe, self.why = exe, None
                return
            lines = [x for x in (r.stdout + r.stderr).splitlines() if x]
            self.why = f"{self.version(exe)} does not work on this host: " + \
                (lines[0] if lines else f"status {r.returncode}")
        self.why = self.why or "not installed: make deps-peers"

    @staticmethod
    def version(exe):
        out = subprocess.run([exe, "--version"], capture_output=True,
                             text=True).stdout.split()
        return out[1] if len(out) > 1 else "?"

    def save(self, child, where):
        """Milliseconds for saving the tree of a Popen that leads a session."""
        shutil.rmtree(where, ignore_errors=True)
        os.mkdir(where)
        adopt(True)
        self.pids = below(child.pid)
        start = time.monotonic()
        checked([self.exe, "dump", "-t", str(child.pid), "-D", where])
        took = (time.monotonic() - start) * 1e3
        child.wait()
        self.collect(self.pids[1:])
        return took

    def resume(self, where):
        checked([self.exe, "restore", "-d", "-D", where])

    def end(self):
        end_trees(self.pids[:1])
        self.collect(self.pids)
        adopt(False)

    @staticmethod
    def collect(pids):
        for pid in pids:
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                pass

    @staticmethod
    def size(where):
        return sum(os.path.getsize(os.path.join(where, x))
                   for x in os.listdir(where))
