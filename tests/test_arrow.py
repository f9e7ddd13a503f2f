"""Results for other libraries: `compute`, `table_to_arrow`, `table_to_polars`, and what takes a snapshot."""

import datetime
import gc
import sys
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pathway as pw
import polars as pl
import pyarrow as pa
import pytest


def one_column(annotation: Any, *values: Any) -> pw.Table[Any]:
    return pw.debug.table_from_rows(pw.schema_from_types(a=annotation), [(value,) for value in values])


NAIVE = pd.Timestamp("2024-05-01 12:30:00.123456789")
UTC = pd.Timestamp("2024-05-01 12:30:00.123456789", tz="UTC")

COLUMNS: list[tuple[Any, list[Any], pa.DataType, list[Any]]] = [
    (int, [2**63 - 1], pa.int64(), [2**63 - 1]),
    (int | None, [1, None], pa.int64(), [1, None]),
    (float, [0.5, float("inf")], pa.float64(), [0.5, float("inf")]),
    (bool, [True], pa.bool_(), [True]),
    (bool | None, [None, False], pa.bool_(), [None, False]),
    (str, ["", "ł\n"], pa.string(), ["", "ł\n"]),
    (bytes, [b"\x00\xff"], pa.binary(), [b"\x00\xff"]),
    (None, [None], pa.null(), [None]),
    (pw.Json, [{"b": 1, "a": [2]}, None], pa.string(), ['{"b": 1, "a": [2]}', "null"]),
    (pw.Json | None, [None, {"a": 1}], pa.string(), [None, '{"a": 1}']),
    (pw.Pointer, [pw.Pointer(5)], pa.string(), [str(pw.Pointer(5))]),
    (pw.Pointer | None, [None], pa.string(), [None]),
    (tuple[int, str], [(1, "x")], pa.struct([("0", pa.int64()), ("1", pa.string())]), [{"0": 1, "1": "x"}]),
    (tuple[int | None, list[float]], [(None, [0.5])], None, [{"0": None, "1": [0.5]}]),
    (tuple[int, str] | None, [None], pa.struct([("0", pa.int64()), ("1", pa.string())]), [None]),
    (list[int], [[1, 2], []], pa.list_(pa.int64()), [[1, 2], []]),
    (list[str | None], [["a", None]], pa.list_(pa.string()), [["a", None]]),
    (tuple[int, ...], [(1, 2)], pa.list_(pa.int64()), [[1, 2]]),
    (tuple, [(1, 2), ()], pa.list_(pa.int64()), [[1, 2], []]),
    (list[pw.Pointer], [[pw.Pointer(1)]], pa.list_(pa.string()), [[str(pw.Pointer(1))]]),
    (np.ndarray[1, int], [np.array([1, 2])], pa.list_(pa.int64()), [[1, 2]]),
    (np.ndarray, [np.array([[1.5], [2.5]])], pa.list_(pa.list_(pa.float64())), [[[1.5], [2.5]]]),
    (np.ndarray, [np.array([1]), np.array([2, 3])], pa.list_(pa.int64()), [[1], [2, 3]]),
    (np.ndarray, [np.array([1]), np.array([0.5])], pa.list_(pa.float64()), [[1.0], [0.5]]),
    (Any, [1, 2, None], pa.int64(), [1, 2, None]),
    (Any, [1, 0.5], pa.float64(), [1.0, 0.5]),
    (Any, ["a"], pa.string(), ["a"]),
    (Any, [(1, 2), (3,)], pa.list_(pa.int64()), [[1, 2], [3]]),
    (Any, [None], pa.null(), [None]),
]


@pytest.mark.parametrize(("annotation", "values", "kind", "expected"), COLUMNS)
def test_what_columns_become(annotation: Any, values: list[Any], kind: pa.DataType, expected: list[Any]) -> None:
    found = pw.debug.table_to_arrow(one_column(annotation, *values)).column("a")
    if kind is not None:
        assert found.type == kind
    assert sorted(found.to_pylist(), key=repr) == sorted(expected, key=repr)


@pytest.mark.parametrize(
    ("annotation", "value", "kind"),
    [
        (pw.DateTimeNaive, NAIVE, pa.timestamp("ns")),
        (pw.DateTimeUtc, UTC, pa.timestamp("ns", "UTC")),
        (pw.Duration, pd.Timedelta(1, "ns"), pa.duration("ns")),
        (pw.DateTimeUtc | None, UTC, pa.timestamp("ns", "UTC")),
        (Any, NAIVE, pa.timestamp("ns")),
    ],
)
def test_moments_keep_their_nanoseconds(annotation: Any, value: Any, kind: pa.DataType) -> None:
    found = pw.debug.table_to_arrow(one_column(annotation, value)).column("a")
    assert found.type == kind
    assert found[0].value == value.value


