"""Where a column is known not to be None, its type has no None."""

from __future__ import annotations

from typing import Any

import pathway as pw
import pytest
from support import assert_table, rows, table


@pytest.fixture
def t() -> pw.Table[Any]:
    return table("""
      | a | b    | c
    1 | 1 | 10   | 5
    2 | 2 | None | 6
    3 | 3 | 30   | None
    """)


@pytest.fixture
def joined() -> pw.JoinResult:
    left = table("k | x\n1 | 1\n2 | 2\n3 | 3")
    right = table("k | y | z\n1 | 5 | 7\n3 | 6 | None")
    return left.join_left(right, left.k == right.k)


@pytest.mark.parametrize(
    "expression",
    [
        lambda t: pw.if_else(t.b.is_not_none(), t.b + 1, 0),
        lambda t: pw.if_else(t.b.is_none(), 0, t.b + 1),
        lambda t: pw.if_else(~t.b.is_none(), t.b + 1, 0),
        lambda t: pw.if_else(pw.this.b.is_not_none(), t.b + 1, 0),
        lambda t: pw.if_else(t.b.is_not_none() & (t.a > 0), t.b + 1, 0),
        lambda t: pw.if_else(t.b.is_none() | (t.a < 0), 0, t.b + 1),
        lambda t: pw.coalesce(pw.require(t.b + 1, t.b), 0),
        lambda t: pw.coalesce(pw.require(pw.this.b + 1, t.b), 0),
        # Inside a branch, what the condition tells holds for everything.
        lambda t: pw.if_else(t.b.is_not_none(), pw.if_else(t.a > 0, t.b, -t.b) + 1, 0),
        lambda t: pw.if_else(t.b.is_not_none() & (t.b > 0), t.b + 1, 0),
    ],
)
def test_what_a_condition_tells(t: pw.Table[Any], expression: Any) -> None:
    result = t.select(x=expression(t))
    assert result.typehints()["x"] is int
    assert rows(result, "x") == [0, 11, 31]


@pytest.mark.parametrize(
    "expression",
    [
        # What is not known stays optional.
        lambda t: pw.if_else(t.b.is_not_none(), 0, t.b + 1),
        lambda t: pw.if_else(t.b.is_none(), t.b + 1, 0),
        lambda t: pw.if_else(t.b.is_not_none() | (t.a > 0), t.b + 1, 0),
        lambda t: pw.if_else(t.b.is_none() & (t.a > 0), 0, t.b + 1),
        lambda t: pw.if_else(t.b.is_not_none(), t.c + 1, 0),
        lambda t: pw.require(t.b + 1, t.c),
        lambda t: pw.require(t.b + 1, t.b + 1),
        lambda t: pw.coalesce(t.b + 1, t.b),
    ],
)
def test_what_a_condition_does_not_tell(t: pw.Table[Any], expression: Any) -> None:
    with pytest.raises(TypeError, match=r"int \| None"):
        t.select(x=expression(t))


def test_the_same_part_in_and_out_of_a_branch(t: pw.Table[Any]) -> None:
    b = t.b
    result = t.select(x=pw.make_tuple(b, pw.if_else(b.is_not_none(), b * 2, 0), b))
    assert result.typehints()["x"] == tuple[int | None, int, int | None]
    assert rows(result, "x") == [(10, 20, 10), (30, 60, 30), (None, 0, None)]


def test_filters(t: pw.Table[Any]) -> None:
    kept = t.filter(t.b.is_not_none() & t.c.is_not_none())
    assert [kept.typehints()[name] for name in "bc"] == [int, int]
    assert t.filter(~pw.this.b.is_none()).typehints()["b"] is int
    assert t.filter(t.b.is_none()).typehints()["b"] == int | None
    present, absent = t.split(t.b.is_not_none())
    assert (present.typehints()["b"], absent.typehints()["b"]) == (int, int | None)
    absent, present = t.split(t.b.is_none())
    assert (present.typehints()["b"], absent.typehints()["b"]) == (int, int | None)


def test_filters_of_joins(joined: pw.JoinResult) -> None:
    for y in (pw.right.y, pw.this.y, joined.y):
        kept = joined.filter(y.is_not_none())
        assert_table(kept.select(pw.left.x, s=pw.left.x + pw.right.y), "x | s\n1 | 6\n3 | 9")
    with pytest.raises(TypeError):
        joined.filter(pw.right.z.is_not_none()).select(s=pw.left.x + pw.right.y)
    grouped = joined.filter(pw.right.y.is_not_none()).reduce(n=pw.reducers.sum(pw.right.y))
    assert rows(grouped, "n") == [11]


def test_a_side_that_is_there(joined: pw.JoinResult) -> None:
    result = joined.select(s=pw.require(pw.left.x + pw.right.y, pw.right.id))
    assert result.typehints()["s"] == int | None
    assert rows(result, "s") == [6, 9, None]
    # A column that was optional before the join still is.
    with pytest.raises(TypeError):
        joined.select(s=pw.require(pw.left.x + pw.right.z, pw.right.id))
    there = joined.filter(pw.right.id.is_not_none())
    assert rows(there.select(s=pw.right.y + 1), "s") == [6, 7]
    assert rows(joined.select(s=pw.if_else(pw.right.id.is_none(), -1, pw.right.y)), "s") == [-1, 5, 6]


def test_a_side_of_a_side(joined: pw.JoinResult) -> None:
    other = table("k | w\n1 | 100\n2 | 200")
    chain = joined.join_left(other, pw.left.x == other.k)
    right = joined._right
    result = chain.select(s=pw.require(right.y + pw.left.x, right.id))
    assert rows(result, "s") == [6, 9, None]
    result = chain.select(s=pw.require(pw.coalesce(right.y, 0) + other.w, other.id))
    assert rows(result, "s") == [105, 200, None]


def test_what_a_lookup_finds(t: pw.Table[Any]) -> None:
    found = t.ix(t.pointer_from(t.a + 1), allow_misses=True)
    result = t.select(t.a, x=pw.if_else(found.a.is_not_none(), found.a * 10, -1))
    assert_table(result, "a | x\n1 | 20\n2 | 30\n3 | -1")


def test_columns_of_other_tables(t: pw.Table[Any]) -> None:
    other = t.select(d=t.b).with_universe_of(table("  | n\n1 | 1\n2 | 1\n3 | 1"))
    result = t.with_universe_of(other).select(x=pw.if_else(other.d.is_not_none(), other.d + 1, 0))
    assert rows(result, "x") == [0, 11, 31]


def test_conditions_of_thousands(t: pw.Table[Any]) -> None:
    condition = t.b.is_not_none()
    for number in range(3000):
        condition = condition & (t.a != -number)
    result = t.select(x=pw.if_else(condition, t.b + 1, 0))
    assert rows(result, "x") == [0, 11, 31]
