"""What people read when an exception ends a run, or a process.

They see frames of their own (`frames`), and one message. Whatever users call is a function of one of the decorators
here, of `arguments.explained`, or of `origin.declares`; tests/test_frames.py calls all of them wrongly.

Python writes a traceback line by line. Where several processes share a console and fail at once, their lines would be
mixed, and nobody could tell whose they are. So those are printed whole, and with the number of the process.
"""

from __future__ import annotations

import inspect
import sys
from types import TracebackType
from typing import ParamSpec, TypeVar

from pathway._ground import arguments, environment, frames

P = ParamSpec("P")
R = TypeVar("R")


shortened = arguments.explained
"""Of exceptions that come out of a function which users call, they see their own frames; `frames` says which."""


def shortened_class(kind: type[R]) -> type[R]:
    """The same for what the objects of a class can do: its methods, operators and properties, those of the class
    itself included, but not those of its bases."""
    for name, member in list(vars(kind).items()):
        is_special = name.startswith("__") and name.endswith("__")
        if (name.startswith("_") and not is_special) or name in _OF_PYTHON:
            continue
        if isinstance(member, (classmethod, staticmethod)):
            setattr(kind, name, type(member)(shortened(member.__func__)))
        elif isinstance(member, property) and member.fget is not None:
            setattr(kind, name, property(shortened(member.fget), member.fset, member.fdel, member.__doc__))
        elif (
            inspect.isfunction(member)
            and not inspect.iscoroutinefunction(member)
            and member.__code__ not in frames.EDGES
        ):
            setattr(kind, name, shortened(member))
    return kind


_OF_PYTHON = frozenset({"__new__", "__repr__", "__str__", "__hash__", "__getstate__", "__setstate__", "__reduce__"})
"""What Python calls by itself, again and again, and where nothing goes wrong."""

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
