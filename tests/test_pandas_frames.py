"""Tables of pandas frames: what is missing, what pandas holds in another type, indices and names."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd
import pathway as pw
import pytest

NAN = float("nan")
DAY, NEXT = pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02")
UTC = DAY.tz_localize("UTC")
HOUR = pd.Timedelta(hours=1)


def table(values: Any, annotation: Any = None) -> pw.Table[Any]:
    schema = None if annotation is None else pw.schema_from_types(c=annotation)
    return pw.debug.table_from_pandas(pd.DataFrame({"c": values}), schema=schema)


def values(table: pw.Table[Any]) -> str:
    """All values of the column, as texts: NaN is itself, and 1 is not 1.0."""
    return repr(sorted((update.row["c"] for update in pw.testing.capture(table)), key=repr))


def shown(items: list[Any]) -> str:
    return repr(sorted(items, key=repr))


CASES: dict[str, tuple[Any, Any, list[Any]]] = {
    "float": (pd.Series([1.5, 2]), float, [1.5, 2.0]),
    "float with a gap": (pd.Series([1.5, NAN]), float | None, [1.5, None]),
    "float with infinity": (pd.Series([np.inf, 1]), float, [np.inf, 1.0]),
    "float16": (pd.Series([1.5, 2], dtype="float16"), float, [1.5, 2.0]),
    "Float64": (pd.Series([1.5, None], dtype="Float64"), float | None, [1.5, None]),
    "int8": (pd.Series([1, 2], dtype="int8"), int, [1, 2]),
    "uint64": (pd.Series([1, 2**63 - 1], dtype="uint64"), int, [1, 2**63 - 1]),
    "Int64": (pd.Series([1, None], dtype="Int64"), int | None, [1, None]),
    "Int64 that is full": (pd.Series([1, 2], dtype="Int64"), int, [1, 2]),
    "UInt8": (pd.Series([1, None], dtype="UInt8"), int | None, [1, None]),
    "bool": (pd.Series([True, False]), bool, [True, False]),
    "boolean": (pd.Series([True, None], dtype="boolean"), bool | None, [True, None]),
    "str": (pd.Series(["a", None]), str | None, ["a", None]),
    "string": (pd.Series(["a", "b"], dtype="string"), str, ["a", "b"]),
    "objects, NaN for None": (pd.Series(["a", NAN], dtype=object), str | None, ["a", None]),
    "objects, ints": (pd.Series([1, None], dtype=object), int | None, [1, None]),
    "objects, bools": (pd.Series([True, NAN], dtype=object), bool | None, [True, None]),
    "objects, NA": (pd.Series([1, pd.NA], dtype=object), int | None, [1, None]),
    "objects, dates": (pd.Series([DAY, pd.NaT], dtype=object), pw.DateTimeNaive | None, [DAY, None]),
    "objects, Python's dates": (
        pd.Series([datetime.datetime(2024, 1, 1), None], dtype=object),
        pw.DateTimeNaive | None,
        [DAY, None],
    ),
    "objects of several types": (pd.Series([1, "a"], dtype=object), Any, [1, "a"]),
    "category": (pd.Series(["x", None], dtype="category"), str | None, ["x", None]),
    "category of ints": (pd.Series([1, 2], dtype="category"), int, [1, 2]),
    "dates": (pd.Series([DAY, NEXT]), pw.DateTimeNaive, [DAY, NEXT]),
    "dates with a gap": (pd.Series([DAY, None]), pw.DateTimeNaive | None, [DAY, None]),
    "dates in seconds": (pd.Series([DAY]).astype("datetime64[s]"), pw.DateTimeNaive, [DAY]),
    "dates in microseconds, UTC": (
        pd.Series([DAY]).astype("datetime64[us]").dt.tz_localize("UTC"),
        pw.DateTimeUtc,
        [UTC],
    ),
    "dates of a zone": (
        pd.Series([DAY + HOUR, None]).dt.tz_localize("Europe/Paris"),
        pw.DateTimeUtc | None,
        [UTC, None],
    ),
    "timedeltas": (pd.Series([HOUR, None]), pw.Duration | None, [HOUR, None]),
    "timedeltas in seconds": (pd.Series(np.array([3600], dtype="timedelta64[s]")), pw.Duration, [HOUR]),
    "bytes": (pd.Series([b"a", b"b"]), bytes, [b"a", b"b"]),
    "tuples": (pd.Series([(1, "a"), (2, "b")]), tuple[int, str], [(1, "a"), (2, "b")]),
    "lists": (pd.Series([[1, 2], [3]]), list[int], [(1, 2), (3,)]),
    "lists of which one is empty": (pd.Series([[[1]], [], [[], [2]]]), list[list[int]], [((1,),), (), ((), (2,))]),
    "lists of one length": (pd.Series([[1, 2.5], [3, 4]]), list[float], [(1, 2.5), (3, 4)]),
    "dicts": (pd.Series([{"a": 1}]), pw.Json, [pw.Json({"a": 1})]),
    "all missing": (pd.Series([NAN, NAN]), float | None, [None, None]),
    "no objects": (pd.Series([None, None], dtype=object), type(None), [None, None]),
    "sparse": (pd.Series(pd.arrays.SparseArray([1, 0])), int, [1, 0]),
}


@pytest.mark.parametrize("case", CASES)
def test_without_a_schema(case: str) -> None:
    series, annotation, expected = CASES[case]
    found = table(series)
    assert found.typehints()["c"] == pw.schema_from_types(c=annotation).typehints()["c"]
    if case != "lists of one length":
        assert values(found) == shown(expected)


@pytest.mark.parametrize("case", CASES)
def test_with_the_schema_that_fits(case: str) -> None:
    series, annotation, expected = CASES[case]
    if case not in ("no objects", "lists of one length"):
        assert values(table(series, annotation)) == shown(expected)


@pytest.mark.parametrize(
    ("series", "annotation", "expected"),
    [
        # A NaN is a float; where None is possible, it is what is missing.
        (pd.Series([1.5, NAN]), float, [1.5, NAN]),
        (pd.Series([NAN, NAN]), float, [NAN, NAN]),
        (pd.Series([1.5, NAN], dtype=object), float, [1.5, NAN]),
        (pd.Series([1.5, NAN]), Any, [1.5, None]),
        # pandas has no other way to hold ints with gaps.
        (pd.Series([42, None]), int | None, [42, None]),
        (pd.Series([42.0, 2.0**53]), int, [42, 2**53]),
        (pd.Series([42.0, None], dtype=object), int | None, [42, None]),
        (pd.Series([NAN, NAN]), int | None, [None, None]),
        (pd.Series([NAN, NAN]), str | None, [None, None]),
        (pd.Series([None, None]), pw.DateTimeNaive | None, [None, None]),
        (pd.Series([1, 2]), float, [1.0, 2.0]),
        (pd.Series([1, 2]), int | None, [1, 2]),
        (pd.Series(["a"]), pw.Json, [pw.Json("a")]),
        (pd.Series([[1, 2]]), pw.Json, [pw.Json([1, 2])]),
    ],
)
def test_a_schema_says_what_was_meant(series: Any, annotation: Any, expected: list[Any]) -> None:
    assert values(table(series, annotation)) == shown(expected)


@pytest.mark.parametrize(
    ("series", "annotation", "reason"),
    [
        (pd.Series([1.5, 2]), int, "cannot take 1.5"),
        (pd.Series([1.5, None]), int | None, "cannot take 1.5"),
        (pd.Series([1.0, NAN]), int, "cannot take None"),
        (pd.Series([1.0, np.inf]), int, "cannot take inf"),
        (pd.Series([1e300]), int, "64 bits"),
        (pd.Series([1, None], dtype="Int64"), int, "cannot take None"),
        (pd.Series([1.5, None], dtype="Float64"), float, "cannot take None"),
        (pd.Series(["a", None]), str, "cannot take None"),
        (pd.Series([1]), str, "cannot take 1"),
        (pd.Series([1]), bool, "cannot take 1"),
        (pd.Series([True, None], dtype="boolean"), bool, "cannot take None"),
        (pd.Series([DAY, None]), pw.DateTimeNaive, "cannot take None"),
        (pd.Series([DAY]), pw.DateTimeUtc, "no time zone"),
        (pd.Series([UTC]), pw.DateTimeNaive, "has a time zone"),
        (pd.Series([1, 2**63], dtype="uint64"), int, "64 bits"),
        (pd.Series([1, 2**63], dtype="uint64"), None, "64 bits"),
        (pd.Series(np.array(["9999-01-01"], dtype="M8[s]")), pw.DateTimeNaive, "nanoseconds"),
        (pd.Series(np.array(["9999-01-01"], dtype="M8[s]")), None, "nanoseconds"),
        (pd.Series(pd.period_range("2024-01", periods=2, freq="M")), None, "Period"),
        (pd.Series([datetime.date(2024, 1, 1)]), pw.DateTimeNaive, "date"),
        (pd.Series([1j]), None, "complex"),
    ],
)
def test_what_does_not_fit_is_an_error(series: Any, annotation: Any, reason: str) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError), match=reason):
        table(series, annotation)


def test_decimals_are_floats_where_a_schema_says_so() -> None:
    assert values(table(pd.Series([decimal.Decimal("1.5")]), float)) == "[1.5]"


def test_arrow_types() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    assert values(table(pd.Series([1, None], dtype="int64[pyarrow]"))) == shown([1, None])
    assert values(table(pd.Series(["a", None], dtype="string[pyarrow]"))) == shown(["a", None])
    assert values(table(pd.Series([1.5, None], dtype="double[pyarrow]"))) == shown([1.5, None])
    naive = table(pd.Series([DAY, None]).astype("timestamp[us][pyarrow]"))
    assert naive.typehints()["c"] == pw.DateTimeNaive | None
    assert values(naive) == shown([DAY, None])
    zone = pd.ArrowDtype(pyarrow.timestamp("us", "Europe/Paris"))
    utc = table(pd.Series([UTC, None]).astype(zone))
    assert utc.typehints()["c"] == pw.DateTimeUtc | None
    assert values(utc) == shown([UTC, None])


def keys(frame: pd.DataFrame, **options: Any) -> list[pw.Pointer]:
    return [update.key for update in pw.testing.capture(pw.debug.table_from_pandas(frame, **options))]


def test_indices() -> None:
    columns = {"a": [1, 2]}
    plain = keys(pd.DataFrame(columns))
    for index in (
        ["x", "y"],
        [1.5, NAN],
        pd.to_datetime([DAY, NEXT]),
        pd.MultiIndex.from_tuples([(1, "x"), (2, "y")]),
    ):
        found = keys(pd.DataFrame(columns, index=index))
        assert len(set(found)) == 2
        assert not set(found) & set(plain)
    # The second row has the key of the first: both are there, as in a stream.
    twice = keys(pd.DataFrame(columns, index=[0, 0]))
    assert len(twice) == 2
    assert len(set(twice)) == 1
    assert keys(pd.DataFrame(columns, index=[5, 7]), unsafe_trusted_ids=True) == [pw.Pointer(5), pw.Pointer(7)]
    assert sorted(keys(pd.DataFrame(columns), id_from=["a"])) == sorted(
        keys(pd.DataFrame(columns), schema=pw.schema_builder({"a": pw.column_definition(dtype=int, primary_key=True)}))
    )


def test_frames_without_rows_or_columns() -> None:
    for frame, types in (
        (pd.DataFrame(), {}),
        (pd.DataFrame({"a": pd.Series([], dtype="int64")}), {"a": int}),
        (pd.DataFrame({"a": pd.Series([], dtype=object)}), {"a": Any}),
    ):
        empty = pw.debug.table_from_pandas(frame)
        assert dict(empty.typehints()) == types
        assert pw.testing.capture(empty) == []
    schema = pw.schema_from_types(a=int)
    assert pw.testing.capture(pw.debug.table_from_pandas(pd.DataFrame({"a": []}), schema=schema)) == []
    without_columns = pw.debug.table_from_pandas(pd.DataFrame(index=[1, 2]))
    assert [update.row for update in pw.testing.capture(without_columns)] == [{}, {}]


def test_names_of_columns() -> None:
    assert pw.debug.table_from_pandas(pd.DataFrame([[1, 2]])).column_names() == ["0", "1"]
    for labels in (["a", "a"], [1, "1"]):
        with pytest.raises(ValueError, match="two columns of the data frame have the name"):
            pw.debug.table_from_pandas(pd.DataFrame([[1, 2]], columns=labels))
    for names in ({"a": int}, {"a": int, "b": int, "c": int}):
        with pytest.raises(ValueError, match="schema does not match given dataframe"):
            pw.debug.table_from_pandas(pd.DataFrame({"a": [1], "b": [2]}), schema=pw.schema_from_types(**names))


def test_times_are_whole_numbers() -> None:
    frame = pd.DataFrame({"a": [1, 2], "__time__": [2.0, 4.0]})
    assert [update.time for update in pw.testing.capture(pw.debug.table_from_pandas(frame))] == [2, 4]
    for times in ([2.0, 4.5], [2.0, None], ["2", "4"], [True, False]):
        frame = pd.DataFrame({"a": [1, 2], "__time__": times})
        with pytest.raises(ValueError, match="__time__ has to hold whole numbers"):
            pw.debug.table_from_pandas(frame)
    with pytest.raises(ValueError, match="__time__"):
        pw.debug.table_from_markdown("a | __time__\n1 | 2.5")


def test_a_schema_has_the_keys() -> None:
    schema = pw.schema_from_types(a=int)
    with pytest.raises(ValueError, match="mutually exclusive"):
        pw.debug.table_from_pandas(pd.DataFrame({"a": [1]}), schema=schema, id_from=["a"])
    with pytest.raises(ValueError, match="mutually exclusive"):
        pw.debug.table_from_markdown("a\n1", schema=schema, id_from=["a"])


def test_frames_come_back_as_pandas_would_make_them() -> None:
    """So that a test can compare them with a frame that it writes down."""
    frame = pd.DataFrame(
        {
            "text": ["a", "b"],
            "gap": ["a", None],
            "whole": [1, 2],
            "real": [0.5, NAN],
            "truth": [True, False],
            "maybe": pd.Series([True, None], dtype=object),
            "crew": pd.array([1, None], dtype="Int64"),
            "day": pd.Series([DAY, NEXT]).astype("M8[ns]"),
            "seen": pd.Series([DAY, None]).astype("M8[ns]"),
            "utc": pd.Series([UTC, None]).dt.as_unit("ns"),
            "took": pd.Series([HOUR, None]).astype("m8[ns]"),
        }
    )
    back = pw.debug.table_to_pandas(pw.debug.table_from_pandas(frame), include_id=False)
    pd.testing.assert_frame_equal(back.sort_values("text").reset_index(drop=True), frame)
