"""Numbers of every type of numpy, Arrow, polars and pandas: as they are, or their rows rejected, in all ways alike."""

from __future__ import annotations

import contextlib
import decimal
import fractions
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pathway as pw
import pytest

pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")

LARGEST = 2**63 - 1


def arrived(annotation: Any, push: Callable[[Any], None]) -> list[Any]:
    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            push(self)

    table = pw.io.python.read(Subject(), schema=pw.schema_from_types(value=annotation))
    return [update.row["value"] for update in pw.testing.capture(table)]


def each(send: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    def push(subject: Any, array: Any) -> None:
        for value in array:
            send(subject, value)

    return push


WAYS: dict[str, Callable[[Any, Any], None]] = {
    "next": each(lambda subject, value: subject.next(value=value)),
    "next_json": each(lambda subject, value: subject.next_json({"value": value})),
    "next_batch": each(lambda subject, value: subject.next_batch([{"value": value}])),
    "next_columns of a list": lambda subject, array: subject.next_columns({"value": list(array)}),
    "next_columns of an array": lambda subject, array: subject.next_columns({"value": array}),
    "next_columns of swapped bytes": lambda subject, array: subject.next_columns(
        {"value": array.astype(array.dtype.newbyteorder(">"))}
    ),
    "next_columns of every second": lambda subject, array: subject.next_columns({"value": np.repeat(array, 2)[::2]}),
    "next_columns of pandas": lambda subject, array: subject.next_columns({"value": pd.Series(array)}),
    "next_columns of pyarrow": lambda subject, array: subject.next_columns({"value": pa.array(array)}),
    "next_columns of polars": lambda subject, array: subject.next_columns({"value": pl.Series(array)}),
    "next_arrow of pyarrow": lambda subject, array: subject.next_arrow(pa.table({"value": array})),
    "next_arrow of polars": lambda subject, array: subject.next_arrow(pl.DataFrame({"value": array})),
    "next_arrow of pandas": lambda subject, array: subject.next_arrow(pd.DataFrame({"value": array})),
}

INTS = [0, 1, -1, 127, -128, 255, 2**31 - 1, -(2**31), 2**32 - 1, LARGEST, -(2**63), 2**63, 2**64 - 1]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_ints(way: str, dtype: str) -> None:
    limits = np.iinfo(dtype)
    array = np.array([value for value in INTS if limits.min <= value <= limits.max], dtype)
    wanted = [int(value) for value in array if value <= LARGEST]
    found = arrived(int, lambda subject: WAYS[way](subject, array))
    assert found == wanted
    assert all(type(value) is int for value in found)
    assert arrived(Any, lambda subject: WAYS[way](subject, array)) == wanted
    assert arrived(float, lambda subject: WAYS[way](subject, array)) == [float(value) for value in array]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_floats(way: str, dtype: str) -> None:
    if way == "next_arrow of polars" and dtype == "f2":
        pytest.skip("polars has no such floats in all of its versions")
    array = np.array([0.0, -0.0, 1.5, -0.1, math.inf, -math.inf, math.nan], dtype)
    found = arrived(float, lambda subject: WAYS[way](subject, array))
    assert [value.hex() for value in found] == [float(value).hex() for value in array]


@pytest.mark.parametrize("way", WAYS)
def test_floats_are_no_ints(way: str) -> None:
    def push(subject: Any) -> None:
        # A whole column of a type that never fits may be an error at once.
        with contextlib.suppress(TypeError):
            WAYS[way](subject, np.array([1.0, 2.0]))

    assert arrived(int, push) == []


def test_large_ints_in_arrays_and_lists() -> None:
    large = np.array([1, 2**63], np.uint64)
    assert arrived(np.ndarray, lambda subject: subject.next(value=large)) == []
    (found,) = arrived(np.ndarray, lambda subject: subject.next(value=large[:1]))
    assert found.tolist() == [1]
    assert arrived(list[int], lambda subject: subject.next(value=large)) == []
    assert arrived(list[int], lambda subject: subject.next_arrow(pa.table({"value": [large]}))) == []
    assert arrived(pw.Json, lambda subject: subject.next_arrow(pa.table({"value": [large]}))) == [pw.Json([1, 2**63])]


def test_what_can_be_a_float() -> None:
    class Float:
        def __float__(self) -> float:
            return 2.5

    class Index:
        def __index__(self) -> int:
            return 3

    values = [
        decimal.Decimal("0.1"),
        fractions.Fraction(1, 4),
        Float(),
        Index(),
        True,
        np.bool_(True),
        np.longdouble(1.5),
    ]
    assert arrived(float, lambda subject: subject.next_columns({"value": values})) == [
        0.1,
        0.25,
        2.5,
        3.0,
        1.0,
        1.0,
        1.5,
    ]
    others = ["1.0", 1j, np.complex64(1), None, np.datetime64(1, "s"), np.timedelta64(1, "s"), pd.NaT, 10**400]
    assert arrived(float, lambda subject: subject.next_columns({"value": others})) == []


@pytest.mark.parametrize("kind", [pa.decimal128(30, 20), pa.decimal256(40, 20)], ids=str)
def test_decimals_of_arrow(kind: Any) -> None:
    texts = ["0.1", "-0.30000000000000004441", "12345.6789", "0"]
    array = pa.array([decimal.Decimal(text) for text in texts], kind)
    found = arrived(float, lambda subject: subject.next_arrow(pa.table({"value": array})))
    assert found == [float(decimal.Decimal(text)) for text in texts]
    for annotation in (int, str):
        with pytest.raises(TypeError, match="cannot be taken as"):
            arrived(annotation, lambda subject: subject.next_arrow(pa.table({"value": array})))


def test_bools_of_arrow_are_numbers_as_those_of_python_are() -> None:
    table = pa.table({"value": [True, False]})
    assert arrived(int, lambda subject: subject.next_arrow(table)) == [1, 0]
    assert arrived(float, lambda subject: subject.next_arrow(table)) == [1.0, 0.0]
    assert arrived(list[int], lambda subject: subject.next_arrow(pa.table({"value": [[True]]}))) == [(1,)]


MISSING: list[tuple[Any, Any, list[Any]]] = [
    (int | None, pd.array([1, None], "Int64"), [1, None]),
    (int | None, pd.array([1, None], "UInt64"), [1, None]),
    (bool | None, pd.array([True, None], "boolean"), [True, None]),
    (float | None, pd.array([1.5, None], "Float64"), [1.5, None]),
    (float | None, pd.Series([1.5, None]), [1.5, None]),
    (str | None, pd.array(["a", None], "string"), ["a", None]),
    (str | None, pd.Series(["a", None]), ["a", None]),
    (str | None, pd.Series(["a", None, "a"], dtype="category"), ["a", None, "a"]),
    (int | None, pd.array([2**53 + 1, None], "Int64"), [2**53 + 1, None]),
    (pw.DateTimeNaive | None, pd.Series(["2024-05-01", None], dtype="M8[ns]"), [pd.Timestamp("2024-05-01"), None]),
    (pw.Duration | None, pd.Series([1, None], dtype="m8[ns]"), [pd.Timedelta(1), None]),
]


@pytest.mark.parametrize("case", range(len(MISSING)))
def test_what_is_missing_in_pandas_is_none(case: int) -> None:
    annotation, column, wanted = MISSING[case]
    assert arrived(annotation, lambda subject: subject.next_columns({"value": column})) == wanted
    assert arrived(annotation, lambda subject: subject.next_columns({"value": pd.Series(column)})) == wanted
    assert arrived(annotation, lambda subject: subject.next_arrow(pd.DataFrame({"value": column}))) == wanted
    required = annotation.__args__[0]
    if required is not float:
        present = [value for value in wanted if value is not None]
        assert arrived(required, lambda subject: subject.next_columns({"value": column})) == present
        assert arrived(required, lambda subject: subject.next_arrow(pd.DataFrame({"value": column}))) == present


def test_nan_in_a_float_column_of_pandas() -> None:
    frame = pd.DataFrame({"value": [1.5, math.nan]})
    for push in (
        lambda subject: subject.next_columns({"value": frame["value"]}),
        lambda subject: subject.next_arrow(frame),
        lambda subject: subject.next_columns({"value": np.array([1.5, math.nan])}),
    ):
        one, nan = arrived(float, push)
        assert one == 1.5
        assert math.isnan(nan)


def test_nulls_of_polars() -> None:
    series = pl.Series([1, None, LARGEST])
    assert arrived(int | None, lambda subject: subject.next_columns({"value": series})) == [1, None, LARGEST]
    assert arrived(int, lambda subject: subject.next_columns({"value": series})) == [1, LARGEST]
