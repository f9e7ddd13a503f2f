"""The programs whose states are in the corpus. States of released formats are opened with them for ever: what is here
stays as it is, and what is new gets a program of its own.

A program runs in the folder that holds its state, and names its files relative to it. It has two parts: the first run
makes the state of the corpus, and the second goes on with it. No function of Python is in one whose operators are kept,
since its code is another one in each version of Python.
"""

from __future__ import annotations

import os
import pathlib
import random
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pathway as pw
from pathway import _native
from pathway._running.backends import place_at

STATE = pathlib.Path("state")
PARTITIONS = ["north", "south", "west"]


class Reading(pw.Schema):
    place: str
    number: int


class Offsets(pw.io.python.ConnectorSubject):
    """Sends two rows in a commit with an offset. Commits are not put together: each waits until the last is on disk."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows, self.after = rows, 0
        self.durable = 0
        self.changed = threading.Condition()

    def seek(self, offset: dict[str, int]) -> None:
        self.after = self.durable = offset["after"]

    def on_durable(self, offset: dict[str, int]) -> None:
        with self.changed:
            self.durable = offset["after"]
            self.changed.notify_all()

    def run(self) -> None:
        for number in range(self.after, self.rows, 2):
            self.next(place=f"place {number % 3}", number=number)
            self.next(place=f"place {number % 5}", number=-number)
            self.commit(offset={"after": number + 2})
            with self.changed:
                assert self.changed.wait_for(lambda number=number: self.durable >= number + 2, 60)


class Partitions(pw.io.python.ConnectorSubject):
    """Partitions, each with offsets that are bytes."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows = rows
        self.after = dict.fromkeys(PARTITIONS, 0)

    def partitions(self) -> list[str]:
        return PARTITIONS

    def seek(self, offset: bytes, partition: str) -> None:
        self.after[partition] = offset[0]

    def run(self, partition: str) -> None:
        for number in range(self.after[partition], self.rows):
            self.next(place=partition, number=number)
            self.commit(offset=bytes([number + 1]))


def summed(readings: pw.Table[Any]) -> None:
    sums = readings.groupby(readings.place).reduce(
        readings.place, rows=pw.reducers.count(), total=pw.reducers.sum(readings.number)
    )
    pw.io.csv.write(readings, "readings.csv", name="readings written")
    pw.io.jsonlines.write(sums, "sums.jsonl", name="sums written")


def offsets(part: int) -> None:
    """A connector with offsets that are JSON values."""
    subject = Offsets((8, 12)[part])
    summed(pw.io.python.read(subject, schema=Reading, name="readings", autocommit_duration_ms=None))


def partitions(part: int) -> None:
    """A connector with partitions."""
    subject = Partitions((4, 6)[part])
    summed(pw.io.python.read(subject, schema=Reading, name="readings", autocommit_duration_ms=None))


def folder(part: int) -> None:
    """Files that are followed. Before the second part one is longer, one is another, one is gone and one is new."""
    contents = [
        {"a.csv": [("x", 1), ("y", 2)], "b.csv": [("x", 3)], "c.csv": [("z", 4)]},
        {"a.csv": [("x", 1), ("y", 2), ("z", 5)], "b.csv": [("y", 6)], "d.csv": [("x", 7)]},
    ]
    source = pathlib.Path("in")
    source.mkdir(exist_ok=True)
    if os.environ.get("PATHWAY_PROCESS_ID", "0") == "0":
        for path in source.iterdir():
            if path.name not in contents[part]:
                path.unlink()
        for name, rows in contents[part].items():
            lines = "".join(f"{place},{number}\n" for place, number in rows)
            # With the same line ends everywhere.
            (source / name).write_bytes(f"place,number\n{lines}".encode())
    readings = pw.io.csv.read(source, schema=Reading, mode="streaming", name="readings", autocommit_duration_ms=10)
    summed(readings)
    expected = sorted(row for rows in contents[part].values() for row in rows)
    present: list[tuple[str, int]] = []

    def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        change = present.append if is_addition else present.remove
        change((row["place"], row["number"]))

    def on_time_end(time: int) -> None:
        if sorted(present) == expected:
            # As by Ctrl-C.
            os.kill(os.getpid(), signal.SIGINT)

    # It sees everything from the beginning in each part.
    pw.io.subscribe(readings, on_change, on_time_end=on_time_end, name=f"watched in part {part}")


class Item(pw.Schema):
    name: str = pw.column_definition(primary_key=True)
    group: str
    number: int
    ratio: float
    words: list[str]
    bits: int


def item(number: int, bits: int) -> dict[str, Any]:
    words = [f"word {number % 4}", "all"][: number % 3]
    ratio = number / 4
    return {
        "name": f"item {number}",
        "group": f"group {number % 3}",
        "number": number,
        "ratio": ratio,
        "words": words,
        "bits": bits,
    }


class Items(pw.io.python.ConnectorSubject):
    """Sends items and takes some back. In the first part, each commit but the last waits until it is in a part of a
    snapshot; in the second part nothing comes of chance."""

    def __init__(self, part: int) -> None:
        super().__init__()
        self.part = part

    def seek(self, offset: int) -> None:
        pass

    def parts(self) -> int:
        snapshot = _native.inspect_state(place_at(str(STATE)), False)["snapshot"]
        return 0 if snapshot is None else int(snapshot["parts"])

    def run(self) -> None:
        if self.part == 0:
            for first in range(0, 12, 4):
                before = self.parts()
                for number in range(first, first + 4):
                    self.next(**item(number, 32))
                self.commit(offset=first + 4)
                while self.parts() <= before:
                    pass
            self._remove_inner(None, item(1, 32))
            self.commit(offset=13)
            return
        for number in (0, 5, 10):
            self._remove_inner(None, item(number, 32))
        self.commit(offset=14)
        for number in (12, 13):
            self.next(**item(number, 0))
        self.commit(offset=15)


