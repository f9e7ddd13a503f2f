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
import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from pathway import _native
from pathway._ground import signals
from pathway._ground.origin import warn
from pathway.io import _drive, _hooks
from pathway.io._subject import ConnectorSubject, StopSubject, state_of

if TYPE_CHECKING:
    from pathway.io._subject_run import SubjectRun

Subject = TypeVar("Subject", bound="ConnectorSubject")

# The name of a partition, the subject that `run` gets for it, and where its rows go; without a name all of a subject.
Part: TypeAlias = "tuple[str | None, ConnectorSubject, _native.SubjectStream]"

logger = logging.getLogger("pathway")


def are_declared(subject: type[ConnectorSubject]) -> bool:
    """Whether a class says that it is read in partitions: a method `partitions` alone may mean anything.

    Raises:
        TypeError: `run` has no `self`, wants a partition and there are none, or there is no way to hand it one, or
            `__slots__` hold attributes that partitions could not share.
    """
    partitions = inspect.getattr_static(subject, "partitions", None)
    has_them = callable(partitions) or isinstance(partitions, (staticmethod, classmethod))
    what = f"{subject.__name__}.run()"
    if _lacks_self(inspect.getattr_static(subject, "run")):
        raise TypeError(f"{what} takes no self: write def run(self)")
    takes, needs, lacks = _arguments(subject)
    if needs and not has_them:
        found = "" if partitions is None else f", found {partitions!r}"
        raise TypeError(
            f"{what} takes a partition, but the class does not define a method partitions(): it returns the names of "
            f"the partitions, a list of str{found}"
        )
    if lacks:
        arguments = "nothing but the partition, run(self, partition)," if has_them else "no arguments"
        raise TypeError(f"{what} is called with {arguments} and needs {lacks!r}")
    if not has_them:
        return False
    if not takes:
        # A class may have a method of that name for other reasons.
        warn(
            f"{subject.__name__}.partitions() is not used, because {what} takes no partition: to read them at the same "
            "time, define run(self, partition)",
        )
        return False
    slots = sorted({slot for base in subject.__mro__ for slot in _slots(base)} - {"__dict__", "__weakref__"})
    if slots:
        raise TypeError(
            f"{subject.__name__} has attributes in __slots__, which its partitions cannot share: {', '.join(slots)}; "
            "leave __slots__ out"
        )
    return True


def _lacks_self(run: object) -> bool:
    return (
        inspect.isfunction(run)
        and run.__code__.co_argcount == 0
        and not run.__code__.co_flags & inspect.CO_VARARGS
        and not hasattr(run, "__wrapped__")
    )


def _arguments(subject: type[ConnectorSubject]) -> tuple[bool, bool, str | None]:
    """Whether `run` can be called with more than `self`, whether it has to be, and a name that it also wants."""
    run = inspect.getattr_static(subject, "run")
    is_bound = isinstance(run, staticmethod)
    try:
        signature = inspect.signature(run.__func__ if isinstance(run, (staticmethod, classmethod)) else run)
    except (TypeError, ValueError):
        return False, False, None
    parameters = list(signature.parameters.values())
    positional = [each for each in parameters if each.kind in _POSITIONAL]
    more = positional if is_bound else positional[1:]
    rest = [each for each in parameters if each.kind is inspect.Parameter.VAR_POSITIONAL]
    needed = [each for each in more if each.default is inspect.Parameter.empty]
    others = [each for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY]
    lacks = [each.name for each in (*needed[1:], *others) if each.default is inspect.Parameter.empty]
    return bool(more or rest), bool(needed), lacks[0] if lacks else None


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _slots(kind: type) -> tuple[str, ...]:
    slots = kind.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def names(subject: ConnectorSubject) -> list[str]:
    """The partitions of a subject.

    Raises:
        TypeError: they are no list of str.
        ValueError: a name comes twice.
    """
    with signals.raised():
        found = subject.partitions()  # type: ignore[attr-defined]
    what = f"{type(subject).__name__}.partitions()"
    if isinstance(found, (str, bytes)) or not isinstance(found, (list, tuple)):
        raise TypeError(f"{what} returns a list of str, found {found!r}")
    for name in found:
        if not isinstance(name, str):
            raise TypeError(f"{what} returns a list of str, found {name!r} in it: the names are texts, such as str(0)")
    if len(set(found)) < len(found):
        twice = next(name for name in found if found.count(name) > 1)
        raise ValueError(f"{what} returns each partition once, found {twice!r} more than once")
    if not found:
        logger.warning("%s: %s returned none, so there is nothing to read", state_of(subject).shown_name, what)
    return list(found)


def part(subject: Subject) -> Subject:
    """What takes the rows of one partition. Called by the native half."""
    kind = type(subject)
    made: Subject = _native.Subject.__new__(kind)
    # One dict for all: what one partition sets, the others see. The user may have replaced ways to get there.
    object.__setattr__(made, "__dict__", object.__getattribute__(subject, "__dict__"))
    _native.set_subject_state(made, _native.subject_state(subject))
    return made


class Parts:
    """The partitions of one subject that are read in this process, during one run."""

    def __init__(self, run: SubjectRun, parts: Sequence[Part]) -> None:
        self._run = run
        self._parts = parts
        self._lock = threading.Lock()
        self._running = len(parts)
        self._error: BaseException | None = None
        # The partition whose error that is.
        self.failed: str | None = None

    def run(self) -> None:
        """Reads all of them at the same time, and raises the first error of any."""
        threads = [
            threading.Thread(
                target=functools.partial(self._run_one, str(name), part, stream),
                name=f"pathway:{self._run.name}:{name}",
                daemon=True,
            )
            for name, part, stream in self._parts
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._error is not None:
            raise self._error

    def _run_one(self, name: str, part: ConnectorSubject, stream: _native.SubjectStream) -> None:
        error: BaseException | None = None
        try:
            _drive.drive(self._run, part, name)
        except StopSubject:
            pass
        except BaseException as raised:
            error = raised
            error.add_note(f"in partition {name!r} of {self._run.name}")
        with self._lock:
            self._running -= 1
            is_last = self._running == 0
            if self._error is None and error is not None:
                self._error, self.failed = error, name
        # The last one stays open until `on_stop` and `end` have been called: they may fail.
        if error is not None or (not is_last and _hooks.is_finite(part)):
            stream.close(error, self._run.is_stopped)
