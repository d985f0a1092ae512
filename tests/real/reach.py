"""Tries to reach what the host has and says how each attempt ended.
usage: reach.py PORT ABSTRACT PATH ADDRESS"""
import errno
import socket
import sys


def attempt(name, family, kind, where, send=False):
    s = socket.socket(family, kind)
    s.settimeout(2)
    try:
        s.connect(where)
        if send:
            s.send(b"x")
            s.recv(9)
        print(name, "reached")
    except OSError as e:
        print(name, errno.errorcode.get(e.errno, str(e)))


port, abstract, path, own = int(sys.argv[1]), *sys.argv[2:5]
INET, UNIX = socket.AF_INET, socket.AF_UNIX
STREAM, DGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM
attempt("tcp", INET, STREAM, ("127.0.0.1", port))
attempt("udp", INET, DGRAM, ("127.0.0.1", port), True)
attempt("own", INET, STREAM, (own, port))
attempt("own-udp", INET, DGRAM, (own, port), True)
attempt("away", INET, STREAM, ("192.0.2.1", 80))
attempt("abstract", UNIX, STREAM, "\0" + abstract)
attempt("path", UNIX, STREAM, path)
for name in "unix", "tcp", "udp":
    print(name, len(open("/proc/net/" + name).readlines()))
