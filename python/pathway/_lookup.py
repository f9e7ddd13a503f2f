"""`ix`: columns of the row that a pointer points to.

A `Lookup` is a table that is wanted, a pointer, and nothing more; where its columns are used, `_binding`
makes the engine's operator beside the rows that use them. `LookupTable` is the same for a pointer whose
table is known: it can be used as a table of its own as well, and becomes one then.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pathway import _native
from pathway._expressions import ColumnExpression, ColumnReference
from pathway._joinable import ColumnNamespace, Joinable, Star, StarName, TableLike
from pathway._table import Table
from pathway._this import Placeholder, PlaceholderSlice
from pathway._walking import in_order

if TYPE_CHECKING:
    from pathway._universes import Universe


class Lookup(TableLike):
    """The rows of `target` that `pointer` points to, wherever that is."""

    def __init__(self, target: TableLike, pointer: ColumnExpression, optional: bool, allow_misses: bool) -> None:
        self._target = target
        self._pointer = pointer
        self._optional = optional
        self._allow_misses = allow_misses

    @cached_property
    def _owner(self) -> TableLike | None:
        """The table whose rows hold the pointer, as far as that is known."""
        return _owner(self._pointer)

    def __repr__(self) -> str:
        return f"{self._target!r}.ix({self._pointer_text})"

    def _reference_text(self, names: dict[int, str]) -> str:
        return f"{self._target._reference_text(names)}.ix({self._pointer_text})"

    @cached_property
    def _pointer_text(self) -> str:
        return repr(self._pointer)

    def __getattr__(self, name: str) -> ColumnReference:
        if name.startswith(("__", "_repr_", "_ipython_")):
            raise AttributeError(name)
        return ColumnReference(self, name)

    def __getitem__(self, name: Any) -> Any:
        if isinstance(name, StarName):
            return name.star
        if isinstance(name, list | tuple):
            return PlaceholderSlice(self, lambda columns: columns[list(name)])
        return ColumnReference(self, name.name if isinstance(name, ColumnReference) else name)

    def __iter__(self) -> Iterator[Star]:
        yield Star(self)

    def keys(self) -> list[StarName]:
        """For `**` of the rows: the names are found where it is used."""
        return [StarName.of(Star(self))]

    @property
    def C(self) -> ColumnNamespace:
        """Columns by name, also those named like a method here."""
        return ColumnNamespace(self)

    @property
    def slice(self) -> PlaceholderSlice:
        """The columns as a slice."""
        return PlaceholderSlice(self, lambda columns: columns)

    def without(self, *columns: str | ColumnReference) -> PlaceholderSlice:
        """All columns but these."""
        return self.slice.without(*columns)

    def with_prefix(self, prefix: str) -> PlaceholderSlice:
        """All columns, the prefix before each name."""
        return self.slice.with_prefix(prefix)

    def with_suffix(self, suffix: str) -> PlaceholderSlice:
        """All columns, the suffix after each name."""
        return self.slice.with_suffix(suffix)


class LookupTable(Table[Any]):
    """The rows of a table that a pointer of another points to; a table with the keys of the latter."""

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
        from pathway._binding import define

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


def lookup_table(
    target: Table[Any], pointer: ColumnExpression, optional: bool, allow_misses: bool, context: object
) -> Table[Any] | Lookup:
    """What `Table.ix` gives: a table if it is known whose rows hold the pointer, otherwise a `Lookup`."""
    from pathway._binding import check_pointer, substitute_this, type_of

    if isinstance(context, Joinable):
        pointer = substitute_this(pointer, context)
        owner: TableLike | None = context
    else:
        owner = _owner(pointer)
    dtype = type_of(pointer)
    if dtype is not None and isinstance(owner, Joinable):
        # What is wrong in any case is said here rather than where the columns are used.
        check_pointer(pointer, dtype, target, optional)
    lookup = Lookup(target, pointer, optional, allow_misses)
    if isinstance(owner, Joinable):
        return LookupTable(lookup, target, owner)
    return lookup


def _owner(pointer: ColumnExpression) -> TableLike | None:
    """The table whose rows hold the pointer: that of any column in it. A placeholder wins: it decides later."""
    owner: TableLike | None = None
    for part in in_order([pointer]):
        if not isinstance(part, ColumnReference):
            continue
        table: TableLike | None = part._table
        if isinstance(table, PlaceholderSlice):
            table = table._table
        if isinstance(table, LookupTable):
            table = table._context
        elif isinstance(table, Lookup):
            table = table._owner
        if isinstance(table, Placeholder):
            return table
        if owner is None:
            owner = table
    return owner
