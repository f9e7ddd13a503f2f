"""Values as text, in tables that people read.

What is printed into columns is measured in the columns of a terminal: a Chinese character or an emoji takes two, and an
accent that is a character of its own takes none.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from pathway._ground.shown import shown
from pathway._native import Pointer

# A shortened key: `^` and seven characters, then dots.
_SHORT = 8

WIDEST = 80
"""How wide a cell is at most that is cut."""


def pointer(key: Pointer, short: bool) -> str:
    return f"{str(key)[:_SHORT]}..." if short else str(key)


def cell(value: Any, short: bool) -> str:
    """A value as text."""
    if value is None:
        return ""
    if isinstance(value, Pointer):
        return pointer(value, short)
    return str(value)


def width(text: str) -> int:
    """How many columns of a terminal the text takes.

    >>> from pathway._values.texts import width
    >>> width("lock"), width("水门"), width("e\u0301")
    (4, 4, 1)
    """
    return len(text) if text.isascii() else sum(map(_width, text))


def _width(char: str) -> int:
    # Vowels and final consonants of Hangul that are characters of their own stand in the place of the one before.
    if unicodedata.category(char) in ("Mn", "Me", "Cf") or "\u1160" <= char <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def padded(text: str, columns: int) -> str:
    """The text, with spaces up to so many columns."""
    return text + " " * (columns - width(text))


def cut(text: str, widest: int = WIDEST) -> str:
    """A cell on one line, so wide at most."""
    # Of a very long text, most is never looked at; only one with very many accents is cut too early.
    beginning = text[: 8 * widest]
    line = shown(beginning)
    if len(beginning) == len(text) and width(line) <= widest:
        return line
    taken = 0
    for position, char in enumerate(line):
        taken += _width(char)
        if taken >= widest:
            return line[:position] + "…"
    return line + "…"


def widest_cell(widths: Sequence[int], room: int, narrowest: int) -> int:
    """How wide a cell may be so that lines of columns so wide fit, with a bar between two; but so much at least. The
    widest columns are the first that get less."""
    left = room - 3 * (len(widths) - 1)
    fitting = (most for most in range(WIDEST, narrowest, -1) if sum(min(each, most) for each in widths) <= left)
    return next(fitting, narrowest)
