"""Names of arguments that a function does not have."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def explained(function: Callable[P, R]) -> Callable[P, R]:
    """Has the error say which argument was probably meant, when the function is called with one that it has not."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        # pytest shows the line of the test, and not this one.
        __tracebackhide__ = True
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            explain(function, error)
            raise

    return wrapped


def explained_class(kind: type[R]) -> type[R]:
    """The same for the arguments that objects of a class are made of."""
    setattr(kind, "__init__", explained(kind.__init__))  # noqa: B010 (type checkers must not take it for another)
    return kind


def explain(function: Callable[..., object], error: TypeError) -> None:
    """For who has called the function and caught the error: says more if the call itself was wrong."""
    trace = error.__traceback__
    # The function has not begun, or there would be another frame.
    if trace is not None and trace.tb_next is None:
        # Only who has made a mistake needs it.
        from pathway._ground import hints

        hints.naming_arguments(function, error)
