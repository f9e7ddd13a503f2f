"""`TableSlice`: some columns of a table under some names, to be unpacked in `select` and the like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, overload

from pathway._expressions import ColumnReference
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
        """The names."""
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
        """The slice itself."""
        return self

    def without(self, *columns: str | ColumnReference) -> TableSlice:
        """All columns but these."""
        removed = {self._name(column) for column in columns}
        return TableSlice({n: reference for n, reference in self._mapping.items() if n not in removed}, self._table)

    def rename(self, names: Mapping[str | ColumnReference, str | ColumnReference]) -> TableSlice:
        """All columns, some under new names (old name -> new name), which go to the end."""
        renamed = {self._name(old): new.name if isinstance(new, ColumnReference) else new for old, new in names.items()}
        kept = {n: reference for n, reference in self._mapping.items() if n not in renamed}
        return TableSlice({**kept, **{new: self._mapping[old] for old, new in renamed.items()}}, self._table)

    def with_prefix(self, prefix: str) -> TableSlice:
        """All columns, the prefix before each name."""
        return TableSlice({prefix + name: reference for name, reference in self._mapping.items()}, self._table)

    def with_suffix(self, suffix: str) -> TableSlice:
        """All columns, the suffix after each name."""
        return TableSlice({name + suffix: reference for name, reference in self._mapping.items()}, self._table)

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
