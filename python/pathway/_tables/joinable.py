"""What tables and results of joins have in common.

A `Joinable` has rows: a node of the plan and a universe. Names meet columns here: `_column` answers for the object's
own names, `_local` for any reference that can be read without moving rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pathway import _native
from pathway._expressions.expression import ColumnExpression, ColumnReference, wrap
from pathway._expressions.table_like import TableLike
from pathway._ground import hints, tracebacks
from pathway._ground.origin import Place, declares, user_place, warn
from pathway._tables.column_sets import WithNamespace
from pathway._tables.deferred import DeferredSlice, Star
from pathway._tables.graph import Graph, current_graph
from pathway._tables.lookups import Lookup
from pathway._tables.placeholders import Placeholder
from pathway._tables.slices import TableSlice, chosen
from pathway._tables.universes import Universe
from pathway._values import dtypes

if TYPE_CHECKING:
    from typing import Self

    from pathway._schemas.schema import Schema
    from pathway._tables.table import Table


class Named(NamedTuple):
    """An expression that has a name without having been given one."""

    expression: ColumnExpression
    name: str


@tracebacks.shortened_class
class Joinable(WithNamespace):
    """Something with rows and columns: a table, or the result of a join.

    >>> import pathway as pw
    >>> isinstance(pw.Table.empty(a=int), pw.Joinable)
    True
    """

    _graph: Graph
    _node: _native.Node
    _universe: Universe
    _place: Place | None
    # Where the table is one that `ix` has found.
    _lookup: Lookup | None = None
    # `pw.Table`, which is made of what stands here, and which whatever has rows can make: `table` puts it here.
    _table_class: ClassVar[type[Table[Any]]]
    # The type of the key in schemas, such as Pointer[int].
    _id_type: Any = _native.Pointer

    @staticmethod
    def _make(
        graph: Graph,
        node: _native.Node,
        columns: Mapping[str, _native.Column],
        universe: Universe,
        *,
        id_type: Any = _native.Pointer,
        schema: type[Schema] | None = None,
    ) -> Table[Any]:
        """A table: rows of a node, names for some of its columns, and the set of its keys."""
        kind = Joinable._table_class
        table = kind.__new__(kind)
        table._graph = graph
        table._node = node
        table._columns = dict(columns)
        graph.plan.name_columns(list(columns.items()))
        table._universe = universe
        table._id_type = id_type
        table._declared = schema
        table._place = user_place()
        return table

    @property
    def _id_dtype(self) -> _native.DType:
        """The type of the key."""
        return dtypes.to_dtype(self._id_type)

    @property
    def _plan(self) -> _native.Plan:
        return self._graph.plan

    def _column(self, name: str) -> _native.Column:
        """The column with the name; KeyError if there is none."""
        raise NotImplementedError

    def _local(self, reference: ColumnReference) -> _native.Column | None:
        """The column a reference stands for among these rows; None if it belongs to other rows."""
        raise NotImplementedError

    def _find(self, reference: ColumnReference, exact: bool) -> _native.Column | None:
        """As `_local`, but no placeholders; if exact, the reference must be to this very object."""
        raise NotImplementedError

    def _slice(self, kind: str) -> TableSlice:
        """The columns that `pw.this`, `pw.left` or `pw.right` stands for here."""
        raise NotImplementedError

    def _names(self) -> Sequence[str]:
        """The names of all columns, in order."""
        raise NotImplementedError

    def _ambiguous_names(self) -> frozenset[str]:
        """The names that several columns have, which have to be named otherwise."""
        return frozenset()

    def _carried(self) -> list[_native.Column]:
        """Everything that somebody may ask of these rows after an operation that copies columns."""
        raise NotImplementedError

    def _target(self, table: TableLike) -> Joinable:
        """What a placeholder stands for here, if it stands for a table."""
        raise NotImplementedError

    def _id_column(self) -> _native.Column:
        """The key of the rows as a column."""
        columns, rows = self._graph.id_columns, (self._node, self._id_dtype)
        if rows not in columns:
            key = _native.Expression.id()
            if self._id_dtype != key.dtype:
                key = _native.Expression.declare(key, self._id_dtype)
            columns[rows] = self._plan.define(self._node, key)
        return columns[rows]

    def _implied(self, column: _native.Column) -> dict[_native.Column, _native.DType]:
        """The types that columns have in the rows where a column is not None."""
        dtype = self._plan.dtype(column)
        return {column: dtype.required} if dtype.kind == "optional" else {}

    def _promise(self, other: Joinable, promise: Callable[[Universe, Universe], None]) -> None:
        """Promises something of the keys of two tables, and warns if that leaves one without any."""
        take_tables("A promise about the keys of tables", [other])
        universes = (self._universe, other._universe)
        were_empty = [universe.is_empty() for universe in universes]
        promise(*universes)
        for universe, was_empty in zip(universes, were_empty, strict=True):
            if universe.is_empty() and not was_empty:
                warn_empty()

    def _reducer(self, expression: ColumnExpression) -> _native.Column | None:
        """The column of a reducer, where the rows are groups."""
        return None

    def _misses(self, name: str) -> str:
        return hints.of_column(name, self._names())

    def keys(self) -> Sequence[str]:
        """The names of the columns.

        >>> import pathway as pw
        >>> list(pw.Table.empty(a=int, b=str).keys())
        ['a', 'b']
        """
        return list(self._names())

    @declares
    def promise_universe_is_equal_to(self, other: Joinable) -> Self:
        """Promises that both tables have the same keys, so that columns of one can be used with the other.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a | b
        ... 1 | 5
        ... ''')
        >>> other = table.filter(table.a > 0).promise_universe_is_equal_to(table)
        >>> pw.debug.compute_and_print(table.select(table.a, other.b), include_id=False)
        a | b
        1 | 5
        """
        self._promise(other, self._graph.solver.promise_equal)
        return self

    @declares
    def promise_universe_is_subset_of(self, other: Joinable) -> Self:
        """Promises that every key of this table is also in the other.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a
        ... 1
        ... ''')
        >>> part = table.with_id_from(table.a).promise_universe_is_subset_of(table)
        """
        self._promise(other, self._graph.solver.promise_subset)
        return self

    @declares
    def promise_universes_are_disjoint(self, other: Joinable) -> Self:
        """Promises that no key is in both tables, so that they can be concatenated.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a
        ... 1
        ... ''')
        >>> shifted = table.with_id_from(table.a + 1).promise_universes_are_disjoint(table)
        >>> pw.debug.compute_and_print(table.concat(shifted), include_id=False)
        a
        1
        1
        """
        self._promise(other, self._graph.solver.promise_disjoint)
        return self


def expand(
    scope: Joinable, method: str, positional: Iterable[object], named: Mapping[str, object]
) -> dict[str, ColumnExpression]:
    """The arguments of `select` and its kin as names with expressions."""
    result: dict[str, ColumnExpression] = {}

    def add(name: str, expression: ColumnExpression) -> None:
        if name == "id":
            raise ValueError("Can't use 'id' as a column name: it is the key of the row")
        if name in result:
            raise ValueError(f"Duplicate expression value given for {name}")
        result[name] = expression

    for argument in positional:
        if isinstance(argument, Star):
            for name, reference in star_items(scope, argument):
                add(name, reference)
        elif isinstance(argument, ColumnReference):
            add(resolved(scope, argument).name, argument)
        elif isinstance(argument, Named):
            add(argument.name, argument.expression)
        elif isinstance(argument, str):
            raise ValueError(
                f"Expected a column, found a text. Did you mean pw.this.{argument} instead of {argument!r}?"
            )
        elif isinstance(argument, list | tuple):
            raise ValueError(f"{method}() takes columns one by one; unpack the list: {method}(*[...])")
        elif isinstance(argument, TableLike):
            raise ValueError(f"{method}() takes columns; to give all columns of a table, unpack it: {method}(*table)")
        else:
            raise ValueError(
                f"{method}() needs a name for every expression that is no plain column: {method}(name={argument!r})"
            )
    of_names: dict[str, ColumnExpression] = {}
    for name, value in named.items():
        # As in any dictionary, what is unpacked later counts.
        of_names.update(star_items(scope, value) if isinstance(value, Star) else {name: wrap(value)})
    for name, expression in of_names.items():
        add(name, expression)
    return result


def star_items(scope: Joinable, star: Star) -> list[tuple[str, ColumnReference]]:
    """The columns a star stands for in a scope."""
    if isinstance(star.table, Placeholder):
        columns = scope._slice(star.table._kind)
    elif isinstance(star.table, Lookup):
        lookup = star.table
        names = scope._target(lookup._target)._names()
        columns = TableSlice({name: ColumnReference(lookup, name) for name in names}, lookup, lookup._target)
    else:
        raise TypeError(f"{star.table!r} cannot be unpacked")
    return list(chosen(columns, star.choices)._mapping.items())


def resolved(scope: Joinable, reference: ColumnReference) -> ColumnReference:
    """The column that a reference to a slice of `pw.this` and the like stands for; other references themselves."""
    table = reference._table
    if not isinstance(table, DeferredSlice):
        return reference
    columns = dict(star_items(scope, table._star()))
    if reference._name not in columns:
        raise KeyError(hints.of_column(reference._name, columns))
    return columns[reference._name]


def take_tables(what: str, tables: Iterable[object]) -> None:
    """Complains of anything that is no table, or none that can still be used."""
    for table in tables:
        if not isinstance(table, Joinable):
            raise TypeError(f"{what} takes tables, found {table!r}")
        if table._graph is not current_graph():
            raise ValueError(f"{what} got a table made before pw.testing.reset(); make the table again")


def warn_empty() -> None:
    """Says that nothing can be in a table, though nobody said so."""
    warn("No key can be in this table, for all that is said of the tables it comes from; it will have no rows.")
