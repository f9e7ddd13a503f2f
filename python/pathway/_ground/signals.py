"""What a run and the supervisor of its processes agree on about signals, and how a function that a run calls in the
main thread learns of one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

ECHO_SECONDS = 0.2
"""timeout(1) and some supervisors send a signal to the process and again to its group. What comes so soon after the
first is the same request, not impatience. Long enough for a process that is busy when both come."""

_raising = False


@contextmanager
def raised() -> Iterator[None]:
    """Meanwhile a signal that the run notes is raised as well, in the main thread: a function of the user's that is
    called there may wait for somebody who never answers, and a note would not wake it."""
    global _raising
    before = _raising
    _raising = before or threading.current_thread() is threading.main_thread()
    try:
        yield
    finally:
        _raising = before


def are_raised() -> bool:
    """Whether the handler of a signal is to raise it."""
    return _raising
