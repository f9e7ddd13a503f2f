"""`groupby` and `reduce`: one row for every group of rows.

The expressions given to `reduce` mix reducers with columns the rows were grouped by. The reducers, and
what they read, are bound to the rows; the operator puts out the grouping columns and the reducers' results;
the expressions around them are then bound to the groups, as in any `select`.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Never

from pathway import _native
from pathway._expressions.expression import ColumnExpression, ColumnReference
from pathway._expressions.nodes import ReducerExpression
from pathway._expressions.table_like import TableLike
from pathway._expressions.walking import in_order
from pathway._ground import hints, tracebacks
from pathway._ground.origin import declares, noting, user_frame, user_origin, user_place
from pathway._tables.binder import Binder, define, lookup_of
from pathway._tables.column_sets import ColumnNamespace
from pathway._tables.deferred import Star
from pathway._tables.joinable import Joinable, Named, expand, resolved
from pathway._tables.looking import html_of
from pathway._tables.placeholders import Placeholder
from pathway._tables.slices import TableSlice
from pathway._tables.universes import Universe
from pathway._values import dtypes

if TYPE_CHECKING:
    from pathway._tables.table import Table


@tracebacks.shortened_class
class Groupable(Joinable):
    """What can be grouped: tables and results of joins."""

    @declares
    def groupby(
        self,
        *args: ColumnReference,
        id: ColumnReference | None = None,
        sort_by: ColumnReference | None = None,
        instance: ColumnReference | None = None,
        **kwargs: Never,
    ) -> GroupedTable:
        """Groups the rows that have the same values in these columns; `reduce` makes a row of each group.

        The key of a group is `pointer_from` of the values, or what the column `id` (of pointers) holds.
        `sort_by` orders the rows for the reducers that depend on order; rows of one `instance` are kept together.

        Args:
            args: the columns to group by.
            id: a column of pointers that are the keys of the groups.
            sort_by: what orders the rows of a group, for the reducers that look at the order.
            instance: a column that groups as well; groups of one instance are kept together.
            kwargs: nothing else; columns of the result belong to `reduce`.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... genus | size
        ... felis | 1
        ... lynx  | 2
        ... felis | 3
        ... ''')
        >>> result = table.groupby(pw.this.genus).reduce(pw.this.genus, total=pw.reducers.sum(pw.this.size))
        >>> pw.debug.compute_and_print(result, include_id=False)
        genus | total
        felis | 4
        lynx  | 2
        """
        if kwargs:
            raise ValueError(
                f"groupby() does not take {', '.join(kwargs)}; "
                f"{hints.meaning(kwargs, ('id', 'sort_by', 'instance'))}"
                "columns of the result are written in table.groupby(...).reduce(...)"
            )
        if isinstance(id, str):
            raise ValueError(f"id= of groupby() takes a column, found a text; did you mean pw.this.{id}?")
        for name, column in [
            *(("", column) for column in args),
            ("sort_by", sort_by),
            ("instance", instance),
            ("id", id),
        ]:
            if isinstance(column, Star):
                continue
            if column is not None and not isinstance(column, ColumnReference):
                hint = f"did you mean pw.this.{column}?" if isinstance(column, str) else "select() the expression first"
                raise TypeError(f"groupby() takes columns{f' for {name}' if name else ''}, found {column!r}; {hint}")
        columns = list(expand(self, "groupby", (a for a in args if isinstance(a, Star)), {}).values())
        columns = [*(a for a in args if not isinstance(a, Star)), *columns]
        return GroupedTable(self, columns, id=id, sort_by=sort_by, instance=instance)

    @declares
    def reduce(self, /, *args: Any, **kwargs: Any) -> Table[Any]:
        """One row for all rows together; none while there are none.

        Args:
            args: expressions that have a name already.
            kwargs: expressions of reducers.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... size
        ... 1
        ... 2
        ... ''')
        >>> pw.debug.compute_and_print(table.reduce(total=pw.reducers.sum(pw.this.size)), include_id=False)
        total
        3
        """
        return GroupedTable(self, [], id=None, sort_by=None, instance=None)._reduce(args, kwargs)


@tracebacks.shortened_class
class GroupedTable(TableLike):
    """Groups of rows, to be reduced to a row each.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... genus | height
    ... Pinus | 30
    ... Pinus | 42
    ... ''')
    >>> grouped = table.groupby(table.genus)
    >>> pw.debug.compute_and_print(grouped.reduce(table.genus, n=pw.reducers.count()), include_id=False)
    genus | n
    Pinus | 2
    """

    def __init__(
        self,
        source: Joinable,
        columns: Sequence[ColumnExpression],
        *,
        id: ColumnReference | None,
        sort_by: ColumnReference | None,
        instance: ColumnReference | None,
    ) -> None:
        self._source = source
        self._id = id
        self._sort_by = sort_by
        self._instance = instance
        # A column that is named twice counts once.
        named = {
            self._identity_of(column): column for column in reversed(columns) if isinstance(column, ColumnReference)
        }
        self._grouping = list(reversed(named.values()))
        if id is not None:
            if len(self._grouping) > 1:
                raise ValueError("groupby() with id= groups by that column alone")
            if self._grouping and self._identity_of(self._grouping[0]) != self._identity_of(id):
                raise ValueError(
                    "groupby() received id= and another column to group by; with id=, rows are grouped by that column"
                )
            self._grouping = [id]
        self._place = user_place()
        # Finds unknown columns now rather than at reduce().
        self._binder([])

    def _identity_of(self, reference: ColumnReference) -> object:
        """What tells the column from others, however it is named."""
        column = self._source._local(reference)
        return (id(reference._table), reference._name) if column is None else column

    def _all_grouping(self) -> list[ColumnReference]:
        return [*self._grouping, *([] if self._instance is None else [self._instance])]

    def _binder(self, arguments: Sequence[ColumnExpression]) -> Binder:
        sort_by = [] if self._sort_by is None else [self._sort_by]
        return Binder(self._source, [*self._all_grouping(), *sort_by, *arguments])

    def _repr_html_(self) -> str:
        return html_of(self)

    def __repr__(self) -> str:
        return f"<pathway.GroupedTable by {', '.join(map(repr, self._grouping))}>"

    def __getattr__(self, name: str) -> ColumnReference:
        if name.startswith("__") or name in ("_source", "_grouping"):
            raise AttributeError(name)
        names = self._source._names()
        if name not in ("id", *names) and name not in self._source._ambiguous_names():
            with noting(user_place()):
                raise AttributeError(self._no_method(name), name=name)
        return ColumnNamespace(self._source).__getattr__(name)

    def _no_method(self, name: str) -> str:
        """What to say of a name that neither columns nor methods have."""
        then = (
            "what becomes of the rows of a group is said in reduce: "
            "table.groupby(table.b).reduce(table.b, total=pw.reducers.sum(table.a))"
        )
        return hints.of_no_table("the result of groupby", name, Joinable._table_class, then) or hints.of_column(
            name, self._source._names(), hints.public(self)
        )

    def __getitem__(self, name: str) -> ColumnReference:
        self._source._column(name)
        return ColumnReference(self._source, name)

    def __iter__(self) -> Iterator[ColumnReference]:
        return iter(self._all_grouping())

    def keys(self) -> list[str]:
        """The names of the columns the rows are grouped by.

        >>> import pathway as pw
        >>> table = pw.Table.empty(a=int, b=int)
        >>> table.groupby(table.a).keys()
        ['a']
        """
        return [reference.name for reference in self._all_grouping()]

    @declares
    def reduce(self, /, *args: Any, **kwargs: Any) -> Table[Any]:
        """One row for each group: columns it was grouped by, reducers, and expressions of these.

        Args:
            args: columns that were grouped by, which keep their names.
            kwargs: expressions of these columns and of reducers.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... genus | size
        ... felis | 1
        ... felis | 3
        ... ''')
        >>> result = table.groupby(table.genus).reduce(
        ...     table.genus, spread=pw.reducers.max(table.size) - pw.reducers.min(table.size)
        ... )
        >>> pw.debug.compute_and_print(result, include_id=False)
        genus | spread
        felis | 2
        """
        return self._reduce(args, kwargs)

    def _reduce(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Table[Any]:
        groups = Groups(self, args, kwargs)
        return define(groups, groups._expressions)


@tracebacks.shortened_class
class Groups(Joinable):
    """The rows of the groups: grouping columns and the results of reducers, to bind expressions to."""

    def __init__(self, grouped: GroupedTable, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self._grouped = grouped
        self._source = grouped._source
        self._graph = self._source._graph
        self._place = user_place()
        self._universe = self._group_universe()
        expressions = expand(self, "reduce", map(_named, args), kwargs)
        reducers = _reducers(expressions.values())
        binder = grouped._binder([argument for reducer in reducers for argument in reducer._children])
        grouping = [binder.bind(reference) for reference in grouped._all_grouping()]
        if grouped._id is not None:
            key = grouping[0]
        else:
            # As pointer_from(..., instance=...) has it.
            values, instance = (grouping, None) if grouped._instance is None else (grouping[:-1], grouping[-1])
            key = _native.Expression.pointer(values, instance)
        self._id_type = dtypes.to_python(key.dtype)
        columns = [self._plan.define(binder.node, expression) for expression in grouping]
        calls = []
        for reducer in reducers:
            arguments = self._arguments(reducer, binder)
            self._warn_of_removals(reducer, binder.node)
            calls.append((reducer._reducer, arguments, reducer._options))
        keys = self._plan.define(binder.node, key)
        self._node = self._plan.reduce(binder.node, keys, columns, calls, user_origin())
        outputs = self._plan.columns(self._node)
        # References to a grouping column are told by the column they stand for in the source.
        self._groups = {
            self._source_column(reference): output
            for reference, output in zip(grouped._all_grouping(), outputs[: len(grouping)], strict=True)
        }
        self._results = dict(zip(map(_identity, reducers), outputs[len(grouping) :], strict=True))
        self._expressions = expressions

    def _group_universe(self) -> Universe:
        """Grouping the same table by the same columns again gives the same keys."""
        grouped = self._grouped
        columns = tuple(self._source_column(reference) for reference in grouped._all_grouping())
        key = (
            self._source._universe.number,
            self._source._node,
            columns,
            grouped._instance is None,
            grouped._id is None,
        )
        return self._graph.group_universes.setdefault(key, Universe(self._graph.solver))

    def _warn_of_removals(self, reducer: ReducerExpression, node: _native.Node) -> None:
        if reducer._reducer in ("earliest", "latest") and not self._plan.is_append_only(node):
            warnings.warn(
                f"{reducer!r} needs rows that are never removed; this table may remove some, and the run fails then",
                UserWarning,
                stacklevel=_stack_depth(),
            )

    def _arguments(self, reducer: ReducerExpression, binder: Binder) -> list[_native.Column]:
        arguments = [binder.define(argument) for argument in reducer._children]
        if reducer._is_ordered and self._grouped._sort_by is not None:
            arguments.append(binder.define(self._grouped._sort_by))
        return arguments

    def _source_column(self, reference: ColumnReference) -> object:
        column = self._source._local(reference)
        if column is not None:
            return column
        table = reference._table
        return table._column(reference._name) if isinstance(table, Joinable) else None

    def _local(self, reference: ColumnReference) -> _native.Column | None:
        reference = resolved(self, reference)
        table = reference._table
        if lookup_of(table) is not None:
            return None
        source = self._source_column(reference)
        output = self._groups.get(source)
        if output is not None:
            return output
        if isinstance(table, Placeholder) or self._source._local(reference) is not None:
            raise ValueError(
                f"You cannot use {reference!r} in this reduce statement: it has a value for every row, not for every "
                f"group.\nAdd it to the columns of groupby, or wrap it with a reducer, e.g. "
                f"pw.reducers.max({reference!r})"
            )
        return None

    def _reducer(self, expression: ColumnExpression) -> _native.Column | None:
        assert isinstance(expression, ReducerExpression)
        return self._results[_identity(expression)]

    def _target(self, table: TableLike) -> Joinable:
        return self._source._target(table)

    def _slice(self, kind: str) -> TableSlice:
        if kind != "this":
            return self._source._slice(kind)
        columns = {reference.name: reference for reference in self._grouped._all_grouping()}
        return TableSlice(columns, self._grouped, self._source)

    def _names(self) -> Sequence[str]:
        return self._grouped.keys()


def _reducers(expressions: Iterable[ColumnExpression]) -> list[ReducerExpression]:
    """The reducers in the expressions, also in pointers of lookups; not those inside other reducers."""

    def below(part: ColumnExpression) -> Sequence[ColumnExpression]:
        if isinstance(part, ReducerExpression):
            return ()
        if isinstance(part, ColumnReference):
            lookup = lookup_of(part._table)
            return () if lookup is None else (lookup._pointer,)
        return part._children

    reducers = [part for part in in_order(expressions, below) if isinstance(part, ReducerExpression)]
    for reducer in reducers:
        if any(isinstance(part, ReducerExpression) for part in in_order(reducer._children)):
            raise ValueError(f"{reducer!r} has a reducer inside a reducer: reduce twice, or use one of them")
    return reducers


def _named(argument: object) -> object:
    """A reducer that gives a value of one column back under the name of the column, where no name was given."""
    if isinstance(argument, ReducerExpression) and argument._reducer in ("any", "unique"):
        (value,) = argument._children
        if isinstance(value, ColumnReference):
            return Named(argument, value.name)
    return argument


def _stack_depth() -> int:
    """How far up the user's line is, for warnings."""
    frame, depth, user = sys._getframe(1), 1, user_frame()
    while frame is not user and frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    return depth


def _identity(expression: ReducerExpression) -> int:
    return id(expression)
