"""Which columns are known not to be None where a part of an expression is computed.

In `if_else(x.is_not_none(), A, B)` nobody computes A for a row without an `x`, so there `x` is an `int` rather than an
`int | None`. The same goes for what `require` requires, for the right side of `&` and `|`, and for the rows that a
filter lets through.
"""

from __future__ import annotations

from typing import NamedTuple

from pathway._expressions.expression import Call, ColumnExpression, ColumnReference, Special
from pathway._expressions.walking import in_order

_References = tuple[ColumnReference, ...]


class Facts(NamedTuple):
    """The references that are not None where a condition is True, and where it is False."""

    if_true: _References = ()
    if_false: _References = ()


_NOTHING = Facts()


class Narrowing:
    """What conditions tell; remembers what it has been asked."""

    def __init__(self) -> None:
        self._facts: dict[int, Facts] = {}
        # Keeps what the numbers above stand for.
        self._met: list[ColumnExpression] = []

    def facts(self, condition: ColumnExpression) -> Facts:
        """What a condition tells."""
        known = self._facts.get(id(condition))
        if known is None:
            self._met.append(condition)
            for part in in_order([condition], self._deciding):
                if id(part) not in self._facts:
                    self._facts[id(part)] = self._of(part)
            known = self._facts[id(condition)]
        return known

    def not_none_for(self, expression: ColumnExpression, position: int) -> _References:
        """The references that are not None wherever the child at a position is computed."""
        if isinstance(expression, Special):
            if expression._special == "if_else" and position > 0:
                facts = self.facts(expression._children[0])
                return facts.if_true if position == 1 else facts.if_false
            if expression._special == "require" and position == 0:
                return tuple(other for other in expression._children[1:] if isinstance(other, ColumnReference))
        elif isinstance(expression, Call) and position == 1 and expression._function in ("&", "|"):
            facts = self.facts(expression._children[0])
            return facts.if_true if expression._function == "&" else facts.if_false
        return ()

    def _deciding(self, part: ColumnExpression) -> tuple[ColumnExpression, ...]:
        """The conditions that a condition is made of, as far as they are not known yet."""
        if isinstance(part, Call) and part._function in ("&", "|", "~"):
            return tuple(child for child in part._children if id(child) not in self._facts)
        return ()

    def _of(self, part: ColumnExpression) -> Facts:
        if not isinstance(part, Call):
            return _NOTHING
        if part._function in ("is_none", "is_not_none"):
            (value,) = part._children
            if not isinstance(value, ColumnReference):
                return _NOTHING
            return Facts(if_true=(value,)) if part._function == "is_not_none" else Facts(if_false=(value,))
        if part._function not in ("&", "|", "~"):
            return _NOTHING
        known = [self._facts[id(child)] for child in part._children]
        if part._function == "~":
            return Facts(known[0].if_false, known[0].if_true)
        if part._function == "&":
            together = tuple(dict.fromkeys(known[0].if_true + known[1].if_true))
            return Facts(if_true=together) if together else _NOTHING
        together = tuple(dict.fromkeys(known[0].if_false + known[1].if_false))
        return Facts(if_false=together) if together else _NOTHING
