#!/usr/bin/env python3
"""Compare today's figures with those stored in SPECIFICATION.md.

usage: bench/check.py [--rounds N] [--bailey PATH] [--steps PATH]
                      [--results FILE] [--specification FILE] [NAME...]

Names what got worse, and exits 1 if something did.

Times: runs bench/run.py (or reads what it wrote, --results).  A row is worse
when it is so beyond the noise of this very run: even when the native
program's slower quarter is put against our faster one (for rates the other
way round), and by more than the stored figure is rounded.  What is worse is
measured a second time before it is named.  A row of the specification looks
like "| name | at most 0.15 × | 0.07 × | yes |"; of a range the worse end
counts.

Instructions (NAME "instructions", or no NAME): steps (bench/steps.c) counts
them exactly, whatever else the machine does.  Worse is more than 2 % and two
instructions above the stored number, in rows like "| `name` | 1,234 | ...".
They depend on the compiler: the stored ones are of Debian 12's gcc.
"""
import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SPECIFICATION = os.path.join(HERE, "..", "SPECIFICATION.md")
GROUPS = {"run_true": "start", "idle_sandbox_memory": "memory",
          "pipe_64": "messages", "unix_64": "messages",
          "fork_1g_cpu": "fork_1g", "epoll_10000": "connections",
          "redis_bgsave": "bgsave"}


def cells_of(line):
    return [c.strip() for c in line.strip().strip("|").split("|")]


def stored(text):
    """{name: (figures as written)} of the table of speed and memory."""
    found = {}
    for line in text.splitlines():
        cells = cells_of(line)
        if len(cells) < 4 or not re.match(r"at (most|least) ", cells[1]):
            continue
        name = cells[0].split()[0]
        figures = re.findall(r"\d+(?:\.\d+)?", cells[2])
        if re.fullmatch(r"\w+", name) and figures:
            found[name] = figures
    return found


def stored_instructions(text):
    found = {}
    for line in text.splitlines():
        m = re.match(r"\| `(\w+)` \| ([\d,]+) \|", line)
        if m:
            found[m.group(1)] = int(m.group(2).replace(",", ""))
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
    if not row.get("native_samples") or not row.get("inside_samples"):
        return row.get("ratio", row["inside"])
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


def measure(args, names):
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        subprocess.run([sys.executable, os.path.join(HERE, "run.py"),
                        "--rounds", str(args.rounds), "--bailey", args.bailey,
                        "--json", out.name, *names], check=True,
                       stdout=subprocess.DEVNULL)
        return json.load(out)


def compare(rows, was):
    """The rows that are worse; prints all."""
    worse = []
    print(f"{'what':24} {'stored':>8} {'today':>8} {'at best':>8}")
    for row in rows:
        if row["name"] not in was:
            print(f"{row['name']:24} not in SPECIFICATION.md")
            continue
        is_worse, before, today, best = judge(row, was[row["name"]])
        print(f"{row['name']:24} {before:8.3f} {today:8.3f} {best:8.3f}"
              f"{'  WORSE' if is_worse else ''}", flush=True)
        if is_worse:
            worse.append(row["name"])
    return worse


def again(names):
    """What run.py is to be told to measure these rows."""
    prefixes = {"nginx": "nginx", "redis": "redis", "gcc": "gcc",
                "git": "git", "python": "python"}
    return sorted({GROUPS.get(n) or prefixes.get(n.split("_")[0], n)
                   for n in names})


def times(args, names, was):
    if args.results:
        with open(args.results) as f:
            return compare(json.load(f), was)
    worse = compare(measure(args, names), was)
    if worse:
        print("once more, what looks worse:")
        second = compare(measure(args, again(worse)), was)
        worse = [w for w in worse if w in second]
    return worse


def count(args):
    """{name: instructions}, counted now."""
    with tempfile.TemporaryDirectory(prefix="bailey-steps.") as tmp:
        os.chmod(tmp, 0o755)
        shutil.copy(args.steps, os.path.join(tmp, "steps"))
        out = subprocess.run(
            [os.path.join(tmp, "steps"), args.bailey, "run", "-v",
             f"{tmp}:/bench", "/bench/steps"], stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL, text=True, timeout=300, check=True)
    return {name: int(n) for name, n in
            (x.split() for x in out.stdout.splitlines())}


def instructions(args, was):
    worse = []
    if os.geteuid():
        print("instructions: not counted, only root may watch a picoprocess")
        return worse
    print(f"{'instructions of':24} {'stored':>8} {'today':>8}")
    for name, today in count(args).items():
        before = was.get(name)
        is_worse = before is not None and today > before * 1.02 + 2
        print(f"{name:24} {before if before else '-':>8} {today:8}"
              f"{'  WORSE' if is_worse else ''}")
        if is_worse:
            worse.append(f"instructions:{name}")
    return worse


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse
                                 .RawDescriptionHelpFormatter)
    ap.add_argument("--rounds", type=int, default=7)
    ap.add_argument("--bailey", default=os.path.join(HERE, "..", "build",
                                                     "bailey"))
    ap.add_argument("--steps", default=os.path.join(
        HERE, "..", "build", "bench", "steps"))
    ap.add_argument("--results")
    ap.add_argument("--specification", default=SPECIFICATION)
    ap.add_argument("names", nargs="*")
    args = ap.parse_args()
    with open(args.specification) as f:
        text = f.read()
    worse = []
    names = [n for n in args.names if n != "instructions"]
    if not args.results and (not args.names or "instructions" in args.names):
        worse += instructions(args, stored_instructions(text))
    if args.results or names or not args.names:
        worse += times(args, names, stored(text))
    print("got worse: " + " ".join(worse) if worse else
          "nothing got worse by more than the noise")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
