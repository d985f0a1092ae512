#!/usr/bin/env python3
"""Compare today's ratios with those stored in SPECIFICATION.md.

usage: bench/check.py [--rounds N] [--bailey PATH] [--results FILE] [NAME...]

Runs bench/run.py (or reads what it wrote, --results) and names what got worse
by more than the noise of this very run: the ratio is worse even when the
native program's slower quarter is put against our faster one (for rates the
other way round), and by more than the stored figure is rounded.  Exits 1 if
something got worse.  A row of the specification looks like
"| name | at most 0.15 × | 0.07 × | yes |"; of a range the worse end counts.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SPECIFICATION = os.path.join(HERE, "..", "SPECIFICATION.md")


def stored(text):
    """{name: (figures as written)} of the table of speed and memory."""
    found = {}
    for line in text.splitlines():
        cells = [c.strip() for c in line.strip("| ").split("|")]
        if len(cells) < 4 or not re.match(r"at (most|least) ", cells[1]):
            continue
        name = cells[0].split()[0]
        figures = re.findall(r"\d+(?:\.\d+)?", cells[2])
        if re.fullmatch(r"\w+", name) and figures:
            found[name] = figures
    return found


def rounding(figure):
    """Half of the last digit that was written."""
    return 0.5 * 10 ** -len(figure.partition(".")[2])


def quarters(samples):
    if len(samples) < 4:
        return min(samples), max(samples)
    cut = statistics.quantiles(samples, n=4)
    return cut[0], cut[2]


def best_ratio(row):
    """What the noise of this run allows the ratio to be at its best."""
    if "native_samples" not in row:
        return row["inside"]
    n, i = quarters(row["native_samples"]), quarters(row["inside_samples"])
    return i[0] / n[1] if row["kind"] == "cost" else i[1] / n[0]


def judge(row, figures):
    """(is it worse, the stored ratio, today's, today's at its best)"""
    is_cost = row["kind"] == "cost"
    worst = (max if is_cost else min)(figures, key=float)
    today, best = row.get("ratio", row["inside"]), best_ratio(row)
    slack = rounding(worst)
    is_worse = best > float(worst) + slack if is_cost else \
        best < float(worst) - slack
    return is_worse, float(worst), today, best


def measure(args):
    if args.results:
        with open(args.results) as f:
            return json.load(f)
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        subprocess.run([sys.executable, os.path.join(HERE, "run.py"),
                        "--rounds", str(args.rounds), "--bailey", args.bailey,
                        "--json", out.name, *args.names], check=True,
                       stdout=subprocess.DEVNULL)
        return json.load(out)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse
                                 .RawDescriptionHelpFormatter)
    ap.add_argument("--rounds", type=int, default=7)
    ap.add_argument("--bailey", default=os.path.join(HERE, "..", "build",
                                                     "bailey"))
    ap.add_argument("--results")
    ap.add_argument("names", nargs="*")
    args = ap.parse_args()
    with open(SPECIFICATION) as f:
        was = stored(f.read())
    worse = []
    print(f"{'what':24} {'stored':>8} {'today':>8} {'at best':>8}")
    for row in measure(args):
        if row["name"] not in was:
            print(f"{row['name']:24} not in SPECIFICATION.md")
            continue
        is_worse, before, today, best = judge(row, was[row["name"]])
        print(f"{row['name']:24} {before:8.3f} {today:8.3f} {best:8.3f}"
              f"{'  WORSE' if is_worse else ''}")
        if is_worse:
            worse.append(row["name"])
    print("got worse: " + " ".join(worse) if worse else
          "nothing got worse by more than the noise")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
