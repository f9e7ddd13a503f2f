"""Joins: pairs of rows for which some columns are equal.

A `JoinResult` is a node that carries every column of both sides, and knows which is which; nobody
pays for columns that are not read. `select`, `filter`, `groupby` and further joins work on it as on a
table, with `pw.left`, `pw.right`, the joined tables themselves, or `pw.this` for either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Never, Unpack

from pathway import _native
from pathway._expressions.expression import ColumnExpression, ColumnReference
from pathway._expressions.table_like import TableLike
from pathway._ground import hints, tracebacks
from pathway._ground.origin import declares, noting, user_origin, user_place
from pathway._tables import placeholders
from pathway._tables.binder import define
from pathway._tables.filtering import filtered
from pathway._tables.groups import Groupable
from pathway._tables.join_conditions import JoinMode, JoinOptions, equal_columns, found, side_of_id
from pathway._tables.joinable import Joinable, expand, resolved, take_tables
from pathway._tables.looking import html_of
from pathway._tables.placeholders import Placeholder
from pathway._tables.slices import TableSlice
from pathway._tables.universes import Universe

if TYPE_CHECKING:
    from pathway._tables.table import Table


@tracebacks.shortened_class
class JoinMethods(Joinable):
    """What can be joined: tables and results of joins."""

    @declares
    def join(
        self,
        other: Joinable,
        *on: ColumnExpression,
        id: ColumnReference | None = None,
        how: JoinMode = JoinMode.INNER,
        left_instance: ColumnReference | None = None,
        right_instance: ColumnReference | None = None,
        left_exactly_once: bool = False,
        right_exactly_once: bool = False,
        **kwargs: Never,
    ) -> JoinResult:
        """Pairs of rows of this table and the other for which all conditions `left.x == right.y` hold.

        The key of a pair is made of the keys of both rows, or is that of one side with `id=left.id`. None is
        equal to None. Without conditions every row is paired with every other.

        With `left_exactly_once` a row of this table is used up by its first partner: later ones do not see it, and its
        memory is free. That a row finds several partners at one time is an error, and so is the removal of a row that
        was used up; rows that still wait may be removed, and rows of the other table, whose pairs stay.
        `right_exactly_once` is the same for the other table.

        Args:
            other: the other table, or the result of a join.
            on: the conditions.
            id: `left.id` or `right.id`, if pairs are to have the key of that side, whose rows have one partner at most.
            how: which rows without a partner are kept, see `pw.JoinMode`.
            left_instance: a column that has to be equal to `right_instance`, too.
            right_instance: see `left_instance`.
            left_exactly_once: whether each row of this table finds one partner only.
            right_exactly_once: whether each row of the other table finds one partner only.
            kwargs: nothing else; columns of the result belong to `select`.

        Raises:
            ValueError: when it runs, if a row that is to find one partner finds several at one time, or is removed
                after it has found one.

        >>> import pathway as pw
        >>> pets = pw.debug.table_from_markdown('''
        ... pet | owner
        ... Rex | Bob
        ... ''')
        >>> people = pw.debug.table_from_markdown('''
        ... name | age
        ... Bob  | 7
        ... ''')
        >>> result = pets.join(people, pets.owner == people.name).select(pets.pet, people.age)
        >>> pw.debug.compute_and_print(result, include_id=False)
        pet | age
        Rex | 7
        """
        if kwargs:
            if "on" in kwargs:
                raise ValueError(
                    "conditions of a join are written without a name: table.join(other, table.a == other.a)"
                )
            raise ValueError(
                f"a join does not take {', '.join(kwargs)}; "
                f"{hints.meaning(kwargs, ('id', 'how', *JoinOptions.__annotations__))}"
                "columns of the result are written in table.join(...).select(...)"
            )
        if not isinstance(how, JoinMode):
            raise ValueError(f"how={how!r} is no kind of join; use pw.JoinMode.INNER, LEFT, RIGHT or OUTER")
        if (left_instance is None) != (right_instance is None):
            raise ValueError("left_instance and right_instance of a join have to be given together")
        conditions: list[ColumnExpression] = list(on)
        if left_instance is not None and right_instance is not None:
            for instance in (left_instance, right_instance):
                if not isinstance(instance, ColumnReference):
                    raise TypeError(f"the instances of a join are columns, found {instance!r}")
            conditions.append(left_instance == right_instance)
        return JoinResult._join(self, other, conditions, how, id, (left_exactly_once, right_exactly_once))

    @declares
    def join_inner(self, other: Joinable, *on: ColumnExpression, **kwargs: Unpack[JoinOptions]) -> JoinResult:
        """`join` that keeps only pairs.

        Args:
            other: the other table, or the result of a join.
            on: conditions `left.x == right.y`.
            kwargs: the options of `join`, without `how`.

        >>> import pathway as pw
        >>> table = pw.Table.empty(a=int)
        >>> result = table.join_inner(table.copy(), pw.left.a == pw.right.a).select(pw.left.a)
        """
        return self._join_as(JoinMode.INNER, other, on, kwargs)

    @declares
    def join_left(self, other: Joinable, *on: ColumnExpression, **kwargs: Unpack[JoinOptions]) -> JoinResult:
        """`join` that also keeps rows of this table without a partner; the columns of the other are None then.

        Args:
            other: the other table, or the result of a join.
            on: conditions `left.x == right.y`.
            kwargs: the options of `join`, without `how`.

        >>> import pathway as pw
        >>> pets = pw.debug.table_from_markdown('''
        ... pet | owner
        ... Rex | Bob
        ... Tom | Eve
        ... ''')
        >>> people = pw.debug.table_from_markdown('''
        ... name | age
        ... Bob  | 7
        ... ''')
        >>> result = pets.join_left(people, pets.owner == people.name).select(pets.pet, people.age)
        >>> pw.debug.compute_and_print(result, include_id=False)
        pet | age
        Rex | 7
        Tom |
        """
        return self._join_as(JoinMode.LEFT, other, on, kwargs)

    @declares
    def join_right(self, other: Joinable, *on: ColumnExpression, **kwargs: Unpack[JoinOptions]) -> JoinResult:
        """`join` that also keeps rows of the other table without a partner.

        Args:
            other: the other table, or the result of a join.
            on: conditions `left.x == right.y`.
            kwargs: the options of `join`, without `how`.

        >>> import pathway as pw
        >>> table = pw.Table.empty(a=int)
        >>> result = table.join_right(table.copy(), pw.left.a == pw.right.a).select(pw.right.a)
        """
        return self._join_as(JoinMode.RIGHT, other, on, kwargs)

    @declares
    def join_outer(self, other: Joinable, *on: ColumnExpression, **kwargs: Unpack[JoinOptions]) -> JoinResult:
        """`join` that also keeps rows of both tables without a partner.

        Args:
            other: the other table, or the result of a join.
            on: conditions `left.x == right.y`.
            kwargs: the options of `join`, without `how`.

        >>> import pathway as pw
        >>> table = pw.Table.empty(a=int)
        >>> result = table.join_outer(table.copy(), pw.left.a == pw.right.a).select(pw.this.a)
        """
        return self._join_as(JoinMode.OUTER, other, on, kwargs)

    def _join_as(
        self, how: JoinMode, other: Joinable, on: Sequence[ColumnExpression], options: JoinOptions
    ) -> JoinResult:
        if "how" in options:
            raise ValueError(f"join_{how.name.lower()}() is the join of one kind; how= belongs to join()")
        return self.join(other, *on, how=how, **options)


@tracebacks.shortened_class
class JoinResult(Groupable, JoinMethods):
    """The pairs of a join, to be selected from.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... a | b
    ... 1 | x
    ... ''')
    >>> pairs = table.join(table.copy(), pw.left.a == pw.right.a)
    >>> pw.debug.compute_and_print(pairs.select(pw.this.a, two=pw.left.b + pw.right.b), include_id=False)
    a | two
    1 | xx
    """

    _left: Joinable
    _right: Joinable
    # From columns of a side to columns here.
    _from_left: dict[_native.Column, _native.Column]
    _from_right: dict[_native.Column, _native.Column]
    # Names that both sides have and the join made equal: the column here.
    _merged: dict[str, _native.Column]

    @classmethod
    def _join(
        cls,
        left: Joinable,
        right: Joinable,
        on: Sequence[ColumnExpression],
        how: JoinMode,
        id: ColumnReference | None,
        once: tuple[bool, bool],
    ) -> JoinResult:
        if not isinstance(right, Joinable):
            raise TypeError(f"a table can be joined with another table, not with {right!r}")
        take_tables("a join", [left, right])
        if left is right:
            raise ValueError("Cannot join table with itself. Use <table>.copy() as one of the arguments of the join.")
        result = cls.__new__(cls)
        result._left, result._right = left, right
        result._graph = left._graph
        result._place = user_place()
        conditions = [equal_columns(left, right, condition) for condition in on]
        plan = left._plan
        keys = []
        for side, position in ((left, 0), (right, 1)):
            values = [plan.expression(condition[position]) for condition in conditions]
            keys.append(plan.define(side._node, _native.Expression.pointer(values)))
        chosen = None if id is None else side_of_id(left, right, id, how)
        columns = [left._carried(), right._carried()]
        sides = (left._node, right._node, keys[0], keys[1], columns[0], columns[1])
        result._node = plan.join(*sides, how.name.lower(), chosen, once, user_origin())
        outputs = plan.columns(result._node)
        middle = len(columns[0])
        result._from_left = dict(zip(columns[0], outputs[:middle], strict=True))
        result._from_right = dict(zip(columns[1], outputs[middle:], strict=True))
        result._merged = result._merge(on, conditions, how)
        result._universe = result._join_universe(how, chosen)
        if chosen is not None:
            result._id_type = (left if chosen == "left" else right)._id_type
        return result

    # Building one.

    def _merge(
        self, on: Sequence[ColumnExpression], conditions: Iterable[tuple[_native.Column, _native.Column]], how: JoinMode
    ) -> dict[str, _native.Column]:
        merged: dict[str, _native.Column] = {}
        plan = self._graph.plan
        for condition, (left, right) in zip(on, conditions, strict=True):
            one, other = condition._children
            assert isinstance(one, ColumnReference)
            assert isinstance(other, ColumnReference)
            if one.name != other.name or one.name == "id":
                continue
            here, there = self._from_left[left], self._from_right[right]
            if how is JoinMode.RIGHT:
                here = there
            elif how is JoinMode.OUTER:
                both = _native.Expression.coalesce([plan.expression(here), plan.expression(there)])
                here = plan.define(self._node, both)
            merged[one.name] = here
        return merged

    def _join_universe(self, how: JoinMode, chosen: str | None) -> Universe:
        side = {"left": self._left, "right": self._right}.get(chosen or "")
        if side is None:
            return Universe(self._graph.solver)
        return side._universe.subset() if how is JoinMode.INNER else side._universe

    # Names.

    def _column(self, name: str) -> _native.Column:
        if name == "id":
            return self._id_column()
        if name in self._merged:
            return self._merged[name]
        if name in self._ambiguous_names():
            raise KeyError(
                f"Column {name} appears on both left and right inputs of join; say pw.left.{name} or pw.right.{name}."
            )
        if name in self._left._names():
            return self._from_left[self._left._column(name)]
        if name in self._right._names():
            return self._from_right[self._right._column(name)]
        raise KeyError(self._misses(name))

    def _names(self) -> list[str]:
        return self._unique_names

    def _ambiguous_names(self) -> frozenset[str]:
        return self._several_times

    # Kept, as those of a chain of joins ask for those of all joins before.

    @cached_property
    def _unique_names(self) -> list[str]:
        names = dict.fromkeys([*self._left._names(), *self._right._names()])
        return [name for name in names if name not in self._several_times]

    @cached_property
    def _several_times(self) -> frozenset[str]:
        left, right = self._left, self._right
        both = set(left._names()) & set(right._names()) - self._merged.keys()
        return left._ambiguous_names() | right._ambiguous_names() | both

    def _implied(self, column: _native.Column) -> dict[_native.Column, _native.DType]:
        types = super()._implied(column)
        for side, here in ((self._left, self._from_left), (self._right, self._from_right)):
            for source in [source for source, moved in here.items() if moved == column]:
                if source == side._id_column():
                    # There is a row on that side, so its columns have the types that they have there.
                    types.update({moved: self._plan.dtype(other) for other, moved in here.items()})
                types.update({here[other]: dtype for other, dtype in side._implied(source).items() if other in here})
        return {moved: dtype for moved, dtype in types.items() if self._plan.dtype(moved) != dtype}

    def _carried(self) -> list[_native.Column]:
        columns = [*self._merged.values(), *self._from_left.values(), *self._from_right.values(), self._id_column()]
        return list(dict.fromkeys(columns))

    def _local(self, reference: ColumnReference) -> _native.Column | None:
        reference = resolved(self, reference)
        table = reference._table
        if isinstance(table, Placeholder):
            if table._kind == "left":
                return self._from_left[self._left._column(reference._name)]
            if table._kind == "right":
                return self._from_right[self._right._column(reference._name)]
            return self._column(reference._name)
        return found(self, reference)

    def _find(self, reference: ColumnReference, exact: bool) -> _native.Column | None:
        if reference._table is self:
            return self._column(reference._name)
        column = self._left._find(reference, exact)
        if column is not None and column in self._from_left:
            return self._from_left[column]
        column = self._right._find(reference, exact)
        if column is not None and column in self._from_right:
            return self._from_right[column]
        return None

    def _target(self, table: TableLike) -> Joinable:
        if isinstance(table, Placeholder):
            return {"this": self, "left": self._left, "right": self._right}[table._kind]
        if not isinstance(table, Joinable):
            raise TypeError(f"{table!r} is no table")
        return table

    def _slice(self, kind: str) -> TableSlice:
        table, side = {
            "this": (placeholders.this, self),
            "left": (placeholders.left, self._left),
            "right": (placeholders.right, self._right),
        }[kind]
        return TableSlice({name: ColumnReference(table, name) for name in side._names()}, table, side)

    def _repr_html_(self) -> str:
        return html_of(self)

    def __repr__(self) -> str:
        return f"<pathway.JoinResult of {self._left!r} and {self._right!r}>"

    def __getattr__(self, name: str) -> ColumnReference:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError as error:
            with noting(user_place()):
                missing = name not in self._ambiguous_names()
                raise AttributeError(self._no_method(name) if missing else error.args[0], name=name) from None

    def _no_method(self, name: str) -> str:
        """What to say of a name that neither columns nor methods have."""
        then = (
            "it is no table yet. Take the columns first: table.join(other, table.a == other.a).select(table.a, other.b)"
        )
        return (
            hints.missing(f"Table.{name}")
            or hints.of_no_table("the result of a join", name, Joinable._table_class, then)
            or hints.of_column(name, self._names(), hints.public(self))
        )

    def __getitem__(self, name: str | ColumnReference) -> ColumnReference:
        if isinstance(name, ColumnReference):
            if name.name in self._names() and self._local(name) is None:
                raise ValueError(f"{name!r} is no column of the joined tables; take one of theirs, or give its name")
            name = name.name
        self._column(name)
        return ColumnReference(self, name)

    def __iter__(self) -> Iterator[ColumnReference]:
        return (ColumnReference(self, name) for name in self._names())

    # What can be done with one.

    @declares
    def select(self, /, *args: Any, **kwargs: Any) -> Table[Any]:
        """A table of the pairs with these columns; see `Table.select`.

        Args:
            args: columns, which keep their names.
            kwargs: expressions.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a | b
        ... 1 | 2
        ... ''')
        >>> result = table.join(table.copy(), pw.left.a == pw.right.a).select(*pw.left, c=pw.right.b * 10)
        >>> pw.debug.compute_and_print(result, include_id=False)
        a | b | c
        1 | 2 | 20
        """
        return define(self, expand(self, "select", args, kwargs))

    @declares
    def filter(self, filter_expression: ColumnExpression) -> JoinResult:
        """The pairs for which the expression is True.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a
        ... 1
        ... 2
        ... ''')
        >>> pairs = table.join(table.copy()).filter(pw.left.a < pw.right.a)
        >>> pw.debug.compute_and_print(pairs.select(x=pw.left.a, y=pw.right.a), include_id=False)
        x | y
        1 | 2
        """
        node, moved = filtered(self, filter_expression, "filter")
        result = JoinResult.__new__(JoinResult)
        result._left, result._right, result._graph = self._left, self._right, self._graph
        result._place = user_place()
        result._node = node
        result._from_left = {column: moved(here) for column, here in self._from_left.items()}
        result._from_right = {column: moved(here) for column, here in self._from_right.items()}
        result._merged = {name: moved(column) for name, column in self._merged.items()}
        result._universe = self._universe.subset()
        result._id_type = self._id_type
        return result
