"""Subjects that are read in partitions: at the same time, each with its own commits, whatever the number of workers."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from typing import Any

import pathway as pw
import pytest


class Reading(pw.Schema):
    lock: str
    number: int


class Locks(pw.io.python.ConnectorSubject):
    """Numbers of three partitions."""

    def partitions(self) -> list[str]:
        return ["Marple", "Bosley", "Foxton"]

    def run(self, partition: str) -> None:
        for number in range(4):
            self.next(lock=partition, number=number)


def captured(subject: pw.io.python.ConnectorSubject, **options: Any) -> Counter[tuple[str, int]]:
    table = pw.io.python.read(subject, schema=Reading, **options)
    return Counter((row["lock"], row["number"]) for row in pw.debug.table_to_pandas(table).to_dict("records"))


def expected(*partitions: str, numbers: int = 4) -> Counter[tuple[str, int]]:
    return Counter((lock, number) for lock in partitions for number in range(numbers))


@pytest.mark.parametrize("threads", ["1", "2", "5"])
def test_every_partition_is_read_once(threads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATHWAY_THREADS", threads)
    assert captured(Locks()) == expected("Marple", "Bosley", "Foxton")


def test_keys_do_not_depend_on_the_number_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pw.io.python.read(Locks(), schema=Reading)
    keys = []
    for threads in ("1", "3"):
        monkeypatch.setenv("PATHWAY_THREADS", threads)
        frame = pw.debug.table_to_pandas(table)
        keys.append({key: (lock, number) for key, lock, number in zip(frame.index, *frame.T.to_numpy(), strict=True)})
    assert keys[0] == keys[1]
    assert len(keys[0]) == 12


@pytest.mark.one_process("a barrier is for the threads of one process")
def test_all_are_read_at_the_same_time() -> None:
    """None of them can end before all have begun."""
    together = threading.Barrier(3)

    class Waiting(Locks):
        def run(self, partition: str) -> None:
            together.wait(30)
            super().run(partition)

    assert captured(Waiting()) == expected("Marple", "Bosley", "Foxton")


def test_a_partition_that_waits_holds_nobody_up() -> None:
    seen = threading.Event()

    class Uneven(Locks):
        def run(self, partition: str) -> None:
            if partition == "Marple":
                # Goes on only when rows of the others have come out at the other end.
                assert seen.wait(30)
            self.next(lock=partition, number=1)
            self.commit()

    table = pw.io.python.read(Uneven(), schema=Reading, autocommit_duration_ms=None)
    locks: set[str] = set()

    def saw(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        locks.add(row["lock"])
        if {"Bosley", "Foxton"} <= locks:
            seen.set()

    pw.io.subscribe(table, saw)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert locks == {"Marple", "Bosley", "Foxton"}


def test_a_commit_is_about_the_rows_of_one_partition() -> None:
    """Each moves an amount between two accounts: half of that is never seen."""

    class Transfers(pw.io.python.ConnectorSubject):
        def partitions(self) -> list[str]:
            return ["a", "b"]

        def run(self, partition: str) -> None:
            for number in range(1, 200):
                self.next(lock=partition, number=number)
                self.next(lock=partition, number=-number)
                self.commit()

    table = pw.io.python.read(Transfers(), schema=Reading, autocommit_duration_ms=None)
    total = table.reduce(sum=pw.reducers.sum(pw.this.number))
    sums: set[int] = set()
    pw.io.subscribe(total, lambda key, row, time, is_addition: sums.add(row["sum"]))
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert sums == {0}


@pytest.mark.one_process("every process has attributes of its own")
def test_attributes_are_shared_and_hooks_are_called_once() -> None:
    class Counting(Locks):
        def __init__(self) -> None:
            super().__init__()
            self.lock = threading.Lock()
            self.calls: list[str] = []

        def note(self, call: str) -> None:
            with self.lock:
                self.calls.append(call)

        def start(self) -> None:
            self.note("start")

        def run(self, partition: str) -> None:
            super().run(partition)
            self.note(partition)

        def on_stop(self) -> None:
            self.note("on_stop")

        def end(self) -> None:
            self.note("end")

    subject = Counting()
    captured(subject)
    assert subject.calls[0] == "start"
    assert sorted(subject.calls[1:4]) == ["Bosley", "Foxton", "Marple"]
    assert subject.calls[4:] == ["on_stop", "end"]


def test_a_constructor_of_ones_own() -> None:
    class Constructed(Locks):
        def __new__(cls, factor: int) -> Constructed:
            return super().__new__(cls)

        def __init__(self, factor: int) -> None:
            super().__init__()
            self.factor = factor

        def run(self, partition: str) -> None:
            self.next(lock=partition, number=self.factor)

    assert captured(Constructed(7)) == Counter({("Marple", 7): 1, ("Bosley", 7): 1, ("Foxton", 7): 1})


def test_generators_and_coroutines() -> None:
    class Yielding(Locks):
        def run(self, partition: str) -> Any:
            yield {"lock": partition, "number": 0}
            yield [{"lock": partition, "number": number} for number in (1, 2, 3)]

    class Awaiting(Locks):
        async def run(self, partition: str) -> None:
            for number in range(4):
                await asyncio.sleep(0)
                self.next(lock=partition, number=number)

    class Streaming(Locks):
        async def run(self, partition: str) -> Any:
            for number in range(4):
                yield {"lock": partition, "number": number}

    for subject in (Yielding(), Awaiting(), Streaming()):
        assert captured(subject) == expected("Marple", "Bosley", "Foxton")


def test_rows_in_any_way() -> None:
    class Ways(Locks):
        def run(self, partition: str) -> None:
            self.next_json(f'{{"lock": "{partition}", "number": 0}}')
            self.next_columns({"lock": [partition] * 2, "number": [1, 2]})
            self.next_batch([{"lock": partition, "number": 3}])
            self.close()
            self.next(lock=partition, number=4)

    assert captured(Ways()) == expected("Marple", "Bosley", "Foxton")


def test_upserts_with_the_keys_of_one_partition() -> None:
    class Latest(pw.Schema):
        lock: str = pw.column_definition(primary_key=True)
        number: int

    subject = Locks(session_type="upsert")
    table = pw.io.python.read(subject, schema=Latest)
    frame = pw.debug.table_to_pandas(table)
    assert sorted(zip(frame["lock"], frame["number"], strict=True)) == [("Bosley", 3), ("Foxton", 3), ("Marple", 3)]


def test_no_partitions_are_no_rows() -> None:
    class Empty(Locks):
        def partitions(self) -> list[str]:
            return []

    assert captured(Empty()) == Counter()


def test_a_failure_names_the_partition(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Locks):
        def run(self, partition: str) -> None:
            if partition == "Bosley":
                raise RuntimeError("the lock is closed")
            super().run(partition)

    table = pw.io.python.read(Failing("locks"), schema=Reading)
    pw.io.null.write(table)
    with pytest.raises(RuntimeError, match="the lock is closed") as raised, caplog.at_level(logging.ERROR, "pathway"):
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert "in partition 'Bosley' of locks" in raised.value.__notes__


@pytest.mark.one_process("an event is for the threads of one process")
@pytest.mark.parametrize("milliseconds", [None, 3_600_000])
@pytest.mark.parametrize("threads", ["1", "2", "4"])
def test_what_a_partition_has_committed_before_another_fails_is_seen(
    threads: str, milliseconds: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the rows of a third, sent before, wait for its timer."""
    monkeypatch.setenv("PATHWAY_THREADS", threads)
    committed, sent = threading.Event(), threading.Event()

    class Failing(Locks):
        def run(self, partition: str) -> None:
            if partition == "Foxton":
                self.next_columns({"lock": [partition] * 3, "number": [1, 2, 3]})
                sent.set()
                assert over.wait(30)
            elif partition == "Marple":
                assert sent.wait(30)
                for number in range(5):
                    self.next(lock=partition, number=number)
                    self.commit()
                committed.set()
            elif partition == "Bosley":
                assert committed.wait(30)
                raise RuntimeError("the lock is closed")

        def on_stop(self) -> None:
            over.set()

    # Whether the failure or the commit is read first is a matter of chance.
    for _ in range(20):
        over = threading.Event()
        committed.clear()
        sent.clear()
        table = pw.io.python.read(Failing(), schema=Reading, autocommit_duration_ms=milliseconds)
        seen: list[tuple[str, int]] = []
        pw.io.subscribe(table, lambda key, row, time, is_addition, seen=seen: seen.append((row["lock"], row["number"])))
        with pytest.raises(RuntimeError, match="the lock is closed"):
            pw.run(monitoring_level=pw.MonitoringLevel.NONE)
        # With a timer the engine may commit at any time.
        waiting = [] if milliseconds is None else [("Foxton", number) for number in (1, 2, 3)]
        assert sorted(seen) == waiting + [("Marple", number) for number in range(5)]
        pw.testing.reset()


