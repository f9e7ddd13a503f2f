"""A source far faster than its sink, for some seconds: memory must stay where it was.

The sink takes a millisecond a row. A bounded engine makes ``next`` wait, so that most of the rows
are never pushed within the time; an unbounded one takes them all and grows. The process ends
itself when the time is over, because the rows under way would keep the sink busy for long.
"""

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pathway as pw

SECONDS_PER_ROW = 0.001
BYTES_PER_MEGABYTE = 1_000_000


class Event(pw.Schema):
    """A number with some text."""

    number: int
    text: str


class Flood(pw.io.python.ConnectorSubject):
    """Sends its rows as fast as it may and counts them."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows = rows
        self.pushed = 0

    def run(self) -> None:
        """Send the rows."""
        for number in range(self.rows):
            self.next(number=number, text="as fast as I may")
            self.pushed += 1


def resident_megabytes() -> float:
    """Return the resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / BYTES_PER_MEGABYTE


def main(data_dir: Path, output_dir: Path, rows: int, seconds: float = 20.0) -> None:
    """Run the pipeline until the time is over, then print the line and exit."""
    sleep = time.sleep
    flood = Flood(rows)
    delivered = 0

    def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        nonlocal delivered
        delivered += 1
        sleep(SECONDS_PER_ROW)

    def watch() -> None:
        start = time.perf_counter()
        peak = start_megabytes = resident_megabytes()
        while (elapsed := time.perf_counter() - start) < seconds:
            peak = max(peak, resident_megabytes())
            sleep(0.05)
        line = {
            "workload": "slow_sink",
            "rows": rows,
            "seconds": round(elapsed, 4),
            "pushed": flood.pushed,
            "delivered": delivered,
            "start_mb": round(start_megabytes, 1),
            "peak_mb": round(peak, 1),
            "growth_mb": round(peak - start_megabytes, 1),
        }
        print(json.dumps(line), flush=True)
        os._exit(0)

    events = pw.io.python.read(flood, schema=Event)
    pw.io.subscribe(events, on_change=on_change)
    threading.Thread(target=watch, name="watch memory", daemon=True).start()
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    raise AssertionError("The rows ran out before the time was over: take more rows.")
