"""A Python loop calls ``next`` once a row; the rows go to a csv file unchanged.

This is the price of the door: everything else that a connector does comes on top of it.
"""

from itertools import cycle
from pathlib import Path

import pathway as pw
from make_data import EPITHETS, GENERA

NAMES = [(genus, epithet) for genus in GENERA for epithet in EPITHETS]


class Species(pw.Schema):
    """Three columns, one of them the key."""

    key: int = pw.column_definition(primary_key=True)
    genus: str
    epithet: str


class Loop(pw.io.python.ConnectorSubject):
    """Sends its rows as fast as the loop goes."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows = rows

    def run(self) -> None:
        """Send the rows."""
        for key, (genus, epithet) in zip(range(self.rows), cycle(NAMES), strict=False):
            self.next(key=key, genus=genus, epithet=epithet)


def main(data_dir: Path, output_dir: Path, rows: int) -> None:
    """Run the pipeline."""
    table = pw.io.python.read(Loop(rows), schema=Species)
    pw.io.csv.write(table, output_dir / "output.csv")
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
