"""Random expressions, each as an expression over a table and as a plain Python function of a row.

Where Python raises, and where an int does not fit into 64 bits, the engine gives an error cell. `&` and `|` of bools,
`if_else` and `coalesce` do not look at what they do not need, as `and`, `or` and `if` do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pathway as pw
from hypothesis import strategies as st
from pathway._native import ERROR

INT_MIN, INT_MAX = -(2**63), 2**63 - 1


class Term(NamedTuple):
    """An expression written three times."""

    text: str
    build: Callable[[Any], Any]
    evaluate: Callable[[dict[str, Any]], Any]
    is_literal: bool = False

    def __repr__(self) -> str:
        return self.text


class Row(pw.Schema):
    i: int
    j: int
    f: float
    h: float
    p: bool
    s: str
    z: str
    o: int | None


# Letters with unusual cases and spaces. Only some of Unicode: its versions differ in the rest.
TEXTS = st.text(st.sampled_from("aaabAB.1 _'\t\n\u00a0\u3000éÉßΣσςıİǅﬁñ漢😀"), max_size=8)
INTS = st.integers(-5, 5) | st.integers(-(2**53), 2**53) | st.sampled_from([INT_MIN, INT_MAX, INT_MIN + 1])
FLOATS = st.sampled_from([0.0, -0.0, 0.5, 1.0, -2.5, 0.1, 1e308, 5e-324]) | st.floats(width=64)
ROWS = st.fixed_dictionaries(
    {"i": INTS, "j": INTS, "f": FLOATS, "h": FLOATS, "p": st.booleans(), "s": TEXTS, "z": TEXTS, "o": st.none() | INTS}
)


def value(term: Term, row: dict[str, Any]) -> Any:
    """What the engine should give."""
    try:
        return term.evaluate(row)
    except (ArithmeticError, ValueError):
        return ERROR


def fitting(number: int) -> int:
    if not INT_MIN <= number <= INT_MAX:
        raise OverflowError(number)
    return number


def column(name: str) -> Term:
    return Term(name, lambda table: table[name], lambda row: row[name])


def literal(value: Any) -> Term:
    return Term(repr(value), lambda table: value, lambda row: value, is_literal=True)


def call(text: str, function: Callable[..., Any], *arguments: Term, plain: Callable[..., Any] | None = None) -> Term:
    """A function of terms; `plain` is its twin for Python's values if the operators alone do not make it."""
    plain = plain or function
    return Term(
        text.format(*(argument.text for argument in arguments)),
        lambda table: function(*(argument.build(table) for argument in arguments)),
        lambda row: plain(*(argument.evaluate(row) for argument in arguments)),
    )


def power(base: int, exponent: int) -> int:
    if exponent < 0:
        raise ValueError("a negative power of an int is no int")
    if abs(base) > 1 and exponent > 63:
        raise OverflowError
    return base**exponent


def shifted(base: int, count: int) -> int:
    """The engine refuses bits that are lost, as it refuses any overflow."""
    if count < 0 or count > 63:
        raise ValueError
    return fitting(base << count)


BINARY_INT: dict[str, tuple[Callable[[Any, Any], Any], Callable[[int, int], int]]] = {
    "+": (lambda x, y: x + y, lambda x, y: x + y),
    "-": (lambda x, y: x - y, lambda x, y: x - y),
    "*": (lambda x, y: x * y, lambda x, y: x * y),
    "//": (lambda x, y: x // y, lambda x, y: x // y),
    "%": (lambda x, y: x % y, lambda x, y: x % y),
    "**": (lambda x, y: x**y, power),
    "<<": (lambda x, y: x << y, shifted),
    "&": (lambda x, y: x & y, lambda x, y: x & y),
    "|": (lambda x, y: x | y, lambda x, y: x | y),
    "^": (lambda x, y: x ^ y, lambda x, y: x ^ y),
}
FLOAT_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
    "//": lambda x, y: x // y,
    "%": lambda x, y: x % y,
}
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
}
# A method of `.str` is the method of str of the same name.
TEXT_METHODS = ["lower", "upper", "title", "swapcase", "strip"]


