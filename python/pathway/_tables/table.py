"""`pw.Table`: rows with a key each, changing over time.

What a table is and its columns: `columns`. Other rows and keys: `rows`. Types: `types`. Groups: `groups`. Joins:
`joins`. Looking at it: `looking`. Here they are put together, and what `ix` makes of one is a table as well.
"""

from __future__ import annotations

from functools import cached_property
from types import FunctionType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, cast

from pathway import _native
from pathway._expressions.expression import ColumnExpression, ColumnReference
from pathway._expressions.table_like import TableLike
from pathway._ground import hints, tracebacks
from pathway._tables.binder import check_pointer, define, substitute_this, type_of
from pathway._tables.graph import current_graph
from pathway._tables.groups import Groupable
from pathway._tables.joinable import Joinable
from pathway._tables.joins import JoinMethods
from pathway._tables.looking import Lookable
from pathway._tables.lookups import Lookup, owner_of
from pathway._tables.pointers import Indexed
from pathway._tables.rows import TableRows
from pathway._tables.types import TableTypes
from pathway._tables.universes import Universe

if TYPE_CHECKING:
    # Type checkers bring it; a table of whatever schema is written `pw.Table`.
    import typing_extensions

    from pathway._schemas.schema import Schema

    TSchema = typing_extensions.TypeVar("TSchema", covariant=True, default=Any)
else:
    TSchema = TypeVar("TSchema", covariant=True)


@tracebacks.shortened_class
class TableClass(type):
    """The class of `pw.Table`, which answers for `pw.Table.from_streams` and other names that it has not."""

    if not TYPE_CHECKING:
        # Type checkers know the names that are there.
        def __getattr__(cls, name: str) -> NoReturn:
            if name.startswith("_"):
                raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")
            what = f"type object {cls.__name__!r} has no attribute"
            message = hints.missing(f"Table.{name}") or hints.of_member(what, "table", name, hints.public(cls))
            raise AttributeError(message, name=name)


@tracebacks.shortened_class
class Table(
    TableRows,
    TableTypes,
    Groupable,
    JoinMethods,
    Indexed["Table[Any]"],
    Lookable,
    Generic[TSchema],
    metaclass=TableClass,
):
    """Rows of named, typed cells, each under a key, which change while the computation runs.

    Tables come from connectors (`pw.io`), from `pw.debug`, and from other tables. A table describes a
    computation; nothing is computed before `pw.run`. `table.name` and `table["name"]` are references to
    columns, to be used in expressions.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... name | age
    ... Ada  | 36
    ... Bob  | 7
    ... ''')
    >>> adults = table.filter(table.age >= 18).select(table.name, next_age=table.age + 1)
    >>> pw.debug.compute_and_print(adults, include_id=False)
    name | next_age
    Ada  | 37
    """

    def debug(self, name: str) -> Table[TSchema]:
        """Prints the updates of the table: in a run with ``debug=True``, and whenever `pw.debug` computes something.

        Args:
            name: what the lines begin with.

        Returns:
            The table itself, so that the call can be put anywhere into a pipeline.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... word  | __time__
        ... hello | 2
        ... ''').debug("words")
        >>> pw.debug.compute_and_print(table, include_id=False)  # doctest: +ELLIPSIS
        [words] @2 +1 id=^..., word='hello'
        word
        hello
        """
        # Few programs ask for it.
        from pathway._tables.debugged import print_updates

        print_updates(self, name)
        return self

    def _look_up(self, pointer: ColumnExpression, optional: bool, allow_misses: bool, context: object) -> Table[Any]:
        self._require_current()
        if isinstance(context, Joinable):
            pointer = substitute_this(pointer, context)
            owner: TableLike | None = context
        else:
            owner = owner_of(pointer)
        dtype = type_of(pointer)
        if dtype is not None and isinstance(owner, Joinable):
            # What is wrong in any case is said here rather than where the columns are used.
            check_pointer(pointer, dtype, self, optional)
        lookup = Lookup(self, pointer, optional, allow_misses)
        if isinstance(owner, Joinable):
            return LookupTable(lookup, self, owner)
        # It answers like a table for everything that can be done before its rows are known.
        return cast("Table[Any]", lookup)

    @staticmethod
    def _from_source(node: _native.Node, schema: type[Schema], universe: Universe | None = None) -> Table[Schema]:
        """The table of a native source that has the columns of the schema, in its order."""
        graph = current_graph()
        columns = dict(zip(schema.column_names(), graph.plan.columns(node), strict=True))
        return Table._make(
            graph, node, columns, universe or Universe(graph.solver), id_type=schema.id_type, schema=schema
        )


Joinable._table_class = Table


def _name_methods() -> None:
    """Errors of calls name methods as users know them, and not by the class among those of a table that has them."""
    for part in Table.__mro__:
        if not part.__module__.startswith("pathway._tables."):
            continue
        for name, method in vars(part).items():
            while isinstance(method, FunctionType):
                method.__qualname__ = f"Table.{name}"
                method = getattr(method, "__wrapped__", None)


_name_methods()


class LookupTable(Table[Any]):
    """The rows of a table that a pointer of another points to; a table with the keys of the latter.

    Where its columns are used beside the pointers, it is no more than its `Lookup`. Used as a table of its own, it
    becomes one.
    """

    def __init__(self, lookup: Lookup, target: Table[Any], context: Joinable) -> None:
        self._lookup = lookup
        self._source: TableLike = lookup
        self._graph = target._graph
        self._lookup_target = target
        self._context = context
        self._place = lookup._pointer._place
        self._id_type = context._id_type
        self._declared = None

    @cached_property
    def _materialized(self) -> Table[Any]:
        references = [ColumnReference(self._source, name) for name in self._lookup_target._names()]
        return define(self._context, {reference.name: reference for reference in references})

    @property
    def _node(self) -> _native.Node:  # type: ignore[override]
        return self._materialized._node

    @property
    def _columns(self) -> dict[str, _native.Column]:  # type: ignore[override]
        return self._materialized._columns

    @property
    def _universe(self) -> Universe:  # type: ignore[override]
        return self._context._universe

    def _names(self) -> list[str]:
        return list(self._lookup_target._names())

    def _row_owner(self) -> TableLike | None:
        return self._context
