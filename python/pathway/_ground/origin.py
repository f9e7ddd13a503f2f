"""Where in the user's program something was written.

Tables and expressions remember the first frame outside this package. Remembering costs three
attributes of a frame; the text of the line is read only when something needs it.
"""

from __future__ import annotations

import functools
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple, ParamSpec, TypeVar

from pathway._ground import arguments

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


P = ParamSpec("P")
R = TypeVar("R")


class Place(NamedTuple):
    """A line of a file."""

    file: str
    line: int
    function: str

    def text(self) -> str:
        """The line itself, without the space around it; empty if it cannot be read."""
        # Few lines are ever shown, and it takes time to import.
        import linecache

        return linecache.getline(self.file, self.line).strip()

    def origin(self) -> tuple[str, int, str, str]:
        """The place as the engine wants it."""
        return (self.file, self.line, self.text(), self.function)

    def note(self) -> str:
        """What is added to exceptions that this line caused."""
        return f"Occurred here:\n    Line: {self.text()}\n    File: {self.file}:{self.line}"


def is_ours(frame: FrameType) -> bool:
    """Whether a frame runs code of this package, or of the machinery of imports and of cached properties."""
    return frame.f_code.co_filename.startswith((_PACKAGE, "<frozen ", functools.__file__))


def user_frame() -> FrameType | None:
    """The innermost frame that runs code outside this package."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_ours(frame):
        frame = frame.f_back
    return frame


def user_names() -> dict[str, Any]:
    """The names that the line of the user's program that is running knows."""
    frame = user_frame()
    return {} if frame is None else {**frame.f_globals, **frame.f_locals}


def user_place() -> Place | None:
    """The line of the user's program that is running."""
    frame = user_frame()
    return None if frame is None else Place(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def user_origin() -> tuple[str, int, str, str] | None:
    """The line of the user's program that is running, as the engine wants it."""
    place = user_place()
    return None if place is None else place.origin()


def warn(message: str, category: type[Warning] = UserWarning, place: Place | None = None) -> None:
    """A warning that names a line of the user's program, by default the one that is running."""
    frame = user_frame()
    if place is not None:
        warnings.warn_explicit(message, category, place.file, place.line)
    elif frame is None:
        warnings.warn(message, category, stacklevel=2)
    else:
        registry = frame.f_globals.setdefault("__warningregistry__", {})
        # Filters look at the module: deprecations, for one, are shown where the main program causes them.
        module = frame.f_globals.get("__name__")
        warnings.warn_explicit(message, category, frame.f_code.co_filename, frame.f_lineno, module, registry)


@contextmanager
def noting(place: Place | None) -> Iterator[None]:
    """Adds the place to exceptions that pass, unless one was added further in."""
    try:
        yield
    except Exception as error:
        notes = getattr(error, "__notes__", ())
        if place is not None and not any(note.startswith("Occurred here:") for note in notes):
            error.add_note(place.note())
        raise


def declares(method: Callable[P, R]) -> Callable[P, R]:
    """Marks what users call to declare something: its exceptions name the user's line."""

    @functools.wraps(method)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        # pytest shows the line of the test, and not this one.
        __tracebackhide__ = True
        with noting(user_place()):
            try:
                return method(*args, **kwargs)
            except TypeError as error:
                arguments.explain(method, error)
                raise

    return wrapped
