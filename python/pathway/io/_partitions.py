"""Subjects that are read in partitions.

A subject that defines `partitions` and a `run` that takes one says what can be read at the same time. The first process
asks it when a run starts; every partition is then read in one process, in a thread of its own:

    start() ── thread a: run("a") ─┐
            └─ thread b: run("b") ─┴─ on_stop() → end()

What `run` gets as `self` is a *part* of the subject: it has a native half of its own, so that a row costs what it
costs without partitions and `commit` is about the rows of one, and it shares all attributes with the subject.
"""

from __future__ import annotations

import functools
import inspect
import threading
from typing import TYPE_CHECKING, TypeVar

from pathway import _native
from pathway.io import _drive

if TYPE_CHECKING:
    from pathway.io._subject import ConnectorSubject

Subject = TypeVar("Subject", bound="ConnectorSubject")


def are_declared(subject: type[ConnectorSubject]) -> bool:
    """Whether a class says that it is read in partitions: an attribute of that name alone may mean anything.

    Raises:
        TypeError: `run` wants a partition and there are none.
    """
    wants_one = _wants_an_argument(subject.run)
    has_them = callable(getattr(subject, "partitions", None))
    if wants_one and not has_them:
        raise TypeError(
            f"{subject.__name__}.run() takes a partition, but the class does not define partitions(): it returns the "
            "names of the partitions, a list of str"
        )
    return wants_one and has_them


def _wants_an_argument(run: object) -> bool:
    """Whether a function has to be called with more than `self`."""
    try:
        parameters = list(inspect.signature(run).parameters.values())[1:]  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(each.kind in positional and each.default is inspect.Parameter.empty for each in parameters)


def names(subject: ConnectorSubject) -> list[str]:
    """The partitions of a subject.

    Raises:
        TypeError: they are no list of str.
        ValueError: a name comes twice.
    """
    found = subject.partitions()  # type: ignore[attr-defined]
    what = f"{type(subject).__name__}.partitions()"
    if isinstance(found, (str, bytes)) or not isinstance(found, (list, tuple)):
        raise TypeError(f"{what} returns a list of str, found {found!r}")
    for name in found:
        if not isinstance(name, str):
            raise TypeError(f"{what} returns a list of str, found {name!r} in it")
    if len(set(found)) < len(found):
        twice = next(name for name in found if found.count(name) > 1)
        raise ValueError(f"{what} returns each partition once, found {twice!r} more than once")
    return list(found)


def part(subject: Subject) -> Subject:
    """What takes the rows of one partition."""
    kind = type(subject)
    made: Subject = _native.Subject.__new__(kind)
    # One dict for all: what one partition sets, the others see.
    made.__dict__ = subject.__dict__
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            if slot not in ("__dict__", "__weakref__") and hasattr(subject, slot):
                setattr(made, slot, getattr(subject, slot))
    return made


class Parts:
    """The partitions of one subject that are read in this process, during one run."""

    def __init__(self, subject: ConnectorSubject, parts: list[tuple[str, ConnectorSubject]]) -> None:
        self._subject = subject
        self._parts = parts
        self._lock = threading.Lock()
        self._running = len(parts)
        self._error: BaseException | None = None

    @property
    def subjects(self) -> list[ConnectorSubject]:
        """What takes the rows of each."""
        return [part for _, part in self._parts]

    def run(self) -> None:
        """Reads all of them at the same time, and raises the first error of any."""
        threads = [
            threading.Thread(
                target=functools.partial(self._run_one, name, part),
                name=f"pathway:{self._subject.datasource_name}:{name}",
                daemon=True,
            )
            for name, part in self._parts
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._error is not None:
            raise self._error

    def _run_one(self, name: str, part: ConnectorSubject) -> None:
        from pathway.io._subject import StopSubject

        error: BaseException | None = None
        try:
            _drive.drive(part, name)
        except StopSubject:
            pass
        except BaseException as raised:
            error = raised
            error.add_note(f"in partition {name!r} of {self._subject.datasource_name}")
        with self._lock:
            self._running -= 1
            is_last = self._running == 0
            if self._error is None:
                self._error = error
        # The last one stays open until `on_stop` and `end` have been called: they may fail.
        if error is not None or (not is_last and part._is_finite()):
            part._close_native(error, part._is_stopped)
