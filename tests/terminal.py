"""An interactive shell on a terminal: size, interrupt, stop, resize, status.
usage: terminal.py BAILEY"""
import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time


def set_size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ,
                struct.pack("HHHH", rows, columns, 0, 0))


def read_until(fd, text, seconds=10):
    seen, end = b"", time.time() + seconds
    while text not in seen:
        left = end - time.time()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            sys.exit(f"no {text!r} in {seen!r}")
        try:
            data = os.read(fd, 65536)
        except OSError:
            data = b""
        if not data:
            sys.exit(f"end before {text!r}: {seen!r}")
        seen += data


# The answers are spelt so that the echo of the command does not match.
STEPS = [
    (b"stty size | tr ' ' x\n", b"30x100"),
    (b"tty | tr p P\n", b"/dev/Pts/0"),
    (b"sleep 100\n", b"sleep 100"),
    (b"\x03", b"# "),
    (b"echo was-$?\n", b"was-130"),
    ((40, 120), None),
    (b"stty size | tr ' ' x\n", b"40x120"),
    (b"sleep 99\n", b"sleep 99"),
    (b"\x1a", b"Stopped"),
    (b"fg\n", b"sleep 99"),
    (b"\x03", b"# "),
    (b"echo jobs-$(jobs | wc -l)\n", b"jobs-0"),
    (b"exit 7\n", b"exit"),
]

pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "run", "-e", "PS1=# ", "bash",
                           "--norc"])
set_size(fd, 30, 100)
read_until(fd, b"# ")
for what, answer in STEPS:
    if answer is None:
        set_size(fd, *what)
    else:
        time.sleep(0.3 if len(what) == 1 else 0.05)
        os.write(fd, what)
        read_until(fd, answer)
try:
    while os.read(fd, 65536):
        pass
except OSError:
    pass
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.exit(0 if status == 7 else f"status {status} instead of 7")
