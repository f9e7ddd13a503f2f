"""Runs that go on where the one before has ended: each test starts the same program several times."""

from __future__ import annotations

import csv
import json
import logging
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

import pathway as pw
import pytest

Declare = Callable[[pathlib.Path], None]
QUIET = pw.MonitoringLevel.NONE


class Word(pw.Schema):
    word: str
    number: int


class Stop(Exception):
    """Ends a run in the middle."""


def config(folder: pathlib.Path, **settings: Any) -> pw.persistence.Config:
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


def counted(folder: pathlib.Path, subject: pw.io.python.ConnectorSubject, **options: Any) -> None:
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


def test_a_source_that_starts_over_is_counted_once(tmp_path: pathlib.Path) -> None:
    for count in (4, 4, 6, 9):
        go(tmp_path, lambda folder, count=count: counted(folder, Sends(count), resume="replay"))
    assert [int(row["number"]) for row in written(tmp_path / "rows.csv")] == list(range(9))
    assert remaining(tmp_path / "groups.csv") == [("a", "5", "20", "8"), ("b", "4", "16", "7")]
    assert times(tmp_path / "rows.csv") == sorted(times(tmp_path / "rows.csv"))


@pytest.mark.parametrize("period", [None, 100_000])
def test_a_run_that_fails_loses_nothing_that_was_committed(tmp_path: pathlib.Path, period: int | None) -> None:
    # With a timer, rows are on their way, and on disk, before they are committed.
    options: dict[str, Any] = {"resume": "replay", "autocommit_duration_ms": period}
    for count in (3, 5, 8):
        go(tmp_path, lambda folder, count=count: counted(folder, Sends(count, True), **options), Stop)
    go(tmp_path, lambda folder: counted(folder, Sends(9), **options))
    assert [int(row["number"]) for row in written(tmp_path / "rows.csv")] == list(range(9))
    assert remaining(tmp_path / "groups.csv") == [("a", "5", "20", "8"), ("b", "4", "16", "7")]


def test_rows_that_differ_after_a_restart_are_refused(tmp_path: pathlib.Path) -> None:
    class Other(Sends):
        def run(self) -> None:
            for number in range(self.count):
                self.next(word="z", number=number)

    go(tmp_path, lambda folder: counted(folder, Sends(4), resume="replay"))
    pw.testing.reset()
    counted(tmp_path, Other(6), resume="replay")
    with pytest.raises(
        ValueError, match="the first 4 rows have to be those of the run before, and they are not"
    ) as error:
        pw.run(monitoring_level=QUIET, persistence_config=config(tmp_path))
    assert "words" in str(error.value)
    assert len(written(tmp_path / "rows.csv")) == 4


