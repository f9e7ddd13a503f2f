"""`pw.Table`: rows with a key each, changing over time.

What a table is and its columns: `_table_columns`. Other rows and keys: `_table_rows`. Types:
`_table_types`. Groups: `_grouped`. Joins: `_join`. Here they are put together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from pathway import _graph, _native
from pathway._grouped import Groupable
from pathway._join import JoinMethods
from pathway._table_rows import TableRows
from pathway._table_types import TableTypes
from pathway._universes import Universe

if TYPE_CHECKING:
    from pathway._schema import Schema

TSchema = TypeVar("TSchema", covariant=True)


class Table(TableRows, TableTypes, Groupable, JoinMethods, Generic[TSchema]):
    """Rows of named, typed cells, each under a key, which change while the computation runs.

    Tables come from connectors (`pw.io`), from `pw.debug`, and from other tables. A table describes a
    computation; nothing is computed before `pw.run`. `table.name` and `table["name"]` are references to
    columns, to be used in expressions.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... name | age
    ... Ada  | 36
    ... Bob  | 7
    ... ''')
    >>> adults = table.filter(table.age >= 18).select(table.name, next_age=table.age + 1)
    >>> pw.debug.compute_and_print(adults, include_id=False)
    name | next_age
    Ada  | 37
    """

    def debug(self, name: str) -> Table[TSchema]:
        """Prints the updates of the table: in a run with ``debug=True``, and whenever `pw.debug` computes something.

        Args:
            name: what the lines begin with.

        Returns:
            The table itself, so that the call can be put anywhere into a pipeline.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_markdown('''
        ... word  | __time__
        ... hello | 2
        ... ''').debug("words")
        >>> pw.debug.compute_and_print(table, include_id=False)  # doctest: +ELLIPSIS
        [words] @2 +1 id=^..., word='hello'
        word
        hello
        """
        from pathway import _debug_output

        _debug_output.debug(self._graph, name, self)
        return self

    @staticmethod
    def _from_source(node: _native.Node, schema: type[Schema], universe: Universe | None = None) -> Table[Schema]:
        """The table of a native source that has the columns of the schema, in its order."""
        graph = _graph.current()
        columns = dict(zip(schema.column_names(), graph.plan.columns(node), strict=True))
        return Table._make(
            graph, node, columns, universe or Universe(graph.solver), id_type=schema.id_type, schema=schema
        )
