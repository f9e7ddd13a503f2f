"""What is no mistake but changes nothing, or leaves nothing, is said with the line."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pathway as pw
import pytest
from support import assert_table, rows, table


@pytest.fixture
def t() -> pw.Table[Any]:
    return table("  | a | b\n1 | 1 | x\n2 | 2 | y")


WARNED: dict[str, tuple[Callable[[pw.Table[Any]], Any], str]] = {
    "update_cells": (lambda t: t.update_cells(t.select(a=0)), "same keys"),
    "<<": (lambda t: t << t.select(a=0), "same keys"),
    "update_rows": (lambda t: t.filter(t.a > 1).update_rows(t), "every key"),
    "update_rows of the same keys": (lambda t: t.update_rows(t.with_columns(a=0)), "every key"),
    "restrict": (lambda t: t.restrict(t.select(c=0)), "changes nothing"),
    "intersect with itself": (lambda t: t.intersect(t), "changes nothing"),
    "intersect with more": (lambda t: t.filter(t.a > 1).intersect(t), "changes nothing"),
    "intersect with nothing": (lambda t: t.intersect(), "changes nothing"),
    "difference": (lambda t: t.difference(t), "No key"),
    "parts of a split": (lambda t: (lambda one, other: one.intersect(other))(*t.split(t.a > 1)), "No key"),
    "a promise": (lambda t: t.filter(t.a > 1).promise_universes_are_disjoint(t), "No key"),
    "equal parts": (
        lambda t: (lambda one, other: one.promise_universe_is_equal_to(other))(*t.split(t.a > 1)),
        "No key",
    ),
    "an element that is not there": (
        lambda t: t.select(p=pw.make_tuple(t.a, t.b)).select(x=pw.this.p.get(2, 0)),
        "no element 2",
    ),
}


@pytest.mark.parametrize("how", WARNED)
def test_warnings(t: pw.Table[Any], how: str) -> None:
    use, words = WARNED[how]
    with pytest.warns(UserWarning, match=words) as found:
        use(t)
    assert {warning.filename for warning in found} == {__file__}


@pytest.mark.parametrize(
    "use",
    [
        lambda t: t.update_cells(t.filter(t.a > 1).select(a=0)),
        lambda t: t.update_rows(t.filter(t.a > 1)),
        lambda t: t.restrict(t.filter(t.a > 1)),
        lambda t: t.intersect(t.filter(t.a > 1)),
        lambda t: t.difference(t.filter(t.a > 1)),
        lambda t: t.promise_universe_is_subset_of(t),
        lambda t: t.concat(pw.Table.empty(b=str, a=int)),
        lambda t: pw.Table.empty(a=int, b=str).concat(t),
        lambda t: pw.Table.empty(a=int, b=str).update_rows(t),
        lambda t: pw.Table.empty(a=int).difference(t),
        lambda t: pw.Table.empty(a=int).intersect(t),
        lambda t: pw.Table.empty(a=int).promise_universe_is_equal_to(pw.Table.empty(b=int)),
        lambda t: t.update_cells(pw.Table.empty(a=int)),
        lambda t: t.with_universe_of(t),
        lambda t: t.select(p=pw.make_tuple(t.a, t.b)).select(x=pw.this.p.get(1, "z"), y=pw.this.p.get(-2, 0)),
        lambda t: t.select(p=pw.apply_with_type(lambda a: (a,), list[int], t.a)).select(x=pw.this.p.get(2, 0)),
    ],
)
def test_what_is_as_it_should_be(t: pw.Table[Any], use: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        use(t)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_results_are_those_of_the_operation(t: pw.Table[Any]) -> None:
    zeros = t.with_columns(a=0)
    assert_table(t.update_cells(zeros[["a"]]), "a | b\n0 | x\n0 | y")
    assert_table(t.filter(t.a > 1).update_rows(zeros), "a | b\n0 | x\n0 | y")
    assert t.update_rows(zeros[["b", "a"]]).column_names() == ["a", "b"]
    assert_table(t.restrict(t.select(c=0)), "a | b\n1 | x\n2 | y")
    assert_table(t.intersect(), "a | b\n1 | x\n2 | y")
    assert rows(t.difference(t), "a") == []
    assert rows(pw.Table.empty(b=str, a=int).concat(t), "a") == [1, 2]
    with pytest.raises(TypeError, match="column a"):
        t.update_rows(t.with_columns(a="text"))
