"""What answers for names that modules of the package have not (yet), and for modules that are not there.

`import pathway.io.kafka`, `from pathway.udfs import DiskCache` and `pw.io.kafka` are three ways to ask for something.
Python asks the module for the attribute in the last two, and a finder for the module in the first two; but where a
name is imported, it replaces the message of an AttributeError by its own. So who imports gets an ImportError.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from importlib import import_module
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, NoReturn

from pathway._ground import hints, tracebacks

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

# What a module is called in messages, and the idioms that are meant where one of its names is asked for.
_KINDS = {"pathway": "module", "pathway.io": "connectors", "pathway.reducers": "reducers"}


def of(module: str, modules: Collection[str] = ()) -> Callable[[str], ModuleType]:
    """The `__getattr__` of a module. Hide it from type checkers, which would take every name for one that is there.

    If it is a package, those of its `modules` that are named are imported when they are first asked for.
    """

    @tracebacks.shortened
    def __getattr__(name: str) -> ModuleType:
        if name in modules:
            return import_module(f"{module}.{name}")
        # The frame between belongs to the decorator.
        complain(module, name, sys._getframe(2))

    return __getattr__


def complain(module: str, name: str, asking: FrameType) -> NoReturn:
    """Says that a module has no such name, to whoever asks in that frame."""
    if name.startswith("_"):
        # Tools ask for such names to learn what a module can do.
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    message = hints.missing(f"{module}.{name}") or hints.of_member(
        f"module {module!r} has no attribute", _KINDS.get(module, "connector"), name, _names(sys.modules[module])
    )
    if _imports(asking):
        raise ImportError(message, name=module)
    # With the name alone, Python does not add a suggestion of its own when it prints the error.
    raise AttributeError(message, name=name)


def _names(module: ModuleType) -> Sequence[str]:
    names: Sequence[str] = getattr(module, "__all__", ())
    return names


def _imports(frame: FrameType) -> bool:
    """Whether the frame is at `from module import name`."""
    # Only who has made a mistake needs it.
    import opcode

    return frame.f_lasti >= 0 and frame.f_code.co_code[frame.f_lasti] == opcode.opmap["IMPORT_FROM"]


class Finder:
    """The last to be asked for a module, when nobody has it."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Never finds anything, but says so for what belongs to the API."""
        if not name.startswith("pathway."):
            return None
        wanted = _wanted(sys._getframe(1))
        # Who only looks whether there is such a module, as importlib.util.find_spec does, learns that there is none.
        message = None if wanted is None else hints.missing(wanted) or _nearly(wanted)
        if message is None:
            return None
        try:
            raise ModuleNotFoundError(message, name=name)
        except ModuleNotFoundError as error:
            # Raised again as it is, it does not get the frame of this function.
            error.__traceback__ = None
            raise


def _nearly(module: str) -> str | None:
    """What to say of a module if its name is nearly that of another."""
    package, _, name = module.rpartition(".")
    close = hints.nearest(name, _names(sys.modules[package])) if package in sys.modules else None
    return f"No module named {module!r}. Did you mean '{package}.{close}'?" if close else None


def _wanted(frame: FrameType | None) -> str | None:
    """The module that is imported by the line that led here; its parents are looked for first."""
    wanted: str | None = None
    while frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
        if frame.f_code.co_name == "_find_and_load":
            wanted = frame.f_locals["name"]
        frame = frame.f_back
    return wanted


def install() -> None:
    """Has the finder asked, once."""
    if Finder not in sys.meta_path:
        sys.meta_path.append(Finder)
