"""What a table is, and what gives new columns for the same rows.

A table is a node of the plan, names for some of its columns, and a universe. `select`, `rename`,
`without` and the like compute or name columns and make no node: the result is another `Table` over
the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, overload

from pathway import _native
from pathway._expressions.expression import ColumnExpression, ColumnReference
from pathway._expressions.table_like import TableLike
from pathway._ground import hints, tracebacks
from pathway._ground.origin import declares, noting, user_place
from pathway._ground.shown import shown
from pathway._tables.binder import Binder, define
from pathway._tables.column_sets import Choice, ColumnSet, renamed
from pathway._tables.graph import current_graph
from pathway._tables.joinable import Joinable, expand, resolved
from pathway._tables.placeholders import Placeholder, this
from pathway._tables.pointers import Keyed
from pathway._tables.slices import TableSlice
from pathway._values import dtypes

if TYPE_CHECKING:
    from pathway._schemas.schema import Schema
    from pathway._tables.table import Table


_SHOWN_COLUMNS = 20


@tracebacks.shortened_class
class TableColumns(Joinable, ColumnSet["Table[Any]"], Keyed):
    """What a table is, and what gives new columns for the same rows."""

    _columns: dict[str, _native.Column]
    _declared: type[Schema] | None

    # Columns by name.

    def _column(self, name: str) -> _native.Column:
        if name == "id":
            return self._id_column()
        try:
            return self._columns[name]
        except KeyError:
            raise KeyError(hints.of_column(name, self._columns)) from None

    def _names(self) -> Sequence[str]:
        return list(self._columns)

    def _carried(self) -> list[_native.Column]:
        return list(dict.fromkeys([*self._columns.values(), self._id_column()]))

    def _local(self, reference: ColumnReference) -> _native.Column | None:
        table = reference._table
        if isinstance(table, Placeholder):
            self._target(table)
            return self._column(reference._name)
        return self._find(resolved(self, reference), exact=False)

    def _find(self, reference: ColumnReference, exact: bool) -> _native.Column | None:
        table = reference._table
        if table is self:
            return self._column(reference._name)
        if exact or not isinstance(table, Joinable) or table._graph is not self._graph:
            return None
        if not self._universe.is_subset_of(table._universe):
            return None
        column = table._column(reference._name)
        return column if self._plan.is_visible(column, self._node) else None

    def _target(self, table: TableLike) -> Joinable:
        if isinstance(table, Placeholder):
            if table._kind != "this":
                raise TypeError(f"pw.{table._kind} has a meaning only in joins; use pw.this")
            return self
        if not isinstance(table, Joinable):
            raise TypeError(f"{table!r} is no table")
        return table

    def _slice(self, kind: str) -> TableSlice:
        if kind != "this":
            raise TypeError(f"pw.{kind} has a meaning only in joins; use pw.this")
        return self.slice

    def _references(self) -> list[ColumnReference]:
        return [ColumnReference(self, name) for name in self._names()]

    def _choose(self, choice: Choice) -> Table[Any]:
        chosen = choice(list(self._columns), self._known_name)
        # A column that is named id is meant, if there is one, and not the key.
        columns = {
            new: self._columns[old] if old in self._columns else self._column(old) for new, old in chosen.items()
        }
        return self._same_rows(columns)

    def _known_name(self, column: object) -> str:
        """The name of a column that is there."""
        name = _name(column)
        if name not in self._columns:
            self._column(name)
        return name

    def _same_rows(self, columns: Mapping[str, _native.Column]) -> Table[Any]:
        return self._make(self._graph, self._node, columns, self._universe, id_type=self._id_type)

    def _require_current(self) -> None:
        """For those who add outputs to the current plan."""
        if self._graph is not current_graph():
            raise ValueError("the table was made before pw.testing.reset(); make it again")

    def __repr__(self) -> str:
        columns = list(self._columns.items())
        texts = [
            f"{shown(name)}: {dtypes.describe(self._plan.dtype(column))}" for name, column in columns[:_SHOWN_COLUMNS]
        ]
        if len(columns) > _SHOWN_COLUMNS:
            texts.append(f"and {len(columns) - _SHOWN_COLUMNS} more columns")
        return f"<pathway.Table {', '.join(texts) or 'without columns'}>"

    def __getattr__(self, name: str) -> ColumnReference:
        if name.startswith(("__", "_repr_", "_ipython_")):
            raise AttributeError(name)
        if "_graph" not in self.__dict__:
            # Copying and unpickling look for attributes before there are any.
            raise AttributeError(name)
        if name not in self._names():
            with noting(user_place()):
                message = hints.missing(f"Table.{name}")
                raise AttributeError(message or hints.of_column(name, self._names(), hints.public(self)), name=name)
        return ColumnReference(self, name)

    @overload
    def __getitem__(self, name: str | ColumnReference) -> ColumnReference: ...
    @overload
    def __getitem__(self, name: list[Any] | tuple[Any, ...]) -> Table[Any]: ...
    def __getitem__(self, name: Any) -> Any:
        with noting(user_place()):
            if isinstance(name, list | tuple):
                columns = [self._own(column) for column in name]
                for column in columns:
                    if columns.count(column) > 1:
                        raise ValueError(f"Duplicate expression value given for {column}")
                return self._same_rows({column: self._column(column) for column in columns})
            own = self._own(name)
            if own not in ("id", *self._names()):
                raise KeyError(hints.of_column(own, self._names()))
            return ColumnReference(self, own)

    def _own(self, column: object) -> str:
        """The name of a column that is given by name, or as a column of this table or of `pw.this`."""
        if isinstance(column, ColumnReference) and column.table not in (self, this):
            raise ValueError(
                f"{column!r} is a column of another table; take one of this table, of pw.this, or give its name"
            )
        return _name(column)

    # Tables do not change; whoever tries it would not see that nothing has happened. Nor do they hold values that one
    # could look for. Type checkers see it.
    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: object) -> None:
            if not name.startswith("_"):
                with noting(user_place()):
                    raise AttributeError(_unchanging(name), name=name)
            super().__setattr__(name, value)

        def __contains__(self, name: object) -> NoReturn:
            with noting(user_place()):
                raise TypeError(f"whether there is a column is known of the names: {name!r} in table.column_names()")

        def __setitem__(self, name: object, value: object) -> NoReturn:
            with noting(user_place()):
                raise TypeError(_unchanging(name))

        def __delitem__(self, name: object) -> NoReturn:
            with noting(user_place()):
                raise TypeError(f"a table does not change; make another one: table = table.without({name!r})")

    def __iter__(self) -> Iterator[ColumnReference]:
        return iter(self._references())

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._names()]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._names())

    @property
    def id(self) -> ColumnReference:
        """The key of the row as a column.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a
        ... 1
        ... ''')
        >>> pw.debug.compute_and_print(table.select(same=table.id == table.pointer_from(0)), include_id=False)
        same
        True
        """
        return ColumnReference(self, "id")

    @property
    def slice(self) -> TableSlice:
        """The columns as a slice, to be unpacked in `select`.

        >>> import pathway as pw
        >>> pw.Table.empty(a=int, b=int).slice.without("a").keys()
        ['b']
        """
        return TableSlice({name: ColumnReference(self, name) for name in self._names()}, self)

    def column_names(self) -> list[str]:
        """The names of the columns, in order.

        >>> import pathway as pw
        >>> pw.Table.empty(a=int, b=int).column_names()
        ['a', 'b']
        """
        return list(self._names())

    # New columns, same rows.

    @declares
    def select(self, /, *args: Any, **kwargs: Any) -> Table[Any]:
        """A table with these columns: references keep their names, named arguments are any expressions.

        Columns of other tables can be used if they have the same keys, or more.

        Args:
            args: columns.
            kwargs: expressions.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... name | age
        ... Ada  | 36
        ... Bob  | 7
        ... ''')
        >>> pw.debug.compute_and_print(table.select(pw.this.name, adult=pw.this.age >= 18), include_id=False)
        name | adult
        Ada  | True
        Bob  | False
        """
        return define(self, expand(self, "select", args, kwargs))

    @declares
    def with_columns(self, /, *args: Any, **kwargs: Any) -> Table[Any]:
        """All columns, with these replaced or added.

        Args:
            args: columns, which keep their names.
            kwargs: expressions.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a | b
        ... 1 | 2
        ... ''')
        >>> pw.debug.compute_and_print(table.with_columns(b=pw.this.b * 10, c=0), include_id=False)
        a | b  | c
        1 | 20 | 0
        """
        own: dict[str, ColumnExpression] = {name: ColumnReference(self, name) for name in self._names()}
        return define(self, {**own, **expand(self, "with_columns", args, kwargs)})

    @declares
    def copy(self) -> Table[Any]:
        """The same table once more, which counts as another one in a join with itself.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a
        ... 1
        ... ''')
        >>> other = table.copy()
        >>> pw.debug.compute_and_print(table.join(other, table.a == other.a).select(b=other.a), include_id=False)
        b
        1
        """
        return self._same_rows(self._columns)

    @declares
    def rename(  # type: ignore[override]  # Tables also take new names as arguments.
        self, /, names_mapping: Mapping[Any, str] | None = None, **kwargs: str | ColumnReference
    ) -> Table[Any]:
        """All columns, some under new names: `rename({old: new})` or `rename(new=pw.this.old)`.

        Renamed columns go to the end.

        Args:
            names_mapping: new names by old ones.
            kwargs: old columns by new names.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a | b
        ... 1 | 2
        ... ''')
        >>> pw.debug.compute_and_print(table.rename({"a": "x"}), include_id=False)
        b | x
        2 | 1
        >>> pw.debug.compute_and_print(table.rename(x=pw.this.a), include_id=False)
        b | x
        2 | 1
        """
        if names_mapping is not None:
            if kwargs:
                raise ValueError("rename() takes a mapping or named arguments, not both")
            return self.rename_by_dict(names_mapping)
        return self.rename_columns(**kwargs)

    @declares
    def rename_columns(self, /, **kwargs: str | ColumnReference) -> Table[Any]:
        """All columns, some under new names: `rename_columns(new=pw.this.old)`.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a | b
        ... 1 | 2
        ... ''')
        >>> pw.debug.compute_and_print(table.rename_columns(x="a"), include_id=False)
        b | x
        2 | 1
        """
        return self._renamed({new: _name(old) for new, old in kwargs.items()})

    @declares
    def rename_by_dict(self, names_mapping: Mapping[Any, str]) -> Table[Any]:
        """All columns, some under new names: `rename_by_dict({"old": "new"})`.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a | b
        ... 1 | 2
        ... ''')
        >>> pw.debug.compute_and_print(table.rename_by_dict({"a": "b", "b": "a"}), include_id=False)
        b | a
        1 | 2
        """
        if not isinstance(names_mapping, Mapping):
            raise TypeError(f"new names are given as a mapping from old ones, found {names_mapping!r}")
        return self._renamed({_name(new): self._own(old) for old, new in names_mapping.items()})

    def _renamed(self, names: Mapping[str, str]) -> Table[Any]:
        if "id" in names:
            raise ValueError("Can't use 'id' as a column name: it is the key of the row")
        return self._choose(renamed(names.items()))

    @declares
    def __add__(self, other: TableColumns) -> Table[Any]:
        """The columns of both; they must have the same keys.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a
        ... 1
        ... ''')
        >>> pw.debug.compute_and_print(table + table.select(b=pw.this.a + 1), include_id=False)
        a | b
        1 | 2
        """
        if not isinstance(other, TableColumns):
            raise TypeError(f"a table can be put beside another table, not {other!r}")
        if not self._universe.is_equal_to(other._universe):
            raise ValueError(
                "The tables that are put side by side with + have to have the same keys; these may have others.\n"
                "If you know that they are the same, say table.promise_universe_is_equal_to(other)."
            )
        return define(self, expand(self, "+", [*self, *other], {}))

    def _bound(self, expressions: Mapping[str, ColumnExpression]) -> tuple[Binder, dict[str, _native.Column]]:
        """Expressions and all own columns at one node."""
        binder = Binder(self, expressions.values(), self._carried())
        return binder, {name: binder.column(column) for name, column in self._columns.items()}


def _unchanging(name: object) -> str:
    shown = name if isinstance(name, str) else "name"
    return f"a table does not change; make another one: table = table.with_columns({shown}=...)"


def _name(column: object) -> str:
    if isinstance(column, ColumnReference):
        return column.name
    if isinstance(column, str):
        return column
    if isinstance(column, ColumnExpression):
        raise TypeError(f"rows are chosen by a condition with filter: table.filter({column!r})")
    if isinstance(column, int | slice):
        raise TypeError(
            "rows have no order, so there is none at a position; choose them with table.filter(...), or look at some "
            "with pw.debug.compute_and_print(table, n_rows=5)"
        )
    raise TypeError(f"expected the name of a column or a column, found {column!r}")
