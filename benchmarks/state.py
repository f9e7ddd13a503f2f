"""What it costs to keep the state of operators, and how long a run takes to go on from it.

    python benchmarks/state.py                        10 million groups, a snapshot each second
    python benchmarks/state.py --groups 1000000       fewer

One program counts and sums rows of so many groups, of which a hundredth changes between two snapshots; beside it a
source sends one row a commit, and it is measured how long each takes to `on_change`: what a snapshot stops shows there.
The program runs without persistence, with all history kept, and with the state kept; the last two are then killed, as
by SIGKILL, and it is measured how long the next run takes until a new row is seen.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PROGRAM = """
import json, os, signal, sys, threading, time
from pathlib import Path
import numpy as np
import pathway as pw

mode, folder, groups = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
seconds, is_again = float(sys.argv[4]), sys.argv[5] == "again"
loaded, over = threading.Event(), threading.Event()
SIZE = 100_000
CHANGES = max(groups // 100_000, 1)  # each millisecond: a hundredth in a second


class Rows(pw.io.python.ConnectorSubject):
    after = 0

    def seek(self, offset):
        self.after = offset

    def run(self):
        for start in range(self.after, groups, SIZE):
            numbers = np.arange(start, min(start + SIZE, groups))
            self.next_columns({"group": numbers, "value": numbers})
            self.commit(offset=int(numbers[-1]) + 1)
        if is_again:
            # It is seen when the groups are as they were.
            self.next(group=-1, value=0)
            self.commit(offset=groups)
            return
        loaded.set()
        random = np.random.default_rng(0)
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            numbers = random.integers(0, groups, CHANGES)
            self.next_columns({"group": numbers, "value": numbers})
            self.commit(offset=groups)
            time.sleep(0.001)
        over.set()


sent, delays, first = {}, [], threading.Event()


class Probe(pw.io.python.ConnectorSubject):
    def run(self):
        if is_again:
            return
        number = 0
        loaded.wait()
        time.sleep(12.0)
        while not over.is_set():
            sent[number] = time.perf_counter()
            self.next(number=number)
            self.commit()
            number += 1
            time.sleep(0.001)


class Row(pw.Schema):
    group: int
    value: int


class Beat(pw.Schema):
    number: int


def on_change(key, row, time, is_addition, now=time.perf_counter):
    number = row["number"]
    if number in sent:
        delays.append(now() - sent.pop(number))


rows = pw.io.python.read(Rows(), schema=Row, autocommit_duration_ms=None, name="rows")
counts = rows.groupby(rows.group).reduce(rows.group, count=pw.reducers.count(), sum=pw.reducers.sum(rows.value))
pw.io.subscribe(counts.filter(counts.group < 0), lambda key, row, time, is_addition: first.set(), name="counts")
beats = pw.io.python.read(Probe(), schema=Beat, autocommit_duration_ms=None, name="beats", resume="new")
beats = beats.with_columns(rest=beats.number % 7)
pw.io.subscribe(beats.groupby(beats.rest).reduce(number=pw.reducers.max(beats.number)), on_change, name="beaten")

config = None
if mode != "none":
    modes = {"history": pw.PersistenceMode.PERSISTING, "state": pw.PersistenceMode.OPERATOR_PERSISTING}
    config = pw.persistence.Config(
        pw.persistence.Backend.filesystem(folder / "state"), persistence_mode=modes[mode], snapshot_interval_ms=1000
    )

parts = {}


def watch():
    while not over.wait(0.05):
        for path in (folder / "state" / "snapshots").glob("*.part"):
            try:
                parts[path.name] = (path.stat().st_size, loaded.is_set())
            except FileNotFoundError:
                pass


threading.Thread(target=watch, daemon=True).start()


def end():
    (first if is_again else over).wait()
    seconds = time.perf_counter() - begun
    found = sorted(delays)
    memory = int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1024
    changed = sorted(size for size, is_later in parts.values() if is_later)
    stored = sum(path.stat().st_size for path in (folder / "state").rglob("*") if path.is_file()) if config else 0
    quantile = lambda part: found[min(int(len(found) * part), len(found) - 1)] if found else None
    print(json.dumps({
        "seconds": seconds, "p50": quantile(0.5), "p99": quantile(0.99), "p999": quantile(0.999), "most": quantile(1),
        "beats": len(found), "megabytes": memory, "parts": len(changed), "stored": stored / 1e6,
        "changed": changed[len(changed) // 2] / 1e6 if changed else None,
    }), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


threading.Thread(target=end, daemon=True).start()
begun = time.perf_counter()
pw.run(persistence_config=config, monitoring_level=pw.MonitoringLevel.NONE)
"""


def measure(mode: str, folder: str, groups: int, seconds: float, which: str) -> dict[str, Any]:
    program = Path(folder, "program.py")
    program.write_text(PROGRAM)
    command = [sys.executable, str(program), mode, folder, str(groups), str(seconds), which]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        sys.exit(f"{mode}, {which}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=10_000_000)
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="how long a hundredth of the groups changes each second"
    )
    settings = parser.parse_args()
    print("| kept | one row, p50 | p99 | p99.9 | most | memory | on disk | a snapshot | the next run begins after |")
    print("|---|---|---|---|---|---|---|---|---|")
    for mode in ("none", "history", "state"):
        with tempfile.TemporaryDirectory() as folder:
            found = measure(mode, folder, settings.groups, settings.seconds, "first")
            again = "" if mode == "none" else f"{measure(mode, folder, settings.groups, 0, 'again')['seconds']:.2f} s"
        times = " | ".join(f"{found[name] * 1000:.2f} ms" for name in ("p50", "p99", "p999", "most"))
        snapshot = f"{found['changed']:.2f} MB" if found["changed"] else ""
        print(
            f"| {mode} | {times} | {found['megabytes']:.0f} MB | {found['stored']:.0f} MB | {snapshot} | {again} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
