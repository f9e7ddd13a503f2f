"""Pipelines that are killed and restarted: every way to go on, every way in."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pathway as pw

ROWS = 300
PARTITIONS = ["north", "south", "west"]

# So that a run takes longer than a process needs to start.
PAUSE_SECONDS = float(os.environ.get("PATHWAY_CRASH_PAUSE", "0.002"))


class Reading(pw.Schema):
    place: str
    number: int


def value(number: int) -> dict[str, Any]:
    return {"place": f"place {number % 7}", "number": number}


class Replayed(pw.io.python.ConnectorSubject):
    """Starts over, and leaves the rest to the engine."""

    def run(self) -> None:
        for number in range(ROWS):
            self.next(**value(number))
            if number % 10 == 9:
                self.commit()
                time.sleep(PAUSE_SECONDS)


class Sought(pw.io.python.ConnectorSubject):
    """Goes on behind the last offset."""

    after = 0

    def seek(self, offset: int) -> None:
        self.after = offset

    def run(self) -> None:
        for number in range(self.after, ROWS):
            self.next(**value(number))
            if number % 10 == 9:
                self.commit(offset=number + 1)
                time.sleep(PAUSE_SECONDS)


class Divided(pw.io.python.ConnectorSubject):
    """Partitions with an offset each."""

    def __init__(self) -> None:
        super().__init__()
        self.after = dict.fromkeys(PARTITIONS, 0)

    def partitions(self) -> list[str]:
        return PARTITIONS

    def seek(self, offset: int, partition: str) -> None:
        self.after[partition] = offset

    def run(self, partition: str) -> None:
        first = PARTITIONS.index(partition)
        numbers = range(first, ROWS, len(PARTITIONS))
        for position in range(self.after[partition], len(numbers)):
            self.next(**value(numbers[position]))
            if position % 5 == 4:
                self.commit(offset=position + 1)
                time.sleep(PAUSE_SECONDS)
        self.commit(offset=len(numbers))


class Asynchronous(pw.io.python.ConnectorSubject):
    """An asynchronous generator of batches."""

    after = 0

    def seek(self, offset: dict[str, int]) -> None:
        self.after = offset["after"]

    async def run(self) -> AsyncIterator[list[dict[str, Any]]]:
        for first in range(self.after, ROWS, 10):
            yield [value(number) for number in range(first, first + 10)]
            self.commit(offset={"after": first + 10})
            await asyncio.sleep(PAUSE_SECONDS)


def subject(subject: pw.io.python.ConnectorSubject, **settings: Any) -> pw.Table[Any]:
    return pw.io.python.read(subject, schema=Reading, name="readings", autocommit_duration_ms=20, **settings)


def followed(folder: Path) -> pw.Table[Any]:
    """A file that another program goes on writing, killed as well within a line."""
    lines = "".join(f"place {number % 7},{number}\n" for number in range(ROWS))
    content = ("place,number\n" + lines).encode()
    path = folder / "readings" / "readings.csv"
    path.parent.mkdir(exist_ok=True)

    def write() -> None:
        with path.open("ab") as file:
            at = file.seek(0, os.SEEK_END)
            while at < len(content):
                file.write(content[at : at + 97])
                file.flush()
                at += 97
                time.sleep(PAUSE_SECONDS)

    if os.environ.get("PATHWAY_PROCESS_ID", "0") == "0":
        threading.Thread(target=write, daemon=True).start()
    return pw.io.csv.read(path.parent, schema=Reading, mode="streaming", name="readings", autocommit_duration_ms=20)


def steady(folder: Path) -> pw.Table[Any]:
    """A source that has the same commits in every run."""
    return pw.io.python.read(Replayed(), schema=Reading, name="readings", autocommit_duration_ms=None, resume="replay")


def write(readings: pw.Table[Any], folder: Path, format: str) -> None:
    counts = readings.groupby(readings.place).reduce(
        readings.place, rows=pw.reducers.count(), total=pw.reducers.sum(readings.number)
    )
    module = {"csv": pw.io.csv, "jsonlines": pw.io.jsonlines}[format]
    module.write(readings, folder / f"readings.{format}", name="written")
    module.write(counts, folder / f"counts.{format}", name="counted")


def is_complete(folder: Path) -> bool:
    """Whether all rows of the followed file have come out."""
    written = list(folder.glob("readings.*"))
    return bool(written) and sum(1 for line in written[0].open() if "place " in line) >= ROWS


SOURCES = {
    "replay": lambda folder: subject(Replayed(), resume="replay"),
    "seek": lambda folder: subject(Sought()),
    "partitions": lambda folder: subject(Divided()),
    "async": lambda folder: subject(Asynchronous()),
    "followed": followed,
}
FORMATS = ["csv", "jsonlines"]

# What is kept: all that came in, or the state of the operators and what came in since.
CONFIGS: dict[str, dict[str, Any]] = {
    "history": {},
    "state": {"persistence_mode": pw.PersistenceMode.OPERATOR_PERSISTING, "snapshot_interval_ms": 15},
}


class Pipeline:
    """A source and a format; such an object is found again by its class."""

    def __init__(self, source: str, format: str) -> None:
        self.source = source
        self.format = format

    def __call__(self, folder: Path) -> None:
        make = steady if self.source == "steady" else SOURCES[self.source]
        write(make(folder), folder, self.format)
