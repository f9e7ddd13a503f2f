"""`ix`: columns of the row that a pointer points to.

A `Lookup` is a table that is wanted, a pointer, and nothing more; where its columns are used, `binder`
makes the engine's operator beside the rows that use them.
"""

from __future__ import annotations

from functools import cached_property

from pathway._expressions.expression import ColumnExpression, ColumnReference
from pathway._expressions.table_like import TableLike
from pathway._expressions.walking import in_order
from pathway._ground import tracebacks
from pathway._tables.column_sets import WithNamespace
from pathway._tables.deferred import Deferred


@tracebacks.shortened_class
class Lookup(Deferred, WithNamespace):
    """The rows of `target` that `pointer` points to, wherever that is."""

    def __init__(self, target: TableLike, pointer: ColumnExpression, optional: bool, allow_misses: bool) -> None:
        self._target = target
        self._pointer = pointer
        self._optional = optional
        self._allow_misses = allow_misses

    @cached_property
    def _owner(self) -> TableLike | None:
        """The table whose rows hold the pointer, as far as that is known."""
        return owner_of(self._pointer)

    def _row_owner(self) -> TableLike | None:
        return self._owner

    def __repr__(self) -> str:
        return f"{self._target!r}.ix({self._pointer_text})"

    def _reference_text(self, names: dict[int, str]) -> str:
        return f"{self._target._reference_text(names)}.ix({self._pointer_text})"

    @cached_property
    def _pointer_text(self) -> str:
        return repr(self._pointer)


def owner_of(pointer: ColumnExpression) -> TableLike | None:
    """The table whose rows hold the pointer: that of any column in it. A placeholder wins: it decides later."""
    owner: TableLike | None = None
    for part in in_order([pointer]):
        if isinstance(part, ColumnReference):
            table = part._table._row_owner()
            if isinstance(table, Deferred):
                return table
            if owner is None:
                owner = table
    return owner
