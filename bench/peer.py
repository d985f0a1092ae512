"""The ways to run a program that peers.py compares: each a class here, or,
with a kernel of its own, in machine.py.

A peer starts a command so that it goes on in the background (start), or runs
one to its end and returns what it printed (run); both may be called by
several threads.  `self.share` is a directory of the host that is visible
inside under its own name; /srv inside belongs to the instance alone.  Where
the peer has the host's network, or forwards a port, the command can be asked
from outside (is_reachable); machines say on their console that they have
asked themselves.
"""
import itertools
import json
import os
import resource
import shutil
import signal
import subprocess
import tempfile

TREES = [t for t in ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc")
         if os.path.exists(t)]

def end_trees(pids):
    """The processes and all below them, in whatever session they are."""
    below = {}
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{p}/stat") as f:
                parent = int(f.read().rpartition(")")[2].split()[1])
            below.setdefault(parent, []).append(int(p))
        except OSError:
            pass
    line = list(pids)
    for p in line:
        line += below.get(p, [])
    for p in line:
        try:
            os.kill(p, signal.SIGKILL)
        except OSError:
            pass


QUIET = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
             stderr=subprocess.DEVNULL)


def checked(cmd, **kw):
    r = subprocess.run(cmd, stdin=subprocess.DEVNULL, capture_output=True,
                       text=True, timeout=120, **kw)
    if r.returncode:
        why = (r.stderr or r.stdout).strip().splitlines()
        raise RuntimeError(why[-1][:200] if why else
                           f"status {r.returncode}")
    return r.stdout


class Peer:
    name, tool, package, is_reachable = "native", None, "", True
    directory = "/srv"  # where the service may write, inside

    def __init__(self, share):
        self.share, self.children = share, []
        self.numbers = itertools.count(1)

    def missing(self):
        """Why it cannot be measured here, or None."""
        if self.tool and not shutil.which(self.tool):
            return f"not installed (Debian: {self.package})"
        try:
            out = self.run(["echo", "works"])
            return None if "works" in out else "does not run a program here"
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as e:
            return f"does not work on this host: {e}"

    def wrap(self, words):
        return words

    def run(self, words):
        return checked(self.wrap(words))

    def place(self, address, port):
        """Where the service itself is to listen."""
        return address, port

    def start(self, words, address, port):
        self.children.append(subprocess.Popen(self.wrap(words), **QUIET,
                                              start_new_session=True))

    def stop(self):
        end_trees(p.pid for p in self.children)
        for p in self.children:
            p.wait()
        self.children = []

    def close(self):
        self.stop()


class Native(Peer):
    @property
    def directory(self):
        return os.path.join(self.share, f"native{next(self.numbers)}")


class Bubblewrap(Peer):
    name, tool, package = "bubblewrap", "bwrap", "bubblewrap"

    def wrap(self, words):
        return ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc",
                "/proc", "--bind", self.share, self.share,
                "--tmpfs", "/srv", "--unshare-user", "--unshare-pid",
                "--unshare-ipc", "--unshare-uts", "--", *words]


class Crun(Peer):
    """An OCI bundle, the host's network, no control group."""
    name, tool, package = "crun", "crun", "crun"

    def bundle(self, words):
        number = next(self.numbers)
        d = os.path.join(self.share, f"bundle{number}")
        os.makedirs(d + "/rootfs", exist_ok=True)
        mounts = [dict(destination="/proc", type="proc", source="proc"),
                  dict(destination="/dev", type="tmpfs", source="tmpfs")]
        mounts += [dict(destination=x, type="tmpfs", source="tmpfs")
                   for x in ("/srv", "/tmp", "/run", "/var")]
        mounts += [dict(destination=x, type="bind", source=x,
                        options=["rbind", "ro"]) for x in TREES]
        mounts += [dict(destination=self.share, type="bind",
                        source=self.share, options=["rbind"])]
        spaces = [dict(type=x) for x in ("pid", "ipc", "uts", "mount")]
        env = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
        with open(d + "/config.json", "w") as f:
            json.dump(dict(ociVersion="1.0.2", root=dict(path="rootfs"),
                           process=dict(args=words, cwd="/", env=env,
                                        user=dict(uid=0, gid=0)),
                           mounts=mounts, linux=dict(namespaces=spaces)), f)
        return d, f"bench-{os.getpid()}-{number}"

    def call(self, *words):
        return ["crun", "--cgroup-manager=disabled", "--root",
                self.share + "/crun", *words]

    def run(self, words):
        d, name = self.bundle(words)
        return checked(self.call("run", "--bundle", d, name))

    def start(self, words, address, port):
        d, name = self.bundle(words)
        subprocess.run(self.call("run", "-d", "--bundle", d, name), **QUIET,
                       check=True, timeout=60)
        self.children.append(name)

    def stop(self):
        for name in self.children:
            subprocess.run(self.call("delete", "-f", name), **QUIET)
        self.children = []


