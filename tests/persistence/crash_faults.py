"""Pipelines that lose or double rows when they are killed: the crash test has to find each."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

import pathway as pw
from crash_pipelines import PAUSE_SECONDS, ROWS, Reading, Replayed, Sought, subject, value


class Anew(Replayed):
    """Starts over, and nobody was told."""


class OffsetFirst(Sought):
    """Says that rows are there before they are."""

    def run(self) -> None:
        for number in range(self.after, ROWS, 10):
            self.commit(offset=number + 10)
            time.sleep(PAUSE_SECONDS)
            self.next_batch([value(row) for row in range(number, number + 10)])
        self.commit(offset=ROWS)


class Restless(Replayed):
    """Starts over with other rows."""

    def run(self) -> None:
        first = time.time_ns()
        for number in range(ROWS):
            self.next(place=str(first), number=number)
            if number % 10 == 9:
                self.commit()
                time.sleep(PAUSE_SECONDS)


def written(readings: pw.Table[Any], folder: Path) -> None:
    pw.io.csv.write(readings, folder / "readings.csv", name="written")


def anew(folder: Path) -> None:
    written(subject(Anew(), resume="new"), folder)


def offset_first(folder: Path) -> None:
    written(subject(OffsetFirst()), folder)


def restless(folder: Path) -> None:
    readings = subject(Restless(), resume="replay")
    written(readings.select(readings.number), folder)


def fickle(folder: Path) -> None:
    written(subject(Restless(), resume="replay"), folder)


def observed(folder: Path) -> None:
    """What it writes itself it may write again."""
    file = (folder / "observed.txt").open("a")

    def note(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        file.write(f"{row['number']}\n")
        file.flush()

    pw.io.subscribe(subject(Sought()), on_change=note, name="observed")


def failing(folder: Path) -> None:
    raise LookupError("there is no such thing")


def endless(folder: Path) -> None:
    class Endless(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            for number in itertools.count():
                self.next(**value(number))
                time.sleep(0.01)

    written(pw.io.python.read(Endless(), schema=Reading), folder)


def hanging(folder: Path) -> None:
    """Ends once, and not when it is started again."""
    if (folder / "again").exists():
        time.sleep(1000)
    (folder / "again").touch()
    written(subject(Sought()), folder)
