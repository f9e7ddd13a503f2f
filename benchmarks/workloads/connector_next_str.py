"""A file becomes a stream of JSON texts, and the connector does the parsing, in both packages."""

from pathlib import Path

import pathway as pw
from make_data import data_path


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
            for line in file:
                self.next_str(line)


def main(data_dir: Path, output_dir: Path, rows: int) -> None:
    """Run the pipeline."""
    table = pw.io.python.read(Lines(data_path(data_dir, "species", rows)), schema=Species)
    pw.io.csv.write(table, output_dir / "output.csv")
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
