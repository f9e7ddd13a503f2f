"""Which argument of a call is not of the type that the signature asks for.

Signatures are looked at when a call has failed in a way that nobody expected, never before: what works is allowed, and
costs nothing. So what cannot be told here, such as the arguments of a callable, counts as right.
"""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

_MOST_PARTS = 1000
"""So many elements of a list are looked at."""

_FOR_TYPE_CHECKERS = {"np": "numpy", "pa": "pyarrow", "pd": "pandas", "pl": "polars"}
"""What nobody imports for annotations."""

_WIDTH = 80
"""So much is shown of what was found."""


def found(function: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, object]) -> str | None:
    """The message about the first argument that is not what it has to be; None if all may be right."""
    try:
        signature = inspect.signature(function)
        given = signature.bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        return None
    for position, (name, value) in enumerate(given.items()):
        parameter = signature.parameters[name]
        annotation = _meant(function, parameter.annotation)
        values = [value]
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            values = list(typing.cast("tuple[object, ...]", value))
        elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
            values = list(typing.cast("dict[str, object]", value).values())
        for each in values:
            if not (position == 0 and name in ("self", "cls")) and not _fits(each, annotation):
                called = function.__qualname__.replace(".__init__", "").replace(".__call__", "")
                return f"{called}(): argument {name} has to be {_text(parameter.annotation)}, found {_shown(each)}"
    return None


def _meant(function: Callable[..., object], annotation: object) -> object:
    """What an annotation stands for; `Any` if that cannot be known."""
    if not isinstance(annotation, str):
        return annotation
    # What modules name for type checkers only is public, for the most part.
    inner = inspect.unwrap(function)
    imported = {name: sys.modules.get(module) for name, module in _FOR_TYPE_CHECKERS.items()}
    names = {"Iterable": Iterable, "Mapping": Mapping, **imported, **getattr(inner, "__globals__", {})}
    try:
        return eval(annotation, names, _Public(sys.modules["pathway"]))
    except Exception:
        return Any


class _Public(dict[str, object]):
    """The public names of the package, and modules that are imported."""

    def __init__(self, package: types.ModuleType) -> None:
        super().__init__()
        self._package = package

    def __missing__(self, name: str) -> object:
        if name in self._package.__all__:
            return getattr(self._package, name)
        raise KeyError(name)


def _fits(value: object, annotation: Any) -> bool:
    """Whether a value may be meant by an annotation."""
    if annotation is None:
        return value is None
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is typing.Literal:
        return any(type(value) is type(part) and value == part for part in parts)
    if origin is type:
        return isinstance(value, type) and (not isinstance(parts[0], type) or issubclass(value, parts[0]))
    if not _is_instance(value, origin or annotation):
        return False
    if len(parts) == 2 and isinstance(value, Mapping):
        return all(_fits(key, parts[0]) and _fits(part, parts[1]) for key, part in list(value.items())[:_MOST_PARTS])
    if parts and isinstance(value, (list, tuple, set, frozenset)) and (len(parts) == 1 or parts[1:] == (...,)):
        return all(_fits(part, parts[0]) for part in list(value)[:_MOST_PARTS])
    return True


def _is_instance(value: object, kind: Any) -> bool:
    if kind is Callable:
        return callable(value)
    if not isinstance(kind, type):
        return True
    if kind is float and isinstance(value, int):
        return True
    try:
        return isinstance(value, kind)
    except TypeError:
        # A protocol that says nothing of objects.
        return True


def _text(annotation: object) -> str:
    if isinstance(annotation, str):
        return annotation.replace("_native.", "pw.")
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception:
        return f"a {type(value).__name__}"
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}..."
