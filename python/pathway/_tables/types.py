"""Types of tables: asking for them, and changing them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from pathway import _native
from pathway._expressions.expression import ColumnExpression, ColumnReference, wrap
from pathway._expressions.functions import cast as cast_expression
from pathway._ground import tracebacks
from pathway._ground.origin import declares, user_origin
from pathway._schemas.builders import schema_of
from pathway._tables.binder import Binder, define
from pathway._tables.columns import TableColumns
from pathway._tables.graph import current_graph
from pathway._tables.universes import Universe
from pathway._values import dtypes

if TYPE_CHECKING:
    from pathway._schemas.schema import Schema
    from pathway._tables.table import Table


@tracebacks.shortened_class
class TableTypes(TableColumns):
    """The methods of `Table` about types."""

    @property
    def schema(self) -> type[Schema]:
        """The columns and their types.

        >>> import pathway as pw
        >>> print(pw.Table.empty(a=int, b=str | None).schema)
        id          | a   | b
        ANY_POINTER | INT | Optional(STR)
        """
        if self._declared is not None:
            columns = self._declared.columns().values()
            if self.is_append_only and not all(column.append_only for column in columns):
                return self._declared.update_properties(append_only=True).with_id_type(self._declared.__id_type__)
            return self._declared
        types = {name: self._plan.dtype(column) for name, column in self._columns.items()}
        return schema_of(types, append_only=self.is_append_only, id_type=self._id_type)

    def typehints(self) -> Mapping[str, Any]:
        """The types of the columns as Python annotations.

        >>> import pathway as pw
        >>> dict(pw.Table.empty(a=int).typehints())
        {'a': <class 'int'>}
        """
        return MappingProxyType(
            {name: dtypes.to_python(self._plan.dtype(column)) for name, column in self._columns.items()}
        )

    @declares
    def eval_type(self, expression: ColumnExpression) -> _native.DType:
        """The type an expression would have as a column of this table.

        >>> import pathway as pw
        >>> table = pw.Table.empty(a=int)
        >>> table.eval_type(table.a / 2) == pw.Type.FLOAT
        True
        """
        wrapped = wrap(expression)
        return Binder(self, [wrapped]).bind(wrapped).dtype

    @property
    def is_append_only(self) -> bool:
        """Whether rows are known never to be removed or changed.

        >>> import pathway as pw
        >>> pw.Table.empty(a=int).is_append_only
        True
        """
        return self._plan.is_append_only(self._node)

    @declares
    def update_types(self, /, **kwargs: Any) -> Table[Any]:
        """The same cells under other types, which you vouch for; only narrower or wider ones.

        >>> import pathway as pw
        >>> table = pw.Table.empty(a=int | None)
        >>> table.update_types(a=int).typehints()["a"]
        <class 'int'>
        """
        columns = dict(self._columns)
        for name, annotation in kwargs.items():
            if name not in columns:
                raise ValueError(
                    f"Table.update_types() argument name has to be an existing table column name; {self._misses(name)}"
                )
            old, dtype = self._plan.expression(columns[name]), dtypes.of_user(annotation)
            narrowed = _native.Expression.narrow(old, dtype, "Table.update_types()")
            columns[name] = self._plan.define(self._node, narrowed)
        return self._same_rows(columns)

    @declares
    def cast_to_types(self, /, **kwargs: Any) -> Table[Any]:
        """The cells converted to other types, as by `pw.cast`.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... a | b
        ... 1 | x
        ... ''')
        >>> pw.debug.compute_and_print(table.cast_to_types(a=float), include_id=False)
        a   | b
        1.0 | x
        """
        for name in kwargs:
            if name not in self._columns:
                raise ValueError(
                    f"Table.cast_to_types() argument name has to be an existing table column name; {self._misses(name)}"
                )
        own: dict[str, ColumnExpression] = {name: ColumnReference(self, name) for name in self._names()}
        converted = {name: cast_expression(kind, ColumnReference(self, name)) for name, kind in kwargs.items()}
        return define(self, {**own, **converted})

    @declares
    def update_id_type(self, id_type: Any, *, id_append_only: bool | None = None) -> Table[Any]:
        """The same table with another type of the key in its schema, such as `pw.Pointer[int]`.

        Args:
            id_type: the type.
            id_append_only: accepted; whether rows are never removed is known without it.

        >>> import pathway as pw
        >>> table = pw.Table.empty(a=int).update_id_type(pw.Pointer[int])
        """
        if dtypes.of_user(id_type).kind != "pointer":
            raise TypeError(f"the key of a row is a pointer, not {id_type!r}")
        return self._make(self._graph, self._node, self._columns, self._universe, id_type=id_type)

    @staticmethod
    @declares
    def empty(**kwargs: Any) -> Table[Any]:
        """A table with these columns and no rows.

        >>> import pathway as pw
        >>> pw.debug.compute_and_print(pw.Table.empty(a=int, b=str), include_id=False)
        a | b
        """
        graph = current_graph()
        types = {name: dtypes.of_user(annotation) for name, annotation in kwargs.items()}
        fields = [_native.Field(name, dtype) for name, dtype in types.items()]
        node = graph.plan.static_source(
            fields, [], keys=None, times=None, diffs=None, name="empty", origin=user_origin()
        )
        graph.static_sources[node] = 0
        columns = dict(zip(types, graph.plan.columns(node), strict=True))
        universe = Universe(graph.solver)
        graph.solver.promise_empty(universe)
        return TableColumns._make(graph, node, columns, universe)

    @staticmethod
    @declares
    def from_columns(*args: ColumnReference, **kwargs: ColumnReference) -> Table[Any]:
        """A table of columns of tables that have the same keys.

        Args:
            args: columns, which keep their names.
            kwargs: columns under new names.

        >>> import pathway as pw
        >>> one = pw.debug.table_from_markdown('''
        ... a
        ... 1
        ... ''')
        >>> pw.debug.compute_and_print(pw.Table.from_columns(one.a, b=one.select(x=2).x), include_id=False)
        a | b
        1 | 2
        """
        references = [*args, *kwargs.values()]
        if not references:
            raise ValueError("Table.from_columns() needs at least one column")
        for reference in references:
            if not isinstance(reference, ColumnReference):
                raise TypeError(f"Table.from_columns() takes columns of tables, found {reference!r}")
            if not isinstance(reference.table, TableColumns):
                raise ValueError(f"Table.from_columns() takes columns of tables, found {reference!r}")
        table = cast("Table[Any]", references[0].table)
        for reference in references[1:]:
            other = cast("Table[Any]", reference.table)
            if not other._universe.is_equal_to(table._universe):
                raise ValueError(
                    "The columns of Table.from_columns() have to come from tables that have the same keys; "
                    f"{reference!r} may come from others."
                )
        return table.select(*args, **kwargs)
