"""How tables are printed: a header, then rows, columns aligned to the left and joined by bars.

What only people look at is cut: long cells, and tables with many rows.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from pathway._ground import notebook_shell
from pathway._ground.shown import shown
from pathway._ground.words import counted
from pathway._native import Pointer
from pathway._values.json import Json
from pathway._values.texts import cell, cut, padded, pointer, width

MOST_ROWS = 100
"""How many rows are shown of a table that is cut."""


def for_people() -> bool:
    """Whether what is printed goes to a terminal or into a notebook."""
    return sys.stdout is not None and (sys.stdout.isatty() or notebook_shell.is_here())


def more(number: int, what: str = "row") -> str:
    """What is said of rows that are not shown."""
    return f"... {counted(number, f'more {what}')}"


def preview(names: Sequence[str], items: Sequence[tuple[Pointer, Sequence[Any]]], most: int) -> list[str]:
    """The first rows, cut, without keys unless there is nothing else; and how many there are more."""
    first = items[:most]
    found = lines(names, [key for key, _ in first], [row for _, row in first], ids=not names, short=True, is_cut=True)
    return [*found, more(len(items) - most)] if len(items) > most else found


def lines(
    names: Sequence[str],
    keys: Sequence[Pointer],
    rows: Sequence[Sequence[Any]],
    *,
    ids: bool,
    short: bool,
    is_cut: bool = False,
    for_terminal: bool = False,
) -> list[str]:
    """The lines of a table. `names` and `rows` are without the keys, which make the first column if `ids`.

    Names are always fit to be shown, cells where they are cut or `for_terminal`; in a pipe they are what they are.
    """
    if ids:
        header = ["" if names else "id", *map(shown, names)]
        cells = [
            [pointer(key, short), *(cell(value, short) for value in row)] for key, row in zip(keys, rows, strict=True)
        ]
    elif not names:
        return []
    else:
        header = list(map(shown, names))
        cells = [[cell(value, short) for value in row] for row in rows]
    if not ids and len(header) == 1:
        # An empty line would not look like a row.
        cells = [[text or "None"] if row[0] is None else [text] for row, (text,) in zip(rows, cells, strict=True)]
    if is_cut:
        header = list(map(cut, header))
        cells = [list(map(cut, row)) for row in cells]
    elif for_terminal:
        cells = [list(map(shown, row)) for row in cells]
    widths = [max(map(width, column)) for column in zip(header, *cells, strict=True)]
    return [" | ".join(map(padded, line, widths)).rstrip() for line in (header, *cells)]


def sort_key(values: Sequence[Any]) -> tuple[Any, ...]:
    """Orders rows by their values, None first; Json by its text. Comparing may fail, see `in_order`."""
    return tuple((value is not None, str(value) if isinstance(value, Json) else value) for value in values)


def in_order(rows: list[Any], by_values: Any, by_key: Any) -> list[Any]:
    """The rows in the order of their values, or, if these cannot be compared, in that of their keys."""
    try:
        return sorted(rows, key=by_values)
    except (TypeError, ValueError):
        return sorted(rows, key=by_key)
