"""Every part of an expression, once.

Expressions share their parts (`e + e` has one `e`), so there may be far more paths through one than parts in it, and
they may be thousands deep. Nothing that looks at them follows paths or relies on Python's stack: it asks `in_order`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from pathway._expressions.table_like import TableLike

if TYPE_CHECKING:
    from pathway._expressions.expression import ColumnExpression

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
    names: dict[int, str] = {}
    texts: dict[int, str] = {}
    for part in in_order([expression]):
        written = part._text_with_tables([texts[id(child)] for child in part._children], names)
        if len(written) > LONGEST_TEXT:
            half = LONGEST_TEXT // 2 - 2
            written = f"{written[:half]} … {written[-half:]}"
        texts[id(part)] = written
    return texts[id(expression)]


def with_tables(expression: ColumnExpression, change: Callable[[TableLike], TableLike]) -> ColumnExpression:
    """The expression with other tables in its references."""
    changed: dict[int, ColumnExpression] = {}
    for part in in_order([expression]):
        changed[id(part)] = part._with_tables(change, [changed[id(child)] for child in part._children])
    return changed[id(expression)]
