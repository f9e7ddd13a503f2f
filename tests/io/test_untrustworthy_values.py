"""Values and rows that answer every question with an exception, or are no text: bad rows, and nothing worse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pathway as pw
import pytest

from tests.io.arriving import arrived


class Hostile:
    """Answers every question with an exception."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(f"do not ask for {name}")

    def __repr__(self) -> str:
        raise RuntimeError("do not look")

    __str__ = __index__ = __float__ = __len__ = __iter__ = __bool__ = __hash__ = __repr__  # type: ignore[assignment]


class Endless:
    """Is itself, whatever is asked for."""

    def tolist(self) -> Any:
        return self

    def item(self) -> Any:
        return self

    def __index__(self) -> Any:
        return self

    def __float__(self) -> Any:
        return self

    def __array__(self, *_: Any, **__: Any) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return self

    value = property(lambda self: self)
    dtype = property(lambda self: self)
    shape = property(lambda self: self)


Endless.__module__ = "numpy"
Endless.__name__ = "ndarray"


class Text(str):
    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __hash__ = __eq__ = __len__ = __str__  # type: ignore[assignment]


class Name(str):
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    __hash__ = str.__hash__


class Number(int):
    def __index__(self) -> int:
        raise RuntimeError

    __int__ = __float__ = __repr__ = __str__ = __hash__ = __index__  # type: ignore[assignment]


class Mapping(dict[Any, Any]):
    def items(self) -> Any:
        raise RuntimeError

    keys = values = __iter__ = __getitem__ = __len__ = __contains__ = items  # type: ignore[assignment]


class Unruly(type):
    @property
    def __module__(cls) -> Any:  # type: ignore[override]
        raise RuntimeError

    @property
    def __name__(cls) -> Any:  # type: ignore[override]
        raise RuntimeError


class Classless(metaclass=Unruly):
    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no class")


WAYS: dict[str, Callable[[Any, Any], None]] = {
    "next": lambda subject, value: subject.next(value=value),
    "next_json": lambda subject, value: subject.next_json({"value": value}),
    "next_batch": lambda subject, value: subject.next_batch([{"value": value}]),
    "next_columns": lambda subject, value: subject.next_columns({"value": [value]}),
    "in a list": lambda subject, value: subject.next(value=[value]),
    "in a dict": lambda subject, value: subject.next(value={"a": value}),
}
TYPES: list[Any] = [
    int, float, str, bool, bytes, pw.Json, Any, pw.DateTimeNaive, pw.DateTimeUtc, pw.Duration, pw.Pointer,
    list[int], tuple[int], np.ndarray, pw.PyObjectWrapper, int | None, pw.DateTimeNaive | None,
]  # fmt: skip


@pytest.mark.parametrize("annotation", TYPES, ids=str)
def test_values_that_are_hostile(annotation: Any) -> None:
    schema = pw.schema_from_types(value=annotation)
    values = [Hostile(), Endless(), Text("x"), Number(5), Mapping(a=1), Classless()]

    def push(subject: Any) -> None:
        for value in values:
            for send in WAYS.values():
                send(subject, value)
        column = np.empty(2, object)
        column[0], column[1] = values[2], values[3]
        subject.next_columns({"value": column})

    plain = {"x", 1, 5, None}
    for (value,) in arrived(push, schema):
        found = value
        while isinstance(found, dict | list | tuple | pw.Json):
            found = found.value if isinstance(found, pw.Json) else found
            found = (
                next(iter(found.values()))
                if isinstance(found, dict)
                else found[0]
                if isinstance(found, list | tuple)
                else found
            )
        assert found in plain


@pytest.mark.parametrize("annotation", [int, pw.Json, Any], ids=str)
def test_exceptions_that_end_a_program_are_not_bad_values(annotation: Any) -> None:
    class Ends:
        def __index__(self) -> int:
            raise KeyboardInterrupt

        @property
        def __class__(self) -> Any:  # type: ignore[override]
            raise KeyboardInterrupt

    for send in WAYS.values():

        def push(subject: Any, send: Any = send) -> None:
            with pytest.raises(KeyboardInterrupt):
                send(subject, Ends())

        if annotation is not int or send in list(WAYS.values())[:4]:
            assert arrived(push, pw.schema_from_types(value=annotation)) == []


def test_rows_that_are_hostile() -> None:
    def push(subject: Any) -> None:
        for row in (Hostile(), Endless(), Text("x"), Number(5), Classless()):
            subject.next_batch([row])
        subject.next_batch([Mapping(a=1)])
        subject.next_json(Mapping(a=2))
        subject.next_batch([{Name("a"): 1}, {"a": 3, Name("x"): 1}, {1: 2, (): 3, "a": 4}])

    assert [row[0] for row in arrived(push)] == [1, 2, 3, 4]


SURROGATE = "\ud800"


@pytest.mark.parametrize("keeps", [False, True])
def test_lone_surrogates_in_names_and_values(keeps: bool, caplog: pytest.LogCaptureFixture) -> None:
    def push(subject: Any) -> None:
        subject.next(a=1, **{SURROGATE: 1})
        subject.next_json({"a": 2, SURROGATE: 1})
        subject.next_batch([{"a": 3, SURROGATE: 1}])
        subject.next_columns({"a": [4], SURROGATE: [1]})
        subject.next_str('{"a":5,"\\ud800":1}')
        for row in ({"a": 6, "b": SURROGATE}, {"a": 7, "b": f"x{SURROGATE}"}):
            subject.next(**row)
            subject.next_json(row)
            subject.next_batch([row])
            subject.next_columns({name: [value] for name, value in row.items()})
        subject.next_str('{"a":8,"b":"\\ud800"}')
        subject.next_str(SURROGATE)
        subject.next_json(SURROGATE)
        subject.next_batch([SURROGATE])

    found = arrived(push, terminate_on_error=not keeps)
    assert [row for row in found if row[1] == "-"] == [(number, "-") for number in range(1, 6)]
    assert len(found) == (5 + 9 if keeps else 5)
    assert SURROGATE not in caplog.text


@pytest.mark.parametrize("annotation", [pw.Json, Any, list[str], bytes, int, pw.DateTimeNaive], ids=str)
def test_lone_surrogates_within_values(annotation: Any) -> None:
    def push(subject: Any) -> None:
        for value in (SURROGATE, {SURROGATE: 1}, [SURROGATE], {"a": [SURROGATE]}, pw.Json([SURROGATE])):
            for send in list(WAYS.values())[:4]:
                send(subject, value)

    assert arrived(push, pw.schema_from_types(value=annotation)) == []
