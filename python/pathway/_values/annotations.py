"""Types that are written as texts: looked up, never evaluated.

A text comes from annotations under ``from __future__ import annotations``, but also from a file with a schema, so
nothing in it may run. What it can say is what a type needs: names, dots, brackets, ``|`` and constants. A name is
looked up where the text stands (the names of the user's module or function), then among those of Python and of
`typing`, then among those of this package.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import types
import typing
from collections.abc import Mapping
from typing import Any

# Modules that can be named without having been imported where the text stands.
_MODULES = {"pw": "pathway", "pathway": "pathway", "typing": "typing", "np": "numpy", "numpy": "numpy"}


def look_up(text: str, names: Mapping[str, Any] | None = None) -> Any:
    """What a text names.

    Args:
        text: the text, such as `list[int] | None`.
        names: what is known where the text stands, before all else.

    Raises:
        NameError: the text names something that is not there.
        TypeError: the text is something else than the name of a type.

    >>> look_up("dict[str, typing.Any] | None")
    typing.Optional[dict[str, typing.Any]]
    >>> look_up("print('!')")
    Traceback (most recent call last):
        ...
    TypeError: "print('!')" is no type; a type is written with names, dots, brackets and |
    """
    try:
        expression = ast.parse(text.strip(), mode="eval").body
        return _Scope(text, names or {}).resolve(expression)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _no_type(text) from None


def _no_type(text: str) -> TypeError:
    return TypeError(f"{text!r} is no type; a type is written with names, dots, brackets and |")


class _Scope:
    """Follows what a text says."""

    def __init__(self, text: str, names: Mapping[str, Any]) -> None:
        self._text = text
        self._names = names

    def resolve(self, node: ast.expr) -> Any:
        match node:
            case ast.Name(id=name):
                return self._name(name)
            case ast.Attribute(value=value, attr=name):
                return self._member(self.resolve(value), name)
            case ast.Subscript(value=value, slice=arguments):
                generic = self.resolve(value)
                if generic is typing.Annotated and isinstance(arguments, ast.Tuple):
                    # What is said of the type may be anything, and is for somebody else.
                    return self.resolve(arguments.elts[0])
                return self._generic(generic, self.resolve(arguments))
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                # Not the operator, which may be anything in a class of the user's.
                return typing.Union[self._argument(left), self._argument(right)]  # noqa: UP007
            case ast.Tuple(elts=items):
                return tuple(self.resolve(item) for item in items)
            case ast.List(elts=items):
                return [self.resolve(item) for item in items]
            case ast.Constant(value=None | str() | int() | types.EllipsisType() as value):
                return value
        raise _no_type(self._text)

    def _argument(self, node: ast.expr) -> Any:
        value = self.resolve(node)
        if value is not None and not isinstance(value, str) and not _is_type(value):
            raise _no_type(self._text)
        return value

    def _name(self, name: str) -> Any:
        for scope in (self._names, vars(builtins)):
            if name in scope:
                return scope[name]
        if name in _MODULES:
            return importlib.import_module(_MODULES[name])
        # What a user may write, whatever it is.
        import pathway

        for module in (typing, pathway):
            if name in module.__all__:
                return getattr(module, name)
        raise NameError(f"name {name!r} is not defined; it is in the type {self._text!r}", name=name)

    def _member(self, owner: Any, name: str) -> Any:
        # Attributes of other objects may be computed by them.
        if not isinstance(owner, (types.ModuleType, type)) or name.startswith("__"):
            raise _no_type(self._text)
        try:
            return getattr(owner, name)
        except AttributeError:
            raise NameError(f"{owner.__name__} has no {name!r}; it is in the type {self._text!r}", name=name) from None

    def _generic(self, generic: Any, arguments: Any) -> Any:
        if not _is_type(generic):
            raise _no_type(self._text)
        try:
            return generic[arguments]
        except Exception:
            raise _no_type(self._text) from None


def _is_type(value: Any) -> bool:
    """Whether it is a class, or one of the forms of `typing`."""
    return isinstance(value, (type, types.GenericAlias, types.UnionType)) or type(value).__module__ == "typing"
