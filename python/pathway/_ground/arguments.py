"""The edge of the package: what becomes of exceptions that come out of functions which users call.

They keep the frames of the user's program only (`frames`). If the call itself was wrong, the message says so: which
argument was probably meant by a name that there is not, and which one is not of the type that the signature asks for.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from pathway._ground import frames

P = ParamSpec("P")
R = TypeVar("R")


def explained(function: Callable[P, R], *, then: Callable[[BaseException], None] | None = None) -> Callable[P, R]:
    """A function that users call; `then` is called with an exception that leaves it."""

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            explain(function, error)
            if then is not None:
                then(error)
            # The engine calls from nowhere, which is as good as the program.
            caller = sys._getframe().f_back
            if caller is not None and frames.is_ours(caller):
                # There is another edge to come.
                raise
            mistake = _mistake(function, args, kwargs, error)
            if mistake is None:
                frames.shorten(error)
                # Raised again as it is, it does not even get the frame of this function.
                raise
            try:
                raise mistake from None
            except TypeError:
                mistake.__traceback__ = None
                raise

    frames.EDGES.add(getattr(called, "__code__"))  # noqa: B009 (to type checkers it is any callable)
    return called


def explained_class(kind: type[R]) -> type[R]:
    """The same for the arguments that objects of a class are made of."""
    setattr(kind, "__init__", explained(kind.__init__))  # noqa: B010 (type checkers must not take it for another)
    return kind


def explain(function: Callable[..., object], error: BaseException) -> None:
    """For who has called the function and caught the error: says more if the call itself was wrong."""
    trace = error.__traceback__
    # The function has not begun, or there would be another frame.
    if isinstance(error, TypeError) and trace is not None and trace.tb_next is None:
        # Only who has made a mistake needs it.
        from pathway._ground import hints

        hints.naming_arguments(function, error)


def _mistake(
    function: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object], error: BaseException
) -> TypeError | None:
    """What is said instead of an error that nobody expected, if the program has called the function with something
    that its signature does not allow."""
    if not frames.is_unexpected(error):
        return None
    # Only who has made a mistake needs it.
    from pathway._ground import mismatches

    try:
        message = mismatches.found(function, args, kwargs)
    except Exception:
        # Values of others may do anything when they are looked at. The error stays as it is.
        return None
    if message is None:
        return None
    mistake = TypeError(message)
    for note in getattr(error, "__notes__", ()):
        mistake.add_note(note)
    return mistake
