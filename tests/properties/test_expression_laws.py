"""Random expressions give what plain Python gives, and an error cell where Python raises."""

from __future__ import annotations

import math
from typing import Any

import pathway as pw
import terms
from hypothesis import given, settings
from hypothesis import strategies as st
from pathway._native import ERROR, pointer_from
from terms import INT_MAX, INT_MIN, Term

EXAMPLES = settings.default.max_examples


def evaluated(schema: type[pw.Schema], rows: list[Any], **expressions: Any) -> list[list[Any]]:
    """The values of expressions (functions of a table) for each row; rows are tuples."""
    pw.testing.reset()
    table = pw.debug.table_from_rows(schema, rows)
    result = table.select(**{name: expression(table) for name, expression in expressions.items()})
    found = {update.key: list(update.row.values()) for update in pw.testing.capture(result, terminate_on_error=False)}
    return [found[pointer_from([number])] for number in range(len(rows))]


def same(found: Any, wanted: Any) -> bool:
    """Equal and of one type; NaN is NaN, and -0.0 is not 0.0."""
    return type(found) is type(wanted) and repr(found) == repr(wanted)


def check(expressions: list[Term], rows: list[dict[str, Any]]) -> None:
    found = evaluated(
        terms.Row,
        [tuple(row[name] for name in terms.Row.column_names()) for row in rows],
        **{f"x{number}": expression.build for number, expression in enumerate(expressions)},
    )
    for values, row in zip(found, rows, strict=True):
        for value, expression in zip(values, expressions, strict=True):
            wanted = terms.value(expression, row)
            assert same(value, wanted), f"{expression} is {value!r} instead of {wanted!r}"


ROWS = st.lists(terms.ROWS, min_size=1, max_size=4)


@settings(max_examples=EXAMPLES * 2)
@given(st.lists(terms.ints(2), min_size=1, max_size=3), ROWS)
def test_ints(expressions: list[Term], rows: list[dict[str, Any]]) -> None:
    check(expressions, rows)


@settings(max_examples=EXAMPLES * 2)
@given(st.lists(terms.floats(2), min_size=1, max_size=3), ROWS)
def test_floats(expressions: list[Term], rows: list[dict[str, Any]]) -> None:
    check(expressions, rows)


@settings(max_examples=EXAMPLES * 2)
@given(st.lists(terms.bools(3), min_size=1, max_size=3), ROWS)
def test_bools(expressions: list[Term], rows: list[dict[str, Any]]) -> None:
    check(expressions, rows)


@settings(max_examples=EXAMPLES * 2)
@given(st.lists(terms.texts(2), min_size=1, max_size=3), ROWS)
def test_texts(expressions: list[Term], rows: list[dict[str, Any]]) -> None:
    check(expressions, rows)


@given(st.lists(st.tuples(terms.FLOATS.filter(math.isfinite)), min_size=1), st.integers(0, 6))
def test_rounding_is_that_of_python(rows: list[tuple[float]], decimals: int) -> None:
    found = evaluated(pw.schema_from_types(f=float), rows, x=lambda table: table.f.num.round(decimals))
    for (value,), (number,) in zip(found, rows, strict=True):
        assert same(value, round(number, decimals)), (number, decimals)


@given(st.lists(st.tuples(st.integers(INT_MIN, INT_MAX), terms.FLOATS, st.booleans()), min_size=1))
def test_casts(rows: list[tuple[int, float, bool]]) -> None:
    found = evaluated(
        pw.schema_from_types(i=int, f=float, p=bool),
        rows,
        text=lambda table: pw.cast(str, table.i),
        back=lambda table: pw.cast(int, pw.cast(str, table.i)),
        parsed=lambda table: table.i.to_string().str.parse_int(),
        float_back=lambda table: table.f.to_string().str.parse_float(),
        truth=lambda table: pw.cast(bool, table.i),
        number=lambda table: pw.cast(int, table.p),
        wide=lambda table: pw.cast(float, table.i),
    )
    for values, (i, f, p) in zip(found, rows, strict=True):
        for value, wanted in zip(values, [str(i), i, i, f, bool(i), int(p), float(i)], strict=True):
            assert same(value, wanted), (value, wanted)


@given(st.lists(st.tuples(terms.FLOATS.filter(math.isfinite)), min_size=1))
def test_a_float_cast_to_int_is_cut_and_clamped(rows: list[tuple[float]]) -> None:
    found = evaluated(pw.schema_from_types(f=float), rows, x=lambda table: pw.cast(int, table.f))
    for (value,), (number,) in zip(found, rows, strict=True):
        assert same(value, min(max(int(number), INT_MIN), INT_MAX)), number


@given(st.lists(st.tuples(st.text("0123456789+-_ .ex", max_size=6)), min_size=1))
def test_texts_that_are_no_numbers_are_errors(rows: list[tuple[str]]) -> None:
    found = evaluated(
        pw.schema_from_types(s=str),
        rows,
        int=lambda table: table.s.str.parse_int(),
        float=lambda table: table.s.str.parse_float(),
        optional=lambda table: table.s.str.parse_int(optional=True),
    )
    for (whole, real, optional), (text,) in zip(found, rows, strict=True):
        assert same(whole, parsed(int, text)), text
        assert same(real, parsed(float, text)), text
        assert same(optional, None if whole is ERROR else whole), text


def parsed(kind: type, text: str) -> Any:
    """Python's reading, but for underscores, which it alone allows."""
    try:
        return ERROR if "_" in text else kind(text)
    except ValueError:
        return ERROR
