"""One row and one commit each two milliseconds, timed from ``next`` to ``on_change``.

Every row belongs to a group that is quiet for 100 commits around it, and the group's highest
sequence number tells which row a change belongs to, so no measurement is lost or merged.
"""

import time
from pathlib import Path
from typing import Any

import pathway as pw

SECONDS_BETWEEN_ROWS = 0.002
GROUPS = 100
WARM_UP_ROWS = 200


class Tick(pw.Schema):
    """A numbered event of a group."""

    group: int
    sequence: int


class Ticker(pw.io.python.ConnectorSubject):
    """Sends and commits one row at a time and notes when."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.sent_ns = [0] * rows

    def run(self) -> None:
        """Send the rows at their times; a late one follows at once."""
        start = time.perf_counter()
        for sequence in range(len(self.sent_ns)):
            wait = start + sequence * SECONDS_BETWEEN_ROWS - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            self.sent_ns[sequence] = time.perf_counter_ns()
            self.next(group=sequence % GROUPS, sequence=sequence)
            self.commit()


def main(data_dir: Path, output_dir: Path, rows: int) -> dict[str, float]:
    """Run the pipeline and return the percentiles in microseconds."""
    clock = time.perf_counter_ns
    ticker = Ticker(rows)
    arrived_ns = [0] * rows

    def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        if is_addition:
            arrived_ns[row["last"]] = clock()

    ticks = pw.io.python.read(ticker, schema=Tick, autocommit_duration_ms=None)
    groups = ticks.groupby(ticks.group).reduce(
        ticks.group, count=pw.reducers.count(), last=pw.reducers.max(ticks.sequence)
    )
    pw.io.subscribe(groups, on_change=on_change)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)

    pairs = list(zip(ticker.sent_ns, arrived_ns, strict=True))[WARM_UP_ROWS:]
    latencies = sorted((arrived - sent) / 1000 for sent, arrived in pairs if arrived)
    return {
        "measured": len(latencies),
        "p50_us": latencies[len(latencies) // 2],
        "p99_us": latencies[len(latencies) * 99 // 100],
        "max_us": latencies[-1],
    }
