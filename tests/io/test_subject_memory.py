"""What a run of a subject has needed is given back: subjects, their parts, their rows."""

from __future__ import annotations

import gc
import sys
import threading
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import pathway as pw
import pytest

Subject = pw.io.python.ConnectorSubject


class Texts(pw.Schema):
    n: int
    text: str


class Sends(Subject):
    def run(self) -> None:
        for n in range(50):
            self.next(n=n, text="x" * 1000)


class Yields(Subject):
    def run(self) -> Any:
        yield from ({"n": n, "text": "x" * 1000} for n in range(50))


class Returns(Subject):
    def run(self) -> Any:
        return [{"n": n, "text": "x" * 1000} for n in range(50)]


class Async(Subject):
    async def run(self) -> None:
        for n in range(50):
            self.next(n=n, text="x" * 1000)


class Parted(Subject):
    def partitions(self) -> list[str]:
        return ["1", "2"]

    def run(self, partition: str) -> None:
        for n in range(25):
            self.next(n=n, text="x" * 1000)


class Fails(Subject):
    def run(self) -> None:
        self.next(n=1, text="x")
        raise ValueError("broken")


class Early(Subject):
    def __init__(self) -> None:
        super().__init__()
        for n in range(50):
            self.next(n=n, text="x" * 1000)

    def run(self) -> None:
        self.next(n="bad", text="x")


KINDS: list[Callable[[], Any]] = [Sends, Yields, Returns, Async, Parted, Fails, Early]


def run(table: Any, kind: Callable[[], Any]) -> None:
    if kind is Fails:
        with pytest.raises(ValueError, match="broken"):
            pw.testing.capture(table)
    else:
        assert len(pw.testing.capture(table)) in (0, 50)


@pytest.mark.parametrize("kind", KINDS)
def test_a_subject_goes_with_its_graph(kind: Callable[[], Any]) -> None:
    subject = kind()
    gone = weakref.ref(subject)
    table = pw.io.python.read(subject, schema=Texts)
    for _ in range(3):
        run(table, kind)
    del subject, table
    pw.testing.reset()
    for _ in range(3):
        gc.collect()
    assert gone() is None


@pytest.mark.parametrize("kind", [Sends, Parted, Async])
def test_runs_leave_nothing_behind(kind: Callable[[], Any]) -> None:
    table = pw.io.python.read(kind(), schema=Texts)

    def objects() -> int:
        gc.collect()
        # Those that are made for a run.
        names = {"SubjectRun", "Parts", "SubjectStream", "Cancellable", kind.__name__, "Thread"}
        return sum(type(thing).__name__ in names for thing in gc.get_objects())

    run(table, kind)
    before = objects()
    for _ in range(10):
        run(table, kind)
    assert objects() <= before


@pytest.mark.one_process("the memory of one process is looked at")
def test_five_hundred_runs_take_no_more_memory_than_forty() -> None:
    """Rows of 25 MB pass in them, half of which are captured."""
    table = pw.io.python.read(Sends(), schema=Texts)
    pw.io.subscribe(table, lambda key, row, time, is_addition: None)

    def again() -> None:
        run(table, Sends)
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)

    for _ in range(20):
        again()
    tracemalloc.start()
    try:
        python_before, before = tracemalloc.get_traced_memory()[0], resident()
        threads = threading.active_count()
        for _ in range(250):
            again()
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - python_before < 1 << 20
    finally:
        tracemalloc.stop()
    assert resident() - before < 6 << 20
    assert threading.active_count() <= threads


def resident() -> int:
    """Bytes of memory that the process has."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096
    except OSError:
        pytest.skip("the system does not say")


def test_the_tuples_of_names_of_calls_with_a_dict_are_not_held() -> None:
    """A call `next(**row)` makes a tuple of the names; all these tuples refer to the same string."""
    # Not interned, and so counted in every version of Python.
    name = "".join(["n", ""]) + "umber"
    held: list[int] = []

    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            row = {name: 1}
            self.next(**row)
            before = sys.getrefcount(name)
            for _ in range(100):
                self.next(**row)
            held.append(sys.getrefcount(name) - before)

    pw.testing.capture(pw.io.python.read(Subject(), schema=pw.schema_from_types(number=int)))
    assert held == [0]
