"""Expressions: what a column is computed from, as a tree that has not met its table yet.

Python's operators build the tree; nothing is computed and no type is known. When a table method
takes an expression, `_tables.binder` gives every leaf its column and asks the engine for the type of every
node, from the leaves up. A mistake found there is reported at the line that wrote the node.

A node answers three questions: what its children are, what it is in the engine once they are bound,
and how it is written.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self

from pathway import _native
from pathway._expressions import misuse, walking
from pathway._expressions.table_like import TableLike
from pathway._ground import tracebacks
from pathway._ground.origin import Place, noting, user_place, warn
from pathway._ground.shown import shown
from pathway._values import dtypes

if TYPE_CHECKING:
    from pathway._expressions.datetimes import DateTimeNamespace
    from pathway._expressions.numbers import NumberNamespace
    from pathway._expressions.strings import StringNamespace


@tracebacks.shortened_class
class ColumnExpression:
    """Something that has a value in every row: a column, a constant, or what is computed from them.

    Arithmetic, comparisons, `&`, `|`, `^`, `~`, indexing and the methods below give new expressions.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... a | b
    ... 1 | 10
    ... 2 | 20
    ... ''')
    >>> pw.debug.compute_and_print(table.select(c=table.a * 2 + table.b), include_id=False)
    c
    12
    24
    """

    _place: Place | None

    def __init__(self, children: Sequence[ColumnExpression] = ()) -> None:
        self._children = tuple(children)
        self._place = user_place()

    def _lower(self, arguments: Sequence[_native.Expression]) -> _native.Expression:
        """The node in the engine, given its children there."""
        raise NotImplementedError

    def _text(self, texts: Sequence[str]) -> str:
        """The node as text, given that of its children."""
        raise NotImplementedError

    def _text_with_tables(self, texts: Sequence[str], names: dict[int, str]) -> str:
        """The same, where the node may name a table; `names` numbers the tables met so far."""
        return self._text(texts)

    def _with_tables(self, change: Callable[[TableLike], TableLike], children: Sequence[ColumnExpression]) -> Self:
        """The node with other children, and another table if it names one."""
        changed = copy.copy(self)
        changed._children = tuple(children)
        return changed

    def _bound(self, arguments: Sequence[_native.Expression]) -> _native.Expression:
        """The node in the engine, given its children there; what is wrong is said with the line that wrote the node."""
        with noting(self._place):
            try:
                return self._lower(arguments)
            except TypeError as error:
                types = ", ".join(dtypes.describe(argument.dtype) for argument in arguments)
                error.add_note(f"in the expression {self!r}" + (f", of {types}" if types else ""))
                raise

    def _origin(self) -> _native.Origin:
        return None if self._place is None else self._place.origin()

    def __repr__(self) -> str:
        return walking.text(self)

    # Operators.

    def __add__(self, other: object) -> ColumnExpression:
        return _binary("+", self, other)

    def __radd__(self, other: object) -> ColumnExpression:
        return _binary("+", other, self)

    def __sub__(self, other: object) -> ColumnExpression:
        return _binary("-", self, other)

    def __rsub__(self, other: object) -> ColumnExpression:
        return _binary("-", other, self)

    def __mul__(self, other: object) -> ColumnExpression:
        return _binary("*", self, other)

    def __rmul__(self, other: object) -> ColumnExpression:
        return _binary("*", other, self)

    def __truediv__(self, other: object) -> ColumnExpression:
        return _binary("/", self, other)

    def __rtruediv__(self, other: object) -> ColumnExpression:
        return _binary("/", other, self)

    def __floordiv__(self, other: object) -> ColumnExpression:
        return _binary("//", self, other)

    def __rfloordiv__(self, other: object) -> ColumnExpression:
        return _binary("//", other, self)

    def __mod__(self, other: object) -> ColumnExpression:
        return _binary("%", self, other)

    def __rmod__(self, other: object) -> ColumnExpression:
        return _binary("%", other, self)

    def __pow__(self, other: object) -> ColumnExpression:
        return _binary("**", self, other)

    def __rpow__(self, other: object) -> ColumnExpression:
        return _binary("**", other, self)

    def __lshift__(self, other: object) -> ColumnExpression:
        return _binary("<<", self, other)

    def __rlshift__(self, other: object) -> ColumnExpression:
        return _binary("<<", other, self)

    def __rshift__(self, other: object) -> ColumnExpression:
        return _binary(">>", self, other)

    def __rrshift__(self, other: object) -> ColumnExpression:
        return _binary(">>", other, self)

    def __and__(self, other: object) -> ColumnExpression:
        return _binary("&", self, other)

    def __rand__(self, other: object) -> ColumnExpression:
        return _binary("&", other, self)

    def __or__(self, other: object) -> ColumnExpression:
        return _binary("|", self, other)

    def __ror__(self, other: object) -> ColumnExpression:
        return _binary("|", other, self)

    def __xor__(self, other: object) -> ColumnExpression:
        return _binary("^", self, other)

    def __rxor__(self, other: object) -> ColumnExpression:
        return _binary("^", other, self)

    def __matmul__(self, other: object) -> ColumnExpression:
        return _binary("@", self, other)

    def __rmatmul__(self, other: object) -> ColumnExpression:
        return _binary("@", other, self)

    def __eq__(self, other: object) -> ColumnExpression:  # type: ignore[override]
        return _binary("==", self, other)

    def __ne__(self, other: object) -> ColumnExpression:  # type: ignore[override]
        return _binary("!=", self, other)

    def __lt__(self, other: object) -> ColumnExpression:
        return _binary("<", self, other)

    def __le__(self, other: object) -> ColumnExpression:
        return _binary("<=", self, other)

    def __gt__(self, other: object) -> ColumnExpression:
        return _binary(">", self, other)

    def __ge__(self, other: object) -> ColumnExpression:
        return _binary(">=", self, other)

    def __neg__(self) -> ColumnExpression:
        return Call("neg", [self], "(-{})")

    def __invert__(self) -> ColumnExpression:
        return Call("~", [self], "(~{})")

    def __abs__(self) -> ColumnExpression:
        return Call("abs", [self], "abs({})")

    __hash__ = object.__hash__

    if TYPE_CHECKING:
        # Brackets would make it iterable, and anything may be a condition, but for these.
        __iter__: None

        def __bool__(self) -> None: ...

    else:
        # Type checkers see that an expression is no text, no number, no container, and has no other names.
        __getattr__ = misuse.unknown_name
        __format__ = misuse.formatted
        __bool__ = misuse.as_bool
        __iter__ = misuse.iterated
        __contains__ = misuse.contains
        __len__ = misuse.length
        __call__ = misuse.called
        __int__ = misuse.as_int
        __float__ = misuse.as_float
        __round__ = misuse.rounded

    def __getitem__(self, index: object) -> ColumnExpression:
        """The element of a tuple, list, array or JSON document; an error if there is none."""
        if isinstance(index, slice):
            raise TypeError(f"{self!r} cannot be sliced; for texts there is expression.str.slice(start, end)")
        return Call("get_item", [self, wrap(index)], "({})[{}]")

    def get(self, index: object, default: object = None) -> ColumnExpression:
        """The element of a tuple, list or JSON document, or the default if there is none.

        Args:
            index: the position in a tuple or list, or the name in a JSON object.
            default: what is given where there is none.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=list[int]), [([1, 2],), ([],)])
        >>> pw.debug.compute_and_print(table.select(x=table.v.get(0, -1)), include_id=False)
        x
        -1
        1
        """
        return Get("get_item_optional", [self, wrap(index), wrap(default)], "({}).get({}, {})")

    # Methods of every type.

    def is_none(self) -> ColumnExpression:
        """True where there is no value.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(a=int | None), [(1,), (None,)])
        >>> pw.debug.compute_and_print(table.select(x=table.a.is_none()), include_id=False)
        x
        False
        True
        """
        return Call("is_none", [self], "({}).is_none()")

    def is_not_none(self) -> ColumnExpression:
        """True where there is a value. A filter by it makes the column's type lose its None.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(a=int | None), [(1,), (None,)])
        >>> pw.debug.compute_and_print(table.filter(table.a.is_not_none()), include_id=False)
        a
        1
        """
        return Call("is_not_none", [self], "({}).is_not_none()")

    def to_string(self) -> ColumnExpression:
        """The value as text.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(a=float), [(1.5,)])
        >>> pw.debug.compute_and_print(table.select(x=table.a.to_string() + "!"), include_id=False)
        x
        1.5!
        """
        return Call("to_string", [self], "({}).to_string()")

    def as_int(self, default: object = None, unwrap: bool = False) -> ColumnExpression:
        """The integer in a JSON document: `default` (or None) for null, an error for anything else.

        Args:
            default: the value where there is none.
            unwrap: whether a value is always there; the type is not optional then.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(j=pw.Json), [({"n": 7},)])
        >>> pw.debug.compute_and_print(table.select(n=table.j["n"].as_int()), include_id=False)
        n
        7
        """
        return _extract("as_int", self, default, unwrap)

    def as_float(self, default: object = None, unwrap: bool = False) -> ColumnExpression:
        """The number in a JSON document as a float; see `as_int`.

        Args:
            default: the value where there is none.
            unwrap: whether a value is always there; the type is not optional then.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(j=pw.Json), [({"n": 7},)])
        >>> pw.debug.compute_and_print(table.select(n=table.j["n"].as_float()), include_id=False)
        n
        7.0
        """
        return _extract("as_float", self, default, unwrap)

    def as_str(self, default: object = None, unwrap: bool = False) -> ColumnExpression:
        """The text in a JSON document; see `as_int`.

        Args:
            default: the value where there is none.
            unwrap: whether a value is always there; the type is not optional then.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(j=pw.Json), [({"n": "x"},)])
        >>> pw.debug.compute_and_print(table.select(n=table.j["n"].as_str()), include_id=False)
        n
        x
        """
        return _extract("as_str", self, default, unwrap)

    def as_bool(self, default: object = None, unwrap: bool = False) -> ColumnExpression:
        """The truth value in a JSON document; see `as_int`.

        Args:
            default: the value where there is none.
            unwrap: whether a value is always there; the type is not optional then.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(j=pw.Json), [({"n": True},)])
        >>> pw.debug.compute_and_print(table.select(n=table.j["n"].as_bool()), include_id=False)
        n
        True
        """
        return _extract("as_bool", self, default, unwrap)

    @property
    def str(self) -> StringNamespace:
        """Methods of texts.

        >>> import pathway as pw
        >>> table = pw.Table.empty(text=str, number=int, when=pw.DateTimeUtc)
        >>> table.select(x=table.text.str.len()).typehints()["x"]
        <class 'int'>
        """
        # Its methods make expressions themselves.
        from pathway._expressions.strings import StringNamespace

        return StringNamespace(self)

    @property
    def num(self) -> NumberNamespace:
        """Methods of numbers.

        >>> import pathway as pw
        >>> table = pw.Table.empty(text=str, number=int, when=pw.DateTimeUtc)
        >>> table.select(x=table.number.num.abs()).typehints()["x"]
        <class 'int'>
        """
        # Its methods make expressions themselves.
        from pathway._expressions.numbers import NumberNamespace

        return NumberNamespace(self)

    @property
    def dt(self) -> DateTimeNamespace:
        """Methods of dates, times and durations.

        >>> import pathway as pw
        >>> table = pw.Table.empty(text=str, number=int, when=pw.DateTimeUtc)
        >>> table.select(x=table.when.dt.year()).typehints()["x"]
        <class 'int'>
        """
        # Its methods make expressions themselves.
        from pathway._expressions.datetimes import DateTimeNamespace

        return DateTimeNamespace(self)


@tracebacks.shortened_class
class ColumnReference(ColumnExpression):
    """A column of a table, by name; `id` is the key of the row.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... a
    ... 1
    ... ''')
    >>> table.a.name
    'a'
    """

    def __init__(self, table: TableLike, name: str) -> None:
        super().__init__()
        self._table = table
        self._name = name

    @property
    def name(self) -> str:
        """The name of the column.

        >>> import pathway as pw
        >>> table = pw.Table.empty(text=str, number=int, when=pw.DateTimeUtc)
        >>> table.text.name
        'text'
        """
        return self._name

    @property
    def table(self) -> TableLike:
        """The table of the column.

        >>> import pathway as pw
        >>> table = pw.Table.empty(text=str, number=int, when=pw.DateTimeUtc)
        >>> table.text.table is table
        True
        """
        return self._table

    def _text_with_tables(self, texts: Sequence[str], names: dict[int, str]) -> str:
        table = self._table._reference_text(names)
        return f"{table}.{shown(self._name)}"

    def _with_tables(self, change: Callable[[TableLike], TableLike], children: Sequence[ColumnExpression]) -> Self:
        changed = super()._with_tables(change, children)
        changed._table = change(changed._table)
        return changed


class Literal(ColumnExpression):
    """A constant."""

    def __init__(self, value: object) -> None:
        super().__init__()
        self._value = value

    def _lower(self, arguments: Sequence[_native.Expression]) -> _native.Expression:
        try:
            return _native.Expression.literal(self._value)
        except TypeError as error:
            name = getattr(self._value, "__name__", "")
            if getattr(self._value, "__module__", None) == "pathway.reducers":
                error.add_note(f"A reducer is called with what it reduces: pw.reducers.{name}(...)")
            elif callable(self._value):
                error.add_note("To have a function called for every row: pw.apply(function, table.column)")
            raise

    def _text(self, texts: Sequence[str]) -> str:
        return repr(self._value)


class Call(ColumnExpression):
    """A function of the engine, by its name there."""

    def __init__(self, function: str, children: Sequence[ColumnExpression], layout: str) -> None:
        super().__init__(children)
        self._function = function
        self._layout = layout

    def _lower(self, arguments: Sequence[_native.Expression]) -> _native.Expression:
        try:
            return _native.Expression.call(self._function, arguments, self._origin())
        except TypeError as error:
            advice = misuse.operands(self._function, [argument.dtype.kind for argument in arguments])
            if advice is not None:
                error.add_note(advice)
            raise

    def _text(self, texts: Sequence[str]) -> str:
        return self._layout.format(*texts)


class Get(Call):
    """The element of something, or a default."""

    def _lower(self, arguments: Sequence[_native.Expression]) -> _native.Expression:
        item, items = self._children[1], arguments[0].dtype.required
        if items.kind == "tuple" and isinstance(item, Literal) and isinstance(item._value, int):
            length = len(items.arguments)
            if not -length <= item._value < length:
                warn(
                    f"{self!r} is always the default: a {dtypes.describe(items)} has no element {item._value}.",
                    place=self._place,
                )
        return super()._lower(arguments)


class Special(ColumnExpression):
    """A node with a constructor of its own in the engine."""

    def __init__(
        self,
        name: str,
        children: Sequence[ColumnExpression],
        build: Callable[[Sequence[_native.Expression]], _native.Expression],
        *prefix: str,
    ) -> None:
        super().__init__(children)
        self._special = name
        self._build = build
        self._prefix = prefix

    def _lower(self, arguments: Sequence[_native.Expression]) -> _native.Expression:
        return self._build(arguments)

    def _text(self, texts: Sequence[str]) -> str:
        return f"pathway.{self._special}({', '.join([*self._prefix, *texts])})"


def wrap(value: object) -> ColumnExpression:
    """A value as an expression: expressions themselves, constants, tuples that hold expressions."""
    if isinstance(value, ColumnExpression):
        return value
    if isinstance(value, tuple | list) and any(_holds_expression(item) for item in value):
        return tuple_of(value)
    if isinstance(value, str):
        misuse.check_text(value)
    if isinstance(value, TableLike):
        raise TypeError(f"a table cannot be a value of a column; did you mean one of its columns, as in {value!r}.x?")
    return Literal(value)


def tuple_of(values: Sequence[object]) -> ColumnExpression:
    """A tuple of the values."""
    children = [wrap(value) for value in values]
    return Call("make_tuple", children, f"pathway.make_tuple({', '.join(['{}'] * len(children))})")


def _holds_expression(value: object) -> bool:
    if isinstance(value, tuple | list):
        return any(_holds_expression(item) for item in value)
    return isinstance(value, ColumnExpression)


def _binary(function: str, left: object, right: object) -> ColumnExpression:
    return Call(function, [wrap(left), wrap(right)], f"({{}} {function} {{}})")


def _extract(function: str, value: ColumnExpression, default: object, unwrap: bool) -> ColumnExpression:
    extracted: ColumnExpression = Call(function, [value], f"pathway.{function}({{}})")
    if default is not None:
        extracted = Special("coalesce", [extracted, wrap(default)], _native.Expression.coalesce)
    if unwrap:
        extracted = Call("unwrap", [extracted], "pathway.unwrap({})")
    return extracted
