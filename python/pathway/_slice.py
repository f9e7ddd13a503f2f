"""`TableSlice`: some columns of a table under some names, to be unpacked in `select` and the like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, overload

from pathway._expressions import ColumnExpression, ColumnReference
from pathway._joinable import TableLike, missing_column


class TableSlice(TableLike):
    """Columns by name. `without`, `rename`, `with_prefix` and `with_suffix` give new slices.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... a | b | c
    ... 1 | 2 | 3
    ... ''')
    >>> pw.debug.compute_and_print(table.select(*table.slice.without("b").with_prefix("x_")), include_id=False)
    x_a | x_c
    1   | 3
    """

    def __init__(self, mapping: Mapping[str, ColumnReference], table: TableLike) -> None:
        self._mapping = dict(mapping)
        self._table = table

    def __repr__(self) -> str:
        return f"TableSlice({self._mapping})"

    def __iter__(self) -> Iterator[ColumnReference]:
        for name, reference in self._mapping.items():
            yield reference if reference.name == name else RenamedReference(reference, name)

    def keys(self) -> list[str]:
        """The names of the columns, in order.

        >>> import pathway as pw
        >>> table = pw.Table.empty(a=int, b=int)
        >>> table.slice.keys()
        ['a', 'b']
        """
        return list(self._mapping)

    def __getattr__(self, name: str) -> ColumnReference:
        if name.startswith("__") or name == "_mapping":
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(*error.args) from None

    @overload
    def __getitem__(self, names: str | ColumnReference) -> ColumnReference: ...
    @overload
    def __getitem__(self, names: list[Any]) -> TableSlice: ...
    def __getitem__(self, names: Any) -> Any:
        if isinstance(names, list | tuple):
            return TableSlice({self._name(name): self._mapping[self._name(name)] for name in names}, self._table)
        return self._mapping[self._name(names)]

    @property
    def slice(self) -> TableSlice:
        """The slice itself.

        >>> import pathway as pw
        >>> table = pw.Table.empty(a=int, b=int)
        >>> table.slice.slice.keys()
        ['a', 'b']
        """
        return self

    def without(self, *columns: str | ColumnReference) -> TableSlice:
        """All columns but these.

        >>> import pathway as pw
        >>> table = pw.Table.empty(a=int, b=int)
        >>> table.slice.without("a").keys()
        ['b']
        """
        removed = {self._name(column) for column in columns}
        return TableSlice({n: reference for n, reference in self._mapping.items() if n not in removed}, self._table)

    def rename(self, names: Mapping[str | ColumnReference, str | ColumnReference]) -> TableSlice:
        """All columns, some under new names (old name -> new name), which go to the end.

        >>> import pathway as pw
        >>> table = pw.Table.empty(a=int, b=int)
        >>> table.slice.rename({"a": "x"}).keys()
        ['b', 'x']
        """
        renamed = {self._name(old): new.name if isinstance(new, ColumnReference) else new for old, new in names.items()}
        kept = {n: reference for n, reference in self._mapping.items() if n not in renamed}
        return TableSlice({**kept, **{new: self._mapping[old] for old, new in renamed.items()}}, self._table)

    def with_prefix(self, prefix: str) -> TableSlice:
        """All columns, the prefix before each name.

        >>> import pathway as pw
        >>> table = pw.Table.empty(a=int, b=int)
        >>> table.slice.with_prefix("my_").keys()
        ['my_a', 'my_b']
        """
        return TableSlice({prefix + name: reference for name, reference in self._mapping.items()}, self._table)

    def with_suffix(self, suffix: str) -> TableSlice:
        """All columns, the suffix after each name.

        >>> import pathway as pw
        >>> table = pw.Table.empty(a=int, b=int)
        >>> table.slice.with_suffix("_1").keys()
        ['a_1', 'b_1']
        """
        return TableSlice({name + suffix: reference for name, reference in self._mapping.items()}, self._table)

    def ix(
        self,
        expression: ColumnExpression,
        *,
        optional: bool = False,
        context: object = None,
        allow_misses: bool = False,
    ) -> TableSlice:
        """These columns of the row that a pointer points to; see `Table.ix`.

        Args:
            expression: the pointer.
            optional: whether the pointer may be None.
            context: accepted; the table that has the pointers is found where the result is used.
            allow_misses: whether the pointer may point to no row.

        >>> import pathway as pw
        >>> trees = pw.debug.table_from_markdown('''
        ... name | height
        ... oak  | 30
        ... ''').with_id_from(pw.this.name)
        >>> visits = pw.debug.table_from_markdown('''
        ... tree
        ... oak
        ... ''')
        >>> heights = trees.slice.without("name").ix(trees.pointer_from(visits.tree))
        >>> pw.debug.compute_and_print(visits.select(*heights), include_id=False)
        height
        30
        """
        table: Any = self._table
        return self._of(table.ix(expression, optional=optional, context=context, allow_misses=allow_misses))

    def ix_ref(
        self,
        *args: object,
        optional: bool = False,
        context: object = None,
        instance: ColumnReference | None = None,
        allow_misses: bool = False,
    ) -> TableSlice:
        """These columns of the row with these values as its key; see `Table.ix_ref`.

        Args:
            args: the values.
            optional: whether a value may be None.
            context: accepted; the table that has the values is found where the result is used.
            instance: the instance that the key was made with.
            allow_misses: whether there may be no such row.

        >>> import pathway as pw
        >>> trees = pw.debug.table_from_markdown('''
        ... name | height
        ... oak  | 30
        ... ''')
        >>> highest = trees.reduce(most=pw.reducers.max(trees.height))
        >>> pw.debug.compute_and_print(trees.select(trees.name, *highest.slice.ix_ref()), include_id=False)
        name | most
        oak  | 30
        """
        table: Any = self._table
        return self._of(
            table.ix_ref(*args, optional=optional, context=context, instance=instance, allow_misses=allow_misses)
        )

    def _of(self, table: Any) -> TableSlice:
        """The columns of the same names of another table."""
        return TableSlice({name: table[reference.name] for name, reference in self._mapping.items()}, table)

    def _name(self, column: str | ColumnReference) -> str:
        name = column.name if isinstance(column, ColumnReference) else column
        if name not in self._mapping:
            raise KeyError(missing_column(name, self._mapping))
        return name


class RenamedReference(ColumnReference):
    """A column that `select` puts out under another name than it has in its table."""

    def __init__(self, reference: ColumnReference, name: str) -> None:
        super().__init__(reference._table, reference._name)
        self._shown = name

    @property
    def name(self) -> str:
        """The new name."""
        return self._shown
