"""A file turned into a stream.

The subject reads a file of bus reports and sends a line at a time, as if the buses were reporting now. A bus that
reports again replaces what it said before. The computation keeps the mean delay of each line up to date, and the
csv file shows every change of it.

    python examples/01_file_stream/main.py [output.csv] [seconds between reports]
"""

import json
import pathlib
import sys
import time

import pathway as pw

REPORTS = pathlib.Path(__file__).parent / "buses.jsonl"


class BusReports(pw.io.python.ConnectorSubject):
    """Sends the reports in the file, with a pause after each."""

    def __init__(self, path: pathlib.Path, pause: float) -> None:
        super().__init__("bus reports", session_type="upsert")
        self.path = path
        self.pause = pause

    def run(self) -> None:
        with open(self.path) as file:
            for line in file:
                self.next(**json.loads(line))
                self.commit()
                time.sleep(self.pause)


class Report(pw.Schema):
    bus: int = pw.column_definition(primary_key=True)
    line: str
    delay: int


def main(output: str = "delays.csv", pause: str = "0.4") -> None:
    reports = pw.io.python.read(BusReports(REPORTS, float(pause)), schema=Report)
    delays = reports.groupby(reports.line).reduce(
        reports.line,
        buses=pw.reducers.count(),
        mean_delay=pw.reducers.avg(reports.delay),
    )
    pw.io.csv.write(delays, output)
    pw.io.subscribe(delays, on_change=show)
    pw.run()


def show(key: pw.Pointer, row: dict[str, object], time: int, is_addition: bool) -> None:
    if is_addition:
        print(f"{row['line']:<10} {row['buses']} buses, {row['mean_delay']:5.1f} s late", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
