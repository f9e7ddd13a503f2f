"""The functions of expressions that are no methods: `pw.if_else`, `pw.coalesce`, `pw.cast`, …"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pathway import _native
from pathway._expressions.expression import Call, ColumnExpression, Special, tuple_of, wrap
from pathway._expressions.nodes import UserCall
from pathway._expressions.udfs import return_dtype
from pathway._ground import tracebacks
from pathway._ground.origin import declares
from pathway._values import dtypes


@tracebacks.shortened
def if_else(if_clause: object, then_clause: object, else_clause: object) -> ColumnExpression:
    """`then_clause` where the condition is True, elsewhere `else_clause`; the other one is not computed.

    Args:
        if_clause: a condition, a bool that is never None.
        then_clause: the value where it is True.
        else_clause: the value where it is False.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... a
    ... 0
    ... 2
    ... ''')
    >>> pw.debug.compute_and_print(table.select(x=pw.if_else(pw.this.a == 0, 0, 8 // pw.this.a)), include_id=False)
    x
    0
    4
    """
    return Special(
        "if_else",
        [wrap(if_clause), wrap(then_clause), wrap(else_clause)],
        lambda arguments: _native.Expression.if_else(arguments[0], arguments[1], arguments[2]),
    )


@declares
def coalesce(*args: object) -> ColumnExpression:
    """The first of the values that is not None.

    Args:
        args: the values, from the first to be taken to the last.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... a    | b
    ... None | 1
    ... 2    | 3
    ... ''')
    >>> pw.debug.compute_and_print(table.select(x=pw.coalesce(pw.this.a, pw.this.b)), include_id=False)
    x
    1
    2
    """
    if not args:
        raise ValueError("pw.coalesce() needs at least one argument")
    return Special("coalesce", [wrap(value) for value in args], _native.Expression.coalesce)


@tracebacks.shortened
def require(val: object, *deps: object) -> ColumnExpression:
    """The value if none of the others is None, otherwise None.

    The others are looked at from the left, and what comes after a None is not computed.

    Args:
        val: the value.
        deps: what must not be None.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... a | b
    ... 1 | None
    ... 2 | 3
    ... ''')
    >>> pw.debug.compute_and_print(table.select(pw.this.a, x=pw.require(10, pw.this.b)), include_id=False)
    a | x
    1 |
    2 | 10
    """

    def build(arguments: Sequence[_native.Expression]) -> _native.Expression:
        value, *others = arguments
        # The first is the outermost: where it is None, nothing within is asked for.
        for other in reversed(others):
            value = _native.Expression.require(value, [other])
        return value if others else _native.Expression.require(value, [])

    return Special("require", [wrap(val), *map(wrap, deps)], build)


@tracebacks.shortened
def unwrap(col: object) -> ColumnExpression:
    """The value, which you know is never None: its type loses the None. A None is an error.

    Args:
        col: the value.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_rows(pw.schema_from_types(a=int | None), [(1,)])
    >>> pw.debug.compute_and_print(table.select(x=pw.unwrap(pw.this.a) + 1), include_id=False)
    x
    2
    """
    return Call("unwrap", [wrap(col)], "pathway.unwrap({})")


@tracebacks.shortened
def fill_error(col: object, replacement: object) -> ColumnExpression:
    """The value, or the replacement where computing it failed.

    Args:
        col: what may fail.
        replacement: the value where it has failed.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... a
    ... 0
    ... 2
    ... ''')
    >>> result = table.select(pw.this.a, x=pw.fill_error(8 // pw.this.a, -1))
    >>> pw.debug.compute_and_print(result, include_id=False, terminate_on_error=False)
    a | x
    0 | -1
    2 | 4
    """
    return Special(
        "fill_error",
        [wrap(col), wrap(replacement)],
        lambda arguments: _native.Expression.fill_error(arguments[0], arguments[1]),
    )


@tracebacks.shortened
def make_tuple(*args: object) -> ColumnExpression:
    """A tuple of the values.

    Args:
        args: the values, in order.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... a | b
    ... 1 | x
    ... ''')
    >>> pw.debug.compute_and_print(table.select(x=pw.make_tuple(pw.this.a, pw.this.b)), include_id=False)
    x
    (1, 'x')
    """
    return tuple_of(args)


@declares
def cast(target_type: Any, col: object) -> ColumnExpression:
    """The value converted to int, float, bool or str.

    A text that is no number is an error in its row; a float loses its fraction on the way to int.

    Args:
        target_type: the type, as an annotation: `int`, `float | None`.
        col: the value.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... a
    ... 1.5
    ... ''')
    >>> pw.debug.compute_and_print(table.select(x=pw.cast(int, pw.this.a), y=pw.cast(str, pw.this.a)), include_id=False)
    x | y
    1 | 1.5
    """
    target = dtypes.of_user(target_type)

    def build(arguments: Sequence[_native.Expression]) -> _native.Expression:
        return _native.Expression.cast(arguments[0], target, expression._origin())

    expression = Special("cast", [wrap(col)], build, dtypes.name(target))
    return expression


@declares
def declare_type(target_type: Any, col: object) -> ColumnExpression:
    """The same value under a narrower or wider type, which you vouch for; nothing is converted.

    Args:
        target_type: the type, as an annotation: `int`, `float | None`.
        col: the value.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_rows(pw.schema_from_types(a=int | None), [(1,)])
    >>> pw.debug.compute_and_print(table.select(x=pw.declare_type(int, pw.this.a) + 1), include_id=False)
    x
    2
    """
    target = dtypes.of_user(target_type)

    def build(arguments: Sequence[_native.Expression]) -> _native.Expression:
        return _native.Expression.narrow(arguments[0], target, "pw.declare_type")

    return Special("declare_type", [wrap(col)], build, dtypes.name(target))


@declares
def apply(fun: Callable[..., Any], *args: object, **kwargs: object) -> ColumnExpression:
    """The result of a Python function for the values of every row; its type is what the function is annotated with.

    Args:
        fun: the function, called once for every row.
        args: its arguments: columns, expressions, constants.
        kwargs: its arguments by name.

    >>> import pathway as pw
    >>> def shout(text: str) -> str:
    ...     return text.upper() + "!"
    >>> table = pw.debug.table_from_markdown('''
    ... a
    ... hi
    ... ''')
    >>> pw.debug.compute_and_print(table.select(x=pw.apply(shout, pw.this.a)), include_id=False)
    x
    HI!
    """
    return _apply(fun, return_dtype(fun), args, kwargs)


@declares
def apply_with_type(fun: Callable[..., Any], ret_type: Any, *args: object, **kwargs: object) -> ColumnExpression:
    """The result of a Python function for the values of every row, of the given type.

    Args:
        fun: the function, called once for every row.
        ret_type: the type of the result, as an annotation.
        args: the arguments of the function: columns, expressions, constants.
        kwargs: its arguments by name.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... a
    ... hi
    ... ''')
    >>> pw.debug.compute_and_print(table.select(x=pw.apply_with_type(len, int, pw.this.a)), include_id=False)
    x
    2
    """
    return _apply(fun, return_dtype(fun, dtypes.of_user(ret_type)), args, kwargs)


def _apply(
    fun: Callable[..., Any], dtype: _native.DType, args: Sequence[object], kwargs: dict[str, object]
) -> ColumnExpression:
    if not callable(fun):
        raise TypeError(f"pw.apply takes a function first, found {fun!r}")
    if not args and not kwargs:
        raise ValueError("a function that is applied needs at least one argument; for a constant, give its value")
    return UserCall(
        fun,
        args,
        kwargs,
        dtype,
        name=getattr(fun, "__name__", repr(fun)),
        deterministic=False,
        propagate_none=False,
        max_batch_size=None,
    )
