"""`pw.reducers`: what `reduce` can make of the rows of a group.

Every function takes columns or expressions over the rows and gives an expression with one value for the
group, for use in `reduce` alone. Results follow the rows as they come, change and go.

>>> import pathway as pw
>>> table = pw.debug.table_from_markdown('''
... g | v
... a | 3
... a | 1
... a | 3
... ''')
>>> result = table.groupby(table.g).reduce(
...     table.g,
...     n=pw.reducers.count(),
...     total=pw.reducers.sum(table.v),
...     mean=pw.reducers.avg(table.v * 3),
...     values=pw.reducers.sorted_tuple(table.v),
... )
>>> pw.debug.compute_and_print(result, include_id=False)
g | n | total | mean | values
a | 3 | 7     | 7.0  | (1, 3, 3)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pathway._expressions.expression import ColumnExpression, wrap
from pathway._expressions.nodes import ReducerExpression
from pathway._ground import arguments, missing_names
from pathway._tables.placeholders import this

__all__ = [
    "any",
    "argmax",
    "argmin",
    "avg",
    "count",
    "count_distinct",
    "earliest",
    "latest",
    "max",
    "min",
    "ndarray",
    "sorted_tuple",
    "sum",
    "tuple",
    "unique",
]

if not TYPE_CHECKING:
    # Type checkers know the names that are there.
    __getattr__ = missing_names.of(__name__)


@arguments.explained
def count(*args: object) -> ColumnExpression:
    """How many rows there are. Rows in which an argument is an error are left out; other values make no difference.

    Args:
        args: expressions over the rows.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... v
    ... 5
    ... 5
    ... ''')
    >>> pw.debug.compute_and_print(table.reduce(n=pw.reducers.count()), include_id=False)
    n
    2
    """
    return ReducerExpression("count", [wrap(value) for value in args])


@arguments.explained
def sum(arg: object, strict: bool = False) -> ColumnExpression:
    """The sum of ints, floats or arrays.

    `strict` asks for exact sums of floats, which they are in any case; it is refused for ints.

    Args:
        arg: what is summed up.
        strict: asks for exact sums of floats.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... v
    ... 5
    ... 7
    ... ''')
    >>> pw.debug.compute_and_print(table.reduce(x=pw.reducers.sum(pw.this.v)), include_id=False)
    x
    12
    """
    return ReducerExpression("sum", [wrap(arg)], {"strict": strict})


@arguments.explained
def avg(expression: object) -> ColumnExpression:
    """The mean of ints or floats, a float.

    Args:
        expression: what the mean is taken of.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... v
    ... 5
    ... 8
    ... ''')
    >>> pw.debug.compute_and_print(table.reduce(x=pw.reducers.avg(pw.this.v)), include_id=False)
    x
    6.5
    """
    return ReducerExpression("avg", [wrap(expression)])


@arguments.explained
def min(arg: object) -> ColumnExpression:
    """The least value; None is less than any other.

    Args:
        arg: the values.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... v
    ... 5
    ... 7
    ... ''')
    >>> pw.debug.compute_and_print(table.reduce(x=pw.reducers.min(pw.this.v)), include_id=False)
    x
    5
    """
    return ReducerExpression("min", [wrap(arg)])


@arguments.explained
def max(arg: object) -> ColumnExpression:
    """The greatest value; None is less than any other.

    Args:
        arg: the values.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... v
    ... 5
    ... 7
    ... ''')
    >>> pw.debug.compute_and_print(table.reduce(x=pw.reducers.max(pw.this.v)), include_id=False)
    x
    7
    """
    return ReducerExpression("max", [wrap(arg)])


@arguments.explained
def argmin(arg: object, id: object = this.id) -> ColumnExpression:
    """The key of the row with the least value (of several, the smallest key), or what that row has in `id`.

    Args:
        arg: what is compared.
        id: what is given back; by default the key of the row.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... name | age
    ... Ada  | 36
    ... Bob  | 7
    ... ''')
    >>> youngest = table.reduce(name=pw.reducers.argmin(pw.this.age, pw.this.name))
    >>> pw.debug.compute_and_print(youngest, include_id=False)
    name
    Bob
    """
    return ReducerExpression("argmin", [wrap(arg), wrap(id)])


@arguments.explained
def argmax(arg: object, id: object = this.id) -> ColumnExpression:
    """The key of the row with the greatest value (of several, the smallest key), or what that row has in `id`.

    Args:
        arg: what is compared.
        id: what is given back; by default the key of the row.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... name | age
    ... Ada  | 36
    ... Bob  | 7
    ... ''')
    >>> oldest = table.reduce(row=pw.reducers.argmax(pw.this.age))
    >>> pw.debug.compute_and_print(oldest.select(name=table.ix(pw.this.row).name), include_id=False)
    name
    Ada
    """
    return ReducerExpression("argmax", [wrap(arg), wrap(id)])


@arguments.explained
def any(arg: object) -> ColumnExpression:
    """The value of one of the rows: the same row for all `any` of a reduce, and for equal data.

    Args:
        arg: the values.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... v
    ... 5
    ... 5
    ... ''')
    >>> pw.debug.compute_and_print(table.reduce(x=pw.reducers.any(pw.this.v)), include_id=False)
    x
    5
    """
    return ReducerExpression("any", [wrap(arg)])


@arguments.explained
def unique(arg: object) -> ColumnExpression:
    """The one value that all rows have; an error if there are several.

    Args:
        arg: the values.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... v
    ... 5
    ... 5
    ... ''')
    >>> pw.debug.compute_and_print(table.reduce(x=pw.reducers.unique(pw.this.v)), include_id=False)
    x
    5
    """
    return ReducerExpression("unique", [wrap(arg)])


@arguments.explained
def tuple(arg: object, *, skip_nones: bool = False) -> ColumnExpression:
    """All values, in the order of the keys, or of `sort_by` of the groupby; the same for all columns.

    Args:
        arg: the values.
        skip_nones: whether None is left out.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... v | t
    ... x | 2
    ... y | 1
    ... ''')
    >>> result = table.groupby(sort_by=pw.this.t).reduce(x=pw.reducers.tuple(pw.this.v))
    >>> pw.debug.compute_and_print(result, include_id=False)
    x
    ('y', 'x')
    """
    return ReducerExpression("tuple", [wrap(arg)], {"skip_nones": skip_nones})


@arguments.explained
def sorted_tuple(arg: object, *, skip_nones: bool = False) -> ColumnExpression:
    """All values in their own order, None first.

    Args:
        arg: the values.
        skip_nones: whether None is left out.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... v
    ... 7
    ... 5
    ... ''')
    >>> pw.debug.compute_and_print(table.reduce(x=pw.reducers.sorted_tuple(pw.this.v)), include_id=False)
    x
    (5, 7)
    """
    return ReducerExpression("sorted_tuple", [wrap(arg)], {"skip_nones": skip_nones})


@arguments.explained
def ndarray(expression: object, *, skip_nones: bool = False) -> ColumnExpression:
    """All values as a numpy array, in the order of `tuple`.

    Args:
        expression: the values, numbers.
        skip_nones: whether None is left out.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... v
    ... 7
    ... 7
    ... ''')
    >>> pw.debug.compute_and_print(table.reduce(x=pw.reducers.ndarray(pw.this.v)), include_id=False)
    x
    [7 7]
    """
    return ReducerExpression("ndarray", [wrap(expression)], {"skip_nones": skip_nones})


@arguments.explained
def earliest(expression: object) -> ColumnExpression:
    """The value of the row that came first, by commits; rows must not be removed.

    Args:
        expression: the values.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... v | __time__
    ... 7 | 4
    ... 5 | 2
    ... ''')
    >>> pw.debug.compute_and_print(table.reduce(x=pw.reducers.earliest(pw.this.v)), include_id=False)
    x
    5
    """
    return ReducerExpression("earliest", [wrap(expression)])


@arguments.explained
def latest(expression: object) -> ColumnExpression:
    """The value of the row that came last, by commits; rows must not be removed.

    Args:
        expression: the values.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... v | __time__
    ... 7 | 4
    ... 5 | 2
    ... ''')
    >>> pw.debug.compute_and_print(table.reduce(x=pw.reducers.latest(pw.this.v)), include_id=False)
    x
    7
    """
    return ReducerExpression("latest", [wrap(expression)])


@arguments.explained
def count_distinct(*args: object) -> ColumnExpression:
    """How many different values, or combinations of values, there are; None is one. Without arguments: 1.

    Args:
        args: expressions over the rows.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... v
    ... 5
    ... 5
    ... 7
    ... ''')
    >>> pw.debug.compute_and_print(table.reduce(n=pw.reducers.count_distinct(pw.this.v)), include_id=False)
    n
    2
    """
    # No values at all are one combination, as any constant is.
    return ReducerExpression("count_distinct", [wrap(value) for value in args or (0,)])
