"""The ways to run a program that peers.py compares: each a class here.

A peer starts a command so that it goes on in the background (start), or runs
one to its end and returns what it printed (run).  `self.share` is a directory
of the host that is visible inside under its own name; /srv inside belongs to
the instance alone.  Where the peer has the host's network, or forwards a
port, the command can be asked from outside (is_reachable); machines say on
their console that they have asked themselves.
"""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

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
        self.share, self.children, self.serial = share, [], 0

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
        self.serial += 1
        return os.path.join(self.share, f"native{self.serial}")


class Bubblewrap(Peer):
    name, tool, package = "bubblewrap", "bwrap", "bubblewrap"

    def wrap(self, words):
        return ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc",
                "/proc", "--bind", self.share, self.share,
                "--tmpfs", "/srv", "--unshare-user", "--unshare-pid",
                "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--",
                *words]


class Crun(Peer):
    """An OCI bundle, the host's network, no control group."""
    name, tool, package = "crun", "crun", "crun"

    def bundle(self, words):
        self.serial += 1
        d = os.path.join(self.share, f"bundle{self.serial}")
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
        return d, f"bench-{os.getpid()}-{self.serial}"

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
    name, tool, package = "podman", "podman", "podman"

    def call(self, *flags):
        root = os.path.join(self.share, "podman")
        rootfs = os.path.join(root, f"rootfs{self.serial}")
        os.makedirs(rootfs, exist_ok=True)
        self.serial += 1
        cmd = ["podman", "--root", root + "/store", "--runroot",
               root + "/run", "--cgroup-manager=cgroupfs",
               "--events-backend=none", "run", "--rm", "--cgroups=disabled",
               "--network=host", "--log-driver=none", "--ulimit=host",
               "-v", f"{self.share}:{self.share}", *flags]
        for t in TREES:
            cmd += ["-v", f"{t}:{t}:ro"]
        return cmd + ["--tmpfs", "/srv", "--rootfs", rootfs]

    def run(self, words):
        return checked(self.call() + words)

    def start(self, words, address, port):
        self.children.append(checked(self.call("-d") + words).strip())

    def stop(self):
        root = os.path.join(self.share, "podman")
        if self.children:
            subprocess.run(["podman", "--root", root + "/store", "--runroot",
                            root + "/run", "rm", "-f", "-t", "0",
                            *self.children], **QUIET)
        self.children = []


