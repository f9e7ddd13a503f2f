"""What people read when an exception ends a run, or a process.

A traceback leads from the line of the program that has called us to the one that has gone wrong. What lies between is
of use to nobody but us: frames of the package, and of the standard library that the package has called. They are taken
out of the traceback itself, so that it reads the same wherever it is printed: by a script, ``python -c``, a thread, a
notebook, pytest, or a log.

Python writes a traceback line by line. Where several processes share a console and fail at once, their lines would be
mixed, and nobody could tell whose they are. So those are printed whole, and with the number of the process.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import ParamSpec, TypeVar

from pathway._ground import environment
from pathway._ground.origin import is_ours

P = ParamSpec("P")
R = TypeVar("R")

_STANDARD_LIBRARY = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_INSTALLED = tuple(_STANDARD_LIBRARY + name + os.sep for name in ("site-packages", "dist-packages"))

_MISTAKES = (AssertionError, AttributeError, LookupError, NameError, TypeError, RecursionError)
"""What is raised where a program is wrong. If it comes from a frame of ours, the program may be ours, and all frames
stay; but not where the frame says, with `__tracebackhide__`, that it only passes on what it was told."""


def shortened(function: Callable[P, R]) -> Callable[P, R]:
    """Of exceptions that come out of a function which users call, they see their own frames; `shorten` says which."""

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            shorten(error)
            # Raised again as it is, it does not even get the frame of this function.
            raise

    return called


def shorten(error: BaseException) -> None:
    """Takes the frames out that are no frames of the user's, unless the mistake may be in them: of this exception, and
    of those that it came of."""
    seen: set[int] = set()
    open: list[BaseException | None] = [error]
    while open:
        found = open.pop()
        if found is not None and id(found) not in seen:
            seen.add(id(found))
            found.__traceback__ = _shorter(found)
            open += [found.__cause__, found.__context__]
            if isinstance(found, BaseExceptionGroup):
                open += found.exceptions
            if _says_all(found, found.__cause__):
                found.__cause__, found.__suppress_context__ = None, True


def _says_all(error: BaseException, cause: BaseException | None) -> bool:
    """Whether people learn nothing from a cause: there is no frame of theirs in it, and its text is in the message."""
    if cause is None or cause.__cause__ is not None or isinstance(cause, _MISTAKES):
        return False
    if any(is_users for _, is_users in _frames(cause.__traceback__)):
        return False
    try:
        return bool(str(cause)) and str(cause) in str(error)
    except Exception:
        return False


def _shorter(error: BaseException) -> TracebackType | None:
    frames = list(_frames(error.__traceback__))
    if frames and isinstance(error, _MISTAKES):
        last, is_the_user = frames[-1]
        if not is_the_user and "__tracebackhide__" not in last.tb_frame.f_locals:
            return error.__traceback__
    shorter: TracebackType | None = None
    for trace, is_the_user in reversed(frames):
        if is_the_user:
            shorter = TracebackType(shorter, trace.tb_frame, trace.tb_lasti, trace.tb_lineno)
    return shorter


def _frames(trace: TracebackType | None) -> Iterator[tuple[TracebackType, bool]]:
    """The frames, outermost first, and whether each is of the user's program. A library that is installed counts as
    such; the standard library, if the program has called it."""
    is_the_user = True
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename
        is_standard = path.startswith(_STANDARD_LIBRARY) and not path.startswith(_INSTALLED)
        is_the_user = is_the_user if is_standard else not is_ours(trace.tb_frame)
        yield trace, is_the_user
        trace = trace.tb_next


def is_of_program(frame: FrameType) -> bool:
    """Whether a frame is of the program itself, and of no library."""
    path = frame.f_code.co_filename
    is_of_library = path.startswith(_STANDARD_LIBRARY) or f"{os.sep}site-packages{os.sep}" in path
    return not is_of_library and not is_ours(frame)


_TOLD = "_pathway_told"


def told(error: KeyboardInterrupt) -> KeyboardInterrupt:
    """An exception that ends the program, if nobody catches it, without a traceback: people know why, and have been
    told what happens."""
    setattr(error, _TOLD, True)
    # What notebooks show instead of a traceback.
    error._render_traceback_ = _one_line  # type: ignore[attr-defined]
    before = sys.excepthook
    if before is sys.__excepthook__ or before is _print_whole:

        def print_unless_told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
            if not getattr(error, _TOLD, False):
                before(kind, error, trace)

        sys.excepthook = print_unless_told
    return error


def _one_line() -> list[str]:
    return ["KeyboardInterrupt: the run was stopped"]


def install() -> None:
    """Has the traceback printed whole and with the process, if this is one of several and nobody else prints it."""
    if sys.excepthook is not sys.__excepthook__ or not environment.is_one_of_several():
        return
    try:
        environment.log_prefix()
    except ValueError:
        # The run will say what is wrong with the environment.
        return
    sys.excepthook = _print_whole


def _print_whole(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    # It takes time to import.
    import traceback

    if sys.stderr is not None:
        sys.stderr.write(environment.log_prefix() + "".join(traceback.format_exception(kind, error, trace)))
