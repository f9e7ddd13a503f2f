"""What Python does with an expression by asking for a value, which there is not before the computation runs.

`if table.a > 1:` asks for a truth value, `f"{table.a}"` for a text, `table.a.fillna(0)` for a method that other
libraries have. Each says what is written here instead. `str`, `repr` and `print` show the expression.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from pathway._ground import hints
from pathway._ground.origin import noting, user_place, warn

if TYPE_CHECKING:
    from pathway._expressions.expression import ColumnExpression

# How columns are written by `str` and `repr`; hardly any program looks for them.
_OF_TABLE = r"<table\d+>\.\w+"
_OF_PLACEHOLDER = r"\bpathway\.(?:this|left|right)\.\w+"


def unknown_name(expression: ColumnExpression, name: str) -> NoReturn:
    """`table.a.fillna`."""
    if name.startswith("_"):
        # Tools ask for such names to learn what a thing can do.
        raise AttributeError(f"{type(expression).__name__!r} object has no attribute {name!r}")
    with noting(user_place()):
        # Not before an expression is made.
        if "_children" not in vars(expression):
            raise AttributeError(name)
        raise AttributeError(_about_name(expression, name), name=name)


def _about_name(expression: ColumnExpression, name: str) -> str:
    # They make expressions themselves.
    from pathway._expressions.datetimes import DateTimeNamespace
    from pathway._expressions.numbers import NumberNamespace
    from pathway._expressions.strings import StringNamespace

    families = {"str": StringNamespace, "dt": DateTimeNamespace, "num": NumberNamespace}
    within = [family for family, kind in families.items() if name in hints.public(kind)]
    if within:
        return (
            f"{expression!r} has no {name!r} itself. Did you mean {' or '.join(f'.{each}.{name}' for each in within)}?"
        )
    message = hints.of_member(f"{expression!r} is an expression and has no", "column", name, hints.public(expression))
    if message.endswith(repr(name)):
        message += f'. A member of a JSON document is taken with brackets: {_written(expression)}["{name}"]'
    return message


def _written(expression: ColumnExpression) -> str:
    """An expression as one could write it, as far as that can be known."""
    shown = repr(expression)
    if re.fullmatch(_OF_PLACEHOLDER, shown):
        return shown.replace("pathway", "pw", 1)
    return f"table.{shown.rpartition('.')[2]}" if re.fullmatch(_OF_TABLE, shown) else "expression"


def called(expression: ColumnExpression, *args: object, **kwargs: object) -> NoReturn:
    """`table.a(1)`, and `pw.this.filter(...)`, which is no method."""
    message = f"{expression!r} is a column and cannot be called"
    written = _written(expression)
    if written.startswith("pw."):
        name = written.rpartition(".")[2]
        idiom = hints.instead("table", name)
        if idiom is not None:
            raise TypeError(f"{message}. {idiom}")
        message += f". Methods are those of the table: table.{name}(...)"
    raise TypeError(f"{message}; apply functions with pw.apply(function, column)")


def formatted(expression: ColumnExpression, specification: str) -> NoReturn:
    """`f"{table.a} x"`."""
    raise TypeError(
        f"{expression!r} is an expression: a text made of it holds its name, the same in every row. For a text made of "
        f'its value, write "..." + {_written(expression)}.to_string(), or apply a function with pw.apply; to show the '
        "expression itself, {...!r}"
    )


def as_bool(expression: ColumnExpression) -> NoReturn:
    """`if table.a > 1`, `not table.a`, `1 < table.a < 3`, `table.a in [1, 2]`."""
    raise RuntimeError(
        f"Cannot use expression as boolean. {expression!r} has no truth value before the computation runs. "
        "Use &, | and ~ instead of and, or and not; pw.if_else instead of if; "
        "(a < b) & (b < c) instead of a < b < c; (a == 1) | (a == 2) instead of a in [1, 2]; "
        "table.filter to choose rows"
    )


def iterated(expression: ColumnExpression) -> NoReturn:
    """`for value in table.a`, `sum(table.a)`."""
    raise TypeError(
        f"{expression!r} is not iterable: an expression describes a computation and holds no value. "
        "Take an element with expression[i], use Table.flatten for a row per element, "
        "or apply a Python function with pw.apply; over all rows, reduce: "
        "table.reduce(total=pw.reducers.sum(table.a))"
    )


def contains(expression: ColumnExpression, item: object) -> NoReturn:
    """`1 in table.a`."""
    raise TypeError(
        f"{expression!r} is an expression: `in` cannot look into it; use pw.apply, or for texts "
        "expression.str.find(...) >= 0"
    )


def length(expression: ColumnExpression) -> NoReturn:
    """`len(table.a)`."""
    raise TypeError(
        f"{expression!r} is an expression and has no length; for texts, use expression.str.len(), for the number of "
        "rows table.reduce(n=pw.reducers.count())"
    )


def as_int(expression: ColumnExpression) -> NoReturn:
    """`int(table.a)`."""
    _no_number("int", expression)


def as_float(expression: ColumnExpression) -> NoReturn:
    """`float(table.a)`, `math.sqrt(table.a)`."""
    _no_number("float", expression)


def _no_number(kind: str, expression: ColumnExpression) -> NoReturn:
    raise TypeError(
        f"{expression!r} is an expression and no number yet. For a column of numbers, write pw.cast({kind}, column), "
        f"or column.str.parse_{kind}() of texts; functions such as math.sqrt are applied: "
        "pw.apply(math.sqrt, column)"
    )


def rounded(expression: ColumnExpression, digits: int = 0) -> NoReturn:
    """`round(table.a)`."""
    raise TypeError(
        f"{expression!r} is an expression and no number yet; write {_written(expression)}.num.round({digits})"
    )


def check_text(text: str) -> None:
    """Complains of a constant that holds an expression as text, such as `"%s!" % table.a`."""
    if "<table" in text and (found := re.search(_OF_TABLE, text)):
        raise ValueError(
            f"the text {text!r} was made of the expression {found[0]} and holds its name, the same in every row. For a "
            f'text made of its value, write "..." + table.{found[0].rpartition(".")[2]}.to_string()'
        )
    if "pathway." in text and (found := re.search(_OF_PLACEHOLDER, text)):
        warn(
            f"the text {text!r} holds the name of {found[0]}, the same in every row. For a text made of its value, "
            f'write "..." + {found[0].replace("pathway", "pw", 1)}.to_string()'
        )


def operands(function: str, kinds: Sequence[str]) -> str | None:
    """What to write where a text and something else are put together with `+`, or where a value may be None or of any
    type; None for other mistakes."""
    if "optional" in kinds:
        return (
            "A value that may be None, as those of the other side of an outer join: pw.coalesce(value, ...) puts "
            "another in its place, pw.unwrap(value) says that it never is"
        )
    if "any" in kinds:
        return (
            "A value of any type, as what a function returns that does not say what: def f(...) -> int says it, and so "
            "does pw.declare_type(int, value)"
        )
    if function == "+" and "str" in kinds and len(set(kinds)) > 1:
        return "To put a value into a text, make a text of it: " + " + ".join(
            "text" if kind == "str" else "value.to_string()" for kind in kinds
        )
    return None
