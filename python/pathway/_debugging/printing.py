"""How tables are printed: a header, then rows, columns aligned to the left and joined by bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pathway._native import Pointer
from pathway._values.json import Json

# A shortened key: `^` and seven characters, then dots.
_SHORT = 8


def lines(
    names: Sequence[str], keys: Sequence[Pointer], rows: Sequence[Sequence[Any]], *, ids: bool, short: bool
) -> list[str]:
    """The lines of a table. `names` and `rows` are without the keys, which make the first column if `ids`."""
    if ids:
        header = ["" if names else "id", *names]
        cells = [
            [_pointer(key, short), *(_cell(value, short) for value in row)] for key, row in zip(keys, rows, strict=True)
        ]
    elif not names:
        return []
    else:
        header = list(names)
        cells = [[_cell(value, short) for value in row] for row in rows]
    if not ids and len(header) == 1:
        # An empty line would not look like a row.
        cells = [[text or "None"] if row[0] is None else [text] for row, (text,) in zip(rows, cells, strict=True)]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    return [
        " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in (header, *cells)
    ]


def _pointer(key: Pointer, short: bool) -> str:
    return f"{str(key)[:_SHORT]}..." if short else str(key)


def _cell(value: Any, short: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, Pointer):
        return _pointer(value, short)
    return str(value)


def sort_key(values: Sequence[Any]) -> tuple[Any, ...]:
    """Orders rows by their values, None first; Json by its text. Comparing may fail, see `in_order`."""
    return tuple((value is not None, str(value) if isinstance(value, Json) else value) for value in values)


def in_order(rows: list[Any], by_values: Any, by_key: Any) -> list[Any]:
    """The rows in the order of their values, or, if these cannot be compared, in that of their keys."""
    try:
        return sorted(rows, key=by_values)
    except (TypeError, ValueError):
        return sorted(rows, key=by_key)
