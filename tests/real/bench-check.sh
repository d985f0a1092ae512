#!/bin/bash
# bench-check.sh - bench/check.py on results that are made up: what is worse
# than the stored figure is named, what is only noisy is not; and the plots
# and the report of bench/peers.py.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib.sh

/usr/bin/python3 - "$TMP" <<'P'
import json, re, sys
sys.path.insert(0, "bench")
import check
was = check.stored(open("SPECIFICATION.md").read())
def row(name, factor, spread, kind="cost"):
    ratio = float((max if kind == "cost" else min)(was[name], key=float))
    inside = [100 * ratio * factor * (1 + spread * (i - 3)) for i in range(7)]
    return dict(name=name, kind=kind, ratio=ratio * factor, inside=inside[3],
                native_samples=[100.0] * 7, inside_samples=inside)
rows = [row("getppid", 1.5, 0.01), row("stat", 1.01, 0.1),
        row("nginx_requests", 0.5, 0.01, "rate"),
        row("redis_set_P1", 0.95, 0.05, "rate")]
json.dump(rows, open(sys.argv[1] + "/bad.json", "w"))
json.dump(rows[1:2] + rows[3:], open(sys.argv[1] + "/good.json", "w"))
P
same "bench-check: names what got worse, and only that" \
	"got worse: getppid nginx_requests" \
	"$(/usr/bin/python3 bench/check.py --results "$TMP/bad.json" | tail -1)"
status "bench-check: noise is not a regression" 0 \
	/usr/bin/python3 bench/check.py --results "$TMP/good.json"
check "plots are well-formed" /usr/bin/python3 -c '
import sys, xml.dom.minidom
sys.path.insert(0, "bench")
import plot
for s in (plot.lines("a < b", "x", "y", {"p": [(1, 2.5), (1000, 1)]}),
          plot.lines("none", "x", "y", {}), plot.bars("t", "ms", {"a": 0.1})):
    xml.dom.minidom.parseString(s)'
check "the peers that can be measured here: a short run" timeout -k 5 120 \
	/usr/bin/python3 bench/peers.py --rounds 1 --counts 1,2 --bailey \
	"$BAILEY" --only bailey --out "$TMP/peers" memory start
check "its report has figures of bailey and of the native program" \
	grep -q '| 2 idle nginx, each, MB | [0-9.]* | [0-9.]*, [0-9.]* × |' \
	"$TMP/peers/report.md"
finish
