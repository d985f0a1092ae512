#!/usr/bin/python3
"""web-hostile.py - stands inside a sandbox in the place of bailey-display-web
and sends the page of `bailey view --web` what it must not fall for, another
thing each time that it connects; at the end the real program is back."""
import os
import shutil
import struct
import sys
import zlib

COUNT = "/tmp/hostile"
ME = "/run/bailey/bailey-display-web"


def deflated(data, claim=None):
    z = zlib.compressobj(1, zlib.DEFLATED, -15)
    return b"\x02\x01\0\0" + struct.pack("<I", claim or len(data)) + \
        z.compress(data) + z.flush()


def tiles(data, claim=0):
    return b"\x02\0\0\0" + struct.pack("<I", claim) + data


SIZE = b"\x01\0" + struct.pack("<HH", 64, 48)
FRAME = b"\x04\0\0\0\x01\0\0\0"
TILE = struct.pack("<HHBBH", 0, 0, 64, 48, 1) + b"\xff\0\0"
ATTEMPTS = [
    [b"\x01\0\0\0\0\0"], [b"\x01\0\xff\xff\xff\xff"], [b"\x01"], [b""],
    [SIZE, tiles(struct.pack("<HHBBH", 60, 0, 64, 48, 1) + b"abc")],
    [SIZE, tiles(struct.pack("<HHBBH", 0, 0, 255, 255, 1) + b"abc")],
    [SIZE, tiles(struct.pack("<HHBBH", 0, 0, 64, 48, 300) + b"a" * 5000)],
    [SIZE, tiles(TILE[:9])], [SIZE, tiles(TILE[:3])],
    [SIZE, tiles(b"\xff" * 1000)],
    [SIZE, b"\x02\x01\0\0\x10\0\0\0" + b"\xff" * 50],
    [SIZE, deflated(TILE * 100000, 1000)], [SIZE, deflated(TILE, 1 << 27)],
    [SIZE, deflated(TILE, 0xffffffff)], [SIZE, b"\x03\0\0\0\0\0not a jpeg"],
    [SIZE, b"\x03\0\0\0\0\0<svg xmlns='http://www.w3.org/2000/svg'/>"],
    [b"\x05\0\0\0\0\0\xff\xff\xff\xff"], [b"\x05\0\0\0\0\0\x02\0\x02\0abc"],
    [b"\x05\0\xff\xff\xff\xff\x01\0\x01\0abcd", b"\xff" * 100, b"\x04"],
    [b"\x06stolen"], [SIZE, tiles(TILE), FRAME, b"\x06stolen"],
]
MARKUP = b"<img src=x onerror=document.title='stolen'>"


def frame(first, data):
    n = len(data)
    return bytes([first]) + (bytes([n]) if n < 126 else
                             b"\x7e" + struct.pack(">H", n) if n < 65536 else
                             b"\x7f" + struct.pack(">Q", n)) + data


def main():
    number = int(open(COUNT).read()) if os.path.exists(COUNT) else 0
    with open(COUNT, "w") as f:
        f.write(str(number + 1))
    out = b""
    if number < len(ATTEMPTS):
        out = b"".join(frame(0x82, m) for m in ATTEMPTS[number])
        out += frame(0x88, b"\x0f\xa0" + MARKUP)
    elif number == len(ATTEMPTS):
        out = frame(0x81, b"text") + frame(0x88, b"\x0f\xa0" + MARKUP)
    elif number == len(ATTEMPTS) + 1:  # an answer of HTTP's after it
        out = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + MARKUP
    else:
        shutil.copy(ME + ".real", ME + ".new")
        os.rename(ME + ".new", ME)
        os.execv(ME, sys.argv)
    while out:
        out = out[os.write(1, out):]


main()
