"""Methods of tables as functions: `pw.groupby`, `pw.join` and its kin."""

from __future__ import annotations

from typing import Unpack

from pathway._expressions.expression import ColumnExpression, ColumnReference
from pathway._ground import tracebacks
from pathway._tables.groups import Groupable, GroupedTable
from pathway._tables.join_conditions import AnyJoinOptions, JoinOptions
from pathway._tables.joinable import Joinable
from pathway._tables.joins import JoinMethods, JoinResult


@tracebacks.shortened
def groupby(
    grouped: Groupable,
    *args: ColumnReference,
    id: ColumnReference | None = None,
    sort_by: ColumnReference | None = None,
    instance: ColumnReference | None = None,
) -> GroupedTable:
    """`grouped.groupby(...)` as a function.

    Args:
        grouped: the table or the result of a join.
        args: the columns to group by.
        id: a column of pointers that are the keys of the groups.
        sort_by: what orders the rows of a group.
        instance: a column that groups as well, see `Table.groupby`.

    >>> import pathway as pw
    >>> table = pw.Table.empty(a=int)
    >>> result = pw.groupby(table, table.a).reduce(table.a)
    """
    return grouped.groupby(*args, id=id, sort_by=sort_by, instance=instance)


@tracebacks.shortened
def join(left: JoinMethods, right: Joinable, *on: ColumnExpression, **kwargs: Unpack[AnyJoinOptions]) -> JoinResult:
    """`left.join(right, ...)` as a function.

    Args:
        left: a table or the result of a join.
        right: the other one.
        on: conditions `left.x == right.y`.
        kwargs: the options of `Table.join`.

    >>> import pathway as pw
    >>> one, two = pw.Table.empty(a=int), pw.Table.empty(b=int)
    >>> result = pw.join(one, two, one.a == two.b).select(one.a)
    """
    return left.join(right, *on, **kwargs)


@tracebacks.shortened
def join_inner(left: JoinMethods, right: Joinable, *on: ColumnExpression, **kwargs: Unpack[JoinOptions]) -> JoinResult:
    """`left.join_inner(right, ...)` as a function.

    Args:
        left: a table or the result of a join.
        right: the other one.
        on: conditions `left.x == right.y`.
        kwargs: the options of `Table.join`.

    >>> import pathway as pw
    >>> one, two = pw.Table.empty(a=int), pw.Table.empty(b=int)
    >>> result = pw.join_inner(one, two, one.a == two.b).select(one.a)
    """
    return left.join_inner(right, *on, **kwargs)


@tracebacks.shortened
def join_left(left: JoinMethods, right: Joinable, *on: ColumnExpression, **kwargs: Unpack[JoinOptions]) -> JoinResult:
    """`left.join_left(right, ...)` as a function.

    Args:
        left: a table or the result of a join.
        right: the other one.
        on: conditions `left.x == right.y`.
        kwargs: the options of `Table.join`.

    >>> import pathway as pw
    >>> one, two = pw.Table.empty(a=int), pw.Table.empty(b=int)
    >>> result = pw.join_left(one, two, one.a == two.b).select(one.a)
    """
    return left.join_left(right, *on, **kwargs)


@tracebacks.shortened
def join_right(left: JoinMethods, right: Joinable, *on: ColumnExpression, **kwargs: Unpack[JoinOptions]) -> JoinResult:
    """`left.join_right(right, ...)` as a function.

    Args:
        left: a table or the result of a join.
        right: the other one.
        on: conditions `left.x == right.y`.
        kwargs: the options of `Table.join`.

    >>> import pathway as pw
    >>> one, two = pw.Table.empty(a=int), pw.Table.empty(b=int)
    >>> result = pw.join_right(one, two, one.a == two.b).select(two.b)
    """
    return left.join_right(right, *on, **kwargs)


@tracebacks.shortened
def join_outer(left: JoinMethods, right: Joinable, *on: ColumnExpression, **kwargs: Unpack[JoinOptions]) -> JoinResult:
    """`left.join_outer(right, ...)` as a function.

    Args:
        left: a table or the result of a join.
        right: the other one.
        on: conditions `left.x == right.y`.
        kwargs: the options of `Table.join`.

    >>> import pathway as pw
    >>> one, two = pw.Table.empty(a=int), pw.Table.empty(b=int)
    >>> result = pw.join_outer(one, two, one.a == two.b).select(two.b)
    """
    return left.join_outer(right, *on, **kwargs)
