"""What the host's memory and limits say, for density.py and peers.py.

Memory is what the whole system has less of (MemAvailable): kernel memory,
page tables and helper processes are in it, and so is whatever else the
machine does meanwhile.  Where a memory control group can be made (root), what
the group was charged with is known too: that leaves out the little that the
kernel charges to nobody, and other work.
"""
import itertools
import os
import resource
import tempfile
import time


def read(path, default=""):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return default


def number(path, default=0):
    text = read(path).split()
    return int(text[0]) if text and text[0].isdigit() else default


def meminfo(name):
    for line in read("/proc/meminfo").splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    return 0


def available():
    return meminfo("MemAvailable")


def state_directory():
    """A directory for sandboxes' state in memory, as XDG_RUNTIME_DIR and /run
    are on a host with systemd; the caller removes it."""
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    return tempfile.mkdtemp(prefix="bailey-state.", dir=shm)


def settled(look=available):
    """MemAvailable, or what look() says, once what has ended is really gone:
    the kernel takes its time over that."""
    last = look()
    for _ in range(30):
        time.sleep(0.5)
        now = look()
        if last is None or abs(now - last) < 1 << 19:
            return now
        last = now
    return last


class Group:
    """A memory control group that this process and all it starts live in."""

    numbers = itertools.count()
    V1, V2 = "/sys/fs/cgroup/memory", "/sys/fs/cgroup"

    def __init__(self):
        self.dir = self.old = None
        top = self.V1 if os.path.exists(self.V1 + "/tasks") else self.V2
        self.is_v1 = top == self.V1
        place = os.path.join(top, f"idle-services.{os.getpid()}."
                             f"{next(self.numbers)}")
        try:
            self.old = top + self._own_path().rstrip("/") + "/cgroup.procs"
            os.mkdir(place)
            self.dir = place
            self.used()
            self._move(place + "/cgroup.procs")
        except (OSError, ValueError):
            self.close()

    def _own_path(self):
        for line in read("/proc/self/cgroup").splitlines():
            _, names, path = line.split(":", 2)
            if names == ("memory" if self.is_v1 else ""):
                return path
        return "/"

    @staticmethod
    def _move(procs):
        with open(procs, "w") as f:
            f.write(str(os.getpid()))

    def used(self):
        """Bytes without the page cache of files; None: not known."""
        if not self.dir:
            return None
        name = "memory.usage_in_bytes" if self.is_v1 else "memory.current"
        with open(f"{self.dir}/{name}") as f:
            total = int(f.read())
        stat = dict(x.split()[:2] for x in
                    read(self.dir + "/memory.stat").splitlines())
        cache = "total_cache" if self.is_v1 else "file"
        shmem = "total_shmem" if self.is_v1 else "shmem"
        return total - int(stat[cache]) + int(stat[shmem])

    def fresh(self):
        """Another group: what was charged to this one for things that have
        ended, and that the kernel keeps for the next, would be counted as
        there already."""
        self.close()
        self.__init__()

    def close(self):
        if not self.dir:
            return
        for _ in range(50):
            try:
                self._move(self.old)
                os.rmdir(self.dir)
                break
            except OSError:
                time.sleep(0.1)
        self.dir = None


def limits():
    """{name: (used, most, how to raise it)} of what instances take."""
    files = read("/proc/sys/fs/file-nr").split()
    tasks = int(read("/proc/loadavg", "0 0 0 1/1 1").split()[3].split("/")[1])
    found = {
        "processes (kernel.pid_max)":
            (tasks, number("/proc/sys/kernel/pid_max"),
             "sysctl kernel.pid_max=4194304"),
        "threads (kernel.threads-max)":
            (tasks, number("/proc/sys/kernel/threads-max"),
             "sysctl kernel.threads-max=N"),
        "open files (fs.file-max)":
            (int(files[0]) if files else 0,
             number("/proc/sys/fs/file-max"), "sysctl fs.file-max=N"),
    }
    most = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if os.geteuid() and most != resource.RLIM_INFINITY:
        found["processes of the user (ulimit -u)"] = (tasks, most,
                                                      "ulimit -u")
    for line in read("/proc/self/cgroup").splitlines():
        path = line.split(":", 2)[2].rstrip("/")
        for top in ("/sys/fs/cgroup/pids", "/sys/fs/cgroup"):
            text = read(f"{top}{path}/pids.max").strip()
            if text.isdigit():
                found["processes (control group)"] = (
                    number(f"{top}{path}/pids.current"), int(text),
                    f"{top}{path}/pids.max")
    return found


def spent_ns(exe):
    """Processor time of all threads of the processes that run file exe."""
    want, total = os.stat(exe), 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            have = os.stat(f"/proc/{pid}/exe")
            if (have.st_dev, have.st_ino) != (want.st_dev, want.st_ino):
                continue
            for tid in os.listdir(f"/proc/{pid}/task"):
                total += number(f"/proc/{pid}/task/{tid}/schedstat")
        except OSError:
            pass
    return total
