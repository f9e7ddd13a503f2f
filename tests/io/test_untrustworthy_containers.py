"""Containers that lie about themselves or change while they are read: an error that says so, or a bad row."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pathway as pw
import pytest

from tests.io.arriving import arrived


def test_columns_whose_length_lies() -> None:
    class Lying(list[Any]):
        def __init__(self, values: list[Any], length: int) -> None:
            super().__init__(values)
            self.length = length

        def __len__(self) -> int:
            return self.length

    class Sequence:
        def __init__(self, values: list[Any], length: int) -> None:
            self.values, self.length = values, length

        def __len__(self) -> int:
            return self.length

        def __iter__(self) -> Iterator[Any]:
            return iter(self.values)

    def push(subject: Any) -> None:
        for kind in (Lying, Sequence):
            for length in (0, 1, 3, 2**62):
                with pytest.raises(ValueError, match='column "a" says that it has'):
                    subject.next_columns({"a": kind([1, 2], length)})
            with pytest.raises(ValueError, match='column "b" says that it has 2'):
                subject.next_columns({"a": [1, 2], "b": kind(["x"], 2)})
            with pytest.raises(ValueError, match="one length"):
                subject.next_columns({"a": [1, 2], "b": kind(["x", "y"], 3)})
            with pytest.raises(ValueError, match="none of the columns"):
                subject.next_columns({"other": kind([1], 2**62)})
        subject.next_columns({"a": Sequence([5, 6], 2)})

    assert arrived(push) == [(5, "-"), (6, "-")]


def test_columns_that_change_while_they_are_read() -> None:
    values: list[Any] = []

    class Growing:
        def __index__(self) -> int:
            values.append(self)
            return 1

    class Shrinking:
        def __index__(self) -> int:
            values.clear()
            return 1

    class Other:
        def __index__(self) -> int:
            columns["b"] = ["x"]
            columns["c"] = []
            return 7

    columns: dict[str, Any] = {"a": [Other(), 2]}

    def push(subject: Any) -> None:
        for kind in (Growing, Shrinking):
            values[:] = [kind(), kind(), kind()]
            with pytest.raises(ValueError, match='column "a" says that it has 3 values'):
                subject.next_columns({"a": values})
        subject.next_columns(columns)

    assert arrived(push) == [(7, "-"), (2, "-")]


@pytest.mark.parametrize("column", ["ab", b"ab", bytearray(b"ab"), {"x": 1, "y": 2}, {1, 2}, frozenset({1, 2})])
def test_what_is_no_column(column: Any) -> None:
    def push(subject: Any) -> None:
        with pytest.raises(TypeError, match='column "a" is a'):
            subject.next_columns({"a": column})

    assert arrived(push) == []


def test_rows_that_change_while_they_are_read(caplog: pytest.LogCaptureFixture) -> None:
    rows: list[dict[str, Any]] = []

    class Clearing:
        def __index__(self) -> int:
            rows.clear()
            row.clear()
            return 1

    row: dict[str, Any] = {"a": Clearing(), "b": "x", "c": 2}

    @dataclasses.dataclass
    class Record:
        a: int
        b: str

        @property
        def c(self) -> int:
            raise ValueError("not this one")

    class Raising(Record):
        @property
        def a(self) -> int:  # type: ignore[override]
            rows.clear()
            raise ValueError("no such reading")

        @a.setter
        def a(self, value: int) -> None:
            pass

    def push(subject: Any) -> None:
        rows[:] = [row, {"a": 2}, {"a": 3}]
        subject.next_batch(rows)
        rows[:] = [Raising(1, "x"), Record(2, "y")]  # type: ignore[list-item]
        subject.next_batch(rows)
        subject.next_batch([Record(5, "z"), Raising(1, "x"), Record(6, "z")])

    assert arrived(push) == [(1, "x"), (5, "z"), (6, "z")]
    assert caplog.text.count("no such reading") == 2


def test_an_iterable_that_fails_has_sent_the_rows_before() -> None:
    def rows() -> Iterator[dict[str, Any]]:
        yield {"a": 1}
        yield {"a": 2}
        raise LookupError("the line is dead")

    def push(subject: Any) -> None:
        with pytest.raises(LookupError, match="dead"):
            subject.next_batch(rows())
        subject.next(a=3)

    assert [row[0] for row in arrived(push)] == [1, 2, 3]


def test_arrays_that_lie() -> None:
    class Array:
        dtype = np.dtype("i8")

        def __init__(self, result: Any) -> None:
            self.result = result

        def __len__(self) -> int:
            return 2

        def __array__(self, *_: Any, **__: Any) -> Any:
            return self.result

        def __iter__(self) -> Any:
            return iter([8, 9])

    def push(subject: Any) -> None:
        for result in (np.array([1, 2, 3]), np.array([1]), np.array([[1], [2], [3]])):
            with pytest.raises(ValueError, match='column "a" says that it has 2 values'):
                subject.next_columns({"a": Array(result)})
        for result in (np.array(5), "x", None):
            with pytest.raises((TypeError, ValueError)):
                subject.next_columns({"a": Array(result)})
        subject.next_columns({"a": np.array([1, 2]).reshape(2, 1)[:, 0]})

    assert [row[0] for row in arrived(push)] == [1, 2]


def test_columns_without_a_length_are_named() -> None:
    class Sends(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next_columns({"a": (number for number in range(3))})

    with pytest.raises(TypeError, match='column "a" is of type generator and has no length'):
        pw.testing.capture(pw.io.python.read(Sends(), schema=pw.schema_from_types(a=int)))
