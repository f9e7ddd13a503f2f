"""Rows that are sent before a run, at its very beginning, and when the source has ended."""

from __future__ import annotations

import asyncio
import inspect
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pathway as pw
import pyarrow as pa
import pytest
from pathway import _native

Subject = pw.io.python.ConnectorSubject
SILENT = pw.MonitoringLevel.NONE


class Numbers(pw.Schema):
    n: int


class Named(pw.Schema):
    key: int = pw.column_definition(primary_key=True)
    name: str
    length: float = pw.column_definition(default_value=1.5)


class Waits(Subject):
    """Its rows come from elsewhere; `run` waits for the last."""

    def __init__(self) -> None:
        super().__init__()
        self.finished = threading.Event()

    def run(self) -> None:
        assert self.finished.wait(30)


class Ends(Subject):
    def run(self) -> None:
        pass


def read(subject: Any, **keywords: Any) -> Any:
    return pw.io.python.read(subject, schema=Numbers, **keywords)


def numbers(updates: list[Any]) -> list[int]:
    return [update.row["n"] for update in updates]


def rows(updates: list[Any]) -> list[tuple[int, str, float, int]]:
    return [(*(update.row[name] for name in ("key", "name", "length")), update.diff) for update in updates]


# Every way to send rows, each the same rows.
WAYS: dict[str, Callable[[Any], None]] = {
    "next": lambda subject: [subject.next(key=1, name="Elbe"), subject.next(name="Oder", key=2, length=2.5)],
    "next_json": lambda subject: [
        subject.next_json({"key": 1, "name": "Elbe"}),
        subject.next_json('{"key": 2, "name": "Oder", "length": 2.5}'),
    ],
    "next_str": lambda subject: [
        subject.next_str('{"key": 1, "name": "Elbe"}'),
        subject.next_str('{"key": 2, "name": "Oder", "length": 2.5}'),
    ],
    "next_bytes": lambda subject: [
        subject.next_bytes(b'{"key": 1, "name": "Elbe"}'),
        subject.next_bytes(b'{"key": 2, "name": "Oder", "length": 2.5}'),
    ],
    "next_batch": lambda subject: subject.next_batch(
        [{"key": 1, "name": "Elbe"}, {"key": 2, "name": "Oder", "length": 2.5}]
    ),
    "next_columns": lambda subject: subject.next_columns(
        {"key": np.array([1, 2]), "name": ["Elbe", "Oder"], "length": [1.5, 2.5]}
    ),
    "_add": lambda subject: [
        subject._add(None, b'{"key": 1, "name": "Elbe"}'),
        subject._add(None, b'{"key": 2, "name": "Oder", "length": 2.5}'),
    ],
    "_add_inner": lambda subject: [
        subject._add_inner(None, {"key": 1, "name": "Elbe"}),
        subject._add_inner(None, {"key": 2, "name": "Oder", "length": 2.5}),
    ],
}
WAYS["next_arrow"] = lambda subject: subject.next_arrow(
    pytest.importorskip("pyarrow").table({"key": [1, 2], "name": ["Elbe", "Oder"], "length": [1.5, 2.5]})
)


@pytest.mark.parametrize("when", ["before read", "after read"])
@pytest.mark.parametrize("way", WAYS)
def test_rows_before_the_run_arrive_however_they_are_sent(way: str, when: str) -> None:
    subject = Ends()
    if when == "before read":
        WAYS[way](subject)
    table = pw.io.python.read(subject, schema=Named)
    if when == "after read":
        WAYS[way](subject)
    assert rows(pw.testing.capture(table)) == [(1, "Elbe", 1.5, 1), (2, "Oder", 2.5, 1)]


def test_rows_that_the_constructor_sends() -> None:
    class Constructed(Subject):
        def __init__(self) -> None:
            super().__init__()
            self.next(n=1)
            self.next(n=2)

        def run(self) -> None:
            self.next(n=4)

    subject = Constructed()
    table = read(subject)
    subject.next(n=3)
    assert numbers(pw.testing.capture(table)) == [1, 2, 3, 4]


def test_commits_before_the_run_are_kept_as_well() -> None:
    subject = Ends()
    subject.next(n=1)
    subject.commit()
    subject.next(n=2)
    table = read(subject)
    subject.commit()
    for _ in range(1000):
        subject.commit()
    subject.next(n=3)
    updates = pw.testing.capture(table)
    assert numbers(updates) == [1, 2, 3]
    assert len({update.time for update in updates}) == 3


