"""What Python does with an expression by asking for its value is an error that says what to write."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pathway as pw
import pytest

from tests.support import rows, table


@pytest.fixture
def t() -> Any:
    return table("a | b | text\n1 | 2 | x")


CASES: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    'f"{t.a} x"': (lambda t: f"{t.a} x", TypeError, '"..." + table.a.to_string()'),
    'f"{t.a:>3}"': (lambda t: f"{t.a:>3}", TypeError, "<table1>.a is an expression"),
    'f"{pw.this.a}"': (lambda t: f"{pw.this.a}", TypeError, '"..." + pw.this.a.to_string()'),
    'f"{t.a + 1}"': (lambda t: f"{t.a + 1}", TypeError, '"..." + expression.to_string()'),
    '"{}".format(t.a)': (lambda t: "{}".format(t.a), TypeError, "a text made of it holds its name"),  # noqa: UP032
    "% in select": (lambda t: t.select(c="%s!" % t.a), ValueError, '"..." + table.a.to_string()'),  # noqa: UP031
    "str in select": (lambda t: t.select(c="a is " + str(t.a)), ValueError, "the same in every row"),
    "within a comparison": (lambda t: t.filter(t.text == str(t.a)), ValueError, "made of the expression <table1>.a"),
    '"".join([t.a])': (lambda t: "".join([t.a]), TypeError, "expected str instance"),
    "if t.a > 1": (lambda t: 1 if t.a > 1 else 2, RuntimeError, "pw.if_else instead of if"),
    "t.a in [1, 2]": (lambda t: t.a in [1, 2], RuntimeError, "(a == 1) | (a == 2) instead of a in [1, 2]"),
    "1 in t.a": (lambda t: 1 in t.a, TypeError, "`in` cannot look into it"),
    "not t.a": (lambda t: not t.a, RuntimeError, "Use &, | and ~ instead of and, or and not"),
    "t.a > 1 and t.b > 1": (lambda t: t.a > 1 and t.b > 1, RuntimeError, "Use &, | and ~"),
    "1 < t.a < 3": (lambda t: 1 < t.a < 3, RuntimeError, "(a < b) & (b < c) instead of a < b < c"),
    "max(t.a, 3)": (lambda t: max(t.a, 3), RuntimeError, "pw.if_else"),
    "for x in t.a": (lambda t: list(t.a), TypeError, "Table.flatten for a row per element"),
    "sum(t.a)": (lambda t: sum(t.a), TypeError, "table.reduce(total=pw.reducers.sum(table.a))"),
    "len(t)": (lambda t: len(t), TypeError, "table.reduce(n=pw.reducers.count())"),
    "len(t.text)": (lambda t: len(t.text), TypeError, "expression.str.len()"),
    '"a" in t': (lambda t: "a" in t, TypeError, "'a' in table.column_names()"),
    "int(t.a)": (lambda t: int(t.a), TypeError, "pw.cast(int, column)"),
    "float(t.a)": (lambda t: float(t.a), TypeError, "column.str.parse_float()"),
    "math.sqrt(t.a)": (lambda t: math.sqrt(t.a), TypeError, "pw.apply(math.sqrt, column)"),
    "round(t.a, 1)": (lambda t: round(t.a, 1), TypeError, "table.a.num.round(1)"),
    "t.a(1)": (lambda t: t.a(1), TypeError, "pw.apply(function, column)"),
    "t.text[1:]": (lambda t: t.text[1:], TypeError, "expression.str.slice(start, end)"),
}


@pytest.mark.parametrize("case", CASES)
def test_misuse(t: Any, case: str) -> None:
    use, kind, message = CASES[case]
    with pytest.raises(kind, match=re.escape(message)):
        use(t)


def test_a_text_and_a_number(t: Any) -> None:
    for expression, advice in ((lambda: "n " + t.a, "text + value.to_string()"), (lambda: t.a + t.text, "value.to_s")):
        with pytest.raises(TypeError, match="unsupported operand types") as raised:
            t.select(c=expression())
        assert any(advice in note for note in raised.value.__notes__)
    with pytest.raises(TypeError) as raised:
        t.select(c=t.text - t.a)
    assert not any("to_string" in note for note in raised.value.__notes__)


def test_expressions_can_be_shown(t: Any) -> None:
    assert str(t.a) == repr(t.a) == f"{t.a!r}" == f"{t.a!s}" == "<table1>.a"
    assert f"{pw.this.a!r}" == "pathway.this.a"


def test_what_to_write_instead_works(t: Any) -> None:
    assert rows(t.select(c="a is " + t.a.to_string()), "c") == ["a is 1"]
    # Other texts are constants.
    assert rows(t.select(c="<table> pathway.this is <table1>"), "c") == ["<table> pathway.this is <table1>"]


def test_a_text_with_the_name_of_a_placeholder_is_warned_about(t: Any) -> None:
    with pytest.warns(UserWarning, match=re.escape('"..." + pw.this.a.to_string()')) as caught:
        t.select(c="%s!" % pw.this.a)  # noqa: UP031
    assert [warning.filename for warning in caught] == [__file__]


def test_what_may_be_none_says_what_to_do() -> None:
    orders, prices = pw.Table.empty(item=str, amount=int), pw.Table.empty(item=str, pounds=float)
    joined = orders.join_left(prices, orders.item == prices.item)
    with pytest.raises(TypeError) as raised:
        joined.select(total=orders.amount * prices.pounds)
    assert any("pw.coalesce(value, ...)" in note for note in raised.value.__notes__)
    joined.select(total=orders.amount * pw.coalesce(prices.pounds, 0.0))


def test_what_is_of_any_type_says_what_to_do() -> None:
    numbers = table("a\n1")
    untyped = numbers.select(b=pw.apply(lambda a: a + 1, numbers.a))
    with pytest.raises(TypeError) as raised:
        untyped.select(c=untyped.b * 2)
    assert any("pw.declare_type(int, value)" in note for note in raised.value.__notes__)
    assert rows(untyped.select(c=pw.declare_type(int, untyped.b) * 2), "c") == [4]


def test_a_reducer_that_is_not_called_is_no_value() -> None:
    numbers = table("a\n1")
    with pytest.raises(TypeError) as raised:
        numbers.reduce(total=pw.reducers.sum)
    assert any("pw.reducers.sum(...)" in note for note in raised.value.__notes__)


def test_a_function_is_no_value() -> None:
    with pytest.raises(TypeError) as raised:
        table("a\n1").select(x=lambda row: row.a)
    assert any("pw.apply(function, table.column)" in note for note in raised.value.__notes__)


def test_arguments_that_are_given_by_name_are_named() -> None:
    with pytest.raises(TypeError, match=r"Given by name are schema=\.\.\., "):
        pw.io.csv.read("sales", pw.schema_from_types(a=int))  # type: ignore[misc]
    with pytest.raises(ValueError, match=r"pw\.schema_from_csv\(path\)"):
        pw.io.csv.read("sales")  # type: ignore[call-overload]


@pytest.mark.parametrize("function", [print, lambda row: None, lambda key, row: None])
def test_a_callback_that_takes_something_else_is_refused_at_once(function: Any) -> None:
    with pytest.raises(TypeError, match=r"write def on_change\(key, row, time, is_addition\)"):
        pw.io.subscribe(table("a\n1"), function)
