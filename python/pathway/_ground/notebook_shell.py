"""Whether the program runs in a notebook. Nothing of IPython is imported: where it is not, there is no notebook."""

from __future__ import annotations

import sys
from typing import Any


def shell() -> Any:
    """The shell of IPython in which the program runs, if there is one: of a notebook, or of a terminal."""
    # What is None there was forbidden to be imported.
    return getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()


def cell() -> int | None:
    """The number of the cell that is being run, of which each is run once; None where there are none."""
    present = shell()
    return None if present is None else int(present.execution_count)


def is_here() -> bool:
    """Whether there is a notebook, where a display can be replaced in its place."""
    # Some services have shells of their own, which are made of this one.
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell()).__mro__)
