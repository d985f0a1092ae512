"""bench/check.py against a specification and results that are made up: what is
slower than stored by more than the run's own noise is named, nothing else."""
import json
import os
import subprocess
import sys
import tempfile

CHECK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..",
                     "bench", "check.py")
SPECIFICATION = """
| what | promised | today | met |
| --- | --- | --- | --- |
| same | at most 1.0 × | 0.50 × | yes |
| slower | at most 1.0 × | 0.50 × | yes |
| noisy | at most 1.0 × | 0.50 × | yes |
| faster | at most 1.0 × | 0.50 × | yes |
| rate_same (of a range) | at least 0.9 × | 0.95 to 1.05 × | yes |
| rate_slower | at least 0.9 × | 1.00 × | yes |
| memory_more | at most 1.0 MB | 0.50 MB | yes |
"""


def row(name, native, inside, kind="cost"):
    n, i = sorted(native), sorted(inside)
    return dict(name=name, kind=kind, native=n[3], inside=i[3],
                ratio=i[3] / n[3], native_samples=native,
                inside_samples=inside)


def around(value, spread):
    return [value * (1 + spread * k / 3) for k in range(-3, 4)]


ROWS = [
    row("same", around(100, 0.02), around(50, 0.02)),
    row("slower", around(100, 0.02), around(60, 0.02)),
    row("noisy", around(100, 0.4), around(60, 0.4)),
    row("faster", around(100, 0.02), around(20, 0.02)),
    row("rate_same", around(100, 0.02), around(97, 0.02), "rate"),
    row("rate_slower", around(100, 0.02), around(80, 0.02), "rate"),
    dict(name="memory_more", kind="cost", inside=0.7),
    row("not_stored", around(100, 0.02), around(900, 0.02)),
]


def check(rows, tmp):
    with open(os.path.join(tmp, "spec.md"), "w") as f:
        f.write(SPECIFICATION)
    with open(os.path.join(tmp, "results.json"), "w") as f:
        json.dump(rows, f)
    r = subprocess.run([sys.executable, CHECK, "--results", f.name,
                        "--specification", os.path.join(tmp, "spec.md")],
                       capture_output=True, text=True)
    return r.returncode, r.stdout.splitlines()[-1], r.stderr


def main():
    want = (1, "got worse: slower, rate_slower, memory_more", "")
    good = (0, "nothing got worse by more than the noise", "")
    with tempfile.TemporaryDirectory() as tmp:
        got = check(ROWS, tmp)
        fine = check([r for r in ROWS if r["name"] in (
            "same", "noisy", "faster", "rate_same")], tmp)
    if got != want or fine != good:
        print(f"{got} is not {want}, or {fine} not {good}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
