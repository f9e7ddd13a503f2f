"""Calls of functions of the user as they are named in errors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from pathway._ground.shown import shown
from pathway._native import Pointer

# So many characters of an argument are shown.
_MOST = 200


def failed_call(role: str, function: Callable[..., Any], /, **arguments: Any) -> str | None:
    """A call that has failed, with its arguments; nothing if the function is none of the user's.

    >>> from pathway._ground.calls import failed_call
    >>> failed_call("on_change", print, key=1, row={"a": "b"})
    "in on_change: print(key=1, row={'a': 'b'})"
    """
    while isinstance(function, functools.partial):
        function = function.func
    kind = type(function)
    if str(getattr(function, "__module__", kind.__module__)).partition(".")[0] == "pathway":
        # The error itself says what it is about.
        return None
    name = str(getattr(function, "__qualname__", kind.__qualname__)).rpartition("<locals>.")[2]
    return shown(f"in {role}: {name}({', '.join(f'{key}={_brief(value)}' for key, value in arguments.items())})")


def _brief(value: Any) -> str:
    try:
        text = str(value) if isinstance(value, Pointer) else repr(value)
    except Exception:
        return f"<{type(value).__name__}>"
    return text if len(text) <= _MOST else f"{text[:_MOST]}…"
