"""What tests of tables need."""

from __future__ import annotations

from typing import Any

import pathway as pw


def table(text: str, **types: Any) -> pw.Table[Any]:
    """A table written as text; with types, these are the columns' types."""
    schema = pw.schema_from_types(**types) if types else None
    return pw.debug.table_from_markdown(text, schema=schema)


def assert_table(actual: pw.Table[Any], expected: str, **types: Any) -> None:
    """The rows that remain at the end are these, whatever their keys and order."""
    pw.testing.assert_equal_tables(actual, table(expected, **types))


def rows(actual: pw.Table[Any], name: str) -> list[Any]:
    """The values of a column that remain at the end, sorted by their text."""
    remaining: list[Any] = []
    for update in pw.testing.capture(actual):
        if update.diff > 0:
            remaining.append(update.row[name])
        else:
            remaining.remove(update.row[name])
    return sorted(remaining, key=repr)


def changes(actual: pw.Table[Any]) -> list[str]:
    """Every update as a text `time diff values`, sorted within a time: deletions first."""
    lines = [(update.time, update.diff, repr(tuple(update.row.values()))) for update in pw.testing.capture(actual)]
    return [f"{time} {diff:+d} {values}" for time, diff, values in sorted(lines)]
