"""Where expressions meet rows: every reference gets its column, and what is missing is brought along.

A reference may be to the rows themselves (or rows they were filtered from): a column, no work. To a
table with the same keys: one `key_join` for all such tables. To a table with more keys: a `lookup` of the
row's own key. To a row a pointer points to (`ix`): a `lookup` of the pointer. These operators are put on
top of the scope's node, and columns carry over to them; the result has the keys of the scope in any case.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pathway import _native
from pathway._expressions.binding import Binding, Bound, Types
from pathway._expressions.expression import ColumnExpression, ColumnReference
from pathway._expressions.nodes import ReducerExpression
from pathway._expressions.table_like import TableLike
from pathway._expressions.walking import in_order, with_tables
from pathway._ground.origin import noting, user_origin
from pathway._tables.joinable import Joinable, resolved
from pathway._tables.lookups import Lookup
from pathway._tables.placeholders import Placeholder

if TYPE_CHECKING:
    from pathway._tables.table import Table


class _Wanted:
    """Columns of the rows that pointers point to; without a pointer, of the rows with the same key."""

    def __init__(
        self, pointer: ColumnExpression | None, target: Joinable, optional: bool = False, allow_misses: bool = False
    ) -> None:
        self.pointer = pointer
        self.target = target
        self.optional = optional
        self.allow_misses = allow_misses
        self.columns: dict[_native.Column, None] = {}


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
        self._bind = Binding(self._leaf, self._not_none)
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
        return self._bind(expression)

    def define(self, expression: ColumnExpression) -> _native.Column:
        """The expression as a column of `node`."""
        return self._plan.define(self.node, self.bind(expression))

    # First pass: what is read.

    def _collect(self, expression: ColumnExpression) -> None:
        for part in in_order([expression], self._read_by):
            if isinstance(part, ReducerExpression):
                column = self._scope._reducer(part)
                if column is not None:
                    self._local[column] = None
            elif isinstance(part, ColumnReference):
                with noting(part._place):
                    self._collect_reference(resolved(self._scope, part))

    def _read_by(self, part: ColumnExpression) -> Sequence[ColumnExpression]:
        """What has to be there before a part: its children, and the pointer of a lookup."""
        if isinstance(part, ReducerExpression) and self._scope._reducer(part) is not None:
            return ()
        if isinstance(part, ColumnReference):
            with noting(part._place):
                reference = resolved(self._scope, part)
            lookup = lookup_of(reference._table)
            return () if lookup is None or reference._name == "id" else (lookup._pointer,)
        return part._children

    def _collect_reference(self, reference: ColumnReference) -> None:
        lookup = lookup_of(reference._table)
        if lookup is not None and reference._name == "id":
            # The rows are those that hold the pointers.
            self._local[self._scope._id_column()] = None
            return
        if lookup is not None:
            target = self._scope._target(lookup._target)
            column = target._column(reference._name)
            wanted = _Wanted(lookup._pointer, target, lookup._optional, lookup._allow_misses)
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
            wanted = self._lookups.setdefault(("key", table._node), _Wanted(None, table))
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
            self.node, pointer, kept, wanted.target._node, columns, wanted.optional, wanted.allow_misses, user_origin()
        )
        outputs = self._plan.columns(self.node)
        now = dict(zip(kept, outputs[: len(kept)], strict=True))
        self._moved = {
            **{column: now[self.column(column)] for column in self._local},
            **{column: now[self._moved[column]] for columns in self._foreign.values() for column in columns},
        }
        self._found = {wanted: now[column] for wanted, column in self._found.items()}
        self._found.update({(key, column): out for column, out in zip(columns, outputs[len(kept) :], strict=True)})

    def _pointer(self, wanted: _Wanted) -> _native.Column:
        if wanted.pointer is None:
            return self._plan.define(self.node, _native.Expression.id())
        pointer = self.bind(wanted.pointer)
        check_pointer(wanted.pointer, pointer.dtype, wanted.target, wanted.optional)
        return self._plan.define(self.node, pointer)

    # Second pass.

    def _leaf(self, expression: ColumnExpression, types: Mapping[_native.Column, _native.DType]) -> Bound:
        if isinstance(expression, ReducerExpression):
            column = self._scope._reducer(expression)
            return None if column is None else self._plan.expression(self.column(column))
        if isinstance(expression, ColumnReference):
            here = self._column_of(expression)
            narrowed = types.get(here)
            bound = self._plan.expression(here)
            return bound if narrowed is None else _native.Expression.declare(bound, narrowed)
        return None

    def _not_none(self, reference: ColumnReference) -> Mapping[_native.Column, _native.DType]:
        """The types that columns have where a reference is not None."""
        column = self._column_of(reference)
        scope_column = self._scope._local(resolved(self._scope, reference))
        if scope_column is None:
            dtype = self._plan.dtype(column)
            return {column: dtype.required} if dtype.kind == "optional" else {}
        return {self.column(implied): dtype for implied, dtype in self._scope._implied(scope_column).items()}

    def _column_of(self, reference: ColumnReference) -> _native.Column:
        reference = resolved(self._scope, reference)
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
        wanted = (("key", table._node), column)
        return self._found[wanted] if wanted in self._found else self._moved[column]


def lookup_of(table: TableLike) -> Lookup | None:
    """The lookup behind a table, if there is one."""
    if isinstance(table, Lookup):
        return table
    return table._lookup if isinstance(table, Joinable) else None


def define(scope: Joinable, expressions: Mapping[str, ColumnExpression]) -> Table[Any]:
    """A table with the rows of the scope and these columns."""
    binder = Binder(scope, expressions.values())
    columns = {name: binder.define(expression) for name, expression in expressions.items()}
    return scope._make(
        scope._graph,
        binder.node,
        columns,
        scope._universe,
        id_type=scope._id_type,
    )


def substitute_this(expression: ColumnExpression, table: Joinable) -> ColumnExpression:
    """The expression with `pw.this` standing for the table."""

    def of(part: TableLike) -> TableLike:
        if isinstance(part, Placeholder) and part._kind == "this":
            return table
        if isinstance(part, Lookup):
            return Lookup(of(part._target), substitute_this(part._pointer, table), part._optional, part._allow_misses)
        return part

    return with_tables(expression, of)


@contextmanager
def about(expression: ColumnExpression, method: str) -> Iterator[None]:
    """Notes which expression it is that is given to a method and does not fit."""
    try:
        yield
    except TypeError as error:
        error.add_note(f"in {method}() of {expression!r}")
        raise


def check_pointer(pointer: ColumnExpression, dtype: _native.DType, target: Joinable, optional: bool) -> None:
    """Complains of a pointer that cannot point to a row of the table."""
    with about(pointer, "ix"):
        dtype.check_pointers(target._id_dtype, optional)


def type_of(expression: ColumnExpression) -> _native.DType | None:
    """The type of an expression over columns of tables; nothing if that depends on where it is used."""
    is_known = True

    def leaf(part: ColumnExpression, types: Types) -> Bound:
        nonlocal is_known
        if isinstance(part, ReducerExpression):
            is_known = False
        elif isinstance(part, ColumnReference):
            lookup = lookup_of(part._table)
            table = part._table if lookup is None else lookup._target
            if isinstance(table, Joinable):
                found = table._plan.expression(table._column(part._name))
                if lookup is not None and (lookup._optional or lookup._allow_misses):
                    return _native.Expression.declare(found, _native.DType.optional(found.dtype))
                return found
            is_known = False
        else:
            return None
        return _native.Expression.literal(None)

    try:
        dtype = Binding(leaf, lambda reference: {})(expression).dtype
    except (TypeError, ValueError):
        # It is said where the expression is used, or not at all, as something is not known here.
        return None
    return dtype if is_known else None