class Nspawn(Peer):
    name, tool = "systemd-nspawn", "systemd-nspawn"
    package = "systemd-container"

    def wrap(self, words):
        self.serial += 1
        root = os.path.join(self.share, f"nspawn{self.serial}")
        os.makedirs(root + "/usr", exist_ok=True)
        binds = [f"--bind-ro={t}" for t in TREES]
        binds.append(f"--bind={self.share}")
        return ["systemd-nspawn", "-q", "-D", root, "--register=no",
                "--keep-unit", "--as-pid2", "--tmpfs=/srv", "--pipe",
                f"--machine=bench{os.getpid()}-{self.serial}", *binds, "--",
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
        self.serial += 1
        self.b("run", "-d", "--name", f"i{self.serial}", "-p",
               f"{address}:{port}:80", *words)

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


class Machine(Peer):
    """A kernel of its own: what it runs is a script, and it answers on its
    console."""
    is_reachable = False
    ASK = ('(exec 3<>/dev/tcp/127.0.0.1/80; printf "GET / HTTP/1.0\\r\\n\\r\\n"'
           ' >&3; read -r line <&3; case $line in *200*) exit 0;; esac; '
           'exit 1)')

    def boot(self, script):
        raise NotImplementedError

    def script(self, text):
        self.serial += 1
        path = os.path.join(self.share, f"init{self.serial}")
        with open(path, "w") as f:
            f.write("#!/bin/bash\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n"
                    "mount -t proc proc /proc; mount -t tmpfs tmpfs /srv; "
                    "mount -t tmpfs tmpfs /run; ip link set lo up || "
                    "ifconfig lo up\n" + text)
        os.chmod(path, 0o755)
        return path

    @staticmethod
    def quote(words):
        return " ".join("'" + w.replace("'", "'\\''") + "'" for w in words)

    def run(self, words):
        p = self.boot(self.script(f"echo BEGIN\n{self.quote(words)}\n"
                                  "echo END\nsync\nsleep 1000\n"))
        out = self.until(p, b"END")
        self.end(p)
        return out.partition("BEGIN")[2].rpartition("END")[0]

    def until(self, p, word, seconds=40):
        out, end = b"", time.monotonic() + seconds
        os.set_blocking(p.stdout.fileno(), False)
        while word not in out:
            if time.monotonic() > end or p.poll() is not None:
                raise RuntimeError("its console says nothing of " +
                                   word.decode() + ": " +
                                   out[-80:].decode(errors="replace"))
            out += p.stdout.read() or b""
            time.sleep(0.002)
        return out.decode(errors="replace").replace("\r", "")

    def end(self, p):
        end_trees([p.pid])
        p.wait()

    def place(self, address, port):
        return "0.0.0.0", 80

    def start(self, words, address, port):
        p = self.boot(self.script(
            f"{self.quote(words)} &\nuntil {self.ASK} 2>/dev/null; do "
            "sleep 0.01; done\necho ANSWERED\nsleep 1000000\n"))
        self.children.append(p)
        self.until(p, b"ANSWERED")


class Uml(Machine):
    name, tool, package = "user-mode-linux", "linux.uml", "user-mode-linux"

    def boot(self, script):
        return subprocess.Popen(
            ["linux.uml", "mem=128M", "root=/dev/root", "rootfstype=hostfs",
             "rootflags=/", "ro", "quiet", f"init={script}", "con=null",
             "con0=null,fd:1"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True, cwd=self.share,
            env=dict(os.environ, TMPDIR="/dev/shm"))


def write_archive(root, to):
    """The tree as Linux unpacks it at its start (cpio, "newc")."""
    def member(out, name, mode, data):
        fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1,
                  0]
        head = b"070701" + b"".join(b"%08X" % f for f in fields) + \
            name.encode() + b"\0"
        out.write(head + bytes(-len(head) % 4))
        out.write(data + bytes(-len(data) % 4))

    with open(to, "wb") as out:
        for d, _, names in os.walk(root):
            member(out, os.path.relpath(d, root), 0o40755, b"")
            for n in names:
                path = os.path.join(d, n)
                with open(path, "rb") as f:
                    member(out, os.path.relpath(path, root), 0o100755,
                           f.read())
        member(out, "TRAILER!!!", 0, b"")


class Microvm(Machine):
    """qemu's small machine; its files are an archive in its memory."""
    name, tool, package = "qemu microvm", "qemu-system-x86_64", \
        "qemu-system-x86"
    PROGRAMS = ["/bin/bash", "/bin/sh", "/bin/mkdir", "/bin/mount",
                "/bin/sleep", "/bin/sync", "/usr/bin/printf", "/bin/ip",
                "/usr/bin/env", "/usr/sbin/nginx", "/usr/bin/redis-server"]

    def __init__(self, share, kernel=None):
        super().__init__(share)
        boot = sorted(x for x in os.listdir("/boot") if "vmlinuz" in x) \
            if os.path.isdir("/boot") else []
        self.kernel = kernel or (f"/boot/{boot[-1]}" if boot else None)
        self.has_kvm = os.access("/dev/kvm", os.R_OK | os.W_OK)

    def missing(self):
        if not self.kernel:
            return "no kernel for it: --kernel FILE, or Debian's " \
                "linux-image-cloud-amd64"
        why = super().missing() if self.has_kvm else "no KVM"
        if why:
            self.has_kvm = False
            self.name += " (no KVM)"
            why = super().missing()
        return why

    def archive(self, script):
        """Programs with their libraries, and the script as /init."""
        root = os.path.join(self.share, "vmroot")
        if not os.path.isdir(root):
            files = set()
            for p in filter(os.path.exists, self.PROGRAMS +
                            [os.path.join(self.share, "micro")]):
                files.add(p)
                ldd = subprocess.run(["ldd", p], capture_output=True,
                                     text=True).stdout
                files.update(w for w in ldd.split() if w.startswith("/"))
            files.update(["/etc/passwd", "/etc/group"])
            for d in ("proc", "dev", "srv", "run", "tmp", "var/log/nginx",
                      "var/lib/nginx"):
                os.makedirs(os.path.join(root, d))
            for f in files:
                to = root + f
                os.makedirs(os.path.dirname(to), exist_ok=True)
                shutil.copy(f, to)
        shutil.copy(script, root + "/init")
        write_archive(root, script + ".cpio")
        return script + ".cpio"

    def boot(self, script):
        with open(script) as f:
            text = f.read()
        with open(script, "w") as f:
            f.write(text.replace("mount -t proc", "mount -t devtmpfs dev "
                                 "/dev; mount -t proc", 1))
        kvm = ["-enable-kvm", "-cpu", "host"] if self.has_kvm else \
            ["-cpu", "max"]
        return subprocess.Popen(
            ["qemu-system-x86_64", "-M", "microvm,isa-serial=on,acpi=off", *kvm, "-m",
             "192M", "-nodefaults", "-no-user-config", "-display", "none",
             "-no-reboot", "-serial", "stdio", "-kernel", self.kernel,
             "-initrd", self.archive(script), "-append",
             "console=ttyS0 quiet reboot=t panic=-1"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True)
