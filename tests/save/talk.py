"""talk.py - a sandbox on a terminal: send lines, expect answers.

usage: talk.py LOG STEP... -- COMMAND...
STEP: expect=TEXT | send=TEXT (backslash escapes) | until=FILE (exists) |
end=STATUS.  What came is appended to LOG.  Ends with 0 if all went well; the
terminal is closed at the end, unless end= waits for the command.
"""
import os
import pty
import select
import struct
import fcntl
import sys
import termios
import time

log = open(sys.argv[1], "ab", buffering=0)
split = sys.argv.index("--")
steps, command = sys.argv[2:split], sys.argv[split + 1:]
pid, fd = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
seen = b""


def more(seconds):
    global seen
    if not select.select([fd], [], [], seconds)[0]:
        return True
    try:
        data = os.read(fd, 65536)
    except OSError:
        return False
    log.write(data)
    seen += data
    return bool(data)


def wait_for(done, what):
    end = time.time() + 20
    while not done():
        if time.time() > end or not more(0.1):
            if not done():
                sys.exit(f"no {what} in {seen[-300:]!r}")


for step in steps:
    kind, _, value = step.partition("=")
    text = value.encode().decode("unicode_escape").encode("latin1")
    if kind == "expect":
        wait_for(lambda: text in seen, text)
        seen = seen[seen.index(text) + len(text):]
    elif kind == "send":
        time.sleep(0.1)
        os.write(fd, text)
    elif kind == "until":
        wait_for(lambda: os.path.exists(value), value)
    elif kind == "end":
        while more(20):
            pass
        got = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        sys.exit(0 if got == int(value) else f"status {got}, not {value}")