@pytest.mark.parametrize("when", ["before read", "after read"])
def test_whoever_commits_alone_may_say_so_before(when: str) -> None:
    subject = Ends()
    table = read(subject) if when == "after read" else None
    subject._disable_commits()
    subject.next(n=1)
    subject.commit()
    subject.next(n=2)
    subject._enable_commits()
    subject.next(n=3)
    updates = pw.testing.capture(read(subject) if table is None else table)
    assert numbers(updates) == [1, 2, 3]
    assert len({update.time for update in updates}) == 3


@pytest.mark.parametrize("when", ["before read", "after read"])
def test_what_is_closed_before_the_run_has_ended(when: str, caplog: pytest.LogCaptureFixture) -> None:
    class Sends(Subject):
        def run(self) -> None:
            self.next(n=2)

    subject = Sends()
    table = read(subject) if when == "after read" else None
    subject.next(n=1)
    subject.close()
    subject.next(n=3)
    assert numbers(pw.testing.capture(read(subject) if table is None else table)) == [1]
    assert [record.getMessage() for record in caplog.records if "has ended" in record.getMessage()]


def deleted() -> Any:
    class Deletes(Ends):
        deletions_enabled = True

    return Deletes()


def test_deletions_before_the_run() -> None:
    subject = deleted()
    subject.next(key=1, name="Elbe")
    table = pw.io.python.read(subject, schema=Named)
    subject.next(key=2, name="Oder")
    subject.commit()
    subject.delete(key=1, name="Elbe")
    assert rows(pw.testing.capture(table)) == [
        (1, "Elbe", 1.5, 1),
        (2, "Oder", 1.5, 1),
        (1, "Elbe", 1.5, -1),
    ]


def test_keys_are_those_that_rows_of_a_run_have() -> None:
    class Sends(Subject):
        def __init__(self, early: int) -> None:
            super().__init__()
            self.early = early
            for n in range(early):
                self.next(n=n)

        def run(self) -> None:
            for n in range(self.early, 5):
                self.next(n=n)

    keys = []
    for early in (0, 3, 5):
        pw.testing.reset()
        keys.append([update.key for update in pw.testing.capture(read(Sends(early)))])
    assert keys[0] == keys[1] == keys[2]


class Spoiled(pw.Schema):
    key: int = pw.column_definition(primary_key=True)
    a: int
    b: float


def spoil(subject: Any) -> None:
    subject.next(key=1, a=1, b=1.0)
    subject.next(key=2, a="two", b="two")
    subject.next(key="three", a=3, b=3.0)
    subject.next(key=4, b=4.0)
    subject.next_json('{"key": 5, "a": "five", "b": 5.0}')
    subject.next_json("no object")
    subject.next_batch([{"key": 6, "a": 6, "b": 6.0}, 7, {"key": 8, "a": None, "b": 8.0}])
    subject.next_columns({"key": [9, 10], "a": [9, "ten"], "b": [9.0, 10.0]})
    subject.next(key=11, a=11, b=11.0)


