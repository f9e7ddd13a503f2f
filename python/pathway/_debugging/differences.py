"""What is to be said of two tables that should be equal and are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from pathway._debugging.captures import Update
from pathway._tables.table import Table
from pathway._values import dtypes

# So many rows are shown; with more, nobody looks at them all.
_MOST = 40

# A row as text: values need not be hashable. Of the columns in the order of their names, after the key if it counts.
Row = tuple[str, ...]


def rows(updates: Sequence[Update], names: Sequence[str], ids: bool) -> Counter[Row]:
    """The rows that remain, and how often each is there."""
    found: Counter[Row] = Counter()
    for update in updates:
        key = (str(update.key),) if ids else ()
        found[*key, *(repr(update.row[name]) for name in names)] += update.diff
    return +found


def of_names(actual: Table[Any], expected: Table[Any]) -> list[str]:
    """Which columns only one of the tables has."""
    found, wanted = actual.column_names(), expected.column_names()
    return [
        *(f"- column {name}: missing" for name in wanted if name not in found),
        *(f"+ column {name}: not expected" for name in found if name not in wanted),
    ]


def of_types(actual: Table[Any], expected: Table[Any]) -> list[str]:
    """Which columns of both have other types."""
    return [
        f"column {name}: {dtypes.describe(found)}, expected {dtypes.describe(wanted)}"
        for name, found, wanted in (
            (name, actual._plan.dtype(actual._column(name)), expected._plan.dtype(expected._column(name)))
            for name in sorted(set(actual.column_names()) & set(expected.column_names()))
        )
        if found != wanted
    ]


def of_rows(found: Counter[Row], wanted: Counter[Row], header: Sequence[str]) -> list[str]:
    """The rows that only one of the tables has, as a table of their own; rows that are alike are neighbours."""
    differing = sorted(
        [*(("-", row) for row in (wanted - found).elements()), *(("+", row) for row in (found - wanted).elements())],
        key=lambda marked: (marked[1], marked[0]),
    )
    if not differing:
        return []
    shown = differing[:_MOST]
    lines = [(" ", *header), *((mark, *row) for mark, row in shown)]
    left_out = len(differing) - len(shown)
    return [*_aligned(lines), *([f"... and {left_out} more"] if left_out else [])]


def _aligned(lines: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for mark, *cells in lines:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths[1:], strict=True))
        yield f"{mark} {' | '.join(padded)}".rstrip()
