"""Values as text, in tables that people read."""

from __future__ import annotations

from typing import Any

from pathway._ground.shown import shown
from pathway._native import Pointer

# A shortened key: `^` and seven characters, then dots.
_SHORT = 8

MOST_CHARACTERS = 80
"""How many characters are shown of a cell that is cut."""


def pointer(key: Pointer, short: bool) -> str:
    return f"{str(key)[:_SHORT]}..." if short else str(key)


def cell(value: Any, short: bool) -> str:
    """A value as text."""
    if value is None:
        return ""
    if isinstance(value, Pointer):
        return pointer(value, short)
    return str(value)


def cut(text: str) -> str:
    """A cell on one line, of so many characters at most."""
    # Of a very long text, most is never looked at.
    text = shown(text[: MOST_CHARACTERS + 1])
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
