"""A server for tests/real/network.sh: answers in capitals, over TCP and UDP.
usage: echo.py ADDRESS PORT"""
import socket
import sys
import threading

address, port = sys.argv[1], int(sys.argv[2])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
tcp = socket.socket(family, socket.SOCK_STREAM)
tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
tcp.bind((address, port))
tcp.listen(64)
udp = socket.socket(family, socket.SOCK_DGRAM)
udp.bind((address, port))


def serve_one(client):
    while data := client.recv(65536):
        client.sendall(data.upper())
    client.close()


def serve_udp():
    while True:
        data, sender = udp.recvfrom(65536)
        udp.sendto(data.upper(), sender)


threading.Thread(target=serve_udp, daemon=True).start()
print("up", flush=True)
while True:
    threading.Thread(target=serve_one, args=(tcp.accept()[0],),
                     daemon=True).start()