class Update(pw.Schema):
    name: str = pw.column_definition(primary_key=True)
    number: int


class Updates(pw.io.python.ConnectorSubject):
    def __init__(self, part: int) -> None:
        super().__init__()
        self.part = part

    def seek(self, offset: int) -> None:
        pass

    def run(self) -> None:
        numbers = [(2, 4, 6), (3, 4, 13)][self.part]
        for number in numbers:
            if (self.part, number) == (1, 4):
                self._remove_inner(None, {"name": "item 4", "number": 104})
            else:
                self.next(name=f"item {number}", number=100 + number)
        self.commit(offset=self.part + 1)


class Logged(pw.Schema, append_only=True):
    name: str
    number: int


class Log(pw.io.python.ConnectorSubject):
    def __init__(self, part: int) -> None:
        super().__init__()
        self.part = part

    def seek(self, offset: int) -> None:
        pass

    def run(self) -> None:
        for number in range(4 * self.part, 4 * self.part + 4):
            self.next(name=f"visitor {number % 3}", number=number)
            self.commit(offset=number)


def operators(part: int) -> None:
    """Operators of all kinds, whose state is in several parts of a snapshot."""
    items = pw.io.python.read(Items(part), schema=Item, name="items", autocommit_duration_ms=None)
    updates = pw.io.python.read(Updates(part), schema=Update, name="updates", autocommit_duration_ms=None)
    logged = pw.io.python.read(Log(part), schema=Logged, name="log", autocommit_duration_ms=None)
    reducers = pw.reducers
    groups = items.groupby(items.group).reduce(
        items.group,
        count=reducers.count(),
        sum=reducers.sum(items.number),
        sum_of_floats=reducers.sum(items.ratio),
        avg=reducers.avg(items.ratio),
        min=reducers.min(items.number),
        max=reducers.max(items.number),
        argmin=reducers.argmin(items.number),
        argmax=reducers.argmax(items.number, items.name),
        any=reducers.any(items.group),
        unique=reducers.unique(items.group),
        tuple=reducers.tuple(items.number),
        sorted_tuple=reducers.sorted_tuple(items.name),
        ndarray=reducers.ndarray(items.number),
        count_distinct=reducers.count_distinct(items.words),
    )
    visits = logged.groupby(logged.name).reduce(
        logged.name, earliest=reducers.earliest(logged.number), latest=reducers.latest(logged.number)
    )
    words = items.flatten(items.words)
    # The same bound method, which is compiled, in every version of Python.
    drawn = pw.udf(random.Random(7).getrandbits, return_type=int, deterministic=False)
    small = items.select(items.name, items.number)
    changed = items.filter(items.number > 2).select(items.name, items.number)
    tables = {
        "groups": groups,
        "visits": visits,
        "words": words.groupby(words.words).reduce(words.words, count=reducers.count()),
        "inner": items.join(updates, items.name == updates.name).select(items.name, updates.number),
        "left": items.join_left(updates, items.name == updates.name).select(items.name, updates.number),
        "outer": items.join_outer(updates, items.name == updates.name).select(name=items.name, other=updates.name),
        "rows": small.update_rows(updates),
        "cells": small.update_cells(updates.intersect(small).select(updates.number)),
        "difference": small.difference(updates),
        "intersect": small.intersect(updates),
        "ix": items.select(items.name, sum=groups.ix_ref(items.group).sum),
        "with_id_from": changed.with_id_from(changed.number),
        "concat": small.concat_reindex(changed),
        "drawn": items.select(items.name, bits=drawn(items.bits)),
    }
    for name, table in tables.items():
        pw.io.jsonlines.write(table, f"{name}.jsonl", name=name)


@dataclass(frozen=True)
class Case:
    """How a state of the corpus is made."""

    program: Callable[[int], None]
    settings: dict[str, Any] = field(default_factory=dict)
    processes: int = 1
    # At which point of writing the first run is killed, and how many bytes of its journal had not come to the disk.
    killed: str | None = None
    lost: int = 0
    # Up to which offsets of sources the first run has to have come, if that is up to chance.
    offsets: dict[str, object] = field(default_factory=dict)
    # Whether a run goes on until it is interrupted.
    is_endless: bool = False


CASES = {
    "offsets": Case(offsets),
    "partitions": Case(partitions),
    "folder": Case(folder, is_endless=True),
    "two_processes": Case(partitions, processes=2),
    "torn": Case(offsets, killed="journal.sync.before=kill:6", lost=7),
    "operators": Case(
        operators,
        settings={"persistence_mode": pw.PersistenceMode.OPERATOR_PERSISTING, "snapshot_interval_ms": 1},
        # What has been committed since the last snapshot that is whole is in the journal.
        killed="snapshot.manifest.before=kill:4",
        offsets={"items": 13, "updates": 1, "log": 3},
    ),
    "operators_of_two_processes": Case(
        partitions,
        settings={"persistence_mode": pw.PersistenceMode.OPERATOR_PERSISTING, "snapshot_interval_ms": 1},
        processes=2,
    ),
}


def run(name: str, part: int) -> None:
    """Runs a part of a program in the present folder."""
    case = CASES[name]
    case.program(part)
    config = pw.persistence.Config(pw.persistence.Backend.filesystem(STATE), **case.settings)
    try:
        pw.run(monitoring_level=pw.MonitoringLevel.NONE, persistence_config=config)
    except KeyboardInterrupt:
        if not case.is_endless:
            raise
