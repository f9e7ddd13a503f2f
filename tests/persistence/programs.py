"""Programs that are started again and again, each time as if in a new process."""

from __future__ import annotations

import csv
import pathlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import pathway as pw
import pytest

from tests.persistence import buckets, containers

Declare = Callable[[pathlib.Path], object]
QUIET = pw.MonitoringLevel.NONE


class Word(pw.Schema):
    word: str
    number: int


class Stop(Exception):
    """Ends a run in the middle."""


# What is kept, unless a test says so itself: all that came in, or the state of the operators. A run of a test is too
# short for more than the snapshot at its end, and one that fails has none; one each millisecond is in between.
KEPT: dict[str, dict[str, Any]] = {
    "history": {},
    "state": {"persistence_mode": pw.PersistenceMode.OPERATOR_PERSISTING, "snapshot_interval_ms": 1},
}
kept = "history"
# Where, if that is no folder.
server: buckets.Server | containers.Server | None = None


def config(folder: pathlib.Path, **settings: Any) -> pw.persistence.Config:
    settings = {**KEPT[kept], **settings}
    if server is not None:
        return pw.persistence.Config(server.backend(str(folder / "state").strip("/")), **settings)
    return pw.persistence.Config(pw.persistence.Backend.filesystem(folder / "state"), **settings)


def go(folder: pathlib.Path, declare: Declare, fails: type[BaseException] | None = None, **settings: Any) -> None:
    """Starts the program, as if it were a new process."""
    pw.testing.reset()
    declare(folder)
    kept = config(folder, **settings)
    if fails is None:
        pw.run(monitoring_level=QUIET, persistence_config=kept)
    else:
        with pytest.raises(fails):
            pw.run(monitoring_level=QUIET, persistence_config=kept)


def written(path: pathlib.Path) -> list[dict[str, Any]]:
    """The rows of a csv file, with their differences, without their times."""
    with path.open(newline="") as file:
        return [{key: value for key, value in row.items() if key != "time"} for row in csv.DictReader(file)]


def remaining(path: pathlib.Path) -> list[tuple[str, ...]]:
    """What is there at the end."""
    counts: Counter[tuple[str, ...]] = Counter()
    for row in written(path):
        diff = int(row.pop("diff"))
        counts[tuple(row.values())] += diff
    assert set(counts.values()) <= {0, 1}, counts
    return sorted(row for row, count in counts.items() if count)


def times(path: pathlib.Path) -> list[int]:
    with path.open(newline="") as file:
        return [int(row["time"]) for row in csv.DictReader(file)]


class Sends(pw.io.python.ConnectorSubject):
    """Sends so many rows, two in a commit, and fails then if it is told to."""

    def __init__(self, count: int, fails: bool = False) -> None:
        super().__init__()
        self.count, self.fails = count, fails

    def run(self) -> None:
        for number in range(self.count):
            self.next(word="ab"[number % 2], number=number)
            if number % 2:
                self.commit()
        if self.fails:
            raise Stop


def counted(folder: pathlib.Path, subject: pw.io.python.ConnectorSubject, **options: Any) -> pw.Table[Any]:
    options = {"autocommit_duration_ms": None, **options}
    table = pw.io.python.read(subject, schema=Word, name="words", **options)
    pw.io.csv.write(table, folder / "rows.csv", name="rows")
    groups = table.groupby(table.word).reduce(
        table.word,
        count=pw.reducers.count(),
        sum=pw.reducers.sum(table.number),
        latest=pw.reducers.latest(table.number),
    )
    pw.io.csv.write(groups, folder / "groups.csv", name="groups")
    return table
