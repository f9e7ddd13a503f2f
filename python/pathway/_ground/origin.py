"""Where in the user's program something was written.

Tables and expressions remember the first frame outside this package. Remembering costs three
attributes of a frame; the text of the line is read only when something needs it.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple, ParamSpec, TypeVar

from pathway._ground import arguments
from pathway._ground.frames import is_ours

P = ParamSpec("P")
R = TypeVar("R")

_HERE = "Occurred here:"


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
        return f"{_HERE}\n    Line: {self.text()}\n    File: {self.file}:{self.line}"


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
        note(error, place)
        raise


def note(error: BaseException, place: Place | None) -> None:
    """Adds the place to an exception, unless one was added further in."""
    notes = getattr(error, "__notes__", ())
    if isinstance(error, Exception) and place is not None and not any(each.startswith(_HERE) for each in notes):
        error.add_note(place.note())


def declares(method: Callable[P, R]) -> Callable[P, R]:
    """Marks what users call to declare something: its exceptions name the user's line."""

    return arguments.explained(method, then=lambda error: note(error, user_place()))
