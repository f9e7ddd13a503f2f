"""What is said to those who give something else where a table is wanted."""

from __future__ import annotations

from typing import Any

from pathway._expressions.expression import ColumnExpression, ColumnReference
from pathway._ground.shown import shown
from pathway._schemas.schema import SchemaMetaclass
from pathway._tables.groups import GroupedTable
from pathway._tables.joins import JoinResult
from pathway._tables.placeholders import Placeholder
from pathway._tables.slices import TableSlice
from pathway._tables.table import Table

_LONGEST = 80


def described(given: object) -> str:
    """What was given, and how a table is made of it where that is known."""
    if isinstance(given, ColumnReference) and isinstance(given.table, Table):
        return f"the column {given.name!r} of a table: table.select(table[{given.name!r}]) is a table of it alone"
    if isinstance(given, ColumnExpression):
        return f"the expression {given!r}: table.select(name=...) makes a table with a column of it"
    if isinstance(given, SchemaMetaclass):
        name = given.__name__ if len(given.__name__) <= _LONGEST else f"{given.__name__[:_LONGEST]}…"
        return f"the schema {shown(name)}, which says what columns a table has: a connector makes a table of it"
    if isinstance(given, type):
        return f"the class {given.__name__}"
    if isinstance(given, (list, tuple, set, frozenset, dict)):
        holds_tables = bool(given) and all(isinstance(each, Table) for each in _parts(given))
        what = f"a {type(given).__name__} of {len(given)} {'tables' if len(given) > 1 else 'table'}"
        return f"{what}: give it one at a time" if holds_tables else _short(given)
    if isinstance(given, GroupedTable):
        return "a grouped table: reduce(...) makes a table of it"
    if isinstance(given, JoinResult):
        return "a join: select(...) makes a table of it"
    if isinstance(given, TableSlice):
        return "columns of a table: table.select(*columns) makes a table of them"
    if isinstance(given, Placeholder):
        return f"{given!r}, which stands for a table in the arguments of its methods only"
    if type(given).__name__ == "DataFrame" and hasattr(given, "columns"):
        library = type(given).__module__.partition(".")[0]
        frame = "frame" if library == "pandas" else "frame.to_pandas()"
        return f"a DataFrame of {library}: pw.debug.table_from_pandas({frame}) makes a table of it"
    if type(given).__name__ in ("LiveTable", "Snapshot") and type(given).__module__.startswith("pathway."):
        return (
            f"a {type(given).__name__}, which has rows already: its own to_pandas(), to_polars() and to_arrow() do it"
        )
    if type(given).__name__ == "Series" and hasattr(given, "to_frame"):
        return "a series: to_frame() makes a frame of it"
    return _short(given)


def _parts(given: Any) -> Any:
    return given.values() if isinstance(given, dict) else given


def _short(given: object) -> str:
    text = repr(given)
    return shown(text) if len(text) <= _LONGEST else f"a {type(given).__name__}"
