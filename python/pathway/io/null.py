"""A sink that takes everything and keeps nothing: it makes a table be computed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pathway._expressions.expression import ColumnReference
from pathway._ground import arguments, missing_names
from pathway._tables import connecting
from pathway._tables.table import Table

__all__ = ["write"]

if not TYPE_CHECKING:
    # Type checkers know the names that are there.
    __getattr__ = missing_names.of(__name__)


@arguments.explained
def write(table: Table[Any], *, name: str | None = None, sort_by: Iterable[ColumnReference] | None = None) -> None:
    """Computes a table and drops it.

    Args:
        table: the table.
        name: a name for monitoring.
        sort_by: accepted like in every other sink; it changes nothing.

    Example:

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... a
    ... 1
    ... ''')
    >>> pw.io.null.write(table)
    >>> pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    """
    output = connecting.declared_output(table, sort_by)
    connecting.plan().null_write(output.node, output.columns, connecting.check_name(name), output.origin)