@pytest.mark.parametrize("annotation", [annotation for annotation, *_ in COLUMNS if annotation is not tuple])
def test_an_empty_table_has_its_columns(annotation: Any) -> None:
    found = pw.debug.table_to_arrow(pw.Table.empty(a=annotation))
    assert (found.column_names, found.num_rows) == (["a"], 0)


def test_what_the_type_says_does_not_depend_on_the_rows() -> None:
    for annotation, values, kind, _ in COLUMNS:
        if annotation not in (Any, tuple, np.ndarray) and kind is not None:
            assert pw.debug.table_to_arrow(pw.Table.empty(a=annotation)).column("a").type == kind, values


def test_keys_come_first_if_asked_for() -> None:
    table = one_column(int, 7)
    found = pw.debug.table_to_arrow(table, include_id=True)
    keys, _ = pw.debug.table_to_dicts(table)
    assert found.column_names == ["id", "a"]
    assert found.column("id").to_pylist() == [str(key) for key in keys]
    with pytest.raises(ValueError, match="a column 'id', which the table has already"):
        pw.debug.Snapshot({}, {"id": pw.Type.INT}).to_arrow(include_id=True)


def test_objects_are_refused_before_anything_runs() -> None:
    def called(value: int) -> int:
        raise AssertionError("it runs")

    wrapped = pw.debug.table_from_rows(pw.schema_from_types(a=pw.PyObjectWrapper, b=int), [(pw.wrap_py_object({1}), 1)])
    computed = wrapped.with_columns(b=pw.apply(called, pw.this.b))
    for function in (pw.debug.table_to_arrow, pw.debug.table_to_polars):
        with pytest.raises(TypeError, match=r"column 'a' holds Python objects .*table.without\('a'\)"):
            function(computed)
    nested = one_column(list[pw.PyObjectWrapper])
    with pytest.raises(TypeError, match="column 'a' holds Python objects"):
        pw.debug.table_to_arrow(nested)


