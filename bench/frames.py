#!/usr/bin/env python3
"""Frames per second of OpenGL and Vulkan in software, native and inside.

usage: bench/frames.py [--bailey PATH] [--rounds N] [--seconds N] [--json FILE]

Each round runs each program on an X server outside, then on a sandbox's
screen, with the same window manager and size.  Processor time is what program
and X server have used for each frame: what else the machine does matters less
to it.  A row: the medians, and the median of the rounds' ratios, inside to
native.  Needs Xvfb, xdpyinfo, mesa-utils, vulkan-tools, mesa-vulkan-drivers.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

SIZE = "1280x800"
CUBES = 500
TICKS = os.sysconf("SC_CLK_TCK")
PROGRAMS = {
    "OpenGL (glxgears)": ["timeout", "SECONDS", "glxgears"],
    "Vulkan (vkcube)": ["vkcube", "--c", str(CUBES), "--present_mode", "0"],
}
# What the program takes, and the X server for it.
TIMED = """
for s in ${SERVER:-/proc/[0-9]*}; do grep -qs Xvfb $s/comm && break; done
used() { read -r line <$s/stat; set -- ${line##*) }; echo $((${12} + ${13})); }
a=$(date +%s%N) x=$(used)
"$@"
echo "took $(($(date +%s%N) - a)), the server $(($(used) - x)), the program:"
times
"""
# An X server as a sandbox's is, its window manager, then the program.
NATIVE = """
exec 7>"$DIR/number"
Xvfb -displayfd 7 -screen 0 3840x2400x24 -nolisten tcp -noreset -s 0 &
server=$!
export SERVER=/proc/$server
until [ -s "$DIR/number" ]; do sleep 0.02; done
export DISPLAY=:$(cat "$DIR/number")
"$WINDOWS" SIZE 3>"$DIR/ready" &
until xdpyinfo | grep -q 'dimensions: *SIZE'; do sleep 0.02; done
"$@"
kill $server
wait
rm "$DIR/number"
""".replace("SIZE", SIZE)


def run(argv, env):
    """Frames per second, and milliseconds of processor time for a frame."""
    p = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    out = p.communicate()[0]
    took = re.search(r"took (\d+), the server (\d+)", out)
    told = re.findall(r"(\d+) frames in ([\d.]+) seconds", out)
    if not took:
        sys.exit("frames.py: it did not run: " + " ".join(argv))
    seconds = int(took[1]) / 1e9
    frames = CUBES
    if told:  # not those after it was last told
        rate = (sum(int(n) for n, _ in told) / sum(float(s) for _, s in told))
        frames = rate * seconds
    times = re.findall(r"(\d+)m([\d.]+)s", out)[-2:]  # of children
    spent = int(took[2]) / TICKS + sum(int(m) * 60 + float(s)
                                       for m, s in times)
    return {"fps": frames / seconds, "cpu": spent * 1000 / frames}


def one_round(argv, bailey, env):
    timed = ["sh", "-c", TIMED, "sh"] + argv
    native = run(["bash", "-c", NATIVE, "bash"] + timed, env)
    inside = run([bailey, "run", "-q", "--display", "--display-size", SIZE] +
                 timed, env)
    return {"native": native, "inside": inside}


def row(name, rounds):
    def median(side, what):
        return statistics.median(r[side][what] for r in rounds)

    def ratio(what):
        return statistics.median(r["inside"][what] / r["native"][what]
                                 for r in rounds)

    print("%-20s %9.0f %9.0f %7.2f %11.3f %9.3f %7.2f" % (
        name, median("native", "fps"), median("inside", "fps"), ratio("fps"),
        median("native", "cpu"), median("inside", "cpu"), ratio("cpu")))


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("--bailey", default="build/bailey")
    a.add_argument("--rounds", type=int, default=5)
    a.add_argument("--seconds", type=int, default=11)
    a.add_argument("--json")
    o = a.parse_args()
    bailey = os.path.abspath(o.bailey)
    all_rounds = {name: [] for name in PROGRAMS}
    with tempfile.TemporaryDirectory() as d:
        env = dict(os.environ, DIR=d, WINDOWS=os.path.join(
            os.path.dirname(bailey), "display-programs",
            "bailey-display-windows"))
        for _ in range(o.rounds):
            for name, argv in PROGRAMS.items():
                argv = [str(o.seconds) if w == "SECONDS" else w for w in argv]
                all_rounds[name].append(one_round(argv, bailey, env))
    print("%-20s %9s %9s %7s %11s %9s %7s" % (
        time.strftime("%Y-%m-%d"), "fps nat.", "inside", "ratio",
        "ms/frame n.", "inside", "ratio"))
    for name, rounds in all_rounds.items():
        row(name, rounds)
    if o.json:
        with open(o.json, "w") as f:
            json.dump(all_rounds, f, indent=1)


main()
