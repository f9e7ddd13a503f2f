"""Numbers and names with the word for what they are, in the singular or the plural."""

from __future__ import annotations

from collections.abc import Iterable


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number with what it counts.

    >>> from pathway._ground.words import counted
    >>> counted(1, "row"), counted(2000, "row"), counted(0, "process", "processes")
    ('1 row', '2,000 rows', '0 processes')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(names: Iterable[str], one: str) -> str:
    """Names, with what they are names of.

    >>> from pathway._ground.words import listed
    >>> listed(["a"], "column"), listed(["a", "b"], "column")
    ('column a', 'columns a, b')
    """
    names = list(names)
    return f"{one if len(names) == 1 else one + 's'} {', '.join(names)}"
