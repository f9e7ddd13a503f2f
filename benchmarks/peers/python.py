"""Nothing but the loop: the connector's rows passed to an empty Python method.

No connector fed from a Python loop can be faster than this.
"""

import json
from itertools import cycle
from pathlib import Path

from make_data import EPITHETS, GENERA, data_path

NAMES = [(genus, epithet) for genus in GENERA for epithet in EPITHETS]


class Empty:
    """Takes rows and does nothing."""

    def next(self, key: int, genus: str, epithet: str) -> None:
        """Take a row."""

    def next_str(self, message: str) -> None:
        """Take a JSON text."""


class Loop(Empty):
    """The loop of ``workloads/connector_next.py``."""

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def run(self) -> None:
        """Send the rows."""
        for key, (genus, epithet) in zip(range(self.rows), cycle(NAMES), strict=False):
            self.next(key=key, genus=genus, epithet=epithet)


class ParsedLines(Empty):
    """The loop of ``workloads/connector_json_loads.py``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self) -> None:
        """Send the rows."""
        with self.path.open(encoding="utf-8") as file:
            for line in file:
                self.next(**json.loads(line))


class Lines(ParsedLines):
    """The loop of ``workloads/connector_next_str.py``."""

    def run(self) -> None:
        """Send the rows."""
        with self.path.open(encoding="utf-8") as file:
            for line in file:
                self.next_str(line)


def connector_next(data_dir: Path, output_dir: Path, rows: int) -> None:
    """Call an empty method with three keywords."""
    Loop(rows).run()


def connector_json_loads(data_dir: Path, output_dir: Path, rows: int) -> None:
    """Parse lines and call an empty method with their fields."""
    ParsedLines(data_path(data_dir, "species", rows)).run()


def connector_next_str(data_dir: Path, output_dir: Path, rows: int) -> None:
    """Call an empty method with lines."""
    Lines(data_path(data_dir, "species", rows)).run()
