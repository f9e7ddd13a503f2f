"""`TableSlice`: some columns of a table under some names, to be unpacked in `select` and the like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, overload

from pathway._expressions import ColumnExpression, ColumnReference
from pathway._joinable import TableLike, missing_column
from pathway._origin import declares, noting, user_place


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

    def __init__(self, mapping: Mapping[str, ColumnReference], table: TableLike, also: TableLike | None = None) -> None:
        self._mapping = dict(mapping)
        self._table = table
        # Another name of the table: columns may be named of either.
        self._also = also

    def _with(self, mapping: Mapping[str, ColumnReference]) -> TableSlice:
        return TableSlice(mapping, self._table, self._also)

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
        if name.startswith("__") or name in ("_mapping", "_table", "_also"):
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
        with noting(user_place()):
            if isinstance(names, list | tuple):
                return self._with({self._name(name): self._mapping[self._name(name)] for name in names})
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

    @declares
    def without(self, *columns: str | ColumnReference) -> TableSlice:
        """All columns but these.

        >>> import pathway as pw
        >>> table = pw.Table.empty(a=int, b=int)
        >>> table.slice.without("a").keys()
        ['b']
        """
        removed = {self._name(column) for column in columns}
        return self._with({n: reference for n, reference in self._mapping.items() if n not in removed})

    @declares
    def rename(self, names: Mapping[str | ColumnReference, str | ColumnReference]) -> TableSlice:
        """All columns, some under new names (old name -> new name), which go to the end.

        >>> import pathway as pw
        >>> table = pw.Table.empty(a=int, b=int)
        >>> table.slice.rename({"a": "x"}).keys()
        ['b', 'x']
        """
        renamed = {self._name(old): new.name if isinstance(new, ColumnReference) else new for old, new in names.items()}
        kept = {n: reference for n, reference in self._mapping.items() if n not in renamed}
        return self._with({**kept, **{new: self._mapping[old] for old, new in renamed.items()}})

    def with_prefix(self, prefix: str) -> TableSlice:
        """All columns, the prefix before each name.

        >>> import pathway as pw
        >>> table = pw.Table.empty(a=int, b=int)
        >>> table.slice.with_prefix("my_").keys()
        ['my_a', 'my_b']
        """
        return self._with({prefix + name: reference for name, reference in self._mapping.items()})

    def with_suffix(self, suffix: str) -> TableSlice:
        """All columns, the suffix after each name.

        >>> import pathway as pw
        >>> table = pw.Table.empty(a=int, b=int)
        >>> table.slice.with_suffix("_1").keys()
        ['a_1', 'b_1']
        """
        return self._with({name + suffix: reference for name, reference in self._mapping.items()})

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
        from pathway._this import this

        if isinstance(column, ColumnReference):
            if column.table not in (self._table, self._also, this):
                raise ValueError(
                    f"{column!r} is no column of the table of this slice; use a column of that table, pw.this or a name"
                )
            name = column.name
        elif isinstance(column, str):
            name = column
        else:
            raise TypeError(f"expected the name of a column or a column, found {column!r}")
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
