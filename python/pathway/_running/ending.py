"""The end of the interpreter while runs go on in threads that it does not wait for.

Python kills daemon threads at its end, which threads of the engine do not survive in good order. So before, runs that
still go on are told to stop as by Ctrl-C, and soon after to stop at once; then the door by which the engine's threads
enter Python is closed, and those inside have a moment to leave. A thread that is inside a function of the user for
longer waits for the end of the process where it is.

Functions that the program has registered with `atexit` after it has imported the package come before, so a run in one
of these is left alone; one that comes later is refused.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pathway import _native
from pathway._ground import exits, forks

logger = logging.getLogger("pathway")

_STOP_SECONDS = 1.0
"""How long runs may take to bring to their outputs what was committed."""

_ABORT_SECONDS = 0.5
"""How long they may take to end after that, and threads to leave functions that they are inside of."""

_STEP_SECONDS = 0.01

_runs: dict[_native.Run, tuple[Callable[[], None], Callable[[], bool]]] = {}
"""What goes on; what is to be called if it goes on still when the interpreter ends; and whether the program has left
it, and need not be told of its end."""

_has_begun = False


@contextmanager
def stopped_at_the_end(
    native_run: _native.Run, left: Callable[[], None] = lambda: None, is_left: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """While this goes on, the end of the interpreter is the end of the run; `left` is called if it goes on then. People
    are told, unless it `is_left`."""
    _runs[native_run] = left, is_left
    try:
        yield
    finally:
        _runs.pop(native_run, None)
        # A traceback keeps what its frames hold.
        del native_run, left, is_left


def has_begun() -> bool:
    """Whether the interpreter is about to end, and runs with it."""
    return _has_begun


def _end() -> None:
    global _has_begun
    _has_begun = True
    runs = list(_runs)
    if not all(is_left() for _, is_left in list(_runs.values())):
        logger.warning(
            "the program has ended while a computation goes on, which is stopped now: pw.run() waits for its end, and "
            "so do wait() of what pw.start() and table.live() give, and a with block"
        )
    for native_run in runs:
        with suppress(Exception, KeyboardInterrupt):
            native_run.stop()
    runs = _going_on(runs, _STOP_SECONDS)
    for native_run in runs:
        with suppress(Exception, KeyboardInterrupt):
            native_run.abort()
    _going_on(runs, _ABORT_SECONDS)
    for left in _not_left(_ABORT_SECONDS):
        with suppress(Exception):
            left()
    _native.close_door(_ABORT_SECONDS)


def _not_left(seconds: float) -> list[Callable[[], None]]:
    """Of the runs that have ended, their threads still say so, and then are not there any more; the others are left."""
    until = time.monotonic() + seconds
    while True:
        open = dict(_runs)
        if time.monotonic() > until or not any(_has_ended(native_run) for native_run in open):
            return [left for left, _ in open.values()]
        time.sleep(_STEP_SECONDS)


def _going_on(runs: list[_native.Run], seconds: float) -> list[_native.Run]:
    """The runs that still go on after so many seconds, or when all have ended."""
    until = time.monotonic() + seconds
    while True:
        runs = [native_run for native_run in runs if not _has_ended(native_run)]
        if not runs or time.monotonic() > until:
            return runs
        time.sleep(_STEP_SECONDS)


def _has_ended(native_run: _native.Run) -> bool:
    try:
        return native_run.wait(0)
    except BaseException:
        # Whoever has called pw.run hears of it.
        return True


forks.in_child(_runs.clear)
exits.at_exit(_end)
