"""What `expression.str`, `.num` and `.dt` have in common: methods that are functions of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NoReturn

from pathway._expressions.expression import Call, ColumnExpression, wrap
from pathway._ground import hints, tracebacks
from pathway._ground.origin import noting, user_place

# The idioms that are meant where a name is not there.
_KINDS = {"str": "text", "dt": "date", "num": "number"}


@tracebacks.shortened_class
class Namespace:
    """The methods of one family for one expression."""

    _prefix: ClassVar[str]

    def __init__(self, expression: ColumnExpression) -> None:
        self._expression = expression

    def _call(self, function: str, *arguments: object) -> ColumnExpression:
        children = [self._expression, *map(wrap, arguments)]
        places = ", ".join(["{}"] * len(arguments))
        return Call(f"{self._prefix}.{function}", children, f"({{}}).{self._prefix}.{function}({places})")

    if not TYPE_CHECKING:
        # Type checkers know the methods that are there.
        def __getattr__(self, name: str) -> NoReturn:
            if name.startswith("_"):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            with noting(user_place()):
                what = f"expression.{self._prefix} has no method"
                message = hints.of_member(what, _KINDS[self._prefix], name, hints.public(self))
                raise AttributeError(message, name=name)
