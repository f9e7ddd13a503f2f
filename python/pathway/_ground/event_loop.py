"""The event loop for coroutines that the engine's threads wait for.

Unless a run was given a loop of the user's (`using`), it is one that lives in a daemon thread, starts when it is
first needed, and outlives single calls and runs: a client that belongs to the loop can be used from one call to
the next.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from collections.abc import Awaitable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_own: asyncio.AbstractEventLoop | None = None
_given: asyncio.AbstractEventLoop | None = None


def run_together(work: Sequence[Awaitable[None]]) -> None:
    """Runs everything concurrently and waits. The first exception cancels the rest and is raised."""
    error = asyncio.run_coroutine_threadsafe(_together(work), _given or _own_loop()).result()
    if error is not None:
        raise error


def run(work: Coroutine[Any, Any, None]) -> None:
    """Runs something long, a subject, in the loop of the user, or else in one of its own, and waits."""
    if _given is None:
        error = asyncio.run(_outcome(work))
    else:
        error = asyncio.run_coroutine_threadsafe(_outcome(work), _given).result()
    if error is not None:
        raise error


@contextmanager
def using(loop: asyncio.AbstractEventLoop, call: str) -> Iterator[None]:
    """While a run goes on, its coroutines belong to this loop, which runs in a thread of ours if it does not yet."""
    global _given
    if loop.is_closed():
        raise ValueError(f"argument event_loop of {call}(): the loop is closed")
    if loop is _loop_of_this_thread():
        raise ValueError(
            f"argument event_loop of {call}(): the loop runs in this thread, which {call}() blocks; "
            f"call it with asyncio.to_thread({call}, event_loop=loop)"
        )
    with _lock:
        if _given is not None:
            raise RuntimeError(f"argument event_loop of {call}(): another run with an event_loop is going on")
        _given = loop
    thread = None
    try:
        if not loop.is_running():
            thread = threading.Thread(target=loop.run_forever, name="pathway:given-event-loop", daemon=True)
            thread.start()
        yield
    finally:
        if thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            # It stops at once, unless the run was abandoned and something blocks the loop.
            thread.join(1.0)
        with _lock:
            _given = None


def _own_loop() -> asyncio.AbstractEventLoop:
    global _own
    with _lock:
        if _own is None:
            _own = asyncio.new_event_loop()
            threading.Thread(target=_own.run_forever, name="pathway:event-loop", daemon=True).start()
        return _own


def _begin_anew() -> None:
    """In a process that was forked there is no thread that runs the loop, but the loop's selector is still shared."""
    global _lock, _own, _left_behind
    # Closing the loop would take its files out of the parent's selector, so it is kept.
    _left_behind, _own = _own, None
    _lock = threading.Lock()


_left_behind: asyncio.AbstractEventLoop | None = None
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def _loop_of_this_thread() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def _outcome(work: Awaitable[None]) -> BaseException | None:
    """Awaits something, and gives back the exception that ends it.

    A SystemExit or KeyboardInterrupt that leaves a task ends the loop, and nobody who waits for the task hears of it.
    """
    try:
        await work
    except BaseException as error:
        return error
    return None


async def _together(work: Sequence[Awaitable[None]]) -> BaseException | None:
    """The first exception, after which the rest is cancelled."""
    tasks = [asyncio.ensure_future(_outcome(item)) for item in work]
    error: BaseException | None = None
    try:
        for finished in asyncio.as_completed(tasks):
            error = await finished
            if error is not None:
                break
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for item in work:
            # What was cancelled before it began.
            if inspect.iscoroutine(item):
                item.close()
    return error
