"""Pipelines that are killed and restarted: every way to go on, every way in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import threading
import time
from collections import Counter
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


class Folder(pw.io.python.ConnectorObserver):
    """A file of each time in a folder: written beside it first, then renamed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[str] = []

    def on_change(self, key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        self.lines.append(json.dumps([row["place"], row["number"], is_addition]) + "\n")

    def prepare(self, time: int) -> bytes:
        text, self.lines = "".join(sorted(self.lines)), []
        self.folder.mkdir(exist_ok=True)
        with self.path(time, "ready").open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        return b"ready"

    def commit(self, time: int, token: bytes | None) -> None:
        assert token == b"ready"
        self.path(time, "ready").rename(self.path(time, "jsonl"))

    def recover(self, time: int | None, token: bytes | None) -> int | None:
        if time is not None and self.path(time, "ready").exists():
            self.commit(time, token)
        for file in self.folder.glob("*.ready"):
            file.unlink()
        return None

    def path(self, time: int, suffix: str) -> Path:
        return self.folder / f"{time:020}.{suffix}"


class Database(pw.io.python.ConnectorObserver):
    """A table of a database, which has the time, too."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.changes: list[tuple[str, int, int]] = []

    def on_change(self, key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        self.changes.append((row["place"], row["rows"], 1 if is_addition else -1))

    def commit(self, time: int, token: bytes | None) -> None:
        with contextlib.closing(self.connect()) as connection, connection:
            connection.executemany("INSERT INTO counts VALUES (?, ?, ?)", self.changes)
            connection.execute("UPDATE upto SET time = ?", (time,))
        self.changes.clear()

    def recover(self, time: int | None, token: bytes | None) -> int | None:
        with contextlib.closing(self.connect()) as connection, connection:
            connection.execute("CREATE TABLE IF NOT EXISTS counts (place TEXT, rows INTEGER, diff INTEGER)")
            connection.execute("CREATE TABLE IF NOT EXISTS upto AS SELECT -1 AS time")
            (upto,) = connection.execute("SELECT time FROM upto").fetchone()
        return int(upto)

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path)


def write(readings: pw.Table[Any], folder: Path, output: str) -> None:
    counts = readings.groupby(readings.place).reduce(
        readings.place, rows=pw.reducers.count(), total=pw.reducers.sum(readings.number)
    )
    if output == "sqlite":
        database, mode = folder / "outside.db", "create_if_not_exists"
        pw.io.sqlite.write(readings, database, "readings", init_mode=mode, name="written")
        pw.io.sqlite.write(
            counts,
            database,
            "counts",
            init_mode="replace",
            output_table_type="snapshot",
            primary_key=[counts.place],
            name="counted",
        )
    elif output == "observer":
        pw.io.python.write(readings, Folder(folder / "outside"), name="written")
        pw.io.python.write(counts, Database(folder / "outside.db"), name="counted")
    else:
        module = {"csv": pw.io.csv, "jsonlines": pw.io.jsonlines}[output]
        module.write(readings, folder / f"readings.{output}", name="written")
        module.write(counts, folder / f"counts.{output}", name="counted")


def query(folder: Path, statement: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(folder / "outside.db", timeout=30)) as connection:
        return connection.execute(statement).fetchall()


def rows_outside(folder: Path) -> list[tuple[Any, ...]]:
    """The changes of the readings that an outside system has."""
    if (folder / "outside").is_dir():
        files = sorted((folder / "outside").glob("*.jsonl"))
        return [tuple(json.loads(line)) for file in files for line in file.read_text().splitlines()]
    if not (folder / "outside.db").exists():
        return []
    try:
        return query(folder, "SELECT place, number, diff = 1 FROM readings")
    except sqlite3.OperationalError:
        # It is not there yet.
        return []


def same_outside(expected: Path, found: Path) -> None:
    """What outside systems have is what they have of a run that was not killed: every reading once, and the counts of
    the end."""
    for folder in (expected, found):
        assert sorted(rows_outside(folder)) == sorted((*value(number).values(), True) for number in range(ROWS))
        if (folder / "outside").is_dir():
            remaining = "SELECT place, rows FROM counts GROUP BY place, rows HAVING SUM(diff) = 1"
            odd = "SELECT place, rows, SUM(diff) FROM counts GROUP BY place, rows HAVING SUM(diff) NOT IN (0, 1)"
            assert query(folder, odd) == []
        else:
            remaining = "SELECT place, rows FROM counts"
        counts = Counter(value(number)["place"] for number in range(ROWS))
        assert sorted(query(folder, remaining)) == sorted(counts.items())


def is_complete(folder: Path) -> bool:
    """Whether all rows of the followed file have come out."""
    written = list(folder.glob("readings.*"))
    if not written:
        return len(rows_outside(folder)) >= ROWS
    return sum(1 for line in written[0].open() if "place " in line) >= ROWS


SOURCES = {
    "replay": lambda folder: subject(Replayed(), resume="replay"),
    "seek": lambda folder: subject(Sought()),
    "partitions": lambda folder: subject(Divided()),
    "async": lambda folder: subject(Asynchronous()),
    "followed": followed,
}
FORMATS = ["csv", "jsonlines"]
OUTSIDE = ["sqlite", "observer"]

# What is kept: all that came in, or the state of the operators and what came in since.
CONFIGS: dict[str, dict[str, Any]] = {
    "history": {},
    "state": {"persistence_mode": pw.PersistenceMode.OPERATOR_PERSISTING, "snapshot_interval_ms": 15},
}


class Pipeline:
    """A source and an output; such an object is found again by its class."""

    def __init__(self, source: str, output: str) -> None:
        self.source = source
        self.output = output

    def __call__(self, folder: Path) -> None:
        make = steady if self.source == "steady" else SOURCES[self.source]
        write(make(folder), folder, self.output)


def crash(pipeline: Pipeline, **settings: Any) -> pw.testing.CrashReport:
    """Kills it, and compares its files, or else what outside systems have."""
    if pipeline.source == "followed":
        settings["until"] = is_complete
    if pipeline.output in OUTSIDE:
        settings.update(compare=same_outside, ignore=["outside/*", "outside.db*", "readings/*"])
    return pw.testing.crash_test(pipeline, **settings)
