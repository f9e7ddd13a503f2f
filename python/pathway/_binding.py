"""Where expressions meet rows: every reference gets its column, and what is missing is brought along.

A reference may be to the rows themselves (or rows they were filtered from): a column, no work. To a
table with the same keys: one `key_join` for all such tables. To a table with more keys: a `lookup` of the
row's own key. To a row a pointer points to (`ix`): a `lookup` of the pointer. These operators are put on
top of the scope's node, and columns carry over to them; the result has the keys of the scope in any case.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pathway import _dtypes, _native
from pathway._expressions import ColumnExpression, ColumnReference, ReducerExpression
from pathway._joinable import Joinable, TableLike
from pathway._origin import noting, user_origin

if TYPE_CHECKING:
    from pathway._lookup import Lookup
    from pathway._table import Table


@dataclass
class _Wanted:
    """Columns of the rows that pointers point to; without a pointer, of the rows with the same key."""

    pointer: ColumnExpression | None
    target: _native.Node
    optional: bool = False
    allow_misses: bool = False
    columns: dict[_native.Column, None] = field(default_factory=dict)


class Binder:
    """Binds expressions to the rows of a scope. All of them must be given beforehand.

    `carry` are columns of the scope that will be wanted on top of what the expressions read.
    """

    def __init__(
        self, scope: Joinable, expressions: Iterable[ColumnExpression], carry: Iterable[_native.Column] = ()
    ) -> None:
        self._scope = scope
        self._plan = scope._plan
        self._local: dict[_native.Column, None] = dict.fromkeys(carry)
        self._foreign: dict[_native.Node, dict[_native.Column, None]] = {}
        # By the identity of a Lookup, or by the node whose rows are looked up by their own key.
        self._lookups: dict[object, _Wanted] = {}
        # Where columns of the scope, of foreign tables, and of lookups are now.
        self._moved: dict[_native.Column, _native.Column] = {}
        self._found: dict[tuple[object, _native.Column], _native.Column] = {}
        for expression in expressions:
            self._collect(expression)
        self.node = scope._node
        self._join_foreign()
        for key, wanted in self._lookups.items():
            with noting(None if wanted.pointer is None else wanted.pointer._place):
                self._look_up(key, wanted)

    def column(self, column: _native.Column) -> _native.Column:
        """Where a column of the scope is at `node`."""
        return self._moved.get(column, column)

    def bind(self, expression: ColumnExpression) -> _native.Expression:
        """The expression in the engine, over columns of `node`."""
        return expression._bind(self._leaf)

    def define(self, expression: ColumnExpression) -> _native.Column:
        """The expression as a column of `node`."""
        return self._plan.define(self.node, self.bind(expression))

    # First pass: what is read.

    def _collect(self, expression: ColumnExpression) -> None:
        if isinstance(expression, ReducerExpression):
            column = self._scope._reducer(expression)
            if column is not None:
                self._local[column] = None
                return
        if isinstance(expression, ColumnReference):
            with noting(expression._place):
                self._collect_reference(expression)
        for child in expression._children:
            self._collect(child)

    def _collect_reference(self, reference: ColumnReference) -> None:
        lookup = lookup_of(reference._table)
        if lookup is not None and reference._name == "id":
            # The rows are those that hold the pointers.
            self._local[self._scope._id_column()] = None
            return
        if lookup is not None:
            target = self._scope._target(lookup._target)
            column = target._column(reference._name)
            if id(lookup) not in self._lookups:
                # What the pointer reads comes first, so that it is there when this lookup is made.
                self._collect(lookup._pointer)
            wanted = _Wanted(lookup._pointer, target._node, lookup._optional, lookup._allow_misses)
            self._lookups.setdefault(id(lookup), wanted).columns[column] = None
            return
        local = self._scope._local(reference)
        if local is not None:
            self._local[local] = None
            return
        table = reference._table
        if not isinstance(table, Joinable):
            raise TypeError(f"{reference!r} has no meaning here")
        self._check_foreign(reference, table)
        if reference._name == "id":
            self._local[self._scope._id_column()] = None
        elif self._scope._universe.is_equal_to(table._universe):
            self._foreign.setdefault(table._node, {})[table._column(reference._name)] = None
        else:
            wanted = self._lookups.setdefault(("key", table._node), _Wanted(None, table._node))
            wanted.columns[table._column(reference._name)] = None

    def _check_foreign(self, reference: ColumnReference, table: Joinable) -> None:
        if table._graph is not self._scope._graph:
            raise ValueError(f"{reference!r} belongs to a table made before pw.testing.reset(); make the table again")
        if self._scope._universe.is_subset_of(table._universe):
            return
        places = [
            f"    {what}, made in {place.file}:{place.line}"
            for what, place in (
                (f"the table of {reference!r}", table._place),
                ("the table it is used with", self._scope._place),
            )
            if place is not None
        ]
        raise ValueError(
            f"You cannot use {reference!r} in this context: its table may have other rows than the table it is "
            "used with.\n" + "\n".join(places) + "\nUse a join or ix to bring the two together; if you know that "
            "they have the same keys, table.with_universe_of(other) or table.promise_universe_is_equal_to(other)."
        )

    # The operators that bring columns along.

    def _join_foreign(self) -> None:
        if not self._foreign:
            return
        local = list(self._local)
        others = [(node, list(columns)) for node, columns in self._foreign.items()]
        self.node = self._plan.key_join(self.node, local, others, user_origin())
        outputs = self._plan.columns(self.node)
        inputs = local + [column for _, columns in others for column in columns]
        self._moved = dict(zip(inputs, outputs, strict=True))

    def _look_up(self, key: object, wanted: _Wanted) -> None:
        pointer = self._pointer(wanted)
        kept = [
            *map(self.column, self._local),
            *(self._moved[column] for columns in self._foreign.values() for column in columns),
            *self._found.values(),
        ]
        kept = list(dict.fromkeys(kept))
        columns = list(wanted.columns)
        self.node = self._plan.lookup(
            self.node, pointer, kept, wanted.target, columns, wanted.optional, wanted.allow_misses, user_origin()
        )
        outputs = self._plan.columns(self.node)
        now = dict(zip(kept, outputs, strict=False))
        self._moved = {
            **{column: now[self.column(column)] for column in self._local},
            **{column: now[self._moved[column]] for columns in self._foreign.values() for column in columns},
        }
        self._found = {place: now[column] for place, column in self._found.items()}
        self._found.update({(key, column): out for column, out in zip(columns, outputs[len(kept) :], strict=True)})

    def _pointer(self, wanted: _Wanted) -> _native.Column:
        if wanted.pointer is None:
            return self._plan.define(self.node, _native.Expression.id())
        pointer = self.bind(wanted.pointer)
        if pointer.dtype.required != _native.DType.POINTER:
            raise TypeError(
                f"ix needs a pointer to a row, such as table.pointer_from(...); {wanted.pointer!r} is "
                f"{_dtypes.describe(pointer.dtype)}"
            )
        if pointer.dtype.is_optional and not wanted.optional:
            raise TypeError(f"{wanted.pointer!r} can be None; say ix(..., optional=True) to get None for such rows")
        return self._plan.define(self.node, pointer)

    # Second pass.

    def _leaf(self, expression: ColumnExpression) -> _native.Expression | None:
        if isinstance(expression, ReducerExpression):
            column = self._scope._reducer(expression)
            return None if column is None else self._plan.expression(self.column(column))
        if isinstance(expression, ColumnReference):
            return self._plan.expression(self._place_of(expression))
        return None

    def _place_of(self, reference: ColumnReference) -> _native.Column:
        lookup = lookup_of(reference._table)
        if lookup is not None and reference._name == "id":
            return self.column(self._scope._id_column())
        if lookup is not None:
            target = self._scope._target(lookup._target)
            return self._found[id(lookup), target._column(reference._name)]
        local = self._scope._local(reference)
        if local is not None:
            return self.column(local)
        if reference._name == "id":
            return self.column(self._scope._id_column())
        table = reference._table
        assert isinstance(table, Joinable), "collected before"
        column = table._column(reference._name)
        place = (("key", table._node), column)
        return self._found[place] if place in self._found else self._moved[column]


def lookup_of(table: TableLike) -> Lookup | None:
    """The lookup behind a table, if there is one."""
    from pathway._lookup import Lookup

    if isinstance(table, Lookup):
        return table
    lookup = getattr(table, "_lookup", None) if isinstance(table, Joinable) else None
    return lookup if isinstance(lookup, Lookup) else None


def define(scope: Joinable, expressions: Mapping[str, ColumnExpression]) -> Table[Any]:
    """A table with the rows of the scope and these columns."""
    from pathway._table import Table

    binder = Binder(scope, expressions.values())
    columns = {name: binder.define(expression) for name, expression in expressions.items()}
    return Table._make(
        scope._graph,
        binder.node,
        columns,
        scope._universe,
        id_type=scope._id_type,
    )


def substitute_this(expression: ColumnExpression, table: Joinable) -> ColumnExpression:
    """The expression with `pw.this` standing for the table."""
    from pathway._lookup import Lookup
    from pathway._this import Placeholder

    def of(part: TableLike) -> TableLike:
        if isinstance(part, Placeholder) and part._kind == "this":
            return table
        if isinstance(part, Lookup):
            return Lookup(of(part._target), substitute_this(part._pointer, table), part._optional, part._allow_misses)
        return part

    changed = copy.copy(expression)
    if isinstance(changed, ColumnReference):
        changed._table = of(changed._table)
    changed._children = tuple(substitute_this(child, table) for child in expression._children)
    return changed
