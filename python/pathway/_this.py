"""`pw.this`, `pw.left`, `pw.right`: the table a method is called on, before there is one.

`pw.this.x` is a reference whose table is found where the expression is used. What needs to know the
columns, such as `*pw.this.without("x")`, is written down and done then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pathway._expressions import ColumnExpression, ColumnReference, PointerExpression, wrap
from pathway._joinable import ColumnNamespace, Star, StarName, TableLike

if TYPE_CHECKING:
    from pathway._lookup import Lookup
    from pathway._slice import TableSlice

__all__ = ["Placeholder", "TableLike", "left", "right", "this"]


class Placeholder(TableLike):
    """Stands for a table. `pw.this`: the one the method is called on; `pw.left`, `pw.right`: the sides of a join.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... a | b
    ... 1 | 2
    ... ''')
    >>> pw.debug.compute_and_print(table.select(*pw.this.without("b"), c=pw.this.b + 1), include_id=False)
    a | c
    1 | 3
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __repr__(self) -> str:
        return f"pathway.{self._kind}"

    def _reference_text(self, names: dict[int, str]) -> str:
        return repr(self)

    def __getattr__(self, name: str) -> ColumnReference:
        # Names with two underscores, and those IPython tries on every object, are no columns.
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
        """For `**pw.this` and its kin: the names are found where it is used.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a | b
        ... 1 | 2
        ... ''')
        >>> table.select(**pw.this).column_names()
        ['a', 'b']
        """
        return [StarName.of(Star(self))]

    @property
    def C(self) -> ColumnNamespace:
        """Columns by name, also those named like a method here.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a | b
        ... 1 | 2
        ... ''')
        >>> table.select(x=pw.this.C.a).column_names()
        ['x']
        """
        return ColumnNamespace(self)

    @property
    def slice(self) -> PlaceholderSlice:
        """The columns as a slice.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a | b
        ... 1 | 2
        ... ''')
        >>> table.select(*pw.this.slice).column_names()
        ['a', 'b']
        """
        return PlaceholderSlice(self, lambda columns: columns)

    def without(self, *columns: str | ColumnReference) -> PlaceholderSlice:
        """All columns but these.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a | b
        ... 1 | 2
        ... ''')
        >>> table.select(*pw.this.without("a")).column_names()
        ['b']
        """
        return self.slice.without(*columns)

    def rename(self, names: Mapping[str | ColumnReference, str | ColumnReference]) -> PlaceholderSlice:
        """All columns, some under new names: old name -> new name.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a | b
        ... 1 | 2
        ... ''')
        >>> table.select(*pw.this.rename({"a": "x"})).column_names()
        ['b', 'x']
        """
        return self.slice.rename(names)

    def with_prefix(self, prefix: str) -> PlaceholderSlice:
        """All columns, the prefix before each name.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a | b
        ... 1 | 2
        ... ''')
        >>> table.select(*pw.this.with_prefix("my_")).column_names()
        ['my_a', 'my_b']
        """
        return self.slice.with_prefix(prefix)

    def with_suffix(self, suffix: str) -> PlaceholderSlice:
        """All columns, the suffix after each name.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a | b
        ... 1 | 2
        ... ''')
        >>> table.select(*pw.this.with_suffix("_1")).column_names()
        ['a_1', 'b_1']
        """
        return self.slice.with_suffix(suffix)

    def pointer_from(
        self, *args: object, optional: bool = False, instance: ColumnExpression | None = None
    ) -> ColumnExpression:
        """The key that rows with these values get; see `Table.pointer_from`.

        Args:
            args: the values.
            optional: whether values may be None.
            instance: the instance that the key was made with.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a | b
        ... 1 | 2
        ... ''')
        >>> pw.debug.compute_and_print(table.select(is_first=pw.this.id == pw.this.pointer_from(0)), include_id=False)
        is_first
        True
        """
        return PointerExpression(
            [wrap(value) for value in args], None if instance is None else wrap(instance), optional
        )

    def ix(
        self,
        expression: ColumnExpression,
        *,
        optional: bool = False,
        context: object = None,
        allow_misses: bool = False,
    ) -> Lookup:
        """The row of this table that a pointer points to; see `Table.ix`.

        Args:
            expression: the pointer.
            optional: whether the pointer may be None.
            context: accepted; the table that has the pointers is found where the result is used.
            allow_misses: whether the pointer may point to no row.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a | b
        ... 1 | 2
        ... ''')
        >>> pw.debug.compute_and_print(table.select(x=pw.this.ix(pw.this.id).b), include_id=False)
        x
        2
        """
        from pathway._lookup import Lookup

        return Lookup(self, wrap(expression), optional, allow_misses)

    def ix_ref(
        self,
        *args: object,
        optional: bool = False,
        context: object = None,
        instance: ColumnExpression | None = None,
        allow_misses: bool = False,
    ) -> Lookup:
        """The row of this table with these values as its key; see `Table.ix_ref`.

        Args:
            args: the values.
            optional: whether a value may be None.
            context: accepted; the table that has the values is found where the result is used.
            instance: the instance that the key was made with.
            allow_misses: whether there may be no such row.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a | b
        ... 1 | 2
        ... ''')
        >>> keyed = table.with_id_from(pw.this.a)
        >>> pw.debug.compute_and_print(keyed.select(x=pw.this.ix_ref(pw.this.a).b), include_id=False)
        x
        2
        """
        return self.ix(
            self.pointer_from(*args, optional=optional, instance=instance), optional=optional, allow_misses=allow_misses
        )


class PlaceholderSlice(TableLike):
    """Some columns of a placeholder, under some names: unpack it with `*` or `**` in `select` and the like.

    >>> import pathway as pw
    >>> table = pw.Table.empty(a=int, b=int)
    >>> table.select(pw.this.without("a").b, **pw.this.with_prefix("my_")).column_names()
    ['b', 'my_a', 'my_b']
    """

    def __init__(self, table: TableLike, transform: Callable[[TableSlice], TableSlice]) -> None:
        self._table = table
        self._transform = transform

    def __repr__(self) -> str:
        return f"{self._table!r}[...]"

    def _reference_text(self, names: dict[int, str]) -> str:
        return f"{self._table._reference_text(names)}[...]"

    def __iter__(self) -> Iterator[Star]:
        yield Star(self._table, self._transform)

    def keys(self) -> list[StarName]:
        """For `**` of the slice: the names are found where it is used."""
        return [StarName.of(Star(self._table, self._transform))]

    def __getattr__(self, name: str) -> ColumnReference:
        if name.startswith(("__", "_repr_", "_ipython_")) or name in ("_table", "_transform"):
            raise AttributeError(name)
        return ColumnReference(self, name)

    def _then(self, step: Callable[[TableSlice], TableSlice]) -> PlaceholderSlice:
        before = self._transform
        return PlaceholderSlice(self._table, lambda columns: step(before(columns)))

    def __getitem__(self, names: Any) -> Any:
        if isinstance(names, StarName):
            return names.star
        if isinstance(names, list | tuple):
            return self._then(lambda columns: columns[list(names)])
        return ColumnReference(self, names.name if isinstance(names, ColumnReference) else names)

    @property
    def slice(self) -> PlaceholderSlice:
        """The slice itself."""
        return self

    def without(self, *columns: str | ColumnReference) -> PlaceholderSlice:
        """All columns but these."""
        return self._then(lambda slice: slice.without(*columns))

    def rename(self, names: Mapping[str | ColumnReference, str | ColumnReference]) -> PlaceholderSlice:
        """All columns, some under new names: old name -> new name."""
        return self._then(lambda slice: slice.rename(names))

    def with_prefix(self, prefix: str) -> PlaceholderSlice:
        """All columns, the prefix before each name."""
        return self._then(lambda slice: slice.with_prefix(prefix))

    def with_suffix(self, suffix: str) -> PlaceholderSlice:
        """All columns, the suffix after each name."""
        return self._then(lambda slice: slice.with_suffix(suffix))


this = Placeholder("this")
left = Placeholder("left")
right = Placeholder("right")
