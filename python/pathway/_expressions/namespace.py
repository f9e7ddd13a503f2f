"""What `expression.str`, `.num` and `.dt` have in common: methods that are functions of the engine."""

from __future__ import annotations

from typing import ClassVar

from pathway._expressions.expression import Call, ColumnExpression, wrap


class Namespace:
    """The methods of one family for one expression."""

    _prefix: ClassVar[str]

    def __init__(self, expression: ColumnExpression) -> None:
        self._expression = expression

    def _call(self, function: str, *arguments: object) -> ColumnExpression:
        children = [self._expression, *map(wrap, arguments)]
        places = ", ".join(["{}"] * len(arguments))
        return Call(f"{self._prefix}.{function}", children, f"({{}}).{self._prefix}.{function}({places})")
