"""What `run` gives back: its rows, or an error that names it; never an empty table."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pathway as pw
import pytest

Subject = pw.io.python.ConnectorSubject

ROWS = [{"n": 1}, {"n": 2}]


class Numbers(pw.Schema):
    n: int


class Row(NamedTuple):
    n: int


@dataclasses.dataclass
class Data:
    n: int


def taken(returned: Callable[[], Any], rows: int = 0) -> list[int]:
    """The rows of a subject whose `run` sends so many and then returns that."""

    class Returns(Subject):
        def run(self) -> Any:
            for n in range(rows):
                self.next(n=n)
            return returned()

    return numbers(Returns())


def numbers(subject: Any) -> list[int]:
    return sorted(update.row["n"] for update in pw.testing.capture(pw.io.python.read(subject, schema=Numbers)))


def generator() -> Iterator[Any]:
    yield {"n": 1}
    yield [{"n": 2}]


async def asynchronous_generator() -> AsyncIterator[Any]:
    yield {"n": 1}
    await asyncio.sleep(0)
    yield {"n": 2}


class AsynchronousIterable:
    def __aiter__(self) -> AsyncIterator[Any]:
        return asynchronous_generator()


async def coroutine() -> Any:
    await asyncio.sleep(0)
    return ROWS


async def coroutine_of_coroutine() -> Any:
    return coroutine()


async def coroutine_of_generator() -> Any:
    return generator()


async def coroutine_of_asynchronous_generator() -> Any:
    return asynchronous_generator()


class Sequence:
    """Iterable as of old."""

    def __getitem__(self, place: int) -> Any:
        return ROWS[place]

    def __len__(self) -> int:
        return 2


RETURNED: dict[str, Callable[[], Any]] = {
    "list": lambda: ROWS,
    "tuple": lambda: tuple(ROWS),
    "list of named tuples": lambda: [Row(1), Row(2)],
    "list of dataclasses": lambda: [Data(1), Data(2)],
    "list of texts": lambda: ['{"n": 1}', b'{"n": 2}'],
    "list of lists": lambda: [[{"n": 1}], [{"n": 2}]],
    "generator": generator,
    "map": lambda: map(dict, ROWS),
    "filter": lambda: filter(None, ROWS),
    "iterator": lambda: iter(ROWS),
    "sequence": Sequence,
    "view of a dict": lambda: {"a": {"n": 1}, "b": {"n": 2}}.values(),
    "frame": lambda: pd.DataFrame({"n": [1, 2]}),
    "list of frames": lambda: [pd.DataFrame({"n": [1]}), pd.DataFrame({"n": [2]})],
    "asynchronous generator": asynchronous_generator,
    "asynchronous iterable": AsynchronousIterable,
    "coroutine": coroutine,
    "coroutine of a coroutine": coroutine_of_coroutine,
    "coroutine of a generator": coroutine_of_generator,
    "coroutine of an asynchronous generator": coroutine_of_asynchronous_generator,
}


@pytest.mark.parametrize("what", RETURNED)
def test_rows_that_run_returns_are_its_rows(what: str) -> None:
    if "frame" in what:
        pytest.importorskip("pyarrow")
    assert taken(RETURNED[what]) == [1, 2]


def test_arrow_data_that_run_returns_is_its_rows() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({"n": [1, 2]})
    assert taken(lambda: table) == [1, 2]
    assert taken(lambda: table.to_batches()) == [1, 2]
    assert taken(lambda: table.to_reader()) == [1, 2]
    polars = pytest.importorskip("polars")
    assert taken(lambda: polars.DataFrame({"n": [1, 2]})) == [1, 2]


@pytest.mark.parametrize("row", [{"n": 1}, Row(1), Data(1)])
def test_one_row_that_run_returns(row: Any) -> None:
    assert taken(lambda: row) == [1]


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ('{"n": 1}', "returned '{\"n\": 1}', a value of type str"),
        (b"1", "returned b'1', a value of type bytes"),
        ([1, 2], "a value of type int"),
        (range(3), "a value of type int"),
        ([3.5, None], "a value of type float"),
    ],
)
def test_what_cannot_be_rows_is_an_error_that_names_it(returned: Any, message: str, asynchronous: bool) -> None:
    async def given() -> Any:
        return returned

    with pytest.raises(TypeError) as raised:
        taken(given if asynchronous else lambda: returned)
    assert "run() of Returns" in str(raised.value)
    assert message in str(raised.value)


@pytest.mark.parametrize("returned", [None, True, 0, 3, 0.5, object(), [], (), [None, None]])
def test_a_status_is_no_row(returned: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert taken(lambda: returned) == []
    assert taken(lambda: returned, rows=2) == [0, 1]
    assert not caplog.records


def test_rows_are_sent_or_returned(caplog: pytest.LogCaptureFixture) -> None:
    """A program that returns what it has sent gets it once, as in the original."""
    assert taken(lambda: ROWS, rows=2) == [0, 1]
    [record] = caplog.records
    assert "run() of Returns has sent rows and returned a value of type list as well" in record.getMessage()
    assert taken(generator, rows=2) == [0, 1, 1, 2]


def test_a_list_that_gather_gives_back_is_no_row(caplog: pytest.LogCaptureFixture) -> None:
    class Gathers(Subject):
        async def run(self) -> Any:
            return await asyncio.gather(self.send(1), self.send(2))

        async def send(self, n: int) -> None:
            self.next(n=n)

    assert numbers(Gathers()) == [1, 2]
    assert not caplog.records


def test_partitions_return_rows_too() -> None:
    class Parted(Subject):
        def partitions(self) -> list[str]:
            return ["1", "2"]

        def run(self, partition: str) -> Any:
            return [{"n": int(partition)}]

    assert numbers(Parted()) == [1, 2]


def test_a_generator_is_closed_however_it_ends() -> None:
    closed: list[str] = []

    class Generates(Subject):
        def run(self) -> Any:
            try:
                yield {"n": 1}
                raise ValueError("broken")
            finally:
                closed.append("closed")
                self.next(n=2)

    with pytest.raises(ValueError, match="broken"):
        numbers(Generates())
    assert closed == ["closed"]


def test_what_run_yields_does_not_pass_through_a_next_of_the_users() -> None:
    class Overrides(Subject):
        def next(self, **values: Any) -> None:
            super().next(n=values["n"] + 10)

        def run(self) -> Any:
            self.next(n=1)
            yield {"n": 2}

    assert numbers(Overrides()) == [2, 11]


def test_a_generator_may_yield_rows_and_return_others() -> None:
    def both() -> Iterator[Any]:
        yield {"n": 1}
        return [{"n": 2}]

    def only_returns() -> Iterator[Any]:
        if ROWS:
            return ROWS
        yield {}

    assert taken(both) == [1, 2]
    assert taken(only_returns) == [1, 2]


class Lazy:
    """As a lazy frame: it has no rows before it is asked for them."""

    def __getitem__(self, place: slice) -> Any:
        raise TypeError("not subscriptable")


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (generator, "a value of type function"),
        (Row, "a value of type type"),
        (functools.partial(generator), "a value of type partial"),
        (Lazy(), "a value of type Lazy"),
    ],
)
def test_what_would_give_rows_if_it_were_asked_is_an_error(returned: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        taken(lambda: returned)
    assert taken(lambda: returned, rows=2) == [0, 1]


def test_a_number_of_numpys_is_a_status_as_any_other() -> None:
    for status in (0, np.int64(0), np.float64(1.5), np.bool_(True)):
        assert taken(lambda status=status: status) == []


def test_an_exception_is_no_row() -> None:
    with pytest.raises(TypeError, match=r"returned ValueError.*has to be raised"):
        taken(lambda: ValueError("x"))


def test_names_that_are_no_texts_are_passed_over() -> None:
    def rows() -> Iterator[Any]:
        yield {"n": 1, None: ["too", "many"]}
        yield {"n": 2}

    assert taken(rows) == [1, 2]
