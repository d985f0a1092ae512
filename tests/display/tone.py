"""tone.py make FILE.wav: half a second of a rising tone, other ones left and
right.  tone.py find FILE.wav RAW: is it in there?  Its pieces must be, to the
last sample and in their order; a busy machine may lose one in ten."""
import math
import struct
import sys
import wave

RATE = 44100
PIECE = RATE // 100 * 4  # ten milliseconds


def sample(hertz, i):
    t = i / RATE
    return int(9000 * math.sin(2 * math.pi * (hertz + hertz * t) * t))


def make(name):
    with wave.open(name, "wb") as w:
        w.setnchannels(2)
        w.setsampwidth(2)
        w.setframerate(RATE)
        w.writeframes(b"".join(struct.pack("<hh", sample(440, i),
                                           sample(660, i))
                               for i in range(RATE // 2)))


def find(name, heard):
    with wave.open(name) as w:
        tone = w.readframes(w.getnframes())
    with open(heard, "rb") as f:
        heard = f.read()
    at = found = 0
    pieces = [tone[i:i + PIECE] for i in range(0, len(tone), PIECE)]
    for piece in pieces:
        there = heard.find(piece, at)
        if there >= 0:
            at = there + len(piece)
            found += 1
    print(f"{found} of {len(pieces)} pieces, in {len(heard)} bytes")
    return found >= len(pieces) * 0.9


if sys.argv[1] == "make":
    make(sys.argv[2])
else:
    sys.exit(not find(sys.argv[2], sys.argv[3]))
