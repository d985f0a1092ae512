"""web-strangers.py ADDRESS - who has no token gets nothing of the page of
`bailey view --web`, who has it can send nonsense without harm, and meanwhile
somebody who looks is not disturbed.  Ends with 0 if all is as it should be."""
import base64
import os
import re
import socket
import struct
import sys

HOST, PORT, TOKEN = re.match(r"http://([^:]+):(\d+)/(\w+)/", sys.argv[1]).groups()
PORT = int(PORT)
ME = f"{HOST}:{PORT}"
failed = 0


def expect(what, is_so):
    global failed
    if not is_so:
        print("not so:", what)
        failed += 1


def ask(head, end="\r\n\r\n"):
    s = socket.create_connection((HOST, PORT))
    s.settimeout(20)
    s.sendall((head + end).encode("latin-1"))
    got = b""
    try:
        while True:
            more = s.recv(65536)
            if not more:
                break
            got += more
    except ConnectionResetError:
        pass
    s.close()
    return got.decode("latin-1")


def get(path, host=ME, *more):
    return ask("\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", *more]))


def upgrade(origin, *more, **changes):
    h = {"Host": ME, "Upgrade": "websocket", "Connection": "keep-alive, Upgrade",
         "Sec-WebSocket-Key": base64.b64encode(b"0123456789abcdef").decode(),
         "Sec-WebSocket-Version": "13", "Origin": origin,
         "Sec-WebSocket-Protocol": "bailey.in, bailey.out, bailey.both, bailey.none"}
    h.update({k.replace("_", "-"): v for k, v in changes.items()})
    return "\r\n".join([f"GET /{TOKEN}/screen HTTP/1.1",
                        *(f"{k}: {v}" for k, v in h.items() if v), *more])


def connect():
    s = socket.create_connection((HOST, PORT))
    s.settimeout(20)
    s.sendall((upgrade(f"http://{ME}") + "\r\n\r\n").encode())
    got = b""
    while b"\r\n\r\n" not in got:
        got += s.recv(1)
    return s, got.decode()


def frame(opcode, data, fin=True, mask=True, length=None):
    key = os.urandom(4) if mask else b""
    head = bytes([(0x80 if fin else 0) | opcode])
    n = len(data) if length is None else length
    bit = 0x80 if mask else 0
    head += (bytes([bit | n]) if n < 126 else
             bytes([bit | 126]) + struct.pack(">H", n) if n < 65536 else
             bytes([bit | 127]) + struct.pack(">Q", n))
    if mask:
        data = bytes(c ^ key[i % 4] for i, c in enumerate(data))
    return head + key + data


def ends(*frames):
    """The connection ends after these."""
    s, _ = connect()
    try:
        for f in frames:
            s.sendall(f)
        while s.recv(65536):
            pass
    except (ConnectionResetError, BrokenPipeError):
        pass
    except TimeoutError:
        return False
    finally:
        s.close()
    return True


def pongs(*frames):
    """It lives on after these, and answers."""
    s, _ = connect()
    for f in frames:
        s.sendall(f)
    s.sendall(frame(9, b"are you there"))
    got = b""
    while b"\x8a\x0dare you there" not in got:
        more = s.recv(65536)
        if not more:
            return False
        got = got[-100:] + more
    s.close()
    return True


# ---- without the token, or from elsewhere --------------------------------------
wrong = "x" * len(TOKEN)
for path in "/", "/favicon.ico", f"/{wrong}/", f"/{wrong}/screen", f"/{TOKEN[:-1]}/", \
        f"/{TOKEN}", f"/{TOKEN}/../", f"/{TOKEN}/other", f"/{TOKEN}/?x", "/%2e/", \
        f"//{TOKEN}/":
    expect(path, get(path).startswith("HTTP/1.1 404 "))
for host in "evil.example", f"evil.example:{PORT}", "127.0.0.1.evil.example", \
        "localhost.evil", "127.0.0.1:", "127.0.0.1:80x", "", "127.0.0.1:123456":
    expect(f"host {host}", get(f"/{TOKEN}/", host).startswith("HTTP/1.1 403 "))
for host in ME, "localhost", f"localhost:{PORT}", "[::1]:9":
    expect(f"host {host}", get(f"/{TOKEN}/", host).startswith("HTTP/1.1 200 "))
