"""What is written to a file and read again is what was there."""

from __future__ import annotations

import datetime
import pathlib
from collections import Counter
from typing import Any

import numpy as np
import pathway as pw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import SCRIPTS, Change, base_table, states

EXAMPLES = settings.default.max_examples
SILENT = pw.MonitoringLevel.NONE
INTS = st.integers(-(2**63), 2**63 - 1)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
# Every text that a file in UTF-8 can hold.
TEXTS = st.text(max_size=6) | st.text('a", \n\r\t\\', max_size=6)
TIMES = st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1))
DURATIONS = st.timedeltas(datetime.timedelta(days=-9999), datetime.timedelta(days=9999))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | FINITE | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
BYTES = st.binary(max_size=6)
FLOATS = st.floats() | st.sampled_from([0.0, -0.0, 5e-324, float("nan"), float("inf"), -float("inf")])


def arrays(items: st.SearchStrategy[Any], kind: str) -> st.SearchStrategy[Any]:
    """Arrays of two dimensions, which may be empty."""
    shapes = st.tuples(st.integers(0, 2), st.integers(1, 3))
    return shapes.flatmap(
        lambda shape: st.lists(items, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]).map(
            lambda values: np.array(values, dtype=kind).reshape(shape)
        )
    )


Columns = dict[str, tuple[Any, st.SearchStrategy[Any]]]

# The columns that a format gives back as they were.
BOTH: Columns = {
    "whole": (int, INTS),
    "truth": (bool, st.booleans()),
    "text": (str, TEXTS),
    "moment": (pw.DateTimeNaive, TIMES),
    "instant": (pw.DateTimeUtc, TIMES.map(lambda time: time.replace(tzinfo=datetime.UTC))),
    "span": (pw.Duration, DURATIONS),
    "document": (pw.Json, JSON),
    "data": (bytes, BYTES),
    "pointer": (pw.Pointer, st.integers(0, 2**128 - 1).map(pw.Pointer)),
    "real": (float, FLOATS),
    "maybe_real": (float | None, st.none() | FLOATS),
    "maybe_moment": (pw.DateTimeNaive | None, st.none() | TIMES),
    "maybe_whole": (int | None, st.none() | INTS),
    "maybe_truth": (bool | None, st.none() | st.booleans()),
    "maybe_instant": (pw.DateTimeUtc | None, st.none() | TIMES.map(lambda time: time.replace(tzinfo=datetime.UTC))),
    "maybe_span": (pw.Duration | None, st.none() | DURATIONS),
    "nested": (list[tuple[int, list[str]]], st.lists(st.tuples(INTS, st.lists(TEXTS).map(tuple))).map(tuple)),
    "numbers": (list[int], st.lists(INTS, max_size=3).map(tuple)),
    "reals": (list[float | None], st.lists(st.none() | FLOATS, max_size=3).map(tuple)),
    "maybe_pair": (tuple[str, int | None] | None, st.none() | st.tuples(TEXTS, st.none() | INTS)),
    "real_grid": (np.ndarray[tuple[int, int], np.dtype[np.float64]], arrays(FLOATS, "f8")),
    "whole_grid": (np.ndarray[tuple[int, int], np.dtype[np.int64]], arrays(INTS, "i8")),
}
FORMATS: dict[str, tuple[Any, Any, Columns]] = {
    "csv": (
        pw.io.csv.write,
        pw.io.csv.read,
        # `None` is also the base64 of three bytes.
        {**BOTH, "maybe_data": (bytes | None, st.none() | BYTES.filter(lambda data: data != b"6\x89\xde"))},
    ),
    "jsonlines": (
        pw.io.jsonlines.write,
        pw.io.jsonlines.read,
        {
            **BOTH,
            "maybe_text": (str | None, st.none() | TEXTS),
            "maybe_data": (bytes | None, st.none() | BYTES),
        },
    ),
}


def final_rows(table: pw.Table[Any]) -> Counter[str]:
    """As texts: NaN equals itself, and 1 is not True."""
    rows: Counter[str] = Counter()
    for update in pw.testing.capture(table):
        rows[repr(update.row)] += update.diff
    return rows


@pytest.mark.parametrize(("format", "name"), [(format, name) for format in FORMATS for name in FORMATS[format][2]])
def test_columns_come_back(format: str, name: str, tmp_path: pathlib.Path) -> None:
    write, read, columns = FORMATS[format]
    annotation, values = columns[name]
    schema = pw.schema_from_types(number=int, value=annotation)

    @settings(max_examples=EXAMPLES // 2)
    @given(st.lists(values, max_size=6))
    def law(values: list[Any]) -> None:
        pw.testing.reset()
        table = pw.debug.table_from_rows(schema, list(enumerate(values)))
        sent = final_rows(table)
        path = tmp_path / "table"
        write(table, path)
        pw.run(monitoring_level=SILENT)
        assert final_rows(read(path, schema=schema, mode="static")) == sent

    law()


@pytest.mark.parametrize("format", FORMATS)
def test_floats_come_back_from_a_followed_file(format: str, tmp_path: pathlib.Path) -> None:
    write, read, _ = FORMATS[format]
    schema = pw.schema_from_types(number=int, value=float, pair=tuple[float, float])
    values = [0.1, -0.0, 5e-324, 1e300, 0.30000000000000004, float("nan"), float("inf"), -float("inf"), 1e16, 1e-5]
    path = tmp_path / "table"
    write(pw.debug.table_from_rows(schema, [(n, v, (v, -v)) for n, v in enumerate(values)]), path)
    pw.run(monitoring_level=SILENT)
    pw.testing.reset()
    seen: dict[int, str] = {}

    def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        seen[row["number"]] = repr((row["value"], row["pair"]))
        if len(seen) == len(values):
            raise StopIteration

    pw.io.subscribe(read(path, schema=schema, autocommit_duration_ms=10), on_change)
    with pytest.raises(StopIteration):
        pw.run(monitoring_level=SILENT)
    assert seen == {n: repr((v, (v, -v))) for n, v in enumerate(values)}


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=EXAMPLES // 2)
@given(script=SCRIPTS)
def test_the_changes_in_a_file_add_up_to_the_table(
    format: str, script: list[list[Change]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    pw.testing.reset()
    write, read, _ = FORMATS[format]
    path = tmp_path_factory.getbasetemp() / f"changes.{format}"
    write(base_table(script, 0), path)
    pw.run(monitoring_level=SILENT)
    schema = pw.schema_from_types(key=int, g=str, a=int, b=int | None, time=int, diff=int)
    sums: Counter[tuple[Any, ...]] = Counter()
    for update in pw.testing.capture(read(path, schema=schema, mode="static")):
        row = update.row
        sums[row["key"], row["g"], row["a"], row["b"]] += row["diff"]
        assert 2 <= row["time"] <= 2 * len(script)
    assert {row: count for row, count in sums.items() if count} == {
        tuple(row.values()): 1 for row in states(script)[-1][0].values()
    }
