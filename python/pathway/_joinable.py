"""What tables, results of joins and the placeholders `pw.this`, `pw.left`, `pw.right` have in common.

`TableLike` is anything that columns can be named of. A `Joinable` also has rows: a node of the plan
and a universe. Names meet columns here: `_column` answers for the object's own names, `_local` for any
reference that can be read without moving rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from pathway import _dtypes, _native
from pathway._expressions import ColumnExpression, ColumnReference, wrap
from pathway._graph import Graph
from pathway._origin import Place, declares, warn
from pathway._universes import Universe

if TYPE_CHECKING:
    from typing import Self

    from pathway._slice import TableSlice


class TableLike:
    """Anything with named columns.

    >>> import pathway as pw
    >>> isinstance(pw.this, pw.TableLike)
    True
    """

    def _reference_text(self, names: dict[int, str]) -> str:
        """How the table is called in a text; `names` numbers the tables met so far."""
        return names.setdefault(id(self), f"<table{len(names) + 1}>")

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError

    def __len__(self) -> NoReturn:
        raise TypeError(
            "the number of rows of a table is not known before it runs; use table.reduce(n=pw.reducers.count())"
        )

    def __bool__(self) -> bool:
        # As any object that is there: `if table:` asks whether there is a table, not whether it has rows.
        return True


class Star:
    """All columns of something that is known only where it is used: what `*pw.this` unpacks to, and `**pw.this`."""

    def __init__(self, table: TableLike, transform: Callable[[TableSlice], TableSlice] | None = None) -> None:
        self.table = table
        self.transform = transform


class Named(NamedTuple):
    """An expression that has a name without having been given one."""

    expression: ColumnExpression
    name: str


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


class Joinable(TableLike):
    """Something with rows and columns: a table, or the result of a join.

    >>> import pathway as pw
    >>> isinstance(pw.Table.empty(a=int), pw.Joinable)
    True
    """

    _graph: Graph
    _node: _native.Node
    _universe: Universe
    _place: Place | None
    # The type of the key in schemas, such as Pointer[int].
    _id_type: Any = _native.Pointer

    @property
    def _id_dtype(self) -> _native.DType:
        """The type of the key."""
        return _dtypes.to_dtype(self._id_type)

    @property
    def _plan(self) -> _native.Plan:
        return self._graph.plan

    def _column(self, name: str) -> _native.Column:
        """The column with the name; KeyError if there is none."""
        raise NotImplementedError

    def _local(self, reference: ColumnReference) -> _native.Column | None:
        """The column a reference stands for among these rows; None if it belongs to other rows."""
        raise NotImplementedError

    def _find(self, reference: ColumnReference, exact: bool) -> _native.Column | None:
        """As `_local`, but no placeholders; if exact, the reference must be to this very object."""
        raise NotImplementedError

    def _slice(self, kind: str) -> TableSlice:
        """The columns that `pw.this`, `pw.left` or `pw.right` stands for here."""
        raise NotImplementedError

    def _names(self) -> Sequence[str]:
        """The names of all columns, in order."""
        raise NotImplementedError

    def _ambiguous_names(self) -> frozenset[str]:
        """The names that several columns have, which have to be named otherwise."""
        return frozenset()

    def _carried(self) -> list[_native.Column]:
        """Everything that somebody may ask of these rows after an operation that copies columns."""
        raise NotImplementedError

    def _target(self, table: TableLike) -> Joinable:
        """What a placeholder stands for here, if it stands for a table."""
        raise NotImplementedError

    def _id_column(self) -> _native.Column:
        """The key of the rows as a column."""
        columns, place = self._graph.id_columns, (self._node, self._id_dtype)
        if place not in columns:
            key = _native.Expression.id()
            if self._id_dtype != key.dtype:
                key = _native.Expression.declare(key, self._id_dtype)
            columns[place] = self._plan.define(self._node, key)
        return columns[place]

    def _implied(self, column: _native.Column) -> dict[_native.Column, _native.DType]:
        """The types that columns have in the rows where a column is not None."""
        dtype = self._plan.dtype(column)
        return {column: dtype.required} if dtype.kind == "optional" else {}

    def _promise(self, other: Joinable, promise: Callable[[Universe, Universe], None]) -> None:
        """Promises something of the keys of two tables, and warns if that leaves one without any."""
        take_tables("A promise about the keys of tables", [other])
        universes = (self._universe, other._universe)
        were_empty = [universe.is_empty() for universe in universes]
        promise(*universes)
        for universe, was_empty in zip(universes, were_empty, strict=True):
            if universe.is_empty() and not was_empty:
                warn_empty()

    def _reducer(self, expression: ColumnExpression) -> _native.Column | None:
        """The column of a reducer, where the rows are groups."""
        return None

    def _misses(self, name: str) -> str:
        return missing_column(name, self._names())

    @property
    def C(self) -> ColumnNamespace:
        """The columns by name, also those named like a method: `table.C.filter`.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... filter
        ... 1
        ... ''')
        >>> pw.debug.compute_and_print(table.select(x=table.C.filter), include_id=False)
        x
        1
        """
        return ColumnNamespace(self)

    def keys(self) -> Sequence[str]:
        """The names of the columns.

        >>> import pathway as pw
        >>> list(pw.Table.empty(a=int, b=str).keys())
        ['a', 'b']
        """
        return list(self._names())

    @declares
    def promise_universe_is_equal_to(self, other: Joinable) -> Self:
        """Promises that both tables have the same keys, so that columns of one can be used with the other.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a | b
        ... 1 | 5
        ... ''')
        >>> other = table.filter(table.a > 0).promise_universe_is_equal_to(table)
        >>> pw.debug.compute_and_print(table.select(table.a, other.b), include_id=False)
        a | b
        1 | 5
        """
        self._promise(other, self._graph.solver.promise_equal)
        return self

    @declares
    def promise_universe_is_subset_of(self, other: Joinable) -> Self:
        """Promises that every key of this table is also in the other.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a
        ... 1
        ... ''')
        >>> part = table.with_id_from(table.a).promise_universe_is_subset_of(table)
        """
        self._promise(other, self._graph.solver.promise_subset)
        return self

    @declares
    def promise_universes_are_disjoint(self, other: Joinable) -> Self:
        """Promises that no key is in both tables, so that they can be concatenated.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a
        ... 1
        ... ''')
        >>> shifted = table.with_id_from(table.a + 1).promise_universes_are_disjoint(table)
        >>> pw.debug.compute_and_print(table.concat(shifted), include_id=False)
        a
        1
        1
        """
        self._promise(other, self._graph.solver.promise_disjoint)
        return self


def missing_column(name: str, names: Iterable[str]) -> str:
    """The message for a column that is not there."""
    import difflib

    names = list(names)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"Table has no column with name {name}. Did you mean {close[0]}?"
    return f"Table has no column with name {name}. It has {', '.join(names) or 'no columns'}."


def expand(
    scope: Joinable, method: str, positional: Iterable[object], named: Mapping[str, object]
) -> dict[str, ColumnExpression]:
    """The arguments of `select` and its kin as names with expressions."""
    result: dict[str, ColumnExpression] = {}

    def add(name: str, expression: ColumnExpression) -> None:
        if name == "id":
            raise ValueError("Can't use 'id' as a column name: it is the key of the row")
        if name in result:
            raise ValueError(f"Duplicate expression value given for {name}")
        result[name] = expression

    for argument in positional:
        if isinstance(argument, Star):
            for name, reference in star_items(scope, argument):
                add(name, reference)
        elif isinstance(argument, ColumnReference):
            add(resolved(scope, argument).name, argument)
        elif isinstance(argument, Named):
            add(argument.name, argument.expression)
        elif isinstance(argument, str):
            raise ValueError(
                f"Expected a column, found a text. Did you mean pw.this.{argument} instead of {argument!r}?"
            )
        elif isinstance(argument, TableLike):
            raise ValueError(f"{method}() takes columns; to give all columns of a table, unpack it: {method}(*table)")
        else:
            raise ValueError(
                f"{method}() needs a name for every expression that is no plain column: {method}(name={argument!r})"
            )
    of_names: dict[str, ColumnExpression] = {}
    for name, value in named.items():
        # As in any dictionary, what is unpacked later counts.
        of_names.update(star_items(scope, value) if isinstance(value, Star) else {name: wrap(value)})
    for name, expression in of_names.items():
        add(name, expression)
    return result


def star_items(scope: Joinable, star: Star) -> list[tuple[str, ColumnReference]]:
    """The columns a star stands for in a scope."""
    from pathway._lookup import Lookup
    from pathway._slice import TableSlice
    from pathway._this import Placeholder

    if isinstance(star.table, Placeholder):
        columns = scope._slice(star.table._kind)
    elif isinstance(star.table, Lookup):
        lookup = star.table
        names = scope._target(lookup._target)._names()
        columns = TableSlice({name: ColumnReference(lookup, name) for name in names}, lookup, lookup._target)
    else:
        raise TypeError(f"{star.table!r} cannot be unpacked")
    if star.transform is not None:
        columns = star.transform(columns)
    return list(columns._mapping.items())


def resolved(scope: Joinable, reference: ColumnReference) -> ColumnReference:
    """The column that a reference to a slice of `pw.this` and the like stands for; other references themselves."""
    from pathway._this import PlaceholderSlice

    table = reference._table
    if not isinstance(table, PlaceholderSlice):
        return reference
    columns = dict(star_items(scope, Star(table._table, table._transform)))
    if reference._name not in columns:
        raise KeyError(missing_column(reference._name, columns))
    return columns[reference._name]


def take_tables(what: str, tables: Iterable[object]) -> None:
    """Complains of anything that is no table."""
    for table in tables:
        if not isinstance(table, Joinable):
            raise TypeError(f"{what} takes tables, found {table!r}")


def warn_empty() -> None:
    """Says that nothing can be in a table, though nobody said so."""
    warn("No key can be in this table, for all that is said of the tables it comes from; it will have no rows.")