page = get(f"/{TOKEN}/")
expect("a policy", "default-src 'none'; script-src 'self'" in page and
       f"connect-src ws://{ME};" in page)
expect("no token in the page", TOKEN not in page)
for bad in f"POST /{TOKEN}/ HTTP/1.1\r\nHost: {ME}", f"GET /{TOKEN}/ HTTP/1.0", \
        f"GET /{TOKEN}/ HTTP/1.1\r\nHost: {ME}\r\nHost: {ME}", \
        f"GET /{TOKEN}/ HTTP/1.1\r\nHost: {ME}\r\nno colon", \
        f"GET /{TOKEN}/ HTTP/1.1\r\nHost: {ME}\r\nX: \x01", \
        f"GET /{TOKEN}/ HTTP/1.1\r\nHost: {ME}\r\nX: {'y' * 9000}", "", "\0" * 50:
    expect(repr(bad[:60]), ask(bad).startswith("HTTP/1.1 400 "))
expect("bytes after the head",
       ask(upgrade(f"http://{ME}"), "\r\n\r\nmore").startswith("HTTP/1.1 400 "))
for origin in "http://evil.example", "null", f"https://{ME}", \
        f"http://{ME}.evil", "http://127.0.0.1:1", None:
    expect(f"origin {origin}", ask(upgrade(origin)).startswith("HTTP/1.1 403 "))
for change in {"Upgrade": "h2c"}, {"Connection": "close"}, \
        {"Sec_WebSocket_Version": "8"}, {"Sec_WebSocket_Key": "short"}, \
        {"Sec_WebSocket_Protocol": "chat"}, {"Sec_WebSocket_Key": None}:
    expect(change, ask(upgrade(f"http://{ME}", **change))
           .startswith("HTTP/1.1 400 "))

# ---- silence locks nobody out ----------------------------------------------------
silent = [socket.create_connection((HOST, PORT)) for _ in range(40)]
expect("heard beside the silent", page == get(f"/{TOKEN}/"))
for s in silent:
    s.close()

# ---- with it, nonsense ---------------------------------------------------------------
_, answer = connect()
expect("a WebSocket", answer.startswith("HTTP/1.1 101 ") and
       "Sec-WebSocket-Protocol: bailey.both\r\n" in answer)
expect("a ping", pongs())
expect("messages of no meaning", pongs(
    *(frame(2, bytes([kind]) + os.urandom(n)) for kind in range(12) if kind != 9
      for n in (0, 1, 3, 5, 7, 8, 100))))
expect("an empty one", pongs(frame(2, b"")))
expect("one in pieces", pongs(frame(2, b"\x07", fin=False), frame(9, b""),
                              frame(0, b"", fin=False), frame(0, b"x")))
expect("keys and places that are none", pongs(
    frame(2, b"\x01\x01\xff\x07\xff\xff\x10\x00"),
    frame(2, b"\x01\x01\x01\x00\x00\x00\x00\x00"),
    frame(2, b"\x03\xff\xff\xff\xff\xff"), frame(2, b"\x04\0\xff\x7f\0\x80"),
    frame(2, b"\x05\0\0\0\xff\xff\xff\xff"), frame(2, b"\x07")))
expect("a clean end", ends(frame(8, b"\x03\xe8")))
for what, frames in {
        "no mask": [frame(2, b"\x07", mask=False)],
        "text": [frame(1, b"hello")],
        "a reserved kind": [frame(3, b"")],
        "reserved bits": [bytes([0xf2, 0x80]) + b"abcd"],
        "a huge one": [frame(2, b"", length=1 << 62)],
        "a long ping": [frame(9, b"x" * 126)],
        "a ping in pieces": [frame(9, b"", fin=False)],
        "a piece of nothing": [frame(0, b"x")],
        "two at once": [frame(2, b"x", fin=False), frame(2, b"x")],
        "too much in pieces": [frame(2, b"\x08" * (1 << 20), fin=False)] +
        [frame(0, b"x" * (1 << 20), fin=False)] * 8,
        "noise": [b"\xff" * 100]}.items():
    expect(what, ends(*frames))
sys.exit(failed > 0)
