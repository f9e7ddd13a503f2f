"""What makes a table with other rows, or with other keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pathway import _native
from pathway._expressions.expression import Call, ColumnExpression, ColumnReference, Literal, Special, wrap
from pathway._ground import tracebacks
from pathway._ground.origin import declares, user_origin, warn
from pathway._tables.binder import about, define
from pathway._tables.columns import TableColumns
from pathway._tables.filtering import filtered
from pathway._tables.joinable import Joinable, take_tables, warn_empty
from pathway._tables.universes import Universe
from pathway._values import dtypes

if TYPE_CHECKING:
    from pathway._tables.table import Table


@tracebacks.shortened_class
class TableRows(TableColumns):
    """The methods of `Table` that choose, combine and re-key rows."""

    def _new(
        self,
        node: _native.Node,
        names: list[str],
        universe: Universe,
        *,
        id_type: Any = _native.Pointer,
    ) -> Table[Any]:
        """A table of an operator that puts out these columns."""
        columns = self._plan.columns(node)
        return self._make(self._graph, node, dict(zip(names, columns, strict=True)), universe, id_type=id_type)

    def _filtered(self, condition: ColumnExpression, method: str, universe: Universe) -> Table[Any]:
        node, moved = filtered(self, condition, method)
        columns = {name: moved(column) for name, column in self._columns.items()}
        return self._make(self._graph, node, columns, universe, id_type=self._id_type)

    @declares
    def filter(self, filter_expression: ColumnExpression) -> Table[Any]:
        """The rows where the expression is True. Columns that `is_not_none()` was asked of lose their None.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... name | age
        ... Ada  | 36
        ... Bob  | 7
        ... ''')
        >>> pw.debug.compute_and_print(table.filter(pw.this.age >= 18), include_id=False)
        name | age
        Ada  | 36
        """
        return self._filtered(filter_expression, "filter", self._universe.subset())

    @declares
    def split(self, split_expression: ColumnExpression) -> tuple[Table[Any], Table[Any]]:
        """The rows where the expression is True, and those where it is not.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... name | age
        ... Ada  | 36
        ... Bob  | 7
        ... ''')
        >>> adults, children = table.split(pw.this.age >= 18)
        >>> pw.debug.compute_and_print(children, include_id=False)
        name | age
        Bob  | 7
        """
        if not isinstance(split_expression, ColumnExpression):
            raise TypeError(f"split() takes a condition over columns, found {split_expression!r}")
        chosen_universe = self._universe.subset()
        rest_universe = self._graph.solver.difference(self._universe, chosen_universe)
        return (
            self._filtered(split_expression, "split", chosen_universe),
            self._filtered(Call("~", [split_expression], "(~{})"), "split", rest_universe),
        )

    @declares
    def remove_errors(self) -> Table[Any]:
        """The rows without an error in any cell; see `terminate_on_error` of `pw.run`.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a | b
        ... 1 | 0
        ... 4 | 2
        ... ''')
        >>> ratios = table.select(x=pw.this.a // pw.this.b).remove_errors()
        >>> pw.debug.compute_and_print(ratios, include_id=False, terminate_on_error=False)
        x
        2
        """
        # A tuple with an error inside is an error, and fill_error tells errors from everything else.
        together = Call("make_tuple", self._references(), "the columns")
        is_sound = Special(
            "fill_error",
            [Call("is_not_none", [together], "({}).is_not_none()"), Literal(False)],
            lambda arguments: _native.Expression.fill_error(arguments[0], arguments[1]),
        )
        return self._filtered(is_sound, "remove_errors", self._universe.subset())

    # Rows of several tables.

    @declares
    def concat(self, *others: TableRows) -> Table[Any]:
        """The rows of all the tables, which must have the same columns and no key in common.

        If keys are different for a reason the plan does not show, say so with
        `promise_universes_are_disjoint`; if they may be equal, use `concat_reindex`.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a
        ... 1
        ... 2
        ... ''')
        >>> small, large = table.split(pw.this.a < 2)
        >>> pw.debug.compute_and_print(large.concat(small), include_id=False)
        a
        1
        2
        """
        for other in others:
            self._check_same_names(other, "concat")
        tables: list[TableRows] = [self, *others]
        for position, table in enumerate(tables):
            for other in tables[position + 1 :]:
                if not table._universe.is_disjoint_from(other._universe):
                    raise ValueError(
                        "Universes of the arguments of Table.concat() have to be disjoint: rows of two of the tables "
                        "may have the same key.\nUse concat_reindex() to give them new keys, or "
                        "promise_universes_are_disjoint() if you know better; the run checks it."
                    )
        if not others:
            return self.copy()
        id_type = self._common_types(others, "concat", True)
        names = list(self._names())
        inputs = [(table._node, [table._columns[name] for name in names]) for table in tables]
        node = self._plan.concat(inputs, user_origin())
        universe = self._graph.solver.union([table._universe for table in tables])
        return self._new(node, names, universe, id_type=id_type)

    @declares
    def concat_reindex(self, *tables: TableRows) -> Table[Any]:
        """The rows of all the tables, under new keys.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a
        ... 1
        ... ''')
        >>> pw.debug.compute_and_print(table.concat_reindex(table), include_id=False)
        a
        1
        1
        """
        for other in tables:
            self._check_same_names(other, "concat_reindex")
        self._common_types(tables, "concat_reindex", False)
        names = list(self._names())
        inputs = []
        for number, table in enumerate([self, *tables]):
            key = _native.Expression.pointer(
                [table._plan.expression(table._id_column()), _native.Expression.literal(number)]
            )
            columns = [table._columns[name] for name in names]
            node = self._plan.reindex(table._node, self._plan.define(table._node, key), columns, user_origin())
            inputs.append((node, list(self._plan.columns(node))))
        node = self._plan.concat(inputs, user_origin())
        return self._new(node, names, self._new_universe())

    @declares
    def update_rows(self, other: TableRows) -> Table[Any]:
        """The rows of both tables; where both have a key, that of the other.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ...   | a
        ... 1 | x
        ... 2 | y
        ... ''')
        >>> other = pw.debug.table_from_markdown('''
        ...   | a
        ... 2 | z
        ... 3 | u
        ... ''')
        >>> pw.debug.compute_and_print(table.update_rows(other), include_id=False)
        a
        u
        x
        z
        """
        self._check_same_names(other, "update_rows")
        names = list(self._names())
        id_type = self._common_types([other], "update_rows", True)
        if self._universe.is_subset_of(other._universe) and not self._universe.is_empty():
            warn("update_rows(): every key of this table is in the other; the result is the other table.")
            return other._same_rows({name: other._columns[name] for name in names})
        node = self._plan.update_rows(
            self._node,
            [self._columns[name] for name in names],
            other._node,
            [other._columns[name] for name in names],
            user_origin(),
        )
        universe = self._graph.solver.union([self._universe, other._universe])
        return self._new(node, names, universe, id_type=id_type)

    @declares
    def update_cells(self, other: TableRows) -> Table[Any]:
        """The rows of this table, with the cells of the other where that has the key. Also written `table << other`.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ...   | a | b
        ... 1 | x | 1
        ... 2 | y | 2
        ... ''')
        >>> other = table.filter(pw.this.a == "y").select(b=0)
        >>> pw.debug.compute_and_print(table.update_cells(other), include_id=False)
        a | b
        x | 1
        y | 0
        """
        take_tables("Table.update_cells()", [other])
        names = list(self._names())
        unknown = [name for name in other._names() if name not in names]
        if unknown:
            raise ValueError(
                f"Columns of the argument in Table.update_cells() not present in the updated table: {unknown}."
            )
        if not other._universe.is_subset_of(self._universe):
            raise ValueError(
                "Universe of the argument of Table.update_cells() needs to be a subset of the universe of the updated "
                "table: every key of it has to be in the updated table.\nIf you know that this is so, say "
                "other.promise_universe_is_subset_of(table); the run checks it. update_rows() also adds rows."
            )
        self._common_types([other], "update_cells", False)
        if other._universe.is_equal_to(self._universe):
            if not self._universe.is_empty():
                warn("update_cells(): both tables have the same keys; with_columns() does the same.")
            replaced = {name: ColumnReference(other, name) for name in other._names()}
            own: dict[str, ColumnExpression] = {name: ColumnReference(self, name) for name in names}
            return define(self, {**own, **replaced})
        node = self._plan.update_cells(
            self._node,
            [self._columns[name] for name in names],
            other._node,
            [other._columns[name] for name in other._names()],
            [names.index(name) for name in other._names()],
            user_origin(),
        )
        return self._new(node, names, self._universe, id_type=self._id_type)

    def __lshift__(self, other: TableRows) -> Table[Any]:
        return self.update_cells(other)

    # Rows chosen by the keys of other tables.

    @declares
    def difference(self, other: Joinable) -> Table[Any]:
        """The rows whose key is not in the other table.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ...   | a
        ... 1 | x
        ... 2 | y
        ... ''')
        >>> pw.debug.compute_and_print(table.difference(table.filter(pw.this.a == "x")), include_id=False)
        a
        y
        """
        take_tables("Table.difference()", [other])
        universe = self._graph.solver.difference(self._universe, other._universe)
        if universe.is_empty() and not self._universe.is_empty():
            warn_empty()
        return self._semi_join([other], False, universe)

    @declares
    def intersect(self, *tables: Joinable) -> Table[Any]:
        """The rows whose key is also in all the other tables.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ...   | a
        ... 1 | x
        ... 2 | y
        ... ''')
        >>> other = pw.debug.table_from_markdown('''
        ...   | b
        ... 2 | z
        ... ''')
        >>> pw.debug.compute_and_print(table.intersect(other), include_id=False)
        a
        y
        """
        take_tables("Table.intersect()", tables)
        if not tables:
            warn("intersect() without arguments changes nothing.")
            return self.copy()
        if all(self._universe.is_subset_of(table._universe) for table in tables) and not self._universe.is_empty():
            warn("intersect(): every key of this table is in the others; it changes nothing.")
        universe = self._graph.solver.intersection([self._universe, *(table._universe for table in tables)])
        if universe.is_empty() and not any(table._universe.is_empty() for table in (self, *tables)):
            warn_empty()
        return self._semi_join(list(tables), True, universe)

    def _semi_join(self, others: list[Joinable], keep_matched: bool, universe: Universe) -> Table[Any]:
        names = list(self._names())
        columns = [self._columns[name] for name in names]
        node = self._plan.semi_join(self._node, columns, [other._node for other in others], keep_matched, user_origin())
        return self._new(node, names, universe, id_type=self._id_type)

    @declares
    def assert_append_only(self) -> Table[Any]:
        """The same table, of which you vouch that rows are never removed or changed. If one is, the run fails.

        What comes after may rely on it, and needs less memory.

        >>> import pathway as pw
        >>> words = pw.debug.table_from_markdown('''
        ... id | word
        ... 1  | yes
        ... 2  | no
        ... ''')
        >>> stopped = pw.debug.table_from_markdown('''
        ... id | reason
        ... 2  | rude
        ... ''')
        >>> said = words.difference(stopped)
        >>> said.is_append_only, said.assert_append_only().is_append_only
        (False, True)
        """
        names = list(self._names())
        columns = [self._columns[name] for name in names]
        node = self._plan.assert_append_only(self._node, columns, user_origin())
        return self._new(node, names, self._universe, id_type=self._id_type)

    @declares
    def restrict(self, other: Joinable) -> Table[Any]:
        """The rows whose key is in the other table, all of whose keys must be known to be in this one.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a | b
        ... 1 | x
        ... 2 | y
        ... ''')
        >>> some = table.filter(pw.this.a > 1).select(c=0)
        >>> pw.debug.compute_and_print(table.restrict(some).select(pw.this.b, some.c), include_id=False)
        b | c
        y | 0
        """
        take_tables("Table.restrict()", [other])
        if other._universe.is_equal_to(self._universe) and not self._universe.is_empty():
            warn("restrict(): both tables have the same keys; it changes nothing.")
        if not other._universe.is_subset_of(self._universe):
            raise ValueError(
                "Table.restrict(): the other universe has to be a subset of that of this table: all its keys have to "
                "be in this table.\nIf you know that this is so, say other.promise_universe_is_subset_of(table); "
                "intersect() needs no such promise."
            )
        names = list(self._names())
        columns = [self._columns[name] for name in names]
        if self._is_filtered_to(other):
            return self._make(self._graph, other._node, self._columns, other._universe, id_type=self._id_type)
        node = self._plan.lookup(other._node, other._id_column(), [], self._node, columns, False, False, user_origin())
        return self._new(node, names, other._universe, id_type=self._id_type)

    def _is_filtered_to(self, other: Joinable) -> bool:
        return all(self._plan.is_visible(column, other._node) for column in self._columns.values())

    @declares
    def with_universe_of(self, other: Joinable) -> Table[Any]:
        """The same table, known to have the keys of the other; the run fails if it has not.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a
        ... 1
        ... ''')
        >>> other = table.with_id_from(0).select(b=pw.this.a * 2)
        >>> pw.debug.compute_and_print(table.select(pw.this.a, other.with_universe_of(table).b), include_id=False)
        a | b
        1 | 2
        """
        take_tables("Table.with_universe_of()", [other])
        names = list(self._names())
        columns = [self._columns[name] for name in names]
        if self._node == other._node:
            return self._make(self._graph, other._node, self._columns, other._universe, id_type=other._id_type)
        node = self._plan.key_join(other._node, [], [(self._node, columns)], user_origin())
        return self._new(node, names, other._universe, id_type=other._id_type)

    # Other keys.

    @declares
    def with_id(self, new_index: ColumnReference) -> Table[Any]:
        """The rows under new keys, which a column of pointers holds. They have to be different.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a
        ... 1
        ... ''')
        >>> keyed = table.select(pw.this.a, key=pw.this.pointer_from(pw.this.a)).with_id(pw.this.key)
        >>> pw.debug.compute_and_print(keyed.select(pw.this.a), include_id=False)
        a
        1
        """
        return self._reindexed(new_index)

    @declares
    def with_id_from(self, *args: object, instance: ColumnReference | None = None) -> Table[Any]:
        """The rows under the keys that these values make, as `pointer_from`. They have to be different.

        Args:
            args: the values.
            instance: rows of the same instance are kept together, see `groupby`.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... name | age
        ... Ada  | 36
        ... ''').with_id_from(pw.this.name)
        >>> pw.debug.compute_and_print(table.select(x=table.ix_ref("Ada").age), include_id=False)
        x
        36
        """
        key = self.pointer_from(*args, instance=instance)
        return self._reindexed(key)

    def _reindexed(self, key: ColumnExpression) -> Table[Any]:
        key = wrap(key)
        binder, columns = self._bound({"key": key})
        bound = binder.bind(key)
        names = list(columns)
        column = self._plan.define(binder.node, bound)
        with about(key, "with_id"):
            node = self._plan.reindex(binder.node, column, list(columns.values()), user_origin())
        return self._new(node, names, self._new_universe(), id_type=dtypes.to_python(bound.dtype))

    def _new_universe(self) -> Universe:
        return Universe(self._graph.solver)

    @declares
    def flatten(self, to_flatten: ColumnReference, *, origin_id: str | None = None) -> Table[Any]:
        """A row for every element of a tuple, list, array, JSON array or text; other columns are repeated.

        The column of the elements comes first. `origin_id` names a column for the key of the row that an element comes
        from.

        Args:
            to_flatten: the column.
            origin_id: a name.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(k=str, v=list[int]), [("a", [1, 2]), ("b", [])])
        >>> pw.debug.compute_and_print(table.flatten(pw.this.v), include_id=False)
        v | k
        1 | a
        2 | a
        """
        if not isinstance(to_flatten, ColumnReference):
            raise TypeError(f"flatten() takes a column of the table, found {to_flatten!r}; select() it first")
        name = to_flatten.name
        flattened = self._local(to_flatten)
        if flattened is None or self._columns.get(name) != flattened:
            raise ValueError(f"{to_flatten!r} is not a column of the table that is flattened")
        if origin_id is not None and not isinstance(origin_id, str):
            raise TypeError(f"origin_id of flatten() is the name of a column, found {origin_id!r}")
        if origin_id is not None and origin_id in ("id", *self._columns):
            raise ValueError(f"the table already has a column {origin_id}")
        others = {other: column for other, column in self._columns.items() if other != name}
        node = self._plan.flatten(self._node, flattened, list(others.values()), origin_id is not None, user_origin())
        outputs = self._plan.columns(node)
        names = [name, *others] if origin_id is None else [name, *others, origin_id]
        columns = dict(zip(names, outputs, strict=True))
        if origin_id is not None:
            origin = _native.Expression.declare(self._plan.expression(columns[origin_id]), self._id_dtype)
            columns[origin_id] = self._plan.define(node, origin)
        return self._make(self._graph, node, columns, self._new_universe())

    def _common_types(self, others: Sequence[TableRows], method: str, with_keys: bool) -> Any:
        """The type of the keys of all the tables; complains of columns that have no common type."""
        for name in others[0]._names() if others else ():
            dtype = self._plan.dtype(self._columns[name])
            for other in others:
                dtype = _common(dtype, self._plan.dtype(other._columns[name]), f"the column {name}", method)
        dtype = self._id_dtype
        for other in others if with_keys else ():
            if not (other._universe.is_empty() or self._universe.is_empty()):
                dtype = _common(dtype, other._id_dtype, "the keys", method)
        return dtypes.to_python(dtype)

    def _check_same_names(self, other: TableRows, method: str) -> None:
        if not isinstance(other, TableRows):
            raise TypeError(f"Table.{method}() takes tables, found {other!r}")
        take_tables(f"Table.{method}()", [self, other])
        own, given = set(self._names()), set(other._names())
        if own != given:
            missing, extra = sorted(own - given), sorted(given - own)
            raise ValueError(
                f"Columns do not match between the tables of Table.{method}()."
                + (f" Missing columns: {', '.join(missing)}." if missing else "")
                + (f" Superfluous columns: {', '.join(extra)}." if extra else "")
            )


def _common(one: _native.DType, other: _native.DType, what: str, method: str) -> _native.DType:
    try:
        return one.common(other, f"Table.{method}(), {what} of the tables")
    except TypeError as error:
        is_about_keys = what == "the keys"
        error.add_note("update_id_type(pw.Pointer) makes a table forget the types" if is_about_keys else "use pw.cast")
        raise
