"""From expressions to those of the engine, for whoever knows what columns stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from pathway import _native
from pathway._expressions.expression import ColumnExpression, ColumnReference
from pathway._expressions.narrowing import Narrowing

Bound: TypeAlias = "_native.Expression | None"
Types: TypeAlias = "Mapping[_native.Column, _native.DType]"

# So many combinations of what is known not to be None are told apart for a part of an expression. Others know nothing.
_MOST_CONTEXTS = 64


class Binding:
    """From expressions to those of the engine, each part once for all that is known where it is computed.

    `leaf` answers for parts that depend on the table, given narrower types of some columns; `not_none` says which
    columns have narrower types where a reference is not None.
    """

    def __init__(
        self,
        leaf: Callable[[ColumnExpression, Types], Bound],
        not_none: Callable[[ColumnReference], Types],
    ) -> None:
        self._leaf = leaf
        self._not_none = not_none
        self._narrowing = Narrowing()
        # By the part, then by what is known.
        self._bound: dict[int, dict[frozenset[object], _native.Expression]] = {}
        self._types: dict[frozenset[object], Types] = {frozenset(): {}}
        # Keeps what the numbers above stand for.
        self._met: list[ColumnExpression] = []

    def __call__(self, expression: ColumnExpression) -> _native.Expression:
        self._met.append(expression)
        nothing: frozenset[object] = frozenset()
        open: list[tuple[ColumnExpression, frozenset[object], list[frozenset[object]] | None]]
        open = [(expression, nothing, None)]
        while open:
            part, known, below = open.pop()
            bound = self._bound.setdefault(id(part), {})
            if below is not None:
                arguments = [self._bound[id(child)][there] for child, there in zip(part._children, below, strict=True)]
                bound[known] = part._bound(arguments)
            elif known not in bound:
                leaf = self._leaf(part, self._types[known])
                if leaf is not None:
                    bound[known] = leaf
                    continue
                below = [self._known(part, position, known) for position in range(len(part._children))]
                open.append((part, known, below))
                children = list(zip(part._children, below, strict=True))
                open.extend((child, there, None) for child, there in reversed(children))
        return self._bound[id(expression)][nothing]

    def _known(self, part: ColumnExpression, position: int, known: frozenset[object]) -> frozenset[object]:
        """What is known where a child is computed."""
        references = self._narrowing.not_none_for(part, position)
        if references:
            types = dict(self._types[known])
            for reference in references:
                types.update(self._not_none(reference))
            known = frozenset(types.items())
            self._types.setdefault(known, types)
        child = self._bound.get(id(part._children[position]), {})
        return known if known in child or len(child) < _MOST_CONTEXTS else frozenset()
