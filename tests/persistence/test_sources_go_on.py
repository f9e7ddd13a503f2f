"""Sources go on where the run before has ended: each test starts the same program several times."""

from __future__ import annotations

import json
import logging
import pathlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pathway as pw
import pytest

from tests.persistence import programs
from tests.persistence.programs import Declare, Sends, Stop, Word, counted, go, remaining, times, written

pytestmark = pytest.mark.usefixtures("kept_everywhere")


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
            assert programs.server is not None or any((tmp_path / "state" / "journal").iterdir())
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


def test_a_callback_may_wait_until_its_row_is_on_disk(tmp_path: pathlib.Path) -> None:
    on_disk = threading.Event()
    seen: list[bool] = []

    class Queue(Sends):
        def seek(self, offset: int) -> None: ...

        def on_durable(self, offset: int) -> None:
            on_disk.set()

        def run(self) -> None:
            self.next(word="a", number=1)
            self.commit(offset=1)

    def declare(folder: pathlib.Path) -> None:
        table = pw.io.python.read(Queue(1), schema=Word, name="words", autocommit_duration_ms=None)
        pw.io.subscribe(table, lambda key, row, time, is_addition: seen.append(on_disk.wait(60)), name="seen")

    go(tmp_path, declare)
    assert seen == [True]


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


def test_the_rows_of_a_partition_that_is_not_listed_any_more_stay(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    listed = ["a", 'b "of" \\ the\nyear é', "c"]
    ends = dict.fromkeys(listed, 2)
    sought: dict[str, int] = {}

    class Parts(pw.io.python.ConnectorSubject):
        def partitions(self) -> list[str]:
            return listed

        def seek(self, offset: int, partition: str) -> None:
            sought[partition] = offset

        def run(self, partition: str) -> None:
            for number in range(sought.get(partition, 0), ends[partition]):
                self.next(word=partition[0], number=number)
                self.commit(offset=number + 1)

    def groups() -> dict[str, str]:
        sought.clear()
        go(tmp_path, lambda folder: counted(folder, Parts()))
        return {row[0]: row[1] for row in remaining(tmp_path / "groups.csv")}

    assert groups() == {"a": "2", "b": "2", "c": "2"}
    all_listed, listed = listed, ["c"]
    ends["c"] = 5
    # The groups of the others are what they were, and a warning names them.
    assert groups() == {"a": "2", "b": "2", "c": "5"}
    assert 'source "words": "a", "b \\"of' in caplog.text
    assert "are kept, and not among its partitions any more; the rows stay" in caplog.text
    assert groups() == {"a": "2", "b": "2", "c": "5"}
    listed = all_listed
    ends[listed[1]] = 3
    # One that is there again goes on where it was.
    assert groups() == {"a": "2", "b": "3", "c": "5"}
    listed = []
    assert groups() == {"a": "2", "b": "3", "c": "5"}
    rows = Counter(row["word"] for row in written(tmp_path / "rows.csv"))
    assert rows == {"a": 2, "b": 3, "c": 5}


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


def test_the_number_of_threads_may_be_another_each_time(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for threads, count in ((1, 4), (3, 8), (2, 12), (1, 13)):
        monkeypatch.setenv("PATHWAY_THREADS", str(threads))
        go(tmp_path, lambda folder, count=count: counted(folder, Sends(count), resume="replay"))
    assert [int(row["number"]) for row in written(tmp_path / "rows.csv")] == list(range(13))
    assert remaining(tmp_path / "groups.csv") == [("a", "7", "42", "12"), ("b", "6", "36", "11")]


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


class Waits(pw.io.python.ConnectorSubject):
    """Commits once, and ends when that is on disk."""

    def __init__(self) -> None:
        super().__init__()
        self.durable = threading.Event()

    def seek(self, offset: int) -> None:
        raise AssertionError("nothing was kept")

    def on_durable(self, offset: int) -> None:
        self.durable.set()

    def run(self) -> None:
        self.next(word="a", number=1)
        self.commit(offset=1)
        assert self.durable.wait(30)


@pytest.mark.parametrize("attempt", range(10))
def test_a_source_may_wait_until_its_first_commit_is_on_disk(tmp_path: pathlib.Path, attempt: int) -> None:
    go(tmp_path, lambda folder: counted(folder, Waits()))