@pytest.mark.parametrize("terminate_on_error", [True, False])
@pytest.mark.parametrize("when", ["before read", "after read"])
def test_verdicts_on_rows_before_the_run_are_those_of_rows_within(
    terminate_on_error: bool, when: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Spoils(Subject):
        def __init__(self, when: str) -> None:
            super().__init__()
            self.when = when
            if when == "before read":
                spoil(self)

        def run(self) -> None:
            if self.when == "within":
                spoil(self)

    found = []
    for place in (when, "within"):
        caplog.clear()
        pw.testing.reset()
        subject = Spoils(place)
        table = pw.io.python.read(subject, schema=Spoiled)
        if place == "after read":
            spoil(subject)
        errors = pw.global_error_log().select(pw.this.message)
        captured, logged = pw.testing.capture(table, errors, terminate_on_error=terminate_on_error)
        values = [(update.key, repr(update.row)) for update in captured]
        messages = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
        found.append((values, messages, [update.row["message"] for update in logged]))
    assert found[0] == found[1]
    lines = inspect.getsourcelines(spoil)[1]
    assert f"test_rows_before_and_after.py:{lines + 2}" in "".join(found[0][1])
    assert len(found[0][1]) == (8 if terminate_on_error else 9)


@pytest.mark.one_process("the rows of the test come in process 0")
def test_a_handler_may_be_early() -> None:
    subject = Waits()
    seen: list[int] = []
    table = read(subject, autocommit_duration_ms=10)
    pw.io.subscribe(table, on_change=lambda key, row, time, is_addition: seen.append(row["n"]))
    thread = threading.Thread(target=pw.run, kwargs={"monitoring_level": SILENT})
    sent = 0
    while sent < 3 or not seen:
        if sent == 1:
            thread.start()
        subject.next(n=sent)
        sent += 1
        time.sleep(0.0001)
    subject.finished.set()
    thread.join(30)
    assert sorted(seen) == list(range(sent))


@pytest.mark.one_process("the rows of the test come in process 0")
def test_many_threads_lose_nothing_while_a_run_begins_and_ends() -> None:
    """Rows of a thread keep their order, in and between runs."""
    subject = Waits()
    subject.finished.set()
    table = read(subject, autocommit_duration_ms=5)
    over = threading.Event()
    sent = [0, 0, 0, 0]

    def send(thread: int) -> None:
        while not over.is_set():
            subject.next(n=sent[thread] * 4 + thread)
            sent[thread] += 1
            if sent[thread] % 50 == 0:
                time.sleep(0.0005)

    threads = [threading.Thread(target=send, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    taken: list[int] = []
    for _ in range(8):
        taken += numbers(pw.testing.capture(table))
    over.set()
    for thread in threads:
        thread.join()
    taken += numbers(pw.testing.capture(table))
    for thread in range(4):
        own = [n // 4 for n in taken if n % 4 == thread]
        # Between the end of the source and that of the run, rows are let go.
        assert own == sorted(set(own))
        assert set(own) <= set(range(sent[thread]))
        assert 0 in own


@pytest.mark.one_process("the rows of the test come in process 0")
def test_nobody_waits_for_a_run_that_does_not_come() -> None:
    subject = Ends()
    table = read(subject, max_backlog_size=3)
    for n in range(3):
        subject.next(n=n)
    with pytest.raises(RuntimeError, match=r'connector "python": 3 rows are kept .*pw.run\(\)'):
        subject.next(n=3)
    with pytest.raises(RuntimeError, match=r"3 rows are kept"):
        subject.next_batch([{"n": 3}])
    assert numbers(pw.testing.capture(table)) == [0, 1, 2]


@pytest.mark.one_process("the rows of the test come in process 0")
def test_rows_that_are_not_accepted_are_bounded_too() -> None:
    subject = Ends()
    table = read(subject, max_backlog_size=3)
    for _ in range(3):
        subject.next(n="x")
    with pytest.raises(RuntimeError, match=r"pw.run\(\)"):
        subject.next(n="x")
    assert numbers(pw.testing.capture(table)) == []


@pytest.mark.one_process("the rows of the test come in process 0")
def test_whoever_finds_no_space_waits_for_a_run_on_its_way() -> None:
    subject = Waits()
    table = read(subject, max_backlog_size=3, autocommit_duration_ms=5)
    seen: list[int] = []
    pw.io.subscribe(table, on_change=lambda key, row, time, is_addition: seen.append(row["n"]))
    for n in range(3):
        subject.next(n=n)
    waiting = threading.Event()

    def send() -> None:
        waiting.set()
        for n in range(3, 20):
            subject.next(n=n)
        subject.finished.set()

    thread = threading.Thread(target=send)
    thread.start()
    assert waiting.wait(10)
    pw.run(monitoring_level=SILENT)
    thread.join(10)
    assert seen == list(range(20))


def test_calls_before_read_are_bounded() -> None:
    subject = Ends()
    for n in range(1 << 16):
        subject.next(n=n)
    with pytest.raises(RuntimeError, match=r"65536 calls are kept until pw.io.python.read\(\)"):
        subject.next(n=0)


def test_what_is_wrong_with_a_call_before_read_is_said_then() -> None:
    subject = Ends()
    subject.next_columns({"n": [1, 2], "m": [1]})
    with pytest.raises(ValueError, match="columns have one length") as raised:
        read(subject)
    assert "test_rows_before_and_after.py" in "".join(raised.value.__notes__)


def test_a_subject_in_partitions_takes_rows_only_within() -> None:
    class Parted(Subject):
        def partitions(self) -> list[str]:
            return ["1", "2"]

        def run(self, partition: str) -> None:
            self.next(n=int(partition))

    subject = Parted()
    table = read(subject)
    with pytest.raises(RuntimeError, match=r"partitions.*self that run\(\) gets"):
        subject.next(n=3)
    assert sorted(numbers(pw.testing.capture(table))) == [1, 2]
    early = Parted()
    early.next(n=3)
    with pytest.raises(RuntimeError, match=r"partitions.*self that run\(\) gets"):
        read(early)


def said(caplog: pytest.LogCaptureFixture, text: str) -> list[str]:
    return [record.getMessage() for record in caplog.records if text in record.getMessage()]


def test_rows_after_close_are_let_go_and_that_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    class Closes(Subject):
        def run(self) -> None:
            self.next(n=1)
            self.close()
            for n in range(2, 100):
                self.next(n=n)
            self.next_columns({"n": [100, 101]})
            self.next_json({"n": 102})

    table = read(Closes(), name="gauges")
    for _ in range(2):
        caplog.clear()
        assert numbers(pw.testing.capture(table)) == [1]
        [message] = said(caplog, "comes too late")
        assert 'connector "gauges" has ended' in message
        assert "test_rows_before_and_after.py:" in message


@pytest.mark.one_process("the rows of the test come in process 0")
def test_rows_after_the_end_of_run_are_let_go_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """As in a program whose `run` does not wait for the handlers that send the rows."""
    other, early = Waits(), Ends()
    late = threading.Event()

    def send() -> None:
        # The source has ended when its last row is out.
        while not late.wait(0.001):
            early.next(n=2)
            if said(caplog, "comes too late"):
                late.set()
        other.finished.set()

    threading.Thread(target=send).start()
    pw.testing.capture(read(early, name="early"), read(other))
    assert late.is_set()
    [message] = said(caplog, "comes too late")
    assert 'connector "early" has ended' in message


@pytest.mark.one_process("the rows of the test come in process 0")
def test_rows_between_two_runs_belong_to_the_next(caplog: pytest.LogCaptureFixture) -> None:
    subject = Ends()
    table = read(subject, name="gauges")
    subject.next(n=1)
    assert numbers(pw.testing.capture(table)) == [1]
    assert not said(caplog, "gauges")
    subject.next(n=2)
    subject.next(n=3)
    [message] = said(caplog, "gauges")
    assert "its run is over" in message
    assert "kept for the next run" in message
    assert "test_rows_before_and_after.py:" in message
    assert numbers(pw.testing.capture(table)) == [2, 3]
    assert numbers(pw.testing.capture(table)) == []


@pytest.mark.one_process("the rows of the test come in process 0")
def test_a_run_that_was_stopped_takes_no_more_rows() -> None:
    class Fails(Subject):
        def run(self) -> None:
            raise ValueError("broken")

    subject = Waits()
    table = read(subject)
    failing = read(Fails())
    ended: list[BaseException] = []

    def send() -> None:
        try:
            while True:
                subject.next(n=1)
        except BaseException as error:
            ended.append(error)
            subject.finished.set()

    thread = threading.Thread(target=send)
    thread.start()
    with pytest.raises(ValueError, match="broken"):
        pw.testing.capture(table, failing)
    thread.join(10)
    # A thread ends quietly, the program itself does not end.
    assert isinstance(ended[0], SystemExit)
    with pytest.raises(RuntimeError, match="its run is over"):
        subject.next(n=2)
    assert 2 not in numbers(pw.testing.capture(table))


@pytest.mark.one_process("one run within another")
def test_one_run_reads_a_subject_at_a_time() -> None:
    subject = Waits()
    table = read(subject, name="gauges", autocommit_duration_ms=5)
    begun = threading.Event()
    pw.io.subscribe(table, on_change=lambda key, row, time, is_addition: begun.set())
    subject.next(n=1)
    thread = threading.Thread(target=pw.run, kwargs={"monitoring_level": SILENT})
    thread.start()
    assert begun.wait(10)
    with pytest.raises(RuntimeError, match="a run that is going on reads the connector"):
        pw.testing.capture(table)
    subject.finished.set()
    thread.join(10)
    assert not thread.is_alive()


def test_a_subject_that_was_stopped_runs_again() -> None:
    class Sends(Subject):
        def run(self) -> None:
            self.next(n=1)
            self.commit()
            self.close()
            # Until the run is over and unwinds it.
            while True:
                self.commit()
                time.sleep(0.001)

    table = read(Sends())
    for _ in range(3):
        assert numbers(pw.testing.capture(table)) == [1]


def test_an_upsert_without_deletions_fails_at_the_first_row() -> None:
    class Keyed(pw.Schema):
        key: int = pw.column_definition(primary_key=True)
        n: int

    class Upserts(Subject):
        _deletions_enabled = False

        def __init__(self, rows: int) -> None:
            super().__init__(session_type="upsert")
            self.rows = rows

        def run(self) -> None:
            for n in range(self.rows):
                self.next(key=1, n=n)

    assert pw.testing.capture(pw.io.python.read(Upserts(0), schema=Keyed)) == []
    with pytest.raises(ValueError, match="deletions_enabled is False"):
        pw.testing.capture(pw.io.python.read(Upserts(1), schema=Keyed))


def test_an_asynchronous_run_takes_early_rows_too() -> None:
    class Async(Subject):
        async def run(self) -> None:
            await asyncio.sleep(0)
            self.next(n=2)

    subject = Async()
    table = read(subject)
    subject.next(n=1)
    assert numbers(pw.testing.capture(table)) == [1, 2]


SPAWNED = """
import os, sys, pathway as pw

class Ends(pw.io.python.ConnectorSubject):
    def run(self):
        pass

subject = Ends()
table = pw.io.python.read(subject, schema=pw.schema_from_types(n=int), name="gauges")
subject.next(n=int(os.environ["PATHWAY_PROCESS_ID"]))
pw.io.subscribe(table, on_change=lambda key, row, time, is_addition: print("row", row["n"], flush=True))
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
try:
    subject.next(n=7)
except RuntimeError as error:
    print(error, flush=True)
"""


def test_process_0_reads_the_subject(tmp_path: Any) -> None:
    program = tmp_path / "program.py"
    program.write_text(SPAWNED)
    command = [sys.executable, "-m", "pathway.cli", "spawn", "--processes", "2", sys.executable, str(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert [line.strip()[-5:] for line in done.stdout.splitlines() if "row " in line] == ["row 0"]
    assert "process 0 reads it, this is process 1" in done.stdout
    assert "rows sent in process 1 before the run are left out, 1 in all" in done.stderr


def test_the_native_half_is_told_once() -> None:
    subject = Ends()
    read(subject)
    assert not _native.is_early(subject)
    assert logging.getLogger("pathway")


def test_rows_before_read_are_kept_as_they_were_when_they_were_sent() -> None:
    class Early(Subject):
        def __init__(self) -> None:
            super().__init__()
            value: dict[str, Any] = {"x": [1]}
            row = {"value": value}
            array = np.array([1.0])
            self.next(value=value)
            self.next_json(row)
            self.next_batch([row])
            self.next_columns({"value": array})
            self.next_batch({"value": number} for number in (7, 8))
            value["x"].append(2)
            row.clear()
            array[0] = 2.0

        def run(self) -> None:
            pass

    table = pw.io.python.read(Early(), schema=pw.schema_from_types(value=Any))
    found = [update.row["value"] for update in pw.testing.capture(table)]
    once = pw.Json({"x": [1]})
    assert found == [once, once, once, 1.0, 7, 8]


@pytest.mark.parametrize("message", [[{"n": 1, "m": 2}], ({"n": 1},), {("n", 1)}, iter([("n", 1)])])
def test_a_list_is_no_message(message: Any, caplog: pytest.LogCaptureFixture) -> None:
    class Sends(Subject):
        def run(self) -> None:
            self.next_json(message)

    assert pw.testing.capture(read(Sends())) == []
    assert "a message is a JSON object, as str, bytes or dict, not " in caplog.text
    assert "for many rows write next_batch(rows)" in caplog.text


def test_a_table_is_no_batch_of_rows() -> None:
    class Sends(Subject):
        def run(self) -> None:
            with pytest.raises(TypeError, match=r"for pyarrow.lib.Table write next_arrow\(table\)"):
                self.next_batch(pa.table({"n": [1]}))
            with pytest.raises(TypeError, match="takes an iterable of rows, not NoneType"):
                self.next_batch(None)  # type: ignore[arg-type]

    assert pw.testing.capture(read(Sends())) == []


@pytest.mark.parametrize("send", ["next_bytes", "next_json"])
def test_bytes_that_are_no_text_are_a_bad_row(send: str, caplog: pytest.LogCaptureFixture) -> None:
    class Sends(Subject):
        def run(self) -> None:
            getattr(self, send)(b'{"n": "\xff"}')
            getattr(self, send)(b'{"n": 2}')

    assert numbers(pw.testing.capture(read(Sends()))) == [2]
    assert "did not accept row 1: the JSON is no valid UTF-8" in caplog.text


@pytest.mark.parametrize("send", ["next", "next_columns", "next_arrow"])
def test_nothing_is_null_in_a_column_of_json(send: str) -> None:
    class Sends(Subject):
        def run(self) -> None:
            match send:
                case "next":
                    self.next(value=None)
                case "next_columns":
                    self.next_columns({"value": [None]})
                case _:
                    self.next_arrow(pa.table({"value": pa.nulls(1)}))

    table = pw.io.python.read(Sends(), schema=pw.schema_from_types(value=pw.Json))
    assert [update.row["value"] for update in pw.testing.capture(table)] == [pw.Json.NULL]
