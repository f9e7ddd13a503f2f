"""A file becomes a stream of JSON texts: ``next_json(line)``.

The original's ``next_json`` takes only dictionaries; there the lines are parsed as its users do it, and sent
with ``next(**json.loads(line))``.
"""

import json
from pathlib import Path

import pathway as pw
from make_data import data_path

TAKES_TEXT = hasattr(pw.io.python.ConnectorSubject, "next_columns")


class Species(pw.Schema):
    """Three columns, one of them the key."""

    key: int = pw.column_definition(primary_key=True)
    genus: str
    epithet: str


class Lines(pw.io.python.ConnectorSubject):
    """Sends the lines of a jsonlines file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def run(self) -> None:
        """Send the rows."""
        with self.path.open(encoding="utf-8") as file:
            if TAKES_TEXT:
                for line in file:
                    self.next_json(line)
            else:
                for line in file:
                    self.next(**json.loads(line))


def main(data_dir: Path, output_dir: Path, rows: int) -> None:
    """Run the pipeline."""
    table = pw.io.python.read(Lines(data_path(data_dir, "species", rows)), schema=Species)
    pw.io.csv.write(table, output_dir / "output.csv")
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
