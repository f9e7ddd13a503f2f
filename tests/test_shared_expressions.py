"""What is used several times is built and computed once, and nothing is too deep."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pathway as pw
import pytest
from pathway._expressions.walking import in_order
from support import assert_table, rows, table

DOUBLINGS = 64
DEEP = 5000


@pytest.fixture
def t() -> pw.Table[Any]:
    return table("a\n1.0\n2.0", a=float)


def doubled(expression: Any, combine: Any = lambda one, other: one + other) -> Any:
    for _ in range(DOUBLINGS):
        expression = combine(expression, expression)
    return expression


def test_doubled_expressions(t: pw.Table[Any]) -> None:
    expression = doubled(t.a)
    assert len(in_order([expression])) == DOUBLINGS + 1
    assert len(repr(expression)) < 2000
    assert len(str(expression)) < 2000
    assert isinstance(hash(expression), int)
    assert t.eval_type(expression) == pw.Type.FLOAT
    assert rows(t.select(x=expression), "x") == [2.0**DOUBLINGS, 2.0 ** (DOUBLINGS + 1)]


COMBINATIONS: dict[str, Any] = {
    "if_else": lambda one, other: pw.if_else(one > 0.0, one, other),
    "nested if_else": lambda one, other: pw.if_else(one > 1.5, pw.if_else(one < 0.0, one, other), other),
    "coalesce": lambda one, other: pw.coalesce(one, other),
    "require": lambda one, other: pw.coalesce(pw.require(one, other), 0.0),
    "fill_error": lambda one, other: pw.fill_error(one / (one - 1.0) * (other - 1.0), other),
    "make_tuple": lambda one, other: pw.make_tuple(one, other)[0],
    "get": lambda one, other: pw.make_tuple(one, 0.0).get(0, other),
    "unwrap": lambda one, other: pw.unwrap(one) + other - pw.unwrap(one),
    "declare_type": lambda one, other: pw.declare_type(float, one) + other - one,
    "cast": lambda one, other: pw.cast(float, pw.cast(int, one)) + other - one,
    "functions": lambda one, other: pw.apply_with_type(max, float, one, other),
}


@pytest.mark.parametrize("how", COMBINATIONS)
def test_doubled_by_every_kind(t: pw.Table[Any], how: str) -> None:
    assert rows(t.select(x=doubled(t.a, COMBINATIONS[how])), "x") == [1.0, 2.0]


def test_doubled_conditions(t: pw.Table[Any]) -> None:
    condition = doubled(t.a > 1.5, lambda one, other: (one & other) | ~(one | other) & one)
    assert_table(t.filter(condition), "a\n2.0", a=float)
    assert_table(t.split(condition)[1], "a\n1.0", a=float)
    key = doubled(t.a)
    assert_table(t.with_id_from(key).select(pw.this.a), "a\n1.0\n2.0", a=float)
    joined = t.select(k=key).join(t.select(k=key), pw.left.k == pw.right.k).reduce(n=pw.reducers.count())
    assert rows(joined, "n") == [2]


def test_doubled_in_reduce(t: pw.Table[Any]) -> None:
    total = pw.reducers.sum(doubled(t.a))
    assert rows(t.reduce(x=doubled(total)), "x") == [3.0 * 2.0 ** (2 * DOUBLINGS)]
    best = t.ix(pw.reducers.argmax(doubled(t.a)), context=pw.this)
    assert rows(t.reduce(x=doubled(best.a)), "x") == [2.0 ** (DOUBLINGS + 1)]


def test_doubled_mistakes_are_told_in_short(t: pw.Table[Any]) -> None:
    with pytest.raises(TypeError) as info:
        t.select(x=doubled(t.a) + "x")
    assert sum(map(len, info.value.__notes__)) < 5000


def test_doubled_placeholders(t: pw.Table[Any]) -> None:
    found = t.ix(doubled(pw.this.id, lambda one, other: pw.if_else(one == other, one, other)), context=t)
    assert_table(t.select(x=found.a), "x\n1.0\n2.0", x=float)


def test_doubled_lookups() -> None:
    t = table("  | a\n1 | 1.0\n2 | 2.0", a=float)
    nodes = t.select(t.a, next=t.id)
    here: Any = nodes
    for _ in range(40):
        here = nodes.ix(pw.if_else(here.a > 0.0, here.next, here.next))
    assert len(repr(here.a)) < 2000
    assert_table(nodes.select(x=here.a), "x\n1.0\n2.0", x=float)


def test_doubled_tables() -> None:
    t = table("  | a | b\n1 | 1.0 | 0.5\n2 | 2.0 | 0.5", a=float, b=float)
    changed = t
    for _ in range(DOUBLINGS):
        changed = changed.select(a=changed.a + changed.b, b=changed.a - changed.b)
    result = changed.select(x=changed.a * changed.a)
    assert len(rows(result, "x")) == 2
    changed = t
    for _ in range(DOUBLINGS):
        changed = changed.update_cells(changed.filter(changed.a < 0.0).select(a=changed.b))
    assert rows(changed, "a") == [1.0, 2.0]


def test_chains_of_joins() -> None:
    t = table("k | a\n1 | 5")
    chain: Any = t
    for number in range(40):
        other = t.select(k=t.k, **{f"b{number}": t.a})
        chain = chain.join(other, pw.left.k == other.k)
    assert rows(chain.select(x=pw.this.b0 + pw.this.b39 + pw.this.k), "x") == [11]
    assert len(list(chain.keys())) == 42


def test_doubled_unions() -> None:
    t = table("  | a\n1 | 1\n2 | 2\n3 | 3")
    whole = t
    for _ in range(DOUBLINGS):
        small, large = whole.split(whole.a < 2)
        whole = small.concat(large)
    assert whole.select(whole.a)._universe.is_equal_to(t._universe)
    assert rows(whole + t.select(b=t.a), "b") == [1, 2, 3]


@pytest.mark.parametrize(
    "deepen",
    [
        lambda e, n: e + 1.0,
        lambda e, n: 1.0 + e,
        lambda e, n: pw.if_else(e > float(n), e, e) if n < 300 else e + 1.0,
        lambda e, n: -e,
        lambda e, n: pw.coalesce(e, 1.0),
        lambda e, n: pw.require(e, e) if n == 0 else pw.coalesce(1.0, e),
        lambda e, n: pw.fill_error(e, 1.0),
        lambda e, n: pw.fill_error(1.0, e),
    ],
)
def test_thousands_deep(t: pw.Table[Any], deepen: Any) -> None:
    expression: Any = t.a
    for number in range(DEEP):
        expression = deepen(expression, number)
    assert len(repr(expression)) < 2000
    assert len(rows(t.select(x=expression), "x")) == 2


def test_thousands_of_columns_and_conditions() -> None:
    names = [f"c{number}" for number in range(500)]
    t = pw.debug.table_from_rows(pw.schema_from_types(**dict.fromkeys(names, int)), [tuple(range(500))])
    total: Any = 0
    for name in names:
        total = total + t[name]
    assert rows(t.select(x=total), "x") == [sum(range(500))]
    choice: Any = "none"
    condition: Any = t.c0 == 0
    text: Any = ""
    for number in range(DEEP):
        choice = pw.if_else(t.c7 == number, str(number), choice)
        condition = condition & (t.c7 != DEEP + number)
        text = text + pw.cast(str, t.c1)
    assert rows(t.select(x=choice), "x") == ["7"]
    assert rows(t.filter(condition).select(x=text), "x") == ["1" * DEEP]


def test_functions_below_thousands(t: pw.Table[Any]) -> None:
    expression: Any = pw.apply_with_type(lambda value: value, float, t.a)
    for _ in range(DEEP):
        expression = expression + 1.0
    assert rows(t.select(x=expression), "x") == [1.0 + DEEP, 2.0 + DEEP]


def test_a_shared_function_is_called_once_a_row(t: pw.Table[Any]) -> None:
    called: list[float] = []

    @pw.udf(deterministic=True)
    def seen(value: float) -> float:
        called.append(value)
        return value

    once = seen(t.a)
    result = t.select(x=pw.make_tuple(pw.if_else(t.a > 1.5, once, 0.0), once + once, pw.if_else(t.a < 5.0, 1.0, once)))
    assert rows(result, "x") == [(0.0, 2.0, 1.0), (2.0, 4.0, 1.0)]
    assert sorted(called) == [1.0, 2.0]


def test_an_error_of_a_shared_part_is_reported_once() -> None:
    t = table("a\n0\n2")
    ratio = 6 // t.a
    failing = t.select(x=ratio + ratio, y=pw.fill_error(ratio, 0))
    log = pw.global_error_log().select(pw.this.message)
    found, errors = pw.testing.capture(failing, log, terminate_on_error=False)
    assert sorted(repr(update.row["y"]) for update in found) == ["0", "3"]
    assert [update.row["message"] for update in errors] == ["division by zero"]


def test_deep_expressions_are_given_back(t: pw.Table[Any]) -> None:
    expression: Any = t.a
    for _ in range(20 * DEEP):
        expression = expression + 1.0
    last = weakref.ref(expression)
    del expression
    gc.collect()
    assert last() is None
