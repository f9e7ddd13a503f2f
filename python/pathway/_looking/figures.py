"""The figures that a function leaves with pyplot, which keeps all that it has made until somebody closes them."""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_HOOKS = "figure.hooks"
_HOOK = f"{__name__}:note"
"""How matplotlib finds `note`, which it calls with each figure that pyplot makes."""


class _Noted(threading.local):
    """Those of this thread, if somebody wants to know them."""

    figures: list[Any] | None = None


_noted = _Noted()
_of_others: weakref.WeakSet[Any] = weakref.WeakSet()


def note(figure: Any) -> None:
    """Pyplot has made a figure in this thread."""
    if _noted.figures is None:
        _of_others.add(figure)
    else:
        _noted.figures.append(figure)


@contextmanager
def made_in_this_thread() -> Iterator[list[Any]]:
    """The figures that pyplot makes meanwhile: not those of other threads, and none if it is imported only now."""
    before, _noted.figures = _noted.figures, []
    # Only who uses matplotlib has it.
    matplotlib = sys.modules.get("matplotlib")
    settings = getattr(matplotlib, "rcParams", {})
    try:
        if _HOOK not in settings.get(_HOOKS, [_HOOK]):
            # It stays there: another thread may be drawing, too.
            settings[_HOOKS] = [*settings[_HOOKS], _HOOK]
        yield _noted.figures
    finally:
        _noted.figures = before


def left(made: list[Any], before: set[int]) -> Any:
    """The last figure that is left of those that were made; None if there is none. If pyplot was imported meanwhile, or
    its settings were set back, they are those that it did not know `before`."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return None
    new = [pyplot.figure(number) for number in sorted(numbers() - before)]
    known = [figure for figure in made if figure in new]
    return next(iter(reversed(known or [figure for figure in new if figure not in _of_others])), None)


def numbers() -> set[int]:
    """Of the figures that pyplot knows."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    return set() if pyplot is None else set(pyplot.get_fignums())


def close(figures: list[Any]) -> None:
    """Has pyplot forget them, which it would show again at the end of the cell, and keep for ever."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    for figure in figures:
        if pyplot is not None and figure is not None:
            pyplot.close(figure)
