"""A stand-in for a sandbox that is being saved: its state directory, and the
monitor's end of the control protocol (include/bailey/sandbox.h), so that what
the command does at every failure can be tested without one.

usage: fake_monitor.py STATE_ROOT NAME LIBOS MODE
MODE: good, refuse, unable, fail, cut, hang
Writes what it is asked to LOG in the sandbox's directory, one word a line.
"""
import json
import os
import re
import select
import socket
import struct
import subprocess
import sys

KILL, STATE, PAUSE, UNPAUSE, SAVE, THAW, WAIT = 2, 7, 9, 10, 11, 12, 13
DONE, ERROR, ENDED, FROZEN = 32, 33, 36, 38
HEAD = struct.Struct("<IIiIII")
RECORD = struct.Struct("<IIIIQQ")
MAGIC, PAGES, FAILED, END = 0x53796c42, 1, 3, 4

root, name, libos, mode = sys.argv[1:]
ident = os.urandom(32).hex()
here = os.path.join(root, ident)
os.makedirs(os.path.join(root, "names"), mode=0o700, exist_ok=True)
os.mkdir(here, 0o700)
os.symlink(ident, os.path.join(root, "names", name))
notes = subprocess.run(["readelf", "-n", libos], capture_output=True,
                       text=True).stdout
state = {
    "Id": ident, "Name": name, "Created": 1, "Command": ["sleep", "1"],
    "AutoRemove": False, "Rootfs": "", "Network": "none",
    "Config": {"Hostname": "box", "WorkingDir": "/", "Uid": 0, "Gid": 0,
               "Tty": False, "ReadonlyRootfs": False, "Env": ["A=b"]},
    "Limits": {"Memory": 0, "Pids": 0, "Cpus": 0.0}, "Mounts": [],
    "Ports": [],
    "Trees": [
        {"Kind": "system", "Guest": "/usr", "Host": "/usr",
         "ReadOnly": False, "NoExec": False, "IsFile": False},
        {"Kind": "volume", "Guest": "/data", "Host": "/tmp",
         "ReadOnly": True, "NoExec": False, "IsFile": False}],
    "Libos": {"Path": os.path.realpath(libos),
              "BuildId": re.search(r"Build ID: (\w+)", notes).group(1)},
}
os.chdir(here)
with open("state.json", "w") as f:
    json.dump(state, f)
open("exit", "w").close()
log = open("LOG", "a", buffering=1)
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind("control")
listener.listen(8)
paused = False
saver = None    # the connection that froze us
stream = None


def send(c, op, about=0, a=0, payload=b"", fds=()):
    data = HEAD.pack(op, 0, a, about, len(payload), 0) + payload
    socket.send_fds(c, [data], list(fds))


def record(kind, space=0, address=0, payload=b""):
    try:
        stream.sendall(RECORD.pack(MAGIC, kind, len(payload), 0, space,
                                   address) + payload)
    except BrokenPipeError:
        pass


def save(c, fds):
    """Up to the frozen state."""
    global saver, stream
    if mode == "refuse":
        return send(c, ERROR, SAVE, 16, b"a save is going on")
    stream = socket.socket(fileno=fds[0])
    send(c, DONE, SAVE)
    if mode == "unable":
        return send(c, FROZEN, 0, 95, b"it holds a device")
    heap = os.memfd_create("heap")
    os.ftruncate(heap, 1 << 30)
    os.pwrite(heap, b"kernel" * 1000, 0x5000)
    saver = c
    send(c, FROZEN, fds=[heap])
    os.close(heap)


def write_records(c, stay):
    global saver, stream, paused
    saver, paused = None, paused or stay
    send(c, DONE, THAW)
    if mode == "hang":
        return
    record(PAGES, 1, 0x10000, b"page one".ljust(8192, b"."))
    if mode == "fail":
        record(FAILED, 0, 0, b"a process went away")
    elif mode == "good":
        record(PAGES, 2, 0x20000, os.urandom(4096))
        record(END, 0, 2)
    stream.close()
    stream = None


def answer(c, op, a, fds):
    global paused
    words = {KILL: f"kill-{a}", PAUSE: "pause", UNPAUSE: "unpause",
             SAVE: "save", THAW: f"thaw-{a}"}
    if op in words:
        print(words[op], file=log)
    if op == SAVE:
        save(c, fds)
    elif op == THAW:
        write_records(c, bool(a))
    elif op == STATE:
        send(c, DONE, STATE, payload=struct.pack(
            "<QQIIIi", 0, 0, 0, 1, paused, 1))
    elif op == WAIT:
        pass
    else:
        if op in (PAUSE, UNPAUSE):
            paused = op == PAUSE
        send(c, DONE, op)
    if op == KILL and a == 9:
        with open("exit", "w") as end:
            end.write("9 killed\n")
        os.unlink("control")
        sys.exit(0)


clients = []
while True:
    for s in select.select([listener] + clients, [], [])[0]:
        if s is listener:
            clients.append(listener.accept()[0])
            continue
        data, fds, _, _ = socket.recv_fds(s, 200000, 4)
        if not data:
            clients.remove(s)
            s.close()
            if s is saver:
                saver = None
                print("as-before", file=log)
            continue
        op, _, a, _, _, _ = HEAD.unpack(data[:HEAD.size])
        answer(s, op, a, fds)
