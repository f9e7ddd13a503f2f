"""What is to be done when the interpreter ends.

`atexit` calls first what was registered last. So that functions which a program registers after it has imported the
package may still use it, its own place among them is taken when it is imported, whoever needs it later.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable

_functions: list[Callable[[], None]] = []


def at_exit(function: Callable[[], None]) -> None:
    """Has the function called at the end, before those that were given earlier."""
    _functions.append(function)


def _end() -> None:
    for function in reversed(_functions):
        function()


atexit.register(_end)
