"""Runs `run` of a subject, whichever of its four forms it has: it sends rows itself, or yields them, or does one
of the two asynchronously.

What counts is what the call gives back, so a plain method that returns a generator works too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import logging
import sys
import threading
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pathway import _native
from pathway._ground import forks, frames
from pathway.io._subject import StopSubject, run_task

if TYPE_CHECKING:
    import asyncio
    from types import FrameType

    from pathway.io._subject import ConnectorSubject
    from pathway.io._subject_run import SubjectRun

logger = logging.getLogger("pathway")


class Cancellable:
    """An asynchronous `run` under way, which another thread may cancel."""

    def __init__(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any] | None) -> None:
        self._loop = loop
        self._task = task
        self.cancelled = False
        # Set when `run` is over: what comes then, an asynchronous `on_stop`, is not cancelled.
        self.ended = False

    def cancel(self) -> None:
        # If the loop is closed, there is nothing left to cancel.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None and not self.ended:
            self.cancelled = True
            self._task.cancel()


def call(function: Callable[..., Any], *arguments: object) -> None:
    """Calls a hook that may be asynchronous."""
    result = function(*arguments)
    if inspect.isawaitable(result):
        _run(_awaited(result))


def _run(work: Coroutine[Any, Any, None]) -> None:
    # Most subjects need no asyncio, which takes long to import.
    from pathway._ground import event_loop

    event_loop.run(work)


async def _awaited(result: Awaitable[Any]) -> Any:
    return await result


@forks.ended_in_child()
def drive(run: SubjectRun, subject: ConnectorSubject, *arguments: str) -> None:
    """Calls `run` of the subject and sends what it gives back; the argument is the partition, if there is one."""
    given = _native.rows_given(subject)
    returned = subject.run(*arguments)
    if inspect.isawaitable(returned):
        _run(_cancellable(run, _awaiting(subject, returned, given), returned))
    elif isinstance(returned, AsyncIterable):
        _run(_cancellable(run, _drain(subject, aiter(returned)), returned))
    else:
        take_returned(subject, returned, given)


def take_returned(subject: ConnectorSubject, items: Any, given: int) -> None:
    """Sends the rows that a call of `run` has given back, if it had sent none itself."""
    if isinstance(items, Iterator):
        returned: list[Any] = []
        try:
            for item in _with_returned(items, returned):
                send(subject, item)
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()
        # A generator may yield rows and return others.
        if returned and returned[0] is not items:
            take_returned(subject, returned[0], _native.rows_given(subject))
        return
    if isinstance(items, BaseException):
        raise TypeError(f"run() of {type(subject).__name__} returned {items!r}: an exception has to be raised")
    what = f"run() of {type(subject).__name__}"
    has_sent = _native.rows_given(subject) > given
    if not _are_rows(items):
        if _stands_for_rows(items) and not has_sent:
            raise TypeError(
                f"{what} returned a value of type {type(items).__name__}, which has no rows yet: return what it gives "
                "when it is called or collected"
            )
        # As an exit status, say: nothing that anybody would miss.
        return
    if has_sent:
        logger.warning(
            "%s has sent rows and returned a value of type %s as well, which is not used: a row is either sent or "
            "returned",
            what,
            type(items).__name__,
        )
    elif isinstance(items, (str, bytes)):
        kind = type(items).__name__
        raise TypeError(f"{what} returned {items[:40]!r}, a value of type {kind}: return a list of rows")
    elif isinstance(items, Mapping) or _is_batch_or_row(items):
        send(subject, items)
    else:
        for item in items:
            send(subject, item, "returned")


def _with_returned(items: Any, returned: list[Any]) -> Iterator[Any]:
    """The items, and what a generator returns after them."""
    returned.append((yield from items))


def _are_rows(items: Any) -> bool:
    """Whether somebody may have meant rows by what `run` returned. What `asyncio.gather` gives back are none."""
    if isinstance(items, (list, tuple)):
        return any(item is not None for item in items)
    is_sequence = not isinstance(items, type) and hasattr(items, "__getitem__") and hasattr(items, "__len__")
    return isinstance(items, Iterable) or is_sequence or _is_batch_or_row(items)


def _stands_for_rows(items: Any) -> bool:
    """Whether it is something that would give rows if it were asked: a function, a class, a lazy frame."""
    if isinstance(items, Iterable) or hasattr(items, "__array__"):
        # A number of numpy's is a status.
        return False
    return inspect.isroutine(items) or isinstance(items, (type, functools.partial)) or hasattr(items, "__getitem__")


def _is_batch_or_row(item: Any) -> bool:
    return _is_arrow(item) or _is_object_row(item)


def _is_arrow(item: Any) -> bool:
    return hasattr(item, "__arrow_c_stream__") or hasattr(item, "__arrow_c_array__")


def _is_object_row(item: Any) -> bool:
    return not isinstance(item, type) and (
        hasattr(item, "_fields") or dataclasses.is_dataclass(item) or hasattr(item, "model_dump")
    )


async def _awaiting(subject: ConnectorSubject, work: Awaitable[Any], given: int) -> None:
    returned = await work
    # An `async def` that returns what another gives, without waiting for it.
    while inspect.isawaitable(returned):
        returned = await returned
    if isinstance(returned, AsyncIterable):
        await _drain(subject, aiter(returned))
    else:
        take_returned(subject, returned, given)


async def _drain(subject: ConnectorSubject, items: AsyncIterator[Any]) -> None:
    try:
        async for item in items:
            send(subject, item)
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            await close()


async def _cancellable(run: SubjectRun, work: Coroutine[Any, Any, None], returned: object) -> None:
    """Runs the work with what `run` has returned, then `on_stop` in the same loop: it may close what belongs to it."""
    # See `_run`.
    import asyncio

    task = asyncio.current_task()
    running = Cancellable(asyncio.get_running_loop(), task)
    is_stopped = run.begin(running)
    run_task.set(task)
    try:
        if is_stopped:
            work.close()
            if inspect.iscoroutine(returned):
                returned.close()
        else:
            await work
    except StopSubject:
        # A loop that somebody else runs as well goes on.
        pass
    except asyncio.CancelledError:
        if not running.cancelled:
            raise
    except BaseException as error:
        run.failed(error)
        raise
    finally:
        running.ended = True
        on_stop = run.claim_on_stop() if run.awaits_on_stop() else None
        if on_stop is not None:
            run.expect_end_of("on_stop")
            await on_stop()


_own = threading.local()


def sending_from(place: Callable[[], str]) -> None:
    """From now on, what this thread sends comes from a place that no program is at."""
    _own.place = place


def sending_place() -> str | None:
    """The file and line of the user's program that sends a row: of its call, or of its `yield`."""
    place: Callable[[], str] | None = getattr(_own, "place", None)
    if place is not None:
        return place()
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frames.is_ours(frame):
        if frame.f_code in (take_returned.__code__, _drain.__code__):
            # What has yielded is not on the stack while its row is taken.
            items = frame.f_locals["items"]
            yielding = getattr(items, "gi_frame", None) or getattr(items, "ag_frame", None)
            # What was returned has no line any more.
            return None if yielding is None else f"{yielding.f_code.co_filename}:{yielding.f_lineno}"
        frame = frame.f_back
    return None if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


def send(subject: ConnectorSubject, item: object, gave: str = "yielded") -> None:
    """Sends what `run` has yielded or returned: a row or a batch. Methods of the user's have no say in it."""
    if isinstance(item, Mapping):
        try:
            _native.Subject.next(subject, **item)
        except TypeError:
            if all(isinstance(name, str) for name in item):
                raise
            # `csv` puts the fields that are too many under None.
            _native.Subject.next_batch(subject, (dict(item),))
    elif isinstance(item, str):
        _native.Subject.next_str(subject, item)
    elif isinstance(item, bytes):
        _native.Subject.next_bytes(subject, item)
    elif _is_arrow(item):
        _native.Subject.next_arrow(subject, item)
    elif _is_object_row(item):
        _native.Subject.next_batch(subject, (item,))
    elif isinstance(item, Iterable):
        _native.Subject.next_batch(subject, item)
    else:
        raise TypeError(
            f"run() of {type(subject).__name__} {gave} a value of type {type(item).__name__}: a row is a dict, a "
            "dataclass, a NamedTuple, a pydantic model, or JSON as str or bytes; a batch is a list of rows or arrow "
            "data"
        )
