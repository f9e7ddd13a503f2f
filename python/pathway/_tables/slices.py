"""`TableSlice`: some columns of a table under some names, to be unpacked in `select` and the like."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, overload

from pathway._expressions.expression import ColumnExpression, ColumnReference
from pathway._expressions.table_like import TableLike
from pathway._ground import hints, tracebacks
from pathway._ground.origin import noting, user_place
from pathway._tables.column_sets import Choice, ColumnSet, only
from pathway._tables.placeholders import this
from pathway._tables.pointers import Indexed


@tracebacks.shortened_class
class TableSlice(ColumnSet["TableSlice"], Indexed["TableSlice"]):
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
        if name not in self._mapping:
            raise AttributeError(hints.of_column(name, self._mapping, hints.public(self)), name=name)
        return self[name]

    @overload
    def __getitem__(self, names: str | ColumnReference) -> ColumnReference: ...
    @overload
    def __getitem__(self, names: list[Any]) -> TableSlice: ...
    def __getitem__(self, names: Any) -> Any:
        with noting(user_place()):
            if isinstance(names, list | tuple):
                return self._choose(only(names))
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

    def _choose(self, choice: Choice) -> TableSlice:
        chosen = choice(list(self._mapping), self._name)
        return TableSlice({new: self._mapping[old] for new, old in chosen.items()}, self._table, self._also)

    def _look_up(self, pointer: ColumnExpression, optional: bool, allow_misses: bool, context: object) -> TableSlice:
        table: Any = self._table
        found = table.ix(pointer, optional=optional, context=context, allow_misses=allow_misses)
        # The columns of the same names there.
        return TableSlice({name: found[reference.name] for name, reference in self._mapping.items()}, found)

    def _name(self, column: object) -> str:
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
            raise KeyError(hints.of_column(name, self._mapping))
        return name


def chosen(columns: TableSlice, choices: Iterable[Choice]) -> TableSlice:
    """What is left of some columns after one choice and another."""
    for choice in choices:
        columns = columns._choose(choice)
    return columns


class RenamedReference(ColumnReference):
    """A column that `select` puts out under another name than it has in its table."""

    def __init__(self, reference: ColumnReference, name: str) -> None:
        super().__init__(reference._table, reference._name)
        self._shown = name

    @property
    def name(self) -> str:
        """The new name."""
        return self._shown
