"""Errors in the data, as a table."""

from __future__ import annotations

from typing import Any

from pathway._ground import tracebacks
from pathway._ground.origin import user_origin
from pathway._schemas.builders import schema_from_types
from pathway._tables import connecting
from pathway._tables.table import Table


@tracebacks.shortened
def global_error_log() -> Table[Any]:
    """The errors of the run as a table: ``operator_id`` (int), ``message`` (str) and ``trace`` (str).

    Rows that a source has rejected are there, and, with ``terminate_on_error=False``, errors of expressions.

    Example:

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... a | b
    ... 6 | 0
    ... ''')
    >>> quotients = table.select(c=table.a // table.b)
    >>> log = pw.global_error_log()
    >>> updates, errors = pw.testing.capture(quotients, log, terminate_on_error=False)
    >>> [error.row["message"] for error in errors]
    ['division by zero']
    """
    schema = schema_from_types(operator_id=int, message=str, trace=str)
    node = connecting.plan().error_log(user_origin())
    # It ends with the run.
    connecting.note_live(node, "the error log", is_endless=False, has_static_mode=False)
    return connecting.source_table(node, schema)
