"""Every part of an expression, once.

Expressions share their parts (`e + e` has one `e`), so there may be far more paths through one than parts in it, and
they may be thousands deep. Nothing that looks at them follows paths or relies on Python's stack: it asks `in_order`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathway._expressions import ColumnExpression
    from pathway._joinable import TableLike

# The text of a larger part is cut in the middle: written out, what is shared may be of any length.
LONGEST_TEXT = 1000


def in_order(
    roots: Iterable[ColumnExpression],
    children: Callable[[ColumnExpression], Sequence[ColumnExpression]] | None = None,
) -> list[ColumnExpression]:
    """The parts of the expressions, each once and after those it is made of.

    `children` says which are looked at; by default all.
    """
    order: list[ColumnExpression] = []
    met: set[int] = set()
    for root in roots:
        open = [(root, False)]
        while open:
            part, is_ready = open.pop()
            if is_ready:
                order.append(part)
            elif id(part) not in met:
                met.add(id(part))
                open.append((part, True))
                below = part._children if children is None else children(part)
                open.extend((child, False) for child in reversed(below))
    return order


def text(expression: ColumnExpression) -> str:
    """How the expression is written, with tables as numbers."""
    from pathway._expressions import ColumnReference

    names: dict[int, str] = {}
    texts: dict[int, str] = {}
    for part in in_order([expression]):
        if isinstance(part, ColumnReference):
            written = part._reference_text(names)
        else:
            written = part._text([texts[id(child)] for child in part._children])
        if len(written) > LONGEST_TEXT:
            half = LONGEST_TEXT // 2 - 2
            written = f"{written[:half]} … {written[-half:]}"
        texts[id(part)] = written
    return texts[id(expression)]


def with_tables(expression: ColumnExpression, change: Callable[[TableLike], TableLike]) -> ColumnExpression:
    """The expression with other tables in its references."""
    from pathway._expressions import ColumnReference

    changed: dict[int, ColumnExpression] = {}
    for part in in_order([expression]):
        new = copy.copy(part)
        if isinstance(new, ColumnReference):
            new._table = change(new._table)
        new._children = tuple(changed[id(child)] for child in part._children)
        changed[id(part)] = new
    return changed[id(expression)]
