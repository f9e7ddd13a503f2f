"""What must not go on in a process that was forked from this one.

A child has the memory of its parent and one of its threads: the handlers of signals that only leave a note for
`pw.run`, the panel on the terminal, the port of the counters, and no run that would do anything with them. Whoever has
such a thing says here how it is undone in a child. And a child that was forked inside a function or a connector must
not come back from it into a computation that goes on in the parent alone.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from pathway import _native
from pathway._ground import frames

_undo: dict[object, Callable[[], None]] = {}


@contextmanager
def undone_in_child(undo: Callable[[], None]) -> Iterator[None]:
    """A process that is forked meanwhile begins with this call. It takes no lock and waits for nobody."""
    key = object()
    _undo[key] = undo
    try:
        yield
    finally:
        _undo.pop(key, None)


def in_child(function: Callable[[], None]) -> None:
    """A process that is forked begins with this call."""
    _undo[object()] = function


def end(error: BaseException | None) -> NoReturn:
    """Ends a forked process that comes back from the function in which it was forked, as a program of its own ends."""
    status = 1
    with suppress(BaseException):
        if isinstance(error, SystemExit):
            status = _status(error)
        elif error is not None:
            # Few forked processes end so, and it takes time to import.
            import traceback

            frames.shorten(error)
            traceback.print_exception(error)
        else:
            print(
                f"process {os.getpid()} was forked in a function or a connector, and has returned from it into the "
                "computation, which goes on in its parent alone: it ends here. Let a forked process end with "
                "os._exit(), or use subprocess or multiprocessing",
                file=sys.stderr,
            )
    for stream in (sys.stdout, sys.stderr):
        with suppress(BaseException):
            stream.flush()
    os._exit(status)


@contextmanager
def ended_in_child() -> Iterator[None]:
    """Ends a forked process that comes out of this, if it was forked within."""
    process = os.getpid()
    error: BaseException | None = None
    try:
        yield
    except BaseException as raised:
        error = raised
        raise
    finally:
        if os.getpid() != process:
            end(error)


def _status(error: SystemExit) -> int:
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    print(error.code, file=sys.stderr)
    return 1


# What SIGTERM does to a child is settled only when its own handler is in place. Until then it waits.
_waiting = threading.local()


def _hold_signals() -> None:
    _waiting.mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,)) if _undo else None


def _release_signals() -> None:
    if _waiting.mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, _waiting.mask)


def _begin() -> None:
    _native.begin_forked()
    for undo in reversed(list(_undo.values())):
        # There is nobody to hear of it.
        with suppress(Exception):
            undo()
    _release_signals()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold_signals, after_in_parent=_release_signals, after_in_child=_begin)
