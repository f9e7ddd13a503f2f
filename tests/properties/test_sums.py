"""Sums of floats are exact: those of `math.fsum`, in any order, on any number of workers, and after removals."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from typing import Any

import numpy as np
import pathway as pw
import pytest
from hypothesis import given
from hypothesis import strategies as st

FLOATS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-1e6, 1e6),
    st.sampled_from([0.1, 0.2, -0.0, 1e308, -1e308, 1e200, 1e100, 1.0, 5e-324, 2.0**53]),
)
SPECIAL = st.sampled_from([math.inf, -math.inf, math.nan])


class Reading(pw.Schema):
    k: int = pw.column_definition(primary_key=True)
    v: float


def total(values: list[float]) -> float:
    """The exact sum, rounded once."""
    if not all(map(math.isfinite, values)):
        return sum(value for value in values if not math.isfinite(value))
    exact = sum(map(Fraction, values), Fraction())
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def same(seen: float, expected: float) -> bool:
    return seen == expected or (math.isnan(seen) and math.isnan(expected))


def last(table: pw.Table[Any]) -> dict[str, Any] | None:
    row = None
    for update in pw.testing.capture(table):
        row = update.row if update.diff > 0 else None
    return row


@given(st.lists(FLOATS, max_size=8), st.lists(FLOATS | SPECIAL, max_size=6), st.integers(0, 1000))
def test_sums_are_exact_and_forget(kept: list[float], removed: list[float], seed: int) -> None:
    rows = [(key, value, 2, 1) for key, value in enumerate([*kept, *removed])]
    rows = random.Random(seed).sample(rows, len(rows))
    rows += [(key + len(kept), value, 4, -1) for key, value in enumerate(removed)]
    if not kept:
        return
    pw.testing.reset()
    table = pw.debug.table_from_rows(Reading, rows, is_stream=True)
    results = pw.testing.capture(table.reduce(s=pw.reducers.sum(table.v), a=pw.reducers.avg(table.v)))
    before, after = ([u.row for u in results if u.diff > 0 and u.time == time] for time in (2, 4))
    assert same(before[0]["s"], total([*kept, *removed]))
    end = (after or before)[0]
    assert same(end["s"], total(kept))
    if math.isfinite(end["s"]):
        assert same(end["a"], end["s"] / len(kept))
        assert end["s"] == math.fsum(kept)


def test_the_example() -> None:
    rows = [(0, 1e308, 2, 1), (1, 1e308, 2, 1), (2, 1.0, 2, 1), (0, 1e308, 4, -1), (1, 1e308, 6, -1)]
    table = pw.debug.table_from_rows(Reading, rows, is_stream=True)
    seen = pw.testing.capture(table.reduce(s=pw.reducers.sum(table.v)))
    assert [update.row["s"] for update in seen if update.diff > 0] == [math.inf, 1e308, 1.0]


@given(st.lists(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=2), min_size=1, max_size=6))
def test_sums_of_arrays_are_exact(values: list[list[float]]) -> None:
    pw.testing.reset()
    schema = pw.schema_from_types(v=np.ndarray[Any, np.dtype[np.float64]])
    table = pw.debug.table_from_rows(schema, [(np.array(value),) for value in values])
    row = last(table.reduce(s=pw.reducers.sum(table.v)))
    assert row is not None
    assert row["s"].tolist() == [math.fsum(column) for column in zip(*values, strict=True)]


def test_sums_of_arrays_of_ints_do_not_wrap_around() -> None:
    schema = pw.schema_from_types(v=np.ndarray[Any, np.dtype[np.int64]])
    largest = np.iinfo(np.int64).max
    table = pw.debug.table_from_rows(schema, [(np.array([largest, 1]),), (np.array([1, 1]),)])
    with pytest.raises(OverflowError, match="overflow in reducer sum"):
        pw.testing.capture(table.reduce(s=pw.reducers.sum(table.v)))