def test_what_a_source_sends_is_new_unless_it_says_otherwise(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    go(tmp_path, lambda folder: counted(folder, Sends(4)))
    assert "first rows" not in caplog.text
    with caplog.at_level(logging.WARNING):
        go(tmp_path, lambda folder: counted(folder, Sends(4)))
    assert remaining(tmp_path / "groups.csv") == [("a", "4", "4", "2"), ("b", "4", "8", "3")]
    assert "the first rows after the restart are the first rows of the run before" in caplog.text
    assert 'resume="replay"' in caplog.text


@pytest.mark.parametrize(
    "offset", [lambda number: number, lambda number: {"page": [number]}, lambda number: b"%d" % number]
)
def test_a_source_goes_on_behind_its_last_offset(tmp_path: pathlib.Path, offset: Callable[[int], Any]) -> None:
    sought: list[Any] = []

    class Pages(Sends):
        first = 0

        def seek(self, found: Any) -> None:
            sought.append(found)
            self.first = int(found) if isinstance(found, (int, bytes)) else found["page"][0]

        def run(self) -> None:
            for number in range(self.first, self.count):
                self.next(word="ab"[number % 2], number=number)
                if number % 3 == 2:
                    self.commit(offset=offset(number + 1))
            if self.fails:
                raise Stop

    go(tmp_path, lambda folder: counted(folder, Pages(8, True)), Stop)
    go(tmp_path, lambda folder: counted(folder, Pages(11, True)), Stop)
    go(tmp_path, lambda folder: counted(folder, Pages(14)))
    assert sought == [offset(6), offset(9)]
    assert [int(row["number"]) for row in written(tmp_path / "rows.csv")] == list(range(14))
    # What it had sent behind its last offset when it ended comes again, and is not counted again.
    go(tmp_path, lambda folder: counted(folder, Pages(15)))
    assert sought[2:] == [offset(12)]
    assert [int(row["number"]) for row in written(tmp_path / "rows.csv")] == list(range(15))


def test_offsets_are_acknowledged_when_they_are_on_disk(tmp_path: pathlib.Path) -> None:
    told: list[int] = []

    class Queue(Sends):
        first = 0

        def seek(self, offset: int) -> None:
            self.first = offset

        def on_durable(self, offset: int) -> None:
            assert any((tmp_path / "state" / "journal").iterdir())
            told.append(offset)

        def run(self) -> None:
            for number in range(self.first, self.count):
                self.next(word="a", number=number)
                self.commit(offset=number + 1)

    go(tmp_path, lambda folder: counted(folder, Queue(5)))
    assert told == sorted(told)
    assert told[-1] == 5
    go(tmp_path, lambda folder: counted(folder, Queue(7)))
    assert told[-1] == 7
    assert [int(row["number"]) for row in written(tmp_path / "rows.csv")] == list(range(7))


def test_partitions_have_an_offset_each(tmp_path: pathlib.Path) -> None:
    sought: dict[str, Any] = {}

    class Parts(pw.io.python.ConnectorSubject):
        count = 0

        def partitions(self) -> list[str]:
            return ["a", "b", "c"]

        def seek(self, offset: int, partition: str) -> None:
            sought[partition] = offset

        def run(self, partition: str) -> None:
            for number in range(sought.get(partition, 0), self.count * " abc".index(partition)):
                self.next(word=partition, number=number)
                self.commit(offset=number + 1)

    def declare(count: int) -> Declare:
        subject = Parts()
        subject.count = count
        return lambda folder: counted(folder, subject)

    go(tmp_path, declare(1))
    assert sought == {}
    go(tmp_path, declare(2))
    # Another process reads some of them.
    assert sought
    assert sought.items() <= {"a": 1, "b": 2, "c": 3}.items()
    found = Counter(row["word"] for row in written(tmp_path / "rows.csv"))
    assert found == {"a": 2, "b": 4, "c": 6}
    assert {row[0]: row[1] for row in remaining(tmp_path / "groups.csv")} == {"a": "2", "b": "4", "c": "6"}


def test_generators_and_asynchronous_sources_go_on_as_well(tmp_path: pathlib.Path) -> None:
    class Yields(Sends):
        def run(self) -> Iterator[dict[str, Any]]:
            for number in range(self.count):
                yield {"word": "a", "number": number}

    class Awaits(Sends):
        async def run(self) -> None:
            for number in range(self.count):
                self.next(word="b", number=number)
                self.commit()

    def declare(count: int) -> Declare:
        def both(folder: pathlib.Path) -> None:
            for name, subject in (("yields", Yields(count)), ("awaits", Awaits(count))):
                table = pw.io.python.read(subject, schema=Word, name=name, resume="replay", autocommit_duration_ms=10)
                pw.io.csv.write(table, folder / f"{name}.csv", name=f"{name} written")

        return both

    for count in (3, 5, 5):
        go(tmp_path, declare(count))
    for name in ("yields", "awaits"):
        assert [int(row["number"]) for row in written(tmp_path / f"{name}.csv")] == list(range(5))


def test_batches_and_columns_and_arrow_count_the_same_rows(tmp_path: pathlib.Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")

    class Ways(Sends):
        def run(self) -> None:
            rows = [{"word": "ab"[number % 2], "number": number} for number in range(self.count)]
            words, numbers = [row["word"] for row in rows], [row["number"] for row in rows]
            if self.count == 4:
                self.next_batch(rows)
            elif self.count == 5:
                self.next_columns({"word": words, "number": numbers})
            elif self.count == 6:
                self.next_arrow(pyarrow.table({"word": words, "number": numbers}))
            else:
                for row in rows:
                    self.next_json(json.dumps(row))

    for count in (4, 5, 6, 7):
        go(tmp_path, lambda folder, count=count: counted(folder, Ways(count), resume="replay"))
    assert [int(row["number"]) for row in written(tmp_path / "rows.csv")] == list(range(7))


def test_deletions_and_upserts_survive(tmp_path: pathlib.Path) -> None:
    class Stock(pw.Schema):
        item: str = pw.column_definition(primary_key=True)
        count: int

    class Changes(pw.io.python.ConnectorSubject):
        def __init__(self, steps: int, upsert: bool) -> None:
            super().__init__(session_type="upsert" if upsert else "native")
            self.steps, self.upsert = steps, upsert

        def run(self) -> None:
            for step in range(self.steps):
                if step and not self.upsert:
                    self.delete(item="nuts", count=step - 1)
                self.next(item="nuts", count=step)
                self.commit()

    def declare(steps: int) -> Declare:
        def both(folder: pathlib.Path) -> None:
            for upsert in (False, True):
                subject = Changes(steps, upsert)
                table = pw.io.python.read(
                    subject, schema=Stock, name=f"upsert {upsert}", resume="replay", autocommit_duration_ms=None
                )
                pw.io.csv.write(table, folder / f"{upsert}.csv", name=f"written {upsert}")

        return both

    for steps in (1, 3, 3, 4):
        go(tmp_path, declare(steps))
    for upsert in (False, True):
        found = [(row["count"], row["diff"]) for row in written(tmp_path / f"{upsert}.csv")]
        expected = [("0", "1")]
        for step in range(1, 4):
            expected += [(str(step - 1), "-1"), (str(step), "1")]
        assert found == expected


def test_a_change_is_told_again_only_if_nobody_knows_that_it_was_told(tmp_path: pathlib.Path) -> None:
    told: list[tuple[int, bool]] = []

    def declare(count: int) -> Declare:
        def followed(folder: pathlib.Path) -> None:
            table = pw.io.python.read(Sends(count), schema=Word, resume="replay", autocommit_duration_ms=None)
            sums = table.reduce(sum=pw.reducers.sum(table.number))
            pw.io.subscribe(sums, lambda key, row, time, is_addition: told.append((row["sum"], is_addition)))

        return followed

    go(tmp_path, declare(2))
    go(tmp_path, declare(2))
    assert told == [(1, True)]
    go(tmp_path, declare(4))
    assert told == [(1, True), (1, False), (6, True)]


def test_the_number_of_threads_may_be_another_each_time(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for threads, count in ((1, 4), (3, 8), (2, 12), (1, 13)):
        monkeypatch.setenv("PATHWAY_THREADS", str(threads))
        go(tmp_path, lambda folder, count=count: counted(folder, Sends(count), resume="replay"))
    assert [int(row["number"]) for row in written(tmp_path / "rows.csv")] == list(range(13))
    assert remaining(tmp_path / "groups.csv") == [("a", "7", "42", "12"), ("b", "6", "36", "11")]


def test_an_output_in_parts_goes_on_and_is_written_anew_by_other_workers(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def declare(count: int) -> Declare:
        def parts(folder: pathlib.Path) -> None:
            table = pw.io.python.read(
                Sends(count), schema=Word, name="words", resume="replay", autocommit_duration_ms=None
            )
            pw.io.csv.write(table, folder / "parts", name="parts", partitioned=True)

        return parts

    def numbers() -> list[int]:
        return sorted(int(row["number"]) for part in (tmp_path / "parts").iterdir() for row in written(part))

    for threads, count in ((2, 6), (2, 9), (3, 12), (1, 13), (1, 14)):
        monkeypatch.setenv("PATHWAY_THREADS", str(threads))
        go(tmp_path, declare(count))
        assert numbers() == list(range(count))


def test_a_program_that_has_changed_sees_the_history(tmp_path: pathlib.Path) -> None:
    def changed(folder: pathlib.Path) -> None:
        table = pw.io.python.read(Sends(4), schema=Word, name="words", resume="replay", autocommit_duration_ms=None)
        big = table.filter(table.number > 1)
        pw.io.csv.write(big, folder / "big.csv", name="big")

    go(tmp_path, lambda folder: counted(folder, Sends(4), resume="replay"))
    go(tmp_path, changed)
    assert [row["number"] for row in written(tmp_path / "big.csv")] == ["2", "3"]


def test_static_tables_reach_the_output_once(tmp_path: pathlib.Path) -> None:
    def declare(folder: pathlib.Path) -> None:
        names = pw.debug.table_from_rows(pw.schema_from_types(word=str, name=str), [("a", "Anna"), ("b", "Ben")])
        words = pw.io.python.read(Sends(2), schema=Word, name="words", resume="replay", autocommit_duration_ms=None)
        joined = words.join(names, words.word == names.word).select(names.name, words.number)
        pw.io.csv.write(joined, folder / "joined.csv", name="joined")
        pw.io.csv.write(names, folder / "names.csv", name="names")

    for _ in range(3):
        go(tmp_path, declare)
    assert remaining(tmp_path / "joined.csv") == [("Anna", "0"), ("Ben", "1")]
    assert len(written(tmp_path / "joined.csv")) == len(written(tmp_path / "names.csv")) == 2


def test_a_table_of_the_program_that_has_changed_is_a_change(tmp_path: pathlib.Path) -> None:
    def declare(names: list[tuple[str, str]]) -> Declare:
        def both(folder: pathlib.Path) -> None:
            table = pw.debug.table_from_rows(pw.schema_from_types(word=str, name=str), names)
            words = pw.io.python.read(Sends(2), schema=Word, name="words", resume="replay", autocommit_duration_ms=None)
            joined = words.join(table, words.word == table.word).select(table.name, words.number)
            pw.io.csv.write(joined, folder / "joined.csv", name="joined")

        return both

    go(tmp_path, declare([("a", "Anna"), ("b", "Ben")]))
    go(tmp_path, declare([("a", "Anne"), ("b", "Ben")]))
    assert remaining(tmp_path / "joined.csv") == [("Anne", "0"), ("Ben", "1")]
    assert len(written(tmp_path / "joined.csv")) == 4


def test_a_source_keeps_its_schema_while_its_rows_are_kept(tmp_path: pathlib.Path) -> None:
    class Wider(pw.Schema):
        word: str
        number: int
        more: float | None = pw.column_definition(default_value=None)

    class Floats(pw.Schema):
        word: str
        number: float

    class Renamed(pw.Schema):
        text: str
        count: int

    class Others(Sends):
        def run(self) -> None:
            self.next(text="c", count=9)

    go(tmp_path, lambda folder: counted(folder, Sends(2)))
    for schema in (Wider, Floats):
        pw.testing.reset()
        table = pw.io.python.read(Sends(2), schema=schema, name="words")
        pw.io.csv.write(table, tmp_path / "other.csv", name="other")
        with pytest.raises(ValueError, match='source "words": the rows that are kept of it have 2 columns'):
            pw.run(monitoring_level=QUIET, persistence_config=config(tmp_path))

    def renamed(folder: pathlib.Path) -> None:
        table = pw.io.python.read(Others(0), schema=Renamed, name="words")
        pw.io.csv.write(table, folder / "renamed.csv", name="renamed")

    go(tmp_path, renamed)
    assert [row["text"] for row in written(tmp_path / "renamed.csv")] == ["a", "b", "c"]


# Files.


def test_a_job_that_reads_a_folder_each_night_sees_what_has_changed(tmp_path: pathlib.Path) -> None:
    class Sale(pw.Schema):
        shop: str
        amount: int

    folder = tmp_path / "in"
    folder.mkdir()

    def job(path: pathlib.Path) -> None:
        sales = pw.io.csv.read(folder, schema=Sale, mode="static", name="sales")
        totals = sales.groupby(sales.shop).reduce(
            sales.shop, total=pw.reducers.sum(sales.amount), most=pw.reducers.max(sales.amount)
        )
        pw.io.csv.write(totals, path / "totals.csv", name="totals")

    (folder / "monday.csv").write_text("shop,amount\nkiosk,3\nmarket,4\n")
    go(tmp_path, job)
    assert remaining(tmp_path / "totals.csv") == [("kiosk", "3", "3"), ("market", "4", "4")]
    before = written(tmp_path / "totals.csv")
    go(tmp_path, job)
    assert written(tmp_path / "totals.csv") == before
    (folder / "tuesday.csv").write_text("shop,amount\nkiosk,5\n")
    go(tmp_path, job)
    assert remaining(tmp_path / "totals.csv") == [("kiosk", "8", "5"), ("market", "4", "4")]
    (folder / "monday.csv").write_text("shop,amount\nkiosk,1\n")
    go(tmp_path, job)
    assert remaining(tmp_path / "totals.csv") == [("kiosk", "6", "5")]
    (folder / "tuesday.csv").unlink()
    go(tmp_path, job)
    assert remaining(tmp_path / "totals.csv") == [("kiosk", "1", "1")]


def follow(folder: pathlib.Path, schema: type[pw.Schema], expected: list[str]) -> None:
    """Follows the folder `in` until these texts are there."""

    def declare(path: pathlib.Path) -> None:
        table = pw.io.csv.read(path / "in", schema=schema, mode="streaming", name="lines", autocommit_duration_ms=10)
        pw.io.csv.write(table, path / "lines.csv", name="lines written")
        found: Counter[str] = Counter()

        def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
            found[row["text"]] += 1 if is_addition else -1

        def on_time_end(time: int) -> None:
            if sorted((+found).elements()) == sorted(expected):
                # As by Ctrl-C.
                os.kill(os.getpid(), signal.SIGINT)

        # A name of its own each time: it sees everything from the beginning.
        pw.io.subscribe(table, on_change, on_time_end=on_time_end, name=f"watch {len(list(path.iterdir()))} {expected}")

    go(folder, declare, KeyboardInterrupt)


class Line(pw.Schema):
    text: str


class LogLine(pw.Schema, append_only=True):
    text: str


@pytest.mark.parametrize("schema", [Line, LogLine])
def test_a_followed_file_is_read_on(tmp_path: pathlib.Path, schema: type[pw.Schema]) -> None:
    (tmp_path / "in").mkdir()
    log = tmp_path / "in" / "log.csv"
    log.write_text("text\none\ntwo\n")
    follow(tmp_path, schema, ["one", "two"])
    with log.open("a") as file:
        file.write("three\n")
    follow(tmp_path, schema, ["one", "two", "three"])
    (tmp_path / "in" / "other.csv").write_text("text\nfour\n")
    follow(tmp_path, schema, ["one", "two", "three", "four"])
    assert sorted(row["text"] for row in written(tmp_path / "lines.csv")) == ["four", "one", "three", "two"]


def test_a_file_that_was_changed_while_nobody_looked_is_seen_as_a_change(tmp_path: pathlib.Path) -> None:
    (tmp_path / "in").mkdir()
    first, second = tmp_path / "in" / "first.csv", tmp_path / "in" / "second.csv"
    first.write_text("text\none\ntwo\n")
    second.write_text("text\nthree\n")
    follow(tmp_path, Line, ["one", "two", "three"])
    first.write_text("text\none\nTWO\n")
    second.unlink()
    follow(tmp_path, Line, ["one", "TWO"])
    found = [(row["text"], row["diff"]) for row in written(tmp_path / "lines.csv")]
    assert sorted(found[:3]) == [("one", "1"), ("three", "1"), ("two", "1")]
    assert sorted(found[3:]) == [("TWO", "1"), ("three", "-1"), ("two", "-1")]


def test_a_log_that_was_rotated_while_nobody_looked_keeps_its_rows(tmp_path: pathlib.Path) -> None:
    (tmp_path / "in").mkdir()
    log = tmp_path / "in" / "log.csv"
    log.write_text("text\none\ntwo\n")
    follow(tmp_path, LogLine, ["one", "two"])
    with log.open("a") as file:
        file.write("three\n")
    log.rename(tmp_path / "in" / "log.csv.1")
    log.write_text("text\nfour\n")
    follow(tmp_path, LogLine, ["one", "two", "three", "four"])
    assert Counter(row["text"] for row in written(tmp_path / "lines.csv")) == Counter(["one", "two", "three", "four"])


# What is refused.


def test_an_output_that_is_not_the_one_that_was_written_is_refused(tmp_path: pathlib.Path) -> None:
    def again(count: int) -> None:
        pw.testing.reset()
        counted(tmp_path, Sends(count), resume="replay")
        pw.run(monitoring_level=QUIET, persistence_config=config(tmp_path))

    again(4)
    rows = tmp_path / "rows.csv"
    content = rows.read_bytes()
    for change, message in (
        (lambda: rows.unlink(), "it is not there, though"),
        (lambda: rows.write_bytes(content[:-3]), f"it has {len(content) - 3} bytes, and {len(content)} were written"),
        (lambda: rows.write_bytes(content[:-3] + b"999"), "it is not the file that was written"),
    ):
        change()
        with pytest.raises(OSError, match=message) as error:
            again(6)
        assert "rows.csv" in str(error.value)
        assert "reset the state" in str(error.value)
        rows.write_bytes(content)
    again(6)
    assert len(written(rows)) == 6
    assert rows.read_bytes().startswith(content)


def test_a_file_keeps_its_columns(tmp_path: pathlib.Path) -> None:
    def declare(folder: pathlib.Path, *names: str) -> None:
        table = pw.io.python.read(Sends(4), schema=Word, name="words", resume="replay", autocommit_duration_ms=None)
        pw.io.csv.write(table[[*names]], folder / "rows.csv", name="rows")

    go(tmp_path, lambda folder: declare(folder, "word"))
    pw.testing.reset()
    declare(tmp_path, "word", "number")
    with pytest.raises(OSError, match="it has other columns than those that would be written now"):
        pw.run(monitoring_level=QUIET, persistence_config=config(tmp_path))
    go(tmp_path, lambda folder: declare(folder, "word"))
    assert len(written(tmp_path / "rows.csv")) == 4


def test_what_was_written_behind_the_last_note_is_written_again(tmp_path: pathlib.Path) -> None:
    go(tmp_path, lambda folder: counted(folder, Sends(4), resume="replay"))
    content = (tmp_path / "rows.csv").read_bytes()
    with (tmp_path / "rows.csv").open("ab") as file:
        file.write(b'"half of a row')
    go(tmp_path, lambda folder: counted(folder, Sends(5), resume="replay"))
    again = (tmp_path / "rows.csv").read_bytes()
    assert again.startswith(content)
    assert len(written(tmp_path / "rows.csv")) == 5
    assert b"half" not in again


@pytest.mark.one_process("the storage is asked for by the first process")
def test_a_second_run_on_the_same_storage_is_refused(tmp_path: pathlib.Path) -> None:
    refused: list[str] = []

    class Asking(Sends):
        def run(self) -> None:
            with pytest.raises(OSError, match="has used it since") as error:
                pw.run(monitoring_level=QUIET, persistence_config=config(tmp_path))
            refused.append(str(error.value))
            super().run()

    class Nested(Asking):
        def run(self) -> None:
            # Declared while the other run goes on: it is what the inner run runs.
            pw.io.null.write(other)
            super().run()

    pw.testing.reset()
    other = pw.debug.table_from_rows(pw.schema_from_types(a=int), [(1,)])
    counted(tmp_path, Nested(2), resume="replay")
    pw.run(monitoring_level=QUIET, persistence_config=config(tmp_path))
    assert [f"process {os.getpid()}" in message for message in refused] == [True]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_text("x"), "(?i)not a (folder|directory)|is a file"),
        (
            lambda path: (path.mkdir(), (path / "holiday.jpg").write_text("x")),
            "there are other things, such as 'holiday.jpg'",
        ),
    ],
)
def test_a_place_that_is_something_else_is_refused(
    tmp_path: pathlib.Path, make: Callable[[pathlib.Path], Any], message: str
) -> None:
    make(tmp_path / "state")
    pw.testing.reset()
    counted(tmp_path, Sends(2))
    with pytest.raises(OSError, match=message):
        pw.run(monitoring_level=QUIET, persistence_config=config(tmp_path))
    assert not (tmp_path / "rows.csv").exists()


def test_an_object_that_cannot_be_kept_is_named(tmp_path: pathlib.Path) -> None:
    class Thing(pw.Schema):
        thing: Any

    class Generators(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next(thing=pw.wrap_py_object(number for number in range(3)))

    pw.testing.reset()
    pw.io.null.write(pw.io.python.read(Generators(), schema=Thing, name="things"))
    with pytest.raises(ValueError, match=r"a row cannot be kept: .*generator"):
        pw.run(monitoring_level=QUIET, persistence_config=config(tmp_path))


# Recording and playing.


def test_what_was_recorded_can_be_played_without_the_source(tmp_path: pathlib.Path) -> None:
    go(tmp_path, lambda folder: counted(folder, Sends(4)), snapshot_access=pw.SnapshotAccess.RECORD)
    recorded = (tmp_path / "groups.csv").read_text()
    started: list[int] = []

    class Nothing(Sends):
        def run(self) -> None:
            started.append(1)

    for _ in range(2):
        go(
            tmp_path,
            lambda folder: counted(folder, Nothing(9)),
            snapshot_access=pw.SnapshotAccess.REPLAY,
            continue_after_replay=False,
        )
        # At the times that it had.
        assert (tmp_path / "groups.csv").read_text() == recorded
    assert started == []
    go(
        tmp_path,
        lambda folder: counted(folder, Nothing(9)),
        snapshot_access=pw.SnapshotAccess.REPLAY,
        persistence_mode=pw.PersistenceMode.BATCH,
        continue_after_replay=False,
    )
    assert len(set(times(tmp_path / "groups.csv"))) == 1
    assert remaining(tmp_path / "groups.csv") == [("a", "2", "2", "2"), ("b", "2", "4", "3")]


def test_what_was_recorded_can_be_played_with_its_pauses(tmp_path: pathlib.Path) -> None:
    class Slow(Sends):
        def run(self) -> None:
            for number in range(4):
                self.next(word="a", number=number)
                self.commit()
                time.sleep(0.2)

    go(tmp_path, lambda folder: counted(folder, Slow(0)), snapshot_access=pw.SnapshotAccess.RECORD)
    told: list[float] = []

    def watched(folder: pathlib.Path) -> None:
        table = pw.io.python.read(Slow(0), schema=Word, name="words", autocommit_duration_ms=None)
        pw.io.subscribe(table, lambda key, row, time, is_addition: told.append(monotonic()))

    go(
        tmp_path,
        watched,
        snapshot_access=pw.SnapshotAccess.REPLAY,
        persistence_mode=pw.PersistenceMode.REALTIME_REPLAY,
        continue_after_replay=False,
    )
    assert len(told) == 4
    # The time of a commit is that at which it was opened: the second was, when the first had been closed.
    assert told[3] - told[0] >= 0.35


@pytest.mark.one_process("the programs are processes of their own")
def test_the_command_records_and_plays(tmp_path: pathlib.Path) -> None:
    (tmp_path / "main.py").write_text(PROGRAM)

    def pathway(*arguments: str) -> tuple[str, int]:
        command = [sys.executable, "-m", "pathway.cli", *arguments, sys.executable, "main.py"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout, len(set(times(tmp_path / "sum.csv")))

    assert pathway("spawn", "--record", "--record-path", "tape") == ("asked\n", 3)
    for options in (["--mode", "batch"], ["--mode", "batch", "-t", "2"]):
        assert pathway("replay", "--record-path", "tape", *options) == ("", 1)
    for mode in ("speedrun", "realtime"):
        assert pathway("replay", "--record-path", "tape", "--mode", mode) == ("", 3)
    assert pathway("replay", "--record-path", "tape", "--continue") == ("asked\n", 6)


PROGRAM = """
import pathway as pw

class Numbers(pw.io.python.ConnectorSubject):
    def run(self):
        print("asked")
        for number in range(1, 4):
            self.next(number=number)
            self.commit()

class Number(pw.Schema):
    number: int

table = pw.io.python.read(Numbers(), schema=Number, autocommit_duration_ms=None)
pw.io.csv.write(table.reduce(sum=pw.reducers.sum(table.number)), "sum.csv")
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
"""


def test_settings_that_are_no_settings_are_refused(tmp_path: pathlib.Path) -> None:
    backend = pw.persistence.Backend.filesystem(tmp_path)
    with pytest.raises(TypeError, match=r"argument backend has to be a pw\.persistence\.Backend"):
        pw.persistence.Config(str(tmp_path))  # type: ignore[arg-type]
    for settings in ({"snapshot_interval_ms": "1"}, {"persistence_mode": "persisting"}, {"snapshot_access": None}):
        with pytest.raises(TypeError, match=f"argument {next(iter(settings))} has to be"):
            pw.persistence.Config(backend, **settings)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="snapshot_interval_ms has to be at least 0"):
        pw.persistence.Config(backend, snapshot_interval_ms=-1)
    with pytest.raises(ValueError, match="the path of a storage is empty"):
        pw.persistence.Backend.filesystem("")
    with pytest.raises(ValueError, match="invalid resume 'again'"):
        pw.io.python.read(Sends(1), schema=Word, resume="again")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"wants Sends to define seek\(self, offset\)"):
        pw.io.python.read(Sends(1), schema=Word, resume="seek")


@pytest.mark.parametrize("offset", [object(), {1: 2}, (1, 2), {"a": float("nan")}, {"a": {1}}])
def test_an_offset_that_would_not_come_back_is_refused(offset: Any) -> None:
    class Offsets(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            with pytest.raises(TypeError, match="an offset is a JSON value or bytes"):
                self.commit(offset=offset)

    assert pw.testing.capture(pw.io.python.read(Offsets(), schema=Word)) == []
