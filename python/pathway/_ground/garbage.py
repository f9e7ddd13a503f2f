"""The search for garbage, which rests while very many objects are made that all stay.

Python looks for garbage whenever so many objects have been made, and looks at all of them again and again: of a table
with 300,000 rows that takes longer than to make them.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def not_looked_for() -> Iterator[None]:
    """Nobody looks for garbage meanwhile."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