def test_a_rejected_row_names_the_partition(caplog: pytest.LogCaptureFixture) -> None:
    class Wrong(Locks):
        def run(self, partition: str) -> None:
            if partition == "Foxton":
                self.next(lock=partition, number="many")
            super().run(partition)

    with caplog.at_level(logging.ERROR, "pathway"):
        assert captured(Wrong("locks")) == expected("Marple", "Bosley", "Foxton")
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 1
    assert messages[0].startswith('connector "locks", partition "Foxton" did not accept row 1, field "number"')
    assert "test_partitions.py" in messages[0]


def test_a_stop_ends_every_partition() -> None:
    """`on_stop` is called once, and every `next` afterwards unwinds its `run`."""
    calls = []

    class Endless(Locks):
        def run(self, partition: str) -> None:
            while True:
                self.next(lock=partition, number=1)

        def on_stop(self) -> None:
            calls.append("on_stop")

    class Failing(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            raise RuntimeError("enough")

    endless = pw.io.python.read(Endless(), schema=Reading)
    failing = pw.io.python.read(Failing(), schema=Reading)
    pw.io.null.write(endless)
    pw.io.null.write(failing)
    with pytest.raises(RuntimeError, match="enough"):
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert calls == ["on_stop"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("pathway:python:")]


def test_the_backlog_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATHWAY_THREADS", "2")

    class Many(Locks):
        def run(self, partition: str) -> None:
            for number in range(2000):
                self.next(lock=partition, number=number)

    assert captured(Many(), max_backlog_size=7) == expected("Marple", "Bosley", "Foxton", numbers=2000)


def test_a_partition_without_space_has_the_others_commit() -> None:
    """Foxton waits for space; what Marple has sent would be committed in an hour, and Foxton's rows with it."""
    done = threading.Event()

    class Crowded(Locks):
        def run(self, partition: str) -> None:
            if partition == "Marple":
                self.next(lock=partition, number=0)
                assert done.wait(60)
            elif partition == "Foxton":
                for number in range(5000):
                    self.next(lock=partition, number=number)
                done.set()

    counts = captured(Crowded(), max_backlog_size=90, autocommit_duration_ms=3_600_000)
    assert counts == expected("Foxton", numbers=5000) + Counter({("Marple", 0): 1})


def test_an_attribute_called_partitions_means_nothing() -> None:
    class Plain(pw.io.python.ConnectorSubject):
        partitions = 3

        def run(self) -> None:
            self.next(lock="Marple", number=self.partitions)

    class Method(pw.io.python.ConnectorSubject):
        def partitions(self) -> list[str]:
            raise AssertionError("nobody calls this")

        def run(self) -> None:
            self.next(lock="Marple", number=3)

    assert captured(Plain()) == Counter({("Marple", 3): 1})
    with pytest.warns(
        UserWarning, match=r"Method.partitions\(\) is not used, because Method.run\(\) takes no partition"
    ):
        assert captured(Method()) == Counter({("Marple", 3): 1})


def test_no_partitions_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    class Empty(Locks):
        def partitions(self) -> list[str]:
            return []

    with caplog.at_level(logging.WARNING, "pathway"):
        assert captured(Empty("locks")) == Counter()
    assert caplog.messages == ["locks: Empty.partitions() returned none, so there is nothing to read"]


def test_a_run_that_wants_a_partition_needs_partitions() -> None:
    class Missing(pw.io.python.ConnectorSubject):
        def run(self, partition: str) -> None:
            pass

    class Attribute(Missing):
        partitions = ("Marple",)

    what = r"run\(\) takes a partition, but the class does not define a method partitions"
    with pytest.raises(TypeError, match=f"Missing.{what}"):
        pw.io.python.read(Missing(), schema=Reading)
    with pytest.raises(TypeError, match=rf"Attribute.{what}.*, found \('Marple',\)"):
        pw.io.python.read(Attribute(), schema=Reading)


class Two(pw.io.python.ConnectorSubject):
    def partitions(self) -> list[str]:
        return ["Marple", "Bosley"]


class WithDefault(Two):
    def run(self, partition: str = "all") -> None:
        self.next(lock=partition, number=0)


class WithRest(Two):
    def run(self, *partition: str) -> None:
        self.next(lock=partition[0], number=0)


class OfTheClass(Two):
    @classmethod
    def partitions(cls) -> list[str]:
        return ["Marple", "Bosley"]

    def run(self, partition: str) -> None:
        self.next(lock=partition, number=0)


@pytest.mark.parametrize("subject", [WithDefault, WithRest, OfTheClass])
def test_a_run_that_can_take_a_partition_gets_one(subject: type[Two]) -> None:
    assert captured(subject()) == Counter({("Marple", 0): 1, ("Bosley", 0): 1})


def test_arguments_that_nobody_gives_are_refused() -> None:
    class Keyword(Two):
        def run(self, *, partition: str) -> None:
            pass

    class More(Two):
        def run(self, partition: str, offset: int) -> None:
            pass

    class Alone(pw.io.python.ConnectorSubject):
        def run(self, *, offset: int) -> None:
            pass

    only = r"is called with nothing but the partition, run\(self, partition\), and needs"
    with pytest.raises(TypeError, match=rf"Keyword.run\(\) {only} 'partition'"):
        pw.io.python.read(Keyword(), schema=Reading)
    with pytest.raises(TypeError, match=rf"More.run\(\) {only} 'offset'"):
        pw.io.python.read(More(), schema=Reading)
    with pytest.raises(TypeError, match=r"Alone.run\(\) is called with no arguments and needs 'offset'"):
        pw.io.python.read(Alone(), schema=Reading)


def test_slots_cannot_be_shared() -> None:
    class Slotted(Two):
        __slots__ = ("__hidden", "seen")

        def run(self, partition: str) -> None:
            pass

    with pytest.raises(TypeError, match=r"Slotted has attributes in __slots__, .* cannot share: __hidden, seen; leave"):
        pw.io.python.read(Slotted(), schema=Reading)


def test_messages_use_the_name_that_read_was_given(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Two):
        def run(self, partition: str) -> None:
            if partition == "Marple":
                raise RuntimeError("the lock is closed")

    pw.io.null.write(pw.io.python.read(Failing(), schema=Reading, name="locks"))
    with pytest.raises(RuntimeError, match="the lock is closed") as raised, caplog.at_level(logging.ERROR, "pathway"):
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert "in partition 'Marple' of locks" in raised.value.__notes__
    assert [record.getMessage() for record in caplog.records] == [
        'locks, partition "Marple": the connector failed: RuntimeError: the lock is closed'
    ]


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        ("abc", TypeError, r"Bad.partitions\(\) returns a list of str, found 'abc'"),
        (None, TypeError, "returns a list of str, found None"),
        ([1], TypeError, "returns a list of str, found 1 in it"),
        (["a", "b", "a"], ValueError, "returns each partition once, found 'a' more than once"),
    ],
)
def test_bad_answers_are_refused(answer: Any, kind: type[Exception], message: str) -> None:
    class Bad(Locks):
        def partitions(self) -> Any:
            return answer

    table = pw.io.python.read(Bad(), schema=Reading)
    pw.io.null.write(table)
    with pytest.raises(kind, match=message):
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)


def test_an_exception_of_partitions_is_raised_as_it_is() -> None:
    class Unreachable(Locks):
        def partitions(self) -> list[str]:
            raise ConnectionError("the broker does not answer")

    table = pw.io.python.read(Unreachable(), schema=Reading)
    pw.io.null.write(table)
    with pytest.raises(ConnectionError, match="the broker does not answer"):
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