@st.composite
def ints(draw: st.DrawFn, depth: int) -> Term:
    kind = draw(st.sampled_from(["column", "literal"] if depth == 0 else INT_KINDS))
    if kind == "column":
        return column(draw(st.sampled_from("ij")))
    if kind == "literal":
        return literal(draw(INTS))
    if kind == "binary":
        name = draw(st.sampled_from(sorted(BINARY_INT)))
        operator, plain = BINARY_INT[name]
        left, right = draw(ints(depth - 1)), draw(ints(depth - 1))
        left = _no_literal(left, "i") if right.is_literal else left
        return call(f"({{}} {name} {{}})", operator, left, right, plain=lambda x, y: fitting(plain(x, y)))
    if kind == "negative":
        return call("-{}", lambda x: -x, _no_literal(draw(ints(depth - 1)), "j"), plain=lambda x: fitting(-x))
    if kind == "abs":
        return call("abs({})", abs, _no_literal(draw(ints(depth - 1)), "j"), plain=lambda x: fitting(abs(x)))
    if kind == "if_else":
        return if_else(draw(bools(depth - 1)), draw(ints(depth - 1)), draw(ints(depth - 1)))
    if kind == "coalesce":
        default = draw(ints(depth - 1))
        return Term(
            f"coalesce(o, {default})",
            lambda table: pw.coalesce(table.o, default.build(table)),
            lambda row: default.evaluate(row) if row["o"] is None else row["o"],
        )
    text = draw(texts(depth - 1))
    text = _no_literal(text, "s")
    if kind == "len":
        return call("{}.str.len()", lambda x: x.str.len(), text, plain=len)
    part, start, end = draw(TEXTS), draw(st.none() | st.integers(-9, 9)), draw(st.none() | st.integers(-9, 9))
    method = draw(st.sampled_from(["count", "find", "rfind"]))
    return call(
        f"{{}}.str.{method}({_escaped(part)}, {start}, {end})",
        lambda x: getattr(x.str, method)(part, start, end),
        text,
        plain=lambda x: getattr(x, method)(part, start, end),
    )


INT_KINDS = ["column", "literal", "binary", "binary", "negative", "abs", "if_else", "coalesce", "len", "positions"]


@st.composite
def floats(draw: st.DrawFn, depth: int) -> Term:
    kind = draw(st.sampled_from(["column", "literal"] if depth == 0 else FLOAT_KINDS))
    if kind == "column":
        return column(draw(st.sampled_from("fh")))
    if kind == "literal":
        return literal(draw(FLOATS))
    if kind == "if_else":
        return if_else(draw(bools(depth - 1)), draw(floats(depth - 1)), draw(floats(depth - 1)))
    if kind == "negative":
        return call("-{}", lambda x: -x, _no_literal(draw(floats(depth - 1)), "f"))
    if kind == "ratio":
        # Ints become floats first, as everywhere; Python alone looks at all their bits here.
        return call(
            "({} / {})", lambda x, y: x / y, column("i"), draw(ints(depth - 1)), plain=lambda x, y: float(x) / y
        )
    name = draw(st.sampled_from(sorted(FLOAT_OPERATORS)))
    left = draw(floats(depth - 1))
    right = draw(floats(depth - 1) | ints(depth - 1))
    return call(f"({{}} {name} {{}})", FLOAT_OPERATORS[name], _no_literal(left, "f"), right)


FLOAT_KINDS = ["column", "literal", "binary", "binary", "binary", "negative", "if_else", "ratio"]


