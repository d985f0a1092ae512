"""The report of bench-peers: tables, plots (SVG) and JSON, from rows.

A row is one measurement of one peer: part, peer, what (shown), value (the
median), low, high, unit, samples; and, where it belongs to a series, measure
and x, with x_name.  Parts that were not measured this time stay as the
report of an earlier run has them; each part says when it was measured.
"""
import json
import os
import re

import plot

TITLES = dict(
    memory="Memory of an idle nginx, as their number grows",
    start="Start",
    micro="System calls, forks",
    throughput="Throughput",
    save="Saving and going on",
    size="Growth with the size of the program",
    processes="Growth with the number of processes",
    host="What the host's kernel takes (bench/host.c)")


def short(value):
    text = f"{value:.4g}" if value < 10000 else f"{value:.0f}"
    return f"{value:.3g}" if "e" in text else text


def cell(row, first):
    if not row:
        return "-"
    text = short(row["value"])
    if row["samples"] and len(row["samples"]) > 1:
        text += f" ({short(row['low'])} to {short(row['high'])})"
    # a ratio to next to nothing says nothing
    if first and first is not row and first["value"] > 0.1:
        text += f", {row['value'] / first['value']:.2f} ×"
    return text


def table(rows):
    whats = list(dict.fromkeys(r["what"] for r in sorted(
        rows, key=lambda r: (r.get("measure", ""), r.get("x", 0)))))
    if "measure" not in rows[0]:
        whats = list(dict.fromkeys(r["what"] for r in rows))
    peers = list(dict.fromkeys(r["peer"] for r in rows))
    by = {(r["peer"], r["what"]): r for r in rows}
    out = ["| | " + " | ".join(peers) + " |",
           "| --- " * (1 + len(peers)) + "|"]
    for w in whats:
        unit = next(r["unit"] for r in rows if r["what"] == w)
        out.append(f"| {w}, {unit} | " + " | ".join(
            cell(by.get((p, w)), by.get(("native", w))) for p in peers) +
            " |")
    return out


def plots(rows, folder):
    """{part: [file names]}"""
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    series, single, made = {}, {}, {}
    for r in rows:
        if "measure" in r:
            s = series.setdefault((r["part"], r["measure"]), [r, {}])[1]
            s.setdefault(r["peer"], []).append((r["x"], r["value"]))
        else:
            single.setdefault((r["part"], r["what"]), []).append(r)
    pictures = [(k, plot.lines(k[1], r["x_name"], r["unit"], s))
                for k, (r, s) in series.items()]
    pictures += [(k, plot.bars(k[1], found[0]["unit"],
                               {r["peer"]: r["value"] for r in found}))
                 for k, found in single.items() if len(found) > 1]
    for (part, what), svg in pictures:
        name = re.sub(r"\W+", "-", f"{part}-{what}").strip("-") + ".svg"
        with open(os.path.join(folder, name), "w") as f:
            f.write(svg)
        made.setdefault(part, []).append(name)
    return made


def merged(new, path):
    """What an earlier report knows of parts that the new one has not."""
    try:
        with open(path) as f:
            old = json.load(f)
        old["parts"], old["host"], old["missing"]
    except (OSError, ValueError, KeyError):
        return new
    gone = set(new["parts"])
    new["rows"] = [r for r in old["rows"] if r["part"] not in gone] + \
        new["rows"]
    new["missing"] = [m for m in old["missing"] if m["part"] not in gone and
                      m["part"]] + new["missing"]
    new["parts"] = {**old["parts"], **new["parts"]}
    return new


def write(report, out):
    """report: rows, parts {part: {date, load, rounds}}, missing [{part, peer,
    why}], host and memory (sentences)."""
    path = os.path.join(out, "report.json")
    report = merged(report, path)
    made = plots(report["rows"], os.path.join(out, "plots"))
    text = ["# bailey and its peers", "", report["host"], "",
            "Medians (smallest to largest), and how many times the native "
            "program's. " + report["memory"]]
    for part, title in TITLES.items():
        rows = [r for r in report["rows"] if r["part"] == part]
        if not rows:
            continue
        p = report["parts"][part]
        text += ["", f"## {title}", "", f"Measured {p['date']}, load "
                 f"{p['load']}, {p['rounds']} rounds, {p['seconds']} s.", ""]
        text += table(rows) + [""]
        text += [f"![{m}](plots/{m})" for m in made.get(part, [])]
    if report["missing"]:
        text += ["", "## Not measured", ""]
        text += [f"- {m['peer']}{', ' + m['part'] if m['part'] else ''}: "
                 f"{m['why']}" for m in report["missing"]]
    with open(os.path.join(out, "report.md"), "w") as f:
        f.write("\n".join(text) + "\n")
    with open(path, "w") as f:
        json.dump(report, f, indent=1)
        f.write("\n")
