"""A function of the user's that another process has to find."""

from __future__ import annotations

import multiprocessing.spawn
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

_MAIN_KEYS = ("init_main_from_name", "init_main_from_path")


class Program(NamedTuple):
    """What another process needs to find functions of this one."""

    preparation: dict[str, Any]
    functions: bytes


def portable(what: str, functions: tuple[Callable[..., Any] | None, ...]) -> Program:
    """Functions as another process can find them: by the names of their modules and their own.

    Raises:
        ValueError: one of them cannot be found there.
    """
    for function in functions:
        if function is not None:
            _check(what, function)
    pickled = pickle.dumps(functions)
    preparation = multiprocessing.spawn.get_preparation_data("pathway-nursery")
    # It is for processes of multiprocessing, and must not be shown.
    for key in ("authkey", "start_method", "log_to_stderr"):
        preparation.pop(key, None)
    if b"__main__" not in pickled:
        # To import it again would take time, and do what it does.
        for key in _MAIN_KEYS:
            preparation.pop(key, None)
    return Program(preparation, pickled)


def found(program: Program) -> tuple[Callable[..., Any] | None, ...]:
    """The functions, in the process that has to find them."""
    multiprocessing.spawn.prepare(program.preparation)
    functions: tuple[Callable[..., Any] | None, ...] = pickle.loads(program.functions)
    return functions


def _check(what: str, function: Callable[..., Any]) -> None:
    if not callable(function):
        raise TypeError(f"{what} takes functions, found {function!r}")
    name = getattr(function, "__qualname__", repr(function))
    advice = (
        "it runs in a process of its own, which imports it: define it at the top of a module, such as a file "
        "test_pipeline.py, and import it from there"
    )
    try:
        pickled = pickle.dumps(function)
    except Exception as error:
        raise ValueError(f"{what} cannot find {name} again ({error}); {advice}") from None
    if b"__main__" not in pickled:
        return
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    is_module = getattr(getattr(main, "__spec__", None), "name", None) is not None
    if not is_module and (file is None or not Path(file).exists()):
        raise ValueError(
            f"{what} cannot find {name} again: it was defined in a notebook, or in what was typed, and not in a file; "
            f"{advice}"
        )