class Podman(Peer):
    """The host's network, no control group, no image: a root made of the
    host's directories."""
    name, tool, package = "podman", "podman", "podman"

    def __init__(self, share):
        super().__init__(share)
        self.root = os.path.join(share, "podman")
        conf = os.path.join(share, "containers.conf")
        # podman would raise the limits, which not every root may
        files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 1 << 20)
        ulimits = [f"nofile={files}:{files}", "nproc=4096:4096"]
        with open(conf, "w") as f:
            f.write("[containers]\ndefault_ulimits = " +
                    json.dumps(ulimits) + "\n")
        self.env = dict(os.environ, CONTAINERS_CONF=conf)

    def podman(self, *words):
        return checked(["podman", "--root", self.root + "/store", "--runroot",
                        self.root + "/run", "--cgroup-manager=cgroupfs",
                        "--events-backend=none", "--storage-driver=vfs",
                        *words], env=self.env)

    def call(self, *words):
        rootfs = os.path.join(self.root, f"rootfs{next(self.numbers)}")
        os.makedirs(rootfs, exist_ok=True)
        mounts = [x for t in TREES for x in ("-v", f"{t}:{t}:ro")]
        return self.podman(
            "run", "--rm", "--cgroups=disabled", "--network=host",
            "--log-driver=none", "-v", f"{self.share}:{self.share}", *mounts,
            "--tmpfs", "/srv", *words[:-1], "--rootfs", rootfs, *words[-1])

    def run(self, words):
        return self.call(words)

    def start(self, words, address, port):
        self.children.append(self.call("-d", words).strip())

    def stop(self):
        if self.children:
            self.podman("rm", "-f", "-t", "0", *self.children)
        self.children = []


class Nspawn(Peer):
    name, tool = "systemd-nspawn", "systemd-nspawn"
    package = "systemd-container"

    def wrap(self, words):
        number = next(self.numbers)
        root = os.path.join(self.share, f"nspawn{number}")
        os.makedirs(root + "/usr", exist_ok=True)
        binds = [f"--bind-ro={t}" for t in TREES]
        binds.append(f"--bind={self.share}")
        return ["systemd-nspawn", "-q", "-D", root, "--register=no",
                "--keep-unit", "--as-pid2", "--tmpfs=/srv", "--pipe",
                f"--machine=bench{os.getpid()}-{number}", *binds, "--",
                *words]


class Bailey(Peer):
    name = "bailey"

    def __init__(self, share, exe):
        super().__init__(share)
        self.exe = exe
        # as XDG_RUNTIME_DIR is: its files are memory, and counted
        self.state = tempfile.mkdtemp(
            prefix="bailey-peers.", dir="/dev/shm" if
            os.access("/dev/shm", os.W_OK) else None)
        self.env = dict(os.environ, XDG_RUNTIME_DIR=self.state,
                        XDG_CACHE_HOME=os.path.join(share, "cache"))

    def b(self, *words):
        return checked([self.exe, *words], env=self.env)

    def run(self, words):
        return self.b("run", "-v", f"{self.share}:{self.share}", *words)

    def place(self, address, port):
        return "0.0.0.0", 80

    def start(self, words, address, port):
        name = f"i{next(self.numbers)}"
        volume = ["-v", f"{self.share}:{self.share}"] if \
            any(w.startswith(self.share) for w in words) else []
        self.b("run", "-d", "--name", name, "-p", f"{address}:{port}:80",
               *volume, *words)
        self.last, self.volume = name, volume

    def save(self, image, *flags):
        """Of what was started last."""
        self.b("save", self.last, "-o", image, *flags)

    def resume(self, image, address, port):
        self.last = f"i{next(self.numbers)}"
        self.b("resume", "-d", "--name", self.last, "-p",
               f"{address}:{port}:80", *self.volume, image)

    def stop(self):
        subprocess.run([self.exe, "rm", "-fa"], env=self.env, **QUIET)

    def close(self):
        self.stop()
        shutil.rmtree(self.state, ignore_errors=True)


class Clones(Bailey):
    """bailey again, each instance a clone of one image."""
    name = "bailey (clones)"

    def start_many(self, image, base, count, address, port):
        self.b("resume", "-d", "-q", "--clones", str(count), "--name",
               f"c{base}-{{}}", "-p", f"{address}:{port}+:80", image)
