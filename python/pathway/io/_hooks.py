"""The methods of a user's class that we call because the API says so.

A user may have an attribute of such a name for other reasons. `on_stop` is called wherever it comes from, if it can
be called at all. The others have names that anybody might choose, `start`, `end`, `close`, or are private: those count
that an instance has, or a class derived from `ConnectorSubject`, and that can be called with no arguments.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pathway import _native

if TYPE_CHECKING:
    from pathway.io._subject import ConnectorSubject


def on_stop(subject: ConnectorSubject) -> Callable[[], Any] | None:
    """What is called when the source ends."""
    hook = subject.on_stop
    return hook if callable(hook) else None


def is_there(subject: ConnectorSubject, name: str) -> bool:
    """Whether the user has one of the hooks that are called after `run`."""
    if name == "on_stop":
        hook = on_stop(subject)
        return hook is not None and getattr(hook, "__module__", None) != "pathway.io._subject"
    return overridden(subject, name) is not None


def overridden(subject: ConnectorSubject, name: str) -> Callable[[], Any] | None:
    """What is to be called of that name, unless it is ours."""
    kind = type(subject)
    attribute: object = object.__getattribute__(subject, "__dict__").get(name)
    if callable(attribute) and not isinstance(attribute, type) and _takes_nothing(attribute):
        return attribute
    for ancestor in kind.__mro__:
        if name not in ancestor.__dict__ or not issubclass(ancestor, _native.Subject):
            continue
        if _is_ours(ancestor):
            return None
        found = ancestor.__dict__[name]
        if isinstance(found, (type, property)) or not hasattr(type(found), "__get__"):
            return None
        bound = found.__get__(subject, kind)
        return bound if callable(bound) and _takes_nothing(bound) else None
    return None


def has_own(subject: ConnectorSubject, name: str) -> bool:
    """Whether a class derived from `ConnectorSubject` defines a method of that name."""
    for ancestor in type(subject).__mro__:
        if _is_ours(ancestor):
            return False
        if issubclass(ancestor, _native.Subject) and callable(ancestor.__dict__.get(name)):
            return True
    return False


def defined(owner: object, name: str, base: type, arguments: int) -> Callable[..., Any] | None:
    """The method of that name, unless it is that of the base class, or the user's own, which takes other arguments."""
    method: Callable[..., Any] | None = getattr(owner, name, None)
    if not callable(method) or getattr(type(owner), name, None) is getattr(base, name):
        return None
    try:
        inspect.signature(method).bind(*range(arguments))
    except (TypeError, ValueError):
        return None
    return method


def is_finite(subject: ConnectorSubject) -> bool:
    """Whether the source ends when `run` returns."""
    hook = overridden(subject, "_is_finite")
    return hook is None or hook() is not False


def is_internal(subject: ConnectorSubject) -> bool:
    """Whether it belongs to the package itself."""
    hook = overridden(subject, "_is_internal")
    return hook is not None and hook() is True


def _is_ours(kind: type) -> bool:
    """Whether it is `ConnectorSubject`, which is above this module."""
    return (kind.__module__, kind.__qualname__) == ("pathway.io._subject", "ConnectorSubject")


def _takes_nothing(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind()
    except TypeError:
        return False
    except ValueError:
        # It does not say.
        pass
    return True
