"""Sets of named columns, and what can be made of one: fewer columns, or the same ones under other names.

Tables, slices of them, `pw.this` and what `ix` finds are such sets. Whatever chooses columns or renames them comes down
to one step, `_choose`: it is given a choice, which says of names what becomes of them. A table and a slice have their
names at once; `pw.this` keeps the choice until it is known what it stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from pathway._expressions.expression import ColumnReference
from pathway._expressions.table_like import TableLike
from pathway._ground import tracebacks
from pathway._ground.origin import declares

Choice: TypeAlias = Callable[[Sequence[str], Callable[[object], str]], dict[str, str]]
"""From the names that are there, and what says how a column is named there, to new names with the old ones."""

Chosen = TypeVar("Chosen", covariant=True)


def only(columns: Sequence[object]) -> Choice:
    """These columns, in this order."""
    return lambda names, name_of: {name: name for name in map(name_of, columns)}


def without(columns: Sequence[object]) -> Choice:
    """All columns but these."""

    def choose(names: Sequence[str], name_of: Callable[[object], str]) -> dict[str, str]:
        gone = {name_of(column) for column in columns}
        return {name: name for name in names if name not in gone}

    return choose


def renamed(names_and_columns: Iterable[tuple[object, object]]) -> Choice:
    """All columns, some under new names, which go to the end and replace what has them."""
    pairs = [(_new_name(name), column) for name, column in names_and_columns]

    def choose(names: Sequence[str], name_of: Callable[[object], str]) -> dict[str, str]:
        new = {name: name_of(column) for name, column in pairs}
        gone = {*new, *(name_of(column) for _, column in pairs)}
        return {**{name: name for name in names if name not in gone}, **new}

    return choose


def _new_name(name: object) -> str:
    if isinstance(name, ColumnReference):
        return name.name
    if isinstance(name, str):
        return name
    raise TypeError(f"expected the name of a column or a column, found {name!r}")


def around(method: str, prefix: str, suffix: str) -> Choice:
    """All columns, with something before and after each name."""
    for text in (prefix, suffix):
        if not isinstance(text, str):
            raise TypeError(f"{method}() takes a text, found {text!r}")
    return lambda names, name_of: {f"{prefix}{name}{suffix}": name for name in names}


@tracebacks.shortened_class
class ColumnSet(TableLike, Generic[Chosen]):
    """Columns by name, of which others can be made."""

    def _choose(self, choice: Choice) -> Chosen:
        """The columns that a choice says, under the names that it says."""
        raise NotImplementedError

    @declares
    def without(self, *columns: str | ColumnReference) -> Chosen:
        """All columns but these.

        Args:
            columns: columns of the table, or their names.

        Raises:
            KeyError: there is no such column. For `pw.this` and the like it is raised where the result is used.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a | b
        ... 1 | 2
        ... ''')
        >>> pw.debug.compute_and_print(table.without(pw.this.b), include_id=False)
        a
        1
        >>> table.slice.without("a").keys()
        ['b']
        >>> table.select(*pw.this.without("a")).column_names()
        ['b']
        """
        return self._choose(without(columns))

    @declares
    def rename(self, rename_dict: Mapping[str | ColumnReference, str | ColumnReference]) -> Chosen:
        """All columns, some under new names (old name -> new name), which go to the end.

        Args:
            rename_dict: new names by old ones.

        Raises:
            KeyError: there is no such column. For `pw.this` and the like it is raised where the result is used.

        >>> import pathway as pw
        >>> table = pw.Table.empty(a=int, b=int)
        >>> table.slice.rename({"a": "x"}).keys()
        ['b', 'x']
        >>> table.select(*pw.this.rename({"a": "x"})).column_names()
        ['b', 'x']
        """
        return self._choose(renamed((new, old) for old, new in rename_dict.items()))

    @declares
    def with_prefix(self, prefix: str) -> Chosen:
        """All columns, the prefix before each name.

        Args:
            prefix: the text.

        >>> import pathway as pw
        >>> table = pw.Table.empty(a=int, b=int)
        >>> table.with_prefix("my_").column_names()
        ['my_a', 'my_b']
        >>> table.slice.with_prefix("my_").keys()
        ['my_a', 'my_b']
        >>> table.select(*pw.this.with_prefix("my_")).column_names()
        ['my_a', 'my_b']
        """
        return self._choose(around("with_prefix", prefix, ""))

    @declares
    def with_suffix(self, suffix: str) -> Chosen:
        """All columns, the suffix after each name.

        Args:
            suffix: the text.

        >>> import pathway as pw
        >>> table = pw.Table.empty(a=int, b=int)
        >>> table.with_suffix("_1").column_names()
        ['a_1', 'b_1']
        >>> table.slice.with_suffix("_1").keys()
        ['a_1', 'b_1']
        >>> table.select(*pw.this.with_suffix("_1")).column_names()
        ['a_1', 'b_1']
        """
        return self._choose(around("with_suffix", "", suffix))


@tracebacks.shortened_class
class ColumnNamespace:
    """`table.C.name`: columns by name, where `table.name` would be a method."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __getattr__(self, name: str) -> ColumnReference:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            reference: ColumnReference = self._table[name]
        except KeyError as error:
            raise AttributeError(*error.args) from None
        return reference

    def __getitem__(self, name: str) -> ColumnReference:
        reference: ColumnReference = self._table[name]
        return reference


@tracebacks.shortened_class
class WithNamespace(TableLike):
    """What has its columns in a namespace of their own as well."""

    @property
    def C(self) -> ColumnNamespace:
        """The columns by name, also those named like a method: `table.C.filter`.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... filter
        ... 1
        ... ''')
        >>> pw.debug.compute_and_print(table.select(x=table.C.filter, y=pw.this.C.filter), include_id=False)
        x | y
        1 | 1
        """
        return ColumnNamespace(self)
