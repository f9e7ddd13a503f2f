"""Expressions: results, types, and what is refused when they are built."""

from __future__ import annotations

from typing import Any

import pathway as pw
import pytest
from pathway._expressions.walking import in_order
from support import assert_table, rows, table


def one(value: Any, annotation: Any) -> pw.Table[Any]:
    """A table with the value in its column `v`."""
    return pw.debug.table_from_rows(pw.schema_from_types(v=annotation), [(value,)])


def result(expression: pw.ColumnExpression) -> Any:
    """The value of an expression over a table with one row."""
    (reference,) = {part._table for part in in_order([expression]) if isinstance(part, pw.ColumnReference)}
    assert isinstance(reference, pw.Table)
    (value,) = rows(reference.select(x=expression), "x")
    return value


def dtype(expression: pw.ColumnExpression, scope: pw.Table[Any]) -> Any:
    return scope.select(x=expression).typehints()["x"]


def test_arithmetic() -> None:
    t = table(
        """
        a  | b | f
        7  | 2 | 0.5
        -7 | 2 | 1.5
        """
    )
    assert_table(
        t.select(
            sum=t.a + t.b,
            difference=1 - t.a,
            product=t.a * t.b,
            quotient=t.a / t.b,
            floor=t.a // t.b,
            rest=t.a % t.b,
            power=t.b**3,
            negative=-t.a,
            absolute=abs(t.a),
            mixed=t.a + t.f,
        ),
        """
        sum | difference | product | quotient | floor | rest | power | negative | absolute | mixed
        9   | -6         | 14      | 3.5      | 3     | 1    | 8     | -7       | 7        | 7.5
        -5  | 8          | -14     | -3.5     | -4    | 1    | 8     | 7        | 7        | -5.5
        """,
    )


def test_comparison_and_logic() -> None:
    t = table(
        """
        a | b
        1 | 2
        2 | 2
        """
    )
    assert_table(
        t.select(
            lt=t.a < t.b,
            le=t.a <= t.b,
            eq=t.a == t.b,
            ne=t.a != t.b,
            both=(t.a == 2) & (t.b == 2),
            either=(t.a == 1) | (t.b == 1),
            odd=(t.a == 1) ^ (t.b == 2),
            no=~(t.a == 1),
            bits=(t.a | 4) << 1,
        ),
        """
        lt    | le   | eq    | ne    | both  | either | odd   | no    | bits
        True  | True | False | True  | False | True   | False | False | 10
        False | True | True  | False | True  | False  | True  | True  | 12
        """,
    )