@st.composite
def bools(draw: st.DrawFn, depth: int) -> Term:
    kind = draw(st.sampled_from(["column"] if depth == 0 else BOOL_KINDS))
    if kind == "column":
        return column("p")
    if kind == "compare":
        of = draw(st.sampled_from([ints, floats, texts]))
        name = draw(st.sampled_from(sorted(COMPARISONS)))
        left = _no_literal(draw(of(depth - 1)), {ints: "i", floats: "f", texts: "s"}[of])
        return call(f"({{}} {name} {{}})", COMPARISONS[name], left, draw(of(depth - 1)))
    if kind == "not":
        return call("~{}", lambda x: ~x, draw(bools(depth - 1)), plain=lambda x: not x)
    if kind == "none":
        return call("o.is_none()", lambda x: x.is_none(), column("o"), plain=lambda x: x is None)
    if kind == "equal":
        return call("(o == {})", lambda x, y: x == y, column("o"), draw(ints(depth - 1)))
    if kind in ("startswith", "endswith"):
        part = draw(TEXTS)
        return call(
            f"{{}}.str.{kind}({_escaped(part)})",
            lambda x: getattr(x.str, kind)(part),
            _no_literal(draw(texts(depth - 1)), "z"),
            plain=lambda x: getattr(x, kind)(part),
        )
    left, right = draw(bools(depth - 1)), draw(bools(depth - 1))
    if kind == "^":
        return call("({} ^ {})", lambda x, y: x ^ y, left, right)
    if kind == "&":
        return Term(
            f"({left} & {right})",
            lambda table: left.build(table) & right.build(table),
            lambda row: left.evaluate(row) and right.evaluate(row),
        )
    return Term(
        f"({left} | {right})",
        lambda table: left.build(table) | right.build(table),
        lambda row: left.evaluate(row) or right.evaluate(row),
    )


BOOL_KINDS = ["column", "compare", "compare", "not", "none", "equal", "startswith", "endswith", "^", "&", "|"]


@st.composite
def texts(draw: st.DrawFn, depth: int) -> Term:
    kind = draw(st.sampled_from(["column", "literal"] if depth == 0 else TEXT_KINDS))
    if kind == "literal":
        return literal(draw(TEXTS))
    if kind == "column" or depth == 0:
        return column(draw(st.sampled_from("sz")))
    if kind == "if_else":
        return if_else(draw(bools(depth - 1)), draw(texts(depth - 1)), draw(texts(depth - 1)))
    inner = _no_literal(draw(texts(depth - 1)), "s")
    if kind == "+":
        return call("({} + {})", lambda x, y: x + y, inner, draw(texts(depth - 1)))
    if kind == "*":
        return call("({} * {})", lambda x, y: x * y, inner, literal(draw(st.integers(-1, 3))))
    if kind == "method":
        name = draw(st.sampled_from(TEXT_METHODS))
        return call(f"{{}}.str.{name}()", lambda x: getattr(x.str, name)(), inner, plain=lambda x: getattr(x, name)())
    if kind == "with_text":
        name, part = draw(st.sampled_from(["strip", "removeprefix", "removesuffix"])), draw(TEXTS)
        return call(
            f"{{}}.str.{name}({_escaped(part)})",
            lambda x: getattr(x.str, name)(part),
            inner,
            plain=lambda x: getattr(x, name)(part),
        )
    if kind == "reversed":
        return call("{}.str.reversed()", lambda x: x.str.reversed(), inner, plain=lambda x: x[::-1])
    if kind == "slice":
        start, end = draw(st.integers(-9, 9)), draw(st.integers(-9, 9))
        return call(
            f"{{}}.str.slice({start}, {end})", lambda x: x.str.slice(start, end), inner, plain=lambda x: x[start:end]
        )
    old, new, count = draw(TEXTS), draw(TEXTS), draw(st.integers(-1, 3))
    return call(
        f"{{}}.str.replace({_escaped(old)}, {_escaped(new)}, {count})",
        lambda x: x.str.replace(old, new, count),
        inner,
        plain=lambda x: x.replace(old, new, count),
    )


TEXT_KINDS = ["column", "literal", "if_else", "+", "*", "method", "method", "with_text", "reversed", "slice", "replace"]


def if_else(condition: Term, then: Term, otherwise: Term) -> Term:
    return Term(
        f"if_else({condition}, {then}, {otherwise})",
        lambda table: pw.if_else(condition.build(table), then.build(table), otherwise.build(table)),
        lambda row: then.evaluate(row) if condition.evaluate(row) else otherwise.evaluate(row),
    )


def _no_literal(term: Term, name: str) -> Term:
    """Two literals would meet in Python and never reach the engine."""
    return column(name) if term.is_literal else term


def _escaped(text: str) -> str:
    return repr(text).replace("{", "{{").replace("}", "}}")
