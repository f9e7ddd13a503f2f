"""A folder of csv files that is watched, with alerts.

Loggers along a canal put a file into the folder now and then. As soon as a gauge has been above the limit in any of
the files, an alert goes out, once; if the file is corrected or deleted, the alert is taken back. Lines that cannot be
read are reported as they come.

    python examples/03_watched_folder/main.py [folder] [alerts.jsonl] [limit in metres]

Then, in another terminal:

    printf 'gauge,metres\\nBosley,2.9\\n' > examples/03_watched_folder/readings/tuesday.csv
    rm examples/03_watched_folder/readings/tuesday.csv

Ctrl-C ends it. The file of alerts has a line for each alert and each that was taken back, with `diff` 1 and -1.
"""

import pathlib
import sys

import pathway as pw

READINGS = pathlib.Path(__file__).parent / "readings"


class Reading(pw.Schema):
    gauge: str
    metres: float


def main(folder: str | pathlib.Path = READINGS, output: str = "alerts.jsonl", limit: str = "2.5") -> None:
    readings = pw.io.csv.read(folder, schema=Reading, object_pattern="*.csv", autocommit_duration_ms=200)
    gauges = readings.groupby(readings.gauge).reduce(readings.gauge, highest=pw.reducers.max(readings.metres))
    # Only the name: so an alert does not change when the water rises further.
    alerts = gauges.filter(gauges.highest > float(limit)).select(gauges.gauge)
    pw.io.jsonlines.write(alerts, output)
    pw.io.subscribe(alerts, on_change=ring)
    pw.io.subscribe(pw.global_error_log(), on_change=report)
    pw.run()


def ring(key: pw.Pointer, row: dict[str, str], time: int, is_addition: bool) -> None:
    """The place for a mail, a message, or a bell."""
    print(f"{'ALERT' if is_addition else 'all clear'}: {row['gauge']}", flush=True)


def report(key: pw.Pointer, row: dict[str, str], time: int, is_addition: bool) -> None:
    if is_addition:
        print(f"cannot be read: {row['message']}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
