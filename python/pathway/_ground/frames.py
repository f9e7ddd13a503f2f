"""The frames of a traceback: which are those of the user's program, and how all others are taken out.

A traceback leads from the line of the program that has called us to the one that has gone wrong. What lies between is
of use to nobody but us: frames of the package, and of the standard library that the package has called. They are taken
out of the traceback itself, so that it reads the same wherever it is printed: by a script, ``python -c``, a thread, a
notebook, pytest, or a log.

A mistake of ours keeps all its frames: what is wrong with us is found by them. It is told by the instruction that it
came of. Where we say `raise`, or the engine does, there is a message for people; what the interpreter has raised in a
frame of ours, by itself, was not expected.
"""

from __future__ import annotations

import functools
import opcode
import os
import re
from collections.abc import Iterator
from types import CodeType, FrameType, TracebackType

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_STANDARD_LIBRARY = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_INSTALLED = tuple(_STANDARD_LIBRARY + name + os.sep for name in ("site-packages", "dist-packages"))

_MISTAKES = (AssertionError, AttributeError, LookupError, NameError, TypeError, RecursionError)
"""What is raised where a program is wrong."""

_RAISES = opcode.opmap["RAISE_VARARGS"]

EDGES: set[CodeType] = set()
"""The functions that stand between users and what they call. What comes of these themselves is a wrong call."""

_OF_THE_INTERPRETER = re.compile(
    r"takes .* argument|missing \d+ required|unexpected keyword|multiple values|unsupported operand type\(s\)|"
    r"unhashable|not supported between|cannot unpack|has no len|object is not |object expected|"
    r"^argument '"
)
"""What a TypeError says that is not a message of the engine."""


def is_ours(frame: FrameType) -> bool:
    """Whether a frame runs code of this package, or of the machinery of imports and of cached properties."""
    return frame.f_code.co_filename.startswith((_PACKAGE, "<frozen ", functools.__file__))


def is_of_program(frame: FrameType) -> bool:
    """Whether a frame is of the program itself, and of no library."""
    path = frame.f_code.co_filename
    is_of_library = path.startswith(_STANDARD_LIBRARY) or f"{os.sep}site-packages{os.sep}" in path
    return not is_of_library and not is_ours(frame)


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
    if is_unexpected(error):
        return error.__traceback__
    shorter: TracebackType | None = None
    for trace, is_the_user in reversed(list(_frames(error.__traceback__))):
        if is_the_user:
            shorter = TracebackType(shorter, trace.tb_frame, trace.tb_lasti, trace.tb_lineno)
    return shorter


def is_unexpected(error: BaseException) -> bool:
    """Whether an exception comes from a frame which is not the user's, and may be a mistake of ours. It is a message
    where the frame says, with `__tracebackhide__`, that it only passes on what it was told."""
    if not isinstance(error, _MISTAKES) or error.__traceback__ is None:
        return False
    *_, (last, is_the_user) = _frames(error.__traceback__)
    if is_the_user or last.tb_frame.f_code in EDGES or "__tracebackhide__" in last.tb_frame.f_locals:
        return False
    if isinstance(error, AssertionError) or not is_ours(last.tb_frame):
        return True
    if last.tb_frame.f_code.co_code[last.tb_lasti] == _RAISES:
        return False
    return not isinstance(error, TypeError) or _OF_THE_INTERPRETER.search(str(error)) is not None


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
