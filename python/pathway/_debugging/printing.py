"""How tables are printed: a header, then rows, columns aligned to the left and joined by bars.

What only people look at is cut: long cells, tables with many rows, and those with more columns than a terminal has room
for.
"""

from __future__ import annotations

import itertools
import shutil
import sys
from collections.abc import Sequence
from typing import Any

from pathway._ground import notebook_shell, streams
from pathway._ground.shown import shown
from pathway._ground.words import counted
from pathway._native import Pointer
from pathway._values.json import Json
from pathway._values.texts import cell, cut, padded, pointer, widest_cell, width

MOST_ROWS = 100
"""How many rows are shown of a table that is cut."""

_NARROWEST = 16
"""Cells are not cut to less than this, so that more columns have room."""


def for_people() -> bool:
    """Whether what is printed goes to a terminal or into a notebook."""
    return sys.stdout is not None and (streams.is_terminal(sys.stdout) or notebook_shell.is_here())


def room() -> int:
    """How many columns the terminal has on which is printed; 0 if there is none."""
    return shutil.get_terminal_size((0, 0)).columns if streams.is_terminal(sys.stdout) else 0


def more(rows: int, what: str = "row", columns: int = 0) -> str:
    """What is said of rows and columns that are not shown; nothing if all are."""
    counts = [counted(number, f"more {what}") for number, what in ((rows, what), (columns, "column")) if number]
    return f"... {', '.join(counts)}" if counts else ""


def preview(names: Sequence[str], items: Sequence[tuple[Pointer, Sequence[Any]]], most: int) -> list[str]:
    """The first rows, cut, without keys unless there is nothing else; and how much more there is."""
    first = items[:most]
    found, hidden = lines(
        names, [key for key, _ in first], [row for _, row in first], ids=not names, short=True, is_cut=True
    )
    left = more(max(0, len(items) - most), columns=hidden)
    return [*found, left] if left else found


def lines(
    names: Sequence[str],
    keys: Sequence[Pointer],
    rows: Sequence[Sequence[Any]],
    *,
    ids: bool,
    short: bool,
    is_cut: bool = False,
    for_terminal: bool = False,
) -> tuple[list[str], int]:
    """The lines of a table, and how many columns have no room on the terminal if it is cut. `names` and `rows` are
    without the keys, which make the first column if `ids`.

    Names are always fit to be shown, cells where they are cut or `for_terminal`; in a pipe they are what they are.
    """
    if ids:
        header = ["" if names else "id", *map(shown, names)]
        cells = [
            [pointer(key, short), *(cell(value, short) for value in row)] for key, row in zip(keys, rows, strict=True)
        ]
    elif not names:
        return [], 0
    else:
        header = list(map(shown, names))
        cells = [[cell(value, short) for value in row] for row in rows]
    if not ids and len(header) == 1:
        # An empty line would not look like a row.
        cells = [[text or "None"] if row[0] is None else [text] for row, (text,) in zip(rows, cells, strict=True)]
    table = [header, *cells]
    if not is_cut:
        return _aligned([header, *(list(map(shown, row)) for row in cells)] if for_terminal else table), 0
    columns = room()
    table = [list(map(cut, row)) for row in table]
    if not columns:
        return _aligned(table), 0
    widest = widest_cell(_widths(table), columns, _NARROWEST)
    table = [[cut(text, widest) for text in row] for row in table]
    fitting = _fitting(_widths(table), columns)
    if fitting < len(header):
        table = [[*row[:fitting], "…"] for row in table]
    return [cut(line, columns) for line in _aligned(table)], len(header) - fitting


def _widths(table: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(width, column)) for column in zip(*table, strict=True)]


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = _widths(table)
    return [" | ".join(map(padded, line, widths)).rstrip() for line in table]


def _fitting(widths: Sequence[int], columns: int) -> int:
    """How many columns of a table a terminal has room for, if dots stand for the others; two at least."""
    ends = list(itertools.accumulate(width + 3 for width in widths))
    if ends[-1] - 3 <= columns:
        return len(widths)
    return max(min(2, len(widths)), sum(end + 1 <= columns for end in ends))


def sort_key(values: Sequence[Any]) -> tuple[Any, ...]:
    """Orders rows by their values, None first; Json by its text. Comparing may fail, see `in_order`."""
    return tuple((value is not None, str(value) if isinstance(value, Json) else value) for value in values)


def in_order(rows: list[Any], by_values: Any, by_key: Any) -> list[Any]:
    """The rows in the order of their values, or, if these cannot be compared, in that of their keys."""
    try:
        return sorted(rows, key=by_values)
    except (TypeError, ValueError):
        return sorted(rows, key=by_key)
