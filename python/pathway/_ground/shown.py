"""Texts of the outside world, as they are shown to people.

A name, a path or the text of an exception may hold what a terminal acts on: the beginning of a colour, a carriage
return, a change of the direction of writing. Or what cannot be written at all: half of a pair of surrogates. Here such
characters become what one would type in Python to get them. Everything that is logged passes through here.
"""

from __future__ import annotations

import logging


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


class _Showing(logging.Filter):
    """Makes the parts of messages fit to be shown."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_part(part) for part in record.args)
        return True


def _part(part: object) -> object:
    if isinstance(part, (int, float)):
        return part
    if isinstance(part, BaseException):
        return of_error(part).partition(": ")[2]
    try:
        return shown(str(part))
    except Exception:
        return f"<{type(part).__name__}>"


def install() -> None:
    """From now on, what the logger of the package says is fit to be shown."""
    logger = logging.getLogger("pathway")
    if not any(isinstance(each, _Showing) for each in logger.filters):
        logger.addFilter(_Showing())


install()