def test_an_error_is_refused_with_its_column_and_row() -> None:
    table = pw.debug.table_from_markdown("""
      | a
    1 | 1
    2 | 0
    """)
    ratios = table.select(ratio=6 // pw.this.a)
    (bad,) = [str(key) for key, value in pw.debug.table_to_dicts(table)[1]["a"].items() if value == 0]
    with pytest.raises(ValueError, match="column 'ratio': a cell holds an Error") as caught:
        pw.debug.table_to_arrow(ratios, terminate_on_error=False)
    assert f"in the row {bad}" in str(caught.value)
    assert "pw.fill_error" in str(caught.value)
    assert pw.debug.table_to_arrow(ratios.remove_errors(), terminate_on_error=False).to_pylist() == [{"ratio": 6}]
    with pytest.raises(ZeroDivisionError):
        pw.debug.table_to_arrow(ratios)


@pytest.mark.parametrize(
    ("annotation", "values", "message"),
    [
        (Any, (1, "x"), r"column 'a': its values have no type in common.*'?x'? in the row \^"),
        (tuple, ((1, "x"),), "column 'a': its values have no type in common"),
        (Any, (pw.wrap_py_object(1),), "column 'a': Arrow has no type for Python objects"),
        (np.ndarray, (np.array([1]), np.array([[1]])), "arrays of different numbers of dimensions"),
    ],
)
def test_values_that_have_nothing_in_common_are_named(annotation: Any, values: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pw.debug.table_to_arrow(one_column(annotation, *values))


def test_a_snapshot_is_taken_by_others_as_it_is() -> None:
    table = pw.debug.table_from_markdown("""
    bird  | grams
    wren  | 9
    raven | 1200
    """)
    birds = pw.debug.compute(table)
    assert pl.DataFrame(birds).sort("grams").to_dicts() == [
        {"bird": "wren", "grams": 9},
        {"bird": "raven", "grams": 1200},
    ]
    assert pa.table(birds).column("grams").to_pylist() == [row["grams"] for row in birds]
    assert duckdb.sql("select sum(grams) from birds").fetchall() == [(1209,)]
    # What was converted once is what all of them look at.
    assert birds.to_arrow() is birds.to_arrow()


def test_polars_has_the_types_of_arrow() -> None:
    table = pw.debug.table_from_rows(
        pw.schema_from_types(a=int | None, t=pw.DateTimeUtc, pair=tuple[int, str], many=list[float]),
        [(None, UTC, (1, "x"), [0.5])],
    )
    found = pw.debug.table_to_polars(table, include_id=True)
    assert found.schema == {
        "id": pl.String,
        "a": pl.Int64,
        "t": pl.Datetime("ns", "UTC"),
        "pair": pl.Struct({"0": pl.Int64, "1": pl.String}),
        "many": pl.List(pl.Float64),
    }
    assert found["t"][0] == datetime.datetime(2024, 5, 1, 12, 30, 0, 123456, datetime.UTC)


def test_a_snapshot_has_what_is_left_at_the_end() -> None:
    table = pw.debug.table_from_markdown("""
      | a | __time__ | __diff__
    1 | 1 | 2        | 1
    2 | 2 | 2        | 1
    1 | 1 | 4        | -1
    1 | 3 | 4        | 1
    2 | 2 | 6        | -1
    """)
    snapshot = pw.debug.compute(table)
    assert len(snapshot) == 1
    assert list(snapshot) == snapshot.to_dicts() == [{"a": 3}]
    assert snapshot.column_names == ["a"]
    assert [(key, values) for key, values in snapshot.data] == [(snapshot.keys[0], [3])]
    assert snapshot.frontier is None
    assert snapshot.to_pandas().index.tolist() == snapshot.keys
    assert repr(snapshot) == "a\n3"


def test_a_long_snapshot_is_cut_where_it_is_shown() -> None:
    snapshot = pw.debug.compute(one_column(int, *range(1000, 1100)))
    lines = repr(snapshot).splitlines()
    assert lines[:2] == ["a", "1000"]
    assert lines[-1] == "... 80 more rows"
    html = snapshot._repr_html_()
    assert html.count("<tr>") == 1 + 20
    assert "100 rows, of which 20 are shown" in html


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="this needs pyarrow, which is not installed: pip install pyarrow"):
        pw.debug.table_to_arrow(one_column(int, 1))
    with pytest.raises(ImportError, match="this needs polars"):
        pw.debug.Snapshot({}, {}).to_polars()


def test_pandas_shows_errors_as_they_are() -> None:
    table = pw.debug.table_from_markdown("""
    a | b
    1 | x
    0 | y
    """)
    frame = pw.debug.table_to_pandas(table.select(r=6 // pw.this.a, b=pw.this.b), terminate_on_error=False)
    assert frame["r"].dtype == object
    assert sorted(map(str, frame["r"])) == ["6", "Error"]
    assert sorted(frame["b"]) == ["x", "y"]
    with pytest.raises(ZeroDivisionError):
        pw.debug.table_to_pandas(table.select(r=6 // pw.this.a))


def test_an_array_without_dimensions_is_a_number() -> None:
    def as_array(number: int) -> np.ndarray:  # type: ignore[type-arg]
        return np.array(number)

    table = pw.debug.table_from_rows(pw.schema_from_types(n=int), [(7,)]).select(a=pw.apply(as_array, pw.this.n))
    assert pw.debug.table_to_arrow(table).schema.field("a").type == pa.int64()
    assert pw.debug.table_to_polars(table)["a"].to_list() == [7]
    mixed = table.concat_reindex(table.select(a=pw.apply_with_type(lambda a: np.array([1.5]), np.ndarray, table.a)))
    with pytest.raises(ValueError, match="arrays of different numbers of dimensions have no common Arrow type"):
        pw.debug.table_to_arrow(mixed)


def test_rows_that_come_and_go_are_those_that_remain() -> None:
    table = pw.debug.table_from_markdown("""
      | a | __time__ | __diff__
    1 | 1 | 2        | 1
    2 | 5 | 2        | 1
    1 | 1 | 4        | -1
    1 | 3 | 4        | 1
    2 | 5 | 6        | -1
    """)
    assert pw.debug.table_to_arrow(table).to_pydict() == {"a": [3]}
    assert pw.debug.table_to_pandas(table)["a"].tolist() == [3]


@pytest.mark.parametrize("is_on", [True, False])
def test_the_search_for_garbage_is_left_as_it_was(is_on: bool) -> None:
    was_on = gc.isenabled()
    try:
        gc.enable() if is_on else gc.disable()
        table = pw.debug.table_from_rows(pw.schema_from_types(n=int), [(7,)])
        pw.debug.table_to_arrow(table)
        with pytest.raises(ValueError, match="a cell holds an Error"):
            pw.debug.table_to_arrow(table.select(n=1 // (pw.this.n - 7)), terminate_on_error=False)
        pw.debug.table_to_pandas(table)
        assert gc.isenabled() == is_on
    finally:
        gc.enable() if was_on else gc.disable()


def test_moments_are_those_of_pandas() -> None:
    moments = pd.DataFrame(
        {
            "naive": pd.to_datetime(["2024-02-29T12:00:00.123456789", None]),
            "aware": pd.to_datetime(["2024-02-29T12:00:00.123456789Z", None]),
            "span": pd.to_timedelta(["-1 days 00:00:00.000000001", None]),
        },
        index=[0, 1],
    )
    table = pw.debug.table_from_pandas(moments)
    back = pw.debug.table_to_pandas(table, include_id=False).sort_values("naive").reset_index(drop=True)
    pd.testing.assert_frame_equal(back, moments.astype({"naive": "datetime64[ns]", "aware": "datetime64[ns, UTC]"}))
    arrow = pw.debug.table_to_arrow(table).to_pandas().sort_values("naive").reset_index(drop=True)
    pd.testing.assert_frame_equal(arrow, back)
