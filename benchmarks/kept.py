"""What it costs to keep a run: the same program with and without `persistence_config`, in turns.

    python benchmarks/kept.py                                   this package
    python benchmarks/kept.py --state                           with the state of the operators kept, each second
    python benchmarks/kept.py --original .venv-original/bin/python   and the original beside it

Each program runs in a process of its own; of the rounds the median counts, and the least and greatest ratio are shown.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PROGRAM = """
import json, resource, sys, time
import pathway as pw

what, folder, rows, kept = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
sent, seen = [0.0] * rows, [0.0] * rows


class Rows(pw.io.python.ConnectorSubject):
    def run(self):
        if what == "one row a commit":
            for number in range(rows):
                sent[number] = time.perf_counter()
                self.next(key=number, word="", value=0.0)
                self.commit()
                while not seen[number]:
                    time.sleep(0.0002)
            return
        for number in range(rows):
            self.next(key=number, word=f"word{number % 5000}", value=number * 0.5)
            if what == "a commit each 10 000 rows" and number % 10_000 == 9_999:
                self.commit()


class Row(pw.Schema):
    key: int
    word: str
    value: float


period = 1000 if what in ("rows to csv", "rows to SQLite", "word count") else None
table = pw.io.python.read(Rows(), schema=Row, autocommit_duration_ms=period, name="rows")
if what == "one row a commit":
    def on_change(key, row, time, is_addition, now=time.perf_counter):
        seen[row["key"]] = now()

    pw.io.subscribe(table, on_change, name="seen")
elif what == "rows to csv":
    pw.io.csv.write(table, folder + "/out.csv", name="out")
elif what == "rows to SQLite":
    pw.io.sqlite.write(table, folder + "/out.db", "rows", name="out", init_mode="create_if_not_exists")
else:
    counts = table.groupby(table.word).reduce(
        table.word, count=pw.reducers.count(), sum=pw.reducers.sum(table.value)
    )
    pw.io.csv.write(counts, folder + "/out.csv", name="out")
settings = {}
if kept == "state":
    settings = {"persistence_mode": pw.PersistenceMode.OPERATOR_PERSISTING, "snapshot_interval_ms": 1000}
backend = pw.persistence.Backend.filesystem(folder + "/state")
config = None if kept == "not kept" else pw.persistence.Config(backend, **settings)
begun = time.perf_counter()
pw.run(persistence_config=config, monitoring_level=pw.MonitoringLevel.NONE)
seconds = time.perf_counter() - begun
delays = sorted(after - before for before, after in zip(sent, seen) if after)
print(json.dumps({
    "seconds": seconds,
    "p50": delays[len(delays) // 2] if delays else None,
    "p99": delays[len(delays) * 99 // 100] if delays else None,
    "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""

WORKLOADS = {
    "rows to csv": 10_000_000,
    "rows to SQLite": 1_000_000,
    "word count": 10_000_000,
    "a commit each 10 000 rows": 5_000_000,
}
# The original does not write to SQLite.
ONLY_OURS = {"rows to SQLite"}


def measure(python: str, what: str, rows: int, kept: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "program.py")
        program.write_text(PROGRAM)
        command = [python, str(program), what, folder, str(rows), kept]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{what}, {kept}: {done.stderr[-2000:]}")
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--original", metavar="PYTHON", help="the interpreter of an environment with the original")
    parser.add_argument("--state", action="store_true", help="keep the state of the operators, not the history")
    parser.add_argument("--scale", type=float, default=1.0, help="how many of the rows")
    settings = parser.parse_args()
    how = "state" if settings.state else "kept"
    print("| workload | not kept | kept | ratio (least-greatest) | memory | the original, kept |")
    print("|---|---|---|---|---|---|")
    for what, rows in WORKLOADS.items():
        rows = int(rows * settings.scale)
        pairs = [
            (measure(sys.executable, what, rows, "not kept"), measure(sys.executable, what, rows, how))
            for _ in range(settings.rounds)
        ]
        ratios = [after["seconds"] / before["seconds"] for before, after in pairs]
        plain, kept = (statistics.median(pair[place]["seconds"] for pair in pairs) for place in (0, 1))
        memory = [statistics.median(pair[place]["megabytes"] for pair in pairs) for place in (0, 1)]
        other = ""
        if settings.original and what not in ONLY_OURS:
            fewer = max(rows // 20, 1)
            original = measure(settings.original, what, fewer, "kept")
            other = f"{original['seconds'] * rows / fewer / kept:.0f}x the time"
        print(
            f"| {what}, {rows:,} rows | {plain:.2f} s | {kept:.2f} s | {statistics.median(ratios):.2f} "
            f"({min(ratios):.2f}-{max(ratios):.2f}) | {memory[0]:.0f}, {memory[1]:.0f} MB | {other} |",
            flush=True,
        )
    delays = [
        [measure(sys.executable, "one row a commit", 1500, kept) for kept in ("not kept", how)]
        for _ in range(settings.rounds)
    ]
    for quantile in ("p50", "p99"):
        plain, kept = (statistics.median(pair[place][quantile] for pair in delays) * 1e6 for place in (0, 1))
        print(f"| one row a commit, from next() to on_change, {quantile} | {plain:.0f} µs | {kept:.0f} µs | | | |")


if __name__ == "__main__":
    main()
