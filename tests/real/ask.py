"""Asks echo.py as ten clients at once and prints how many of 200 answers are
right.  usage: ask.py tcp|udp ADDRESS PORT"""
import socket
import sys

kind, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
clients = [socket.socket(family, socket.SOCK_STREAM if kind == "tcp"
                         else socket.SOCK_DGRAM) for i in range(10)]
right = 0
for c in clients:
    c.settimeout(5)
    c.connect((address, port))
for turn in range(20):
    for i, c in enumerate(clients):
        c.send(b"m%d-%d" % (i, turn) + b"x" * (turn * 60))
    for i, c in enumerate(clients):
        wanted, data = b"M%d-%d" % (i, turn) + b"X" * (turn * 60), b""
        while len(data) < len(wanted):
            more = c.recv(65536)
            if not more:
                break
            data += more
        right += data == wanted
print(right)
