"""Runs `run` of a subject, whichever of its four forms it has: it sends rows itself, or yields them, or does one
of the two asynchronously.

What counts is what the call gives back, so a plain method that returns a generator works too.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import inspect
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pathway import _event_loop, _forks, _origin

if TYPE_CHECKING:
    from types import FrameType

    from pathway.io._subject import ConnectorSubject


class Cancellable:
    """An asynchronous `run` under way, which another thread may cancel."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
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


def call(function: Callable[[], Any]) -> None:
    """Calls a hook that may be asynchronous."""
    result = function()
    if inspect.isawaitable(result):
        _event_loop.run(_awaited(result))


async def _awaited(result: Awaitable[Any]) -> Any:
    return await result


@_forks.ended_in_child()
def drive(subject: ConnectorSubject, *arguments: str) -> None:
    """Calls `run` of the subject and sends what it yields; the argument is the partition, if there is one."""
    items = subject.run(*arguments)
    if inspect.isawaitable(items):
        _event_loop.run(_cancellable(subject, items))
    elif isinstance(items, AsyncIterator):
        _event_loop.run(_cancellable(subject, _drain(subject, items)))
    elif isinstance(items, Iterator):
        try:
            for item in items:
                send(subject, item)
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()


async def _drain(subject: ConnectorSubject, items: AsyncIterator[Any]) -> None:
    try:
        async for item in items:
            send(subject, item)
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            await close()


async def _cancellable(subject: ConnectorSubject, work: Awaitable[Any]) -> None:
    """Runs the work, then `on_stop` in the same loop: it may close what belongs to the loop."""
    running = Cancellable()
    with subject._stop_lock:
        # From here on a stop finds what it has to cancel; if it came before, the work does not begin.
        subject._coroutines.append(running)
        is_stopped = subject._is_stopped
    try:
        if not is_stopped:
            await work
        elif inspect.iscoroutine(work):
            work.close()
    except asyncio.CancelledError:
        if not running.cancelled:
            raise
    finally:
        running.ended = True
        if subject._awaits_on_stop():
            with subject._stop_lock:
                called, subject._on_stop_called = subject._on_stop_called, True
            if not called:
                await subject.on_stop()


def sending_place() -> str | None:
    """The file and line of the user's program that sends a row: of its call, or of its `yield`."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _origin.is_ours(frame):
        if frame.f_code in (drive.__code__, _drain.__code__):
            # What has yielded is not on the stack while its row is taken.
            items = frame.f_locals["items"]
            yielding = getattr(items, "gi_frame", None) or getattr(items, "ag_frame", None)
            if yielding is not None:
                return f"{yielding.f_code.co_filename}:{yielding.f_lineno}"
        frame = frame.f_back
    return None if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


def send(subject: ConnectorSubject, item: object) -> None:
    """Sends what `run` has yielded: a row or a batch."""
    if isinstance(item, Mapping):
        subject.next(**item)
    elif isinstance(item, str):
        subject.next_str(item)
    elif isinstance(item, bytes):
        subject.next_bytes(item)
    elif hasattr(item, "__arrow_c_stream__") or hasattr(item, "__arrow_c_array__"):
        subject.next_arrow(item)
    elif hasattr(item, "_fields") or dataclasses.is_dataclass(item) or hasattr(item, "model_dump"):
        subject.next_batch((item,))
    elif isinstance(item, Iterable):
        subject.next_batch(item)
    else:
        raise TypeError(
            f"run() of {type(subject).__name__} yielded a value of type {type(item).__name__}: a row is a dict, a "
            "dataclass, a NamedTuple, a pydantic model, or JSON as str or bytes; a batch is a list of rows or arrow "
            "data"
        )
