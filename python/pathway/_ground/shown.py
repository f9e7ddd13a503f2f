"""Texts of the outside world, as they are shown to people.

A name, a path or the text of an exception may hold what a terminal acts on: the beginning of a colour, a carriage
return, a change of the direction of writing. Or what cannot be written at all: half of a pair of surrogates. Here such
characters become what one would type in Python to get them. `logged` does so with everything that is logged.
"""

from __future__ import annotations


def shown(text: str) -> str:
    """The text on one line, with what is not printable written out.

    >>> from pathway._ground.shown import shown
    >>> print(shown("lock\\x1b[31m 7\\n"))
    lock\\x1b[31m 7\\n
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode("ascii") for char in text
    )


def of_error(error: BaseException) -> str:
    """The kind of an exception and what it says, whatever it does when it is asked."""
    name = type(error).__name__
    try:
        text = str(error)
    except BaseException as unspeakable:
        text = f"<its text cannot be had: {type(unspeakable).__name__}>"
    return shown(f"{name}: {text}" if text else name)