@pytest.mark.parametrize(
    ("expression", "annotation"),
    [
        (lambda t: t.i + t.f, float),
        (lambda t: t.i / t.i, float),
        (lambda t: t.i // t.i, int),
        (lambda t: t.s * t.i, str),
        (lambda t: t.o == None, bool),  # noqa: E711
        (lambda t: pw.if_else(t.b, t.i, t.f), float),
        (lambda t: pw.if_else(t.b, t.i, None), int | None),
        (lambda t: pw.coalesce(t.o, 1), int),
        (lambda t: pw.coalesce(t.o, None), int | None),
        (lambda t: pw.require(t.i, t.o), int | None),
        (lambda t: pw.unwrap(t.o), int),
        (lambda t: pw.fill_error(t.i, 0.5), float),
        (lambda t: pw.make_tuple(t.i, t.s, t.o), tuple[int, str, int | None]),
        (lambda t: (t.i, t.s), tuple[int, str]),
        (lambda t: pw.make_tuple(t.i, t.s)[1], str),
        (lambda t: pw.cast(str, t.i), str),
        (lambda t: pw.cast(float, t.o), float),
        (lambda t: pw.cast(float | None, t.o), float | None),
        (lambda t: pw.declare_type(int, t.o), int),
        (lambda t: pw.declare_type(float, t.i), float),
        (lambda t: t.j["a"]["b"].as_int(), int | None),
        (lambda t: t.j.get("a"), pw.Json | None),
        (lambda t: t.j["a"].as_str(default="-"), str),
        (lambda t: t.j["a"].as_float(unwrap=True), float),
        (lambda t: t.s.str.len(), int),
        (lambda t: t.s.str.parse_int(optional=True), int | None),
        (lambda t: t.s.str.parse_int(), int),
        (lambda t: t.id, pw.Pointer),
        (lambda t: t.pointer_from(t.i), pw.Pointer[int]),
        (lambda t: pw.apply(len, t.s), Any),
        (lambda t: pw.apply(str, t.i), str),
        (lambda t: pw.apply_with_type(len, int, t.s), int),
    ],
)
def test_types(expression: Any, annotation: Any) -> None:
    t = pw.Table.empty(i=int, f=float, s=str, b=bool, o=int | None, j=pw.Json)
    assert dtype(expression(t), t) == annotation


@pytest.mark.parametrize(
    "expression",
    [
        lambda t: t.i + t.s,
        lambda t: t.i == t.s,
        lambda t: t.o + 1,
        lambda t: t.o < 1,
        lambda t: -t.s,
        lambda t: ~t.s,
        lambda t: t.b + t.b,
        lambda t: pw.if_else(t.i, 1, 2),
        lambda t: pw.if_else(t.b, t.i, t.s),
        lambda t: pw.coalesce(t.i, t.s),
        lambda t: pw.declare_type(int, t.s),
        lambda t: t.i.str.lower(),
        lambda t: t.o.num.abs(),
        lambda t: t.i.as_int(),
        lambda t: t.i[0],
        lambda t: pw.make_tuple(t.i)["x"],
    ],
)
def test_what_does_not_fit_is_refused_when_built(expression: Any) -> None:
    t = pw.Table.empty(i=int, s=str, b=bool, o=int | None)
    with pytest.raises(TypeError) as info:
        t.select(x=expression(t))
    assert any("File:" in note and "test_expressions.py" in note for note in info.value.__notes__)


def test_the_line_of_the_expression_is_named() -> None:
    t = pw.Table.empty(a=int, s=str)
    wrong = t.a + t.s  # The line to name.
    with pytest.raises(TypeError) as info:
        t.select(x=pw.if_else(t.a > 0, wrong, 0))
    notes = "\n".join(info.value.__notes__)
    assert "Line: wrong = t.a + t.s  # The line to name." in notes
    assert "(<table1>.a + <table1>.s)" in notes


def test_index_out_of_range_of_a_tuple() -> None:
    t = pw.Table.empty(t=tuple[int, str])
    with pytest.raises(IndexError):
        t.select(x=t.t[2])


def test_none() -> None:
    t = pw.debug.table_from_rows(pw.schema_from_types(k=int, o=int | None), [(1, 5), (2, None)])
    assert_table(
        t.select(
            t.k,
            none=t.o.is_none(),
            some=t.o.is_not_none(),
            filled=pw.coalesce(t.o, 0),
            required=pw.require(t.k, t.o),
        ),
        """
        k | none  | some  | filled | required
        1 | False | True  | 5      | 1
        2 | True  | False | 0      | None
        """,
    )
    narrowed = t.filter(t.o.is_not_none() & (t.k > 0))
    assert narrowed.typehints()["o"] is int
    assert t.filter(t.o != None).typehints()["o"] == int | None  # noqa: E711
    assert_table(narrowed.select(x=narrowed.o + 1), "x\n6")


def test_branches_that_are_not_taken_are_not_computed() -> None:
    t = table("a\n0\n2")
    assert_table(t.select(t.a, x=pw.if_else(t.a == 0, -1, 8 // t.a)), "a | x\n0 | -1\n2 | 4")


def test_what_require_looks_at_after_a_none_is_not_computed() -> None:
    t = table("a | b | o\n1 | 0 | None\n4 | 2 | 3")
    assert_table(
        t.select(t.a, x=pw.require(t.a // t.b, t.o, t.a // t.b)),
        "a | x\n1 | None\n4 | 2",
    )
    with pytest.raises(ZeroDivisionError):
        rows(t.select(x=pw.require(t.a, t.a // t.b, t.o)), "x")


def test_casts() -> None:
    assert result(pw.cast(int, one(1.9, float).v)) == 1
    assert result(pw.cast(str, one(1.0, float).v)) == "1"
    assert result(pw.cast(bool, one("False", str).v)) is True
    assert result(pw.cast(float, one(" 2.5 ", str).v)) == 2.5
    assert result(pw.cast(int | None, one(None, float | None).v)) is None
    with pytest.raises(ValueError, match="x"):
        result(pw.cast(int, one("x", str).v))


def test_tuples() -> None:
    t = one((1, "x"), tuple[int, str])
    assert result(t.v[0]) == 1
    assert result(t.v[-1]) == "x"
    assert result(t.v.get(0, 9)) == 1
    lists = one([1, 2], list[int])
    assert result(lists.v[1]) == 2
    assert result(lists.v.get(7, -1)) == -1
    with pytest.raises(IndexError):
        result(lists.v[7])


def test_json() -> None:
    t = one({"a": {"b": [1, None, "x"]}}, pw.Json)
    assert result(t.v["a"]["b"][0].as_int()) == 1
    assert result(t.v["a"]["b"][1].as_int()) is None
    assert result(t.v["a"]["b"][1].as_int(default=7)) == 7
    assert result(t.v["a"]["nobody"].as_str()) is None
    assert result(t.v["a"].get("nobody")) is None
    with pytest.raises(ValueError, match="Int"):
        result(t.v["a"]["b"][2].as_int())


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (lambda s: s.lower(), " aßc abc "),
        (lambda s: s.upper(), " ASSC ABC "),
        (lambda s: s.strip(), "aßC aBc"),
        (lambda s: s.strip(" ac"), "ßC aB"),
        (lambda s: s.len(), 9),
        (lambda s: s.count("a"), 2),
        (lambda s: s.find("a"), 1),
        (lambda s: s.find("a", 2), 5),
        (lambda s: s.rfind("a"), 5),
        (lambda s: s.startswith(" a"), True),
        (lambda s: s.endswith("x"), False),
        (lambda s: s.removeprefix(" a"), "ßC aBc "),
        (lambda s: s.removesuffix("c "), " aßC aB"),
        (lambda s: s.replace("a", "x"), " xßC xBc "),
        (lambda s: s.replace("a", "x", 1), " xßC aBc "),
        (lambda s: s.slice(1, 3), "aß"),
        (lambda s: s.reversed(), " cBa Cßa "),
        (lambda s: s.swapcase(), " ASSc AbC "),
        (lambda s: s.title(), " Aßc Abc "),
    ],
)
def test_text_methods(expression: Any, expected: Any) -> None:
    assert result(expression(one(" aßC aBc ", str).v.str)) == expected


def test_parsing() -> None:
    assert result(one(" +5 ", str).v.str.parse_int()) == 5
    assert result(one("x", str).v.str.parse_int(optional=True)) is None
    assert result(one("1e3", str).v.str.parse_float()) == 1000.0
    assert result(one("YES", str).v.str.parse_bool()) is True
    assert result(one("nope", str).v.str.parse_bool(false_values=["nope"])) is False
    with pytest.raises(ValueError, match="x"):
        result(one("x", str).v.str.parse_int())


def test_number_methods() -> None:
    assert result(one(2.5, float).v.num.round()) == 2.0
    assert result(one(25, int).v.num.round(-1)) == 20
    assert result(one(None, int | None).v.num.fill_na(3)) == 3
    assert result(one(-3, int).v.num.abs()) == 3


def test_date_and_time_methods() -> None:
    moment = one("2024-02-29 13:14:15.123456789", str).select(v=pw.this.v.str.strip())
    moment = moment.select(v=moment.v.dt.strptime("%Y-%m-%d %H:%M:%S.%f"))
    assert result(moment.v.dt.year()) == 2024
    assert result(moment.v.dt.weekday()) == 3
    assert result(moment.v.dt.millisecond()) == 123
    assert result(moment.v.dt.nanosecond()) == 123456789
    assert result(moment.v.dt.strftime("%d.%m.%Y")) == "29.02.2024"
    assert str(result(moment.v.dt.floor("1D"))) == "2024-02-29 00:00:00"
    assert str(result(moment.v.dt.to_utc("Europe/Warsaw"))) == "2024-02-29 12:14:15.123456789+00:00"
    hours = one(26, int).select(v=pw.this.v.dt.to_duration("h"))
    assert result(hours.v.dt.days()) == 1
    assert result(hours.v.dt.hours()) == 26
    assert str(result((moment.v + pw.Duration(hours=1)).dt.round("1h"))) == "2024-02-29 14:00:00"
    with pytest.raises(ValueError, match="one of s, ms, us, ns"):
        moment.v.dt.timestamp("m")


def test_expressions_hold_no_value() -> None:
    t = pw.Table.empty(a=int)
    with pytest.raises(RuntimeError, match="no truth value"):
        bool(t.a == 1)
    with pytest.raises(RuntimeError, match="no truth value"):
        _ = 0 < t.a < 3
    with pytest.raises(TypeError, match="not iterable"):
        list(t.a)
    with pytest.raises(TypeError, match="no length"):
        len(t.a)
    with pytest.raises(TypeError, match="cannot look into"):
        _ = 1 in t.a
    with pytest.raises(TypeError, match="cannot be called"):
        t.a()
    with pytest.raises(TypeError, match="cannot be sliced"):
        t.a[1:]


def test_text_of_expressions() -> None:
    t, u = pw.Table.empty(a=int), pw.Table.empty(b=int)
    assert repr(t.a + u.b * t.a) == "(<table1>.a + (<table2>.b * <table1>.a))"
    assert repr(pw.this.a) == "pathway.this.a"
    assert repr(pw.if_else(t.a > 1, -t.a, 0)) == "pathway.if_else((<table1>.a > 1), (-<table1>.a), 0)"
    assert repr(pw.reducers.sum(t.a)) == "pathway.reducers.sum(<table1>.a)"
    assert repr(pw.cast(float, t.a)) == "pathway.cast(FLOAT, <table1>.a)"


def test_constants() -> None:
    t = table("a\n1")
    assert_table(t.select(i=5, s="x", f=0.5, n=None), "i | s | f | n\n5 | x | 0.5 | None")
    assert dtype({"a": 1}, t) is pw.Json
    with pytest.raises(TypeError):
        t.select(x=object())
    with pytest.raises(TypeError, match="cannot be a value"):
        t.select(x=t)
