"""A connector commits each ten thousand rows; the groups they touch are updated every time.

About 6 300 of the 10 000 groups change with each commit, so the csv file holds more updates than
there are rows: this measures incremental aggregation together with its output.
"""

import random
from itertools import cycle
from pathlib import Path

import pathway as pw

GROUPS = 10_000
ROWS_PER_COMMIT = 10_000

CHOOSE = random.Random(6)
READINGS = [(CHOOSE.randrange(GROUPS), CHOOSE.randrange(1_000_000)) for _ in range(100_003)]


class Reading(pw.Schema):
    """A value of a group."""

    group: int
    value: int


class Readings(pw.io.python.ConnectorSubject):
    """Sends readings, a commit at a time."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows = rows

    def run(self) -> None:
        """Send the rows and commit."""
        readings = zip(range(1, self.rows + 1), cycle(READINGS), strict=False)
        for count, (group, value) in readings:
            self.next(group=group, value=value)
            if count % ROWS_PER_COMMIT == 0:
                self.commit()


def main(data_dir: Path, output_dir: Path, rows: int) -> None:
    """Run the pipeline."""
    readings = pw.io.python.read(Readings(rows), schema=Reading, autocommit_duration_ms=None)
    groups = readings.groupby(readings.group).reduce(
        readings.group,
        total=pw.reducers.sum(readings.value),
        highest=pw.reducers.max(readings.value),
        count=pw.reducers.count(),
    )
    pw.io.csv.write(groups, output_dir / "output.csv")
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
