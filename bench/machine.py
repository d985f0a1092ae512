"""Peers with a kernel of their own: user-mode-linux, and a virtual machine.

What they run is a script, as their first process.  Nobody outside can reach
them, so they ask themselves and say so on their console.
"""
import os
import shutil
import signal
import subprocess
import time

from peer import Peer, end_trees



class Machine(Peer):
    """A kernel of its own: what it runs is a script, and it answers on its
    console."""
    is_reachable = False
    patience = 60  # seconds until it must have said something
    ASK = ('(exec 3<>/dev/tcp/127.0.0.1/80; printf "GET / HTTP/1.0\\r\\n\\r\\n"'
           ' >&3; read -r line <&3; case $line in *200*) exit 0;; esac; '
           'exit 1)')

    def boot(self, script):
        raise NotImplementedError

    def script(self, text):
        path = os.path.join(self.share, f"init{next(self.numbers)}")
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
                                  "echo END $? .\nsleep 1000\n"))
        try:
            out = self.until(p, b" .\r\n")
        finally:
            self.end(p)
        out, _, status = out.partition("BEGIN")[2].rpartition("END")
        if status.split()[0] != "0":
            raise RuntimeError(f"status {status.split()[0]}: {out[-80:]}")
        return out

    def until(self, p, word):
        out, end = b"", time.monotonic() + self.patience
        os.set_blocking(p.stdout.fileno(), False)
        while word not in out:
            if time.monotonic() > end or p.poll() is not None:
                last = out.decode(errors="replace").strip().splitlines()
                raise RuntimeError(
                    f"nothing runs in it after {self.patience} s; its last "
                    f"words: {last[-1][:100] if last else 'none'}")
            out += p.stdout.read() or b""
            time.sleep(0.002)
        return out.decode(errors="replace").replace("\r", "")

    def end(self, p):
        """It leads a session; its processes may be starting others."""
        end_trees([p.pid])
        p.wait()
        for _ in range(50):
            try:
                os.killpg(p.pid, signal.SIGKILL)
                time.sleep(0.01)
            except OSError:
                break

    def stop(self):
        for p in self.children:
            self.end(p)
        self.children = []

    def place(self, address, port):
        return "0.0.0.0", 80

    def start(self, words, address, port):
        p = self.boot(self.script(
            f"{self.quote(words)} &\nuntil {self.ASK} 2>/dev/null; do "
            "sleep 0.01; done\necho ANSWERED\nsleep 1000000\n"))
        self.children.append(p)
        self.until(p, b"ANSWERED")

    def load(self, words, tool):
        """What tool prints that asks the service from within, on port 80."""
        return self.run(["bash", "-c", f"{self.quote(words)} >/dev/null 2>&1 "
                         "& for i in {1..500}; do (exec 3<>/dev/tcp/127.0.0.1"
                         f"/80) 2>/dev/null && break; sleep 0.02; done; {tool}"
                         ])


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
                "/bin/sleep", "/bin/true", "/usr/bin/true", "/usr/bin/head",
                "/bin/ip", "/usr/bin/env", "/usr/sbin/nginx",
                "/usr/bin/redis-server", "/usr/bin/redis-benchmark",
                "/usr/bin/wrk"]

    def __init__(self, share, kernel=None):
        super().__init__(share)
        boot = sorted(x for x in os.listdir("/boot") if "vmlinuz" in x) \
            if os.path.isdir("/boot") else []
        self.kernel = kernel or (f"/boot/{boot[-1]}" if boot else None)
        self.has_kvm = os.access("/dev/kvm", os.R_OK | os.W_OK)
        self.without_kvm = None  # why

    def missing(self):
        if not self.kernel:
            return "no kernel for it: make deps-peers, or --kernel FILE"
        if not self.has_kvm:
            self.without_kvm = "/dev/kvm is not there or not ours"
        else:
            self.patience = 15
            self.without_kvm = super().missing()
            self.patience = Machine.patience
        if not self.without_kvm:
            return None
        self.has_kvm = False
        self.name += " (no KVM)"
        return super().missing()

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
        kvm = ["-cpu", "max"]
        if self.has_kvm:
            kvm = ["-enable-kvm", "-cpu", "host,-arch-capabilities"]
        return subprocess.Popen(
            ["qemu-system-x86_64", "-M", "microvm,isa-serial=on,acpi=off",
             *kvm, "-m", "192M", "-nodefaults", "-no-user-config",
             "-display", "none",
             "-no-reboot", "-serial", "stdio", "-kernel", self.kernel,
             "-initrd", self.archive(script), "-append",
             "console=ttyS0 quiet reboot=t panic=-1"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True)
