"""Columns of a table that is found only where they are used.

`pw.this.x` and `table.ix(pointer).x` are references whose table is no table yet. What needs to know the names, such as
`*pw.this.without("x")`, is written down as choices and done then.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pathway._expressions.expression import ColumnReference
from pathway._expressions.table_like import TableLike
from pathway._ground import tracebacks
from pathway._tables.column_sets import Choice, ColumnSet, only


class Star:
    """All columns of something that is known only where it is used: what `*pw.this` unpacks to, and `**pw.this`."""

    def __init__(self, table: TableLike, choices: tuple[Choice, ...] = ()) -> None:
        self.table = table
        self.choices = choices


class StarName(str):
    """What `**pw.this` names its one value; where it is used, the columns are found by it."""

    __slots__ = ("star",)
    star: Star

    @classmethod
    def of(cls, star: Star) -> StarName:
        """A name that nothing else has."""
        name = cls(f"all columns of {id(star)}")
        name.star = star
        return name


@tracebacks.shortened_class
class Deferred(ColumnSet["DeferredSlice"]):
    """Columns of a table that is found later; any name may be one of them."""

    def _star(self) -> Star:
        """What all the columns are, for who unpacks them."""
        return Star(self)

    def _choose(self, choice: Choice) -> DeferredSlice:
        star = self._star()
        return DeferredSlice(star.table, (*star.choices, choice))

    def __iter__(self) -> Iterator[Star]:
        yield self._star()

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
        return [StarName.of(self._star())]

    def __getattr__(self, name: str) -> ColumnReference:
        # Names with two underscores, and those IPython tries on every object, are no columns.
        if name.startswith(("__", "_repr_", "_ipython_")):
            raise AttributeError(name)
        if not self.__dict__:
            # Copying and unpickling look for attributes before there are any.
            raise AttributeError(name)
        return ColumnReference(self, name)

    def __getitem__(self, name: Any) -> Any:
        if isinstance(name, StarName):
            return name.star
        if isinstance(name, list | tuple):
            return self._choose(only(name))
        name = name.name if isinstance(name, ColumnReference) else name
        if not isinstance(name, str):
            raise TypeError(f"brackets take the name of a column, or a list of names, found {name!r}")
        return ColumnReference(self, name)

    @property
    def slice(self) -> DeferredSlice:
        """The columns as a slice.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a | b
        ... 1 | 2
        ... ''')
        >>> table.select(*pw.this.slice).column_names()
        ['a', 'b']
        """
        star = self._star()
        return DeferredSlice(star.table, star.choices)


class DeferredSlice(Deferred):
    """Some columns of such a table, under some names: unpack it with `*` or `**` in `select` and the like.

    >>> import pathway as pw
    >>> table = pw.Table.empty(a=int, b=int)
    >>> table.select(pw.this.without("a").b, **pw.this.with_prefix("my_")).column_names()
    ['b', 'my_a', 'my_b']
    """

    def __init__(self, table: TableLike, choices: tuple[Choice, ...]) -> None:
        self._table = table
        self._choices = choices

    def __repr__(self) -> str:
        return f"{self._table!r}[...]"

    def _star(self) -> Star:
        return Star(self._table, self._choices)

    def _reference_text(self, names: dict[int, str]) -> str:
        return f"{self._table._reference_text(names)}[...]"

    def _row_owner(self) -> TableLike | None:
        return self._table._row_owner()
