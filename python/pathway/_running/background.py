"""A run in the background, and the handle by which the program waits for it and ends it.

The run goes on in a daemon thread, as it would in `pw.run`. Whoever waits for its end does so as in `pw.run`, too:
signals that come meanwhile end the run in order, and what they are for is raised then.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING

from pathway._ground import forks, frames, tracebacks
from pathway._ground.origin import user_place
from pathway._ground.shown import of_error, shown
from pathway._running import logs
from pathway._running.waiting import Signals, noted_signals

if TYPE_CHECKING:
    import asyncio

logger = logging.getLogger("pathway")

_PATIENCE_SECONDS = 10.0
"""So long a run waits for the end of another one that is over for the program."""


class Control:
    """What two threads know of a run: the one that it goes on in, and one that may end it."""

    def __init__(self) -> None:
        self.signals = Signals()
        self.begun = threading.Event()
        self.awaits_outputs = False
        """Whether it has begun only when its outputs are open."""


@tracebacks.shortened_class
class RunHandle:
    """A run that goes on in the background, as ``pw.start`` has started it.

    It may be used from any thread. As a context manager, also with ``async with``, it stops the run at the end of the
    block. If nobody keeps it, the run goes on nevertheless.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... word
    ... hello
    ... ''')
    >>> words = []
    >>> pw.io.subscribe(table, lambda key, row, time, is_addition: words.append(row["word"]))
    >>> handle = pw.start(monitoring_level=pw.MonitoringLevel.NONE)
    >>> handle.wait()
    True
    >>> words
    ['hello']
    >>> handle
    <pathway.RunHandle: has ended>
    >>> handle.stop()
    True
    """

    def __init__(self, execute: Callable[[Control], None], event_loop: asyncio.AbstractEventLoop | None) -> None:
        self._execute = execute
        self._event_loop = event_loop
        self._control = Control()
        self._ended = threading.Event()
        self._has_begun = False
        self._error: BaseException | None = None
        # What is to be raised once, since a signal has ended the run.
        self._leaving: BaseException | None = None
        self._traceback: TracebackType | None = None
        # Whether the program knows of the error.
        self._is_told = False
        self._waiting = 0
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._place = present_place()

    @property
    def is_running(self) -> bool:
        """Whether the run goes on. It does while it is being stopped.

        >>> import pathway as pw
        >>> with pw.start() as handle:
        ...     pass
        >>> handle.is_running
        False
        """
        return self._process == os.getpid() and not self._ended.is_set()

    @property
    def error(self) -> BaseException | None:
        """What has ended the run, if it has failed. To ask for it raises nothing.

        >>> import pathway as pw
        >>> with pw.start() as handle:
        ...     pass
        >>> handle.error is None
        True
        """
        return self._error

    @tracebacks.shortened
    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the run has ended by itself, or was stopped.

        In the main thread, and without a timeout, it is as if ``pw.run`` had been called: Ctrl-C and SIGTERM end the
        run in order, and only then KeyboardInterrupt or SystemExit(143) is raised.

        Args:
            timeout: for how many seconds at most; None is for as long as it takes.

        Returns:
            Whether it has ended.

        Raises:
            Exception: what has ended the run, each time.
            RuntimeError: the run waits for whoever has called this: a function that it calls, or its event loop.

        >>> import pathway as pw
        >>> pw.start().wait(timeout=10)
        True
        """
        self._check_caller(timeout)
        with self._awaited(), noted_signals(self._control.signals) if timeout is None else nullcontext():
            if not self._ended.wait(timeout):
                return False
        if timeout is None and threading.current_thread() is threading.main_thread():
            # Signals are for who waits as `pw.run` does.
            leaving, self._leaving = self._leaving, None
            if leaving is not None:
                raise leaving
        if self._error is not None:
            self._is_told = True
            # What was added where it was raised before is of no use here.
            raise self._error.with_traceback(self._traceback)
        return True

    @tracebacks.shortened
    def stop(self, timeout: float | None = None) -> bool:
        """Ends the run well, and waits for that: ``on_stop`` of the subjects is called, and everything that was
        committed reaches the outputs, which are complete.

        It may be called several times, and when the run has ended.

        Args:
            timeout: for how many seconds to wait at most; the run goes on ending after that. A function that the run
                itself calls can only ask for the end, with ``stop(timeout=0)``.

        Returns:
            Whether the run has ended.

        Raises:
            Exception: what has ended the run, each time.
            RuntimeError: the run waits for whoever has called this: a function that it calls, or its event loop.

        >>> import pathway as pw
        >>> handle = pw.start()
        >>> handle.stop()
        True
        """
        self._check_caller(timeout)
        self._control.signals.ask(at_once=False)
        return self.wait(timeout)

    def abort(self) -> None:
        """Has the run end at once, without waiting for it: rows that are on their way are lost.

        >>> import pathway as pw
        >>> handle = pw.start()
        >>> handle.abort()
        >>> handle.wait()
        True
        """
        self._control.signals.ask(at_once=True)

    def __enter__(self) -> RunHandle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave(error)

    async def __aenter__(self) -> RunHandle:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Who is here has imported it.
        import asyncio

        await asyncio.to_thread(self._leave, error)

    def __repr__(self) -> str:
        if self.is_running:
            state = "is being stopped" if self._control.signals.asked else "is running"
        elif self._error is not None:
            state = f"has failed with {of_error(self._error)}"
        else:
            state = "has ended"
        return f"<pathway.RunHandle: {state}>"

    def _begin(self, *, awaits_outputs: bool = False) -> None:
        """Starts the run; raises what keeps it from beginning. That is also an output that cannot be opened, if outputs
        are awaited."""
        # Functions of outputs that are called first may need the event loop of this thread.
        loop = self._event_loop
        self._control.awaits_outputs = awaits_outputs and (loop is None or loop is not _loop_of_this_thread())
        threading.Thread(target=self._run, name="pathway:run", daemon=True).start()
        try:
            self._control.begun.wait()
        except BaseException:
            # An interrupt. Nobody will have the handle.
            self._control.signals.ask(at_once=False)
            raise
        if self._ended.is_set() and self._error is not None and not self._has_begun:
            self._is_told = True
            raise self._error
        with _lock:
            _all.add(self)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._execute(self._control)
        except BaseException as raised:
            error = raised
        signals = self._control.signals
        if (signals.interrupted or signals.terminated) and isinstance(error, (KeyboardInterrupt, SystemExit)):
            self._leaving, error = error, None
        with self._lock:
            self._has_begun = self._control.begun.is_set()
            if error is not None:
                frames.shorten(error)
            self._error = error
            self._traceback = None if error is None else error.__traceback__
            is_awaited = self._waiting > 0
            self._ended.set()
        self._control.begun.set()
        if error is not None and self._has_begun and not is_awaited and not sys.is_finalizing():
            with logs.set_up():
                # With its traceback, and what else is known of it: nobody else tells.
                what = "the run in the background has failed: %s; it was started at %s"
                logger.error(what, of_error(error), self._place, exc_info=error)

    @contextmanager
    def _awaited(self) -> Iterator[None]:
        """Somebody waits for what comes of it, and hears what ends it."""
        with self._lock:
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1

    def _leave(self, error: BaseException | None) -> None:
        """The end of a block, which an exception may have left."""
        if self._is_told:
            # The run has ended, and the program has heard why.
            return
        try:
            self.stop()
        except Exception as failure:
            if error is None or failure is error:
                raise
            logger.error("the run in the background has failed, too: %s", of_error(failure))

    def _check_caller(self, timeout: float | None) -> None:
        if self._process != os.getpid():
            raise RuntimeError("the run goes on in the process that has started it, from which this one was forked")
        if timeout is not None or self._ended.is_set():
            return
        thread = threading.current_thread()
        if isinstance(thread, threading._DummyThread) or thread.name.startswith("pathway:"):
            raise RuntimeError(
                "the run would wait for its own end, if this was called by a function or a connector of it, as threads "
                "are that Python has not started; use handle.stop(timeout=0) there"
            )
        if self._event_loop is not None and self._event_loop is _loop_of_this_thread():
            raise RuntimeError(
                "the run needs the event loop of this thread, which would wait for the run: use "
                "await asyncio.to_thread(handle.stop), or async with"
            )


def _loop_of_this_thread() -> asyncio.AbstractEventLoop | None:
    # There is an event loop, so it was imported.
    import asyncio

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def present_place() -> str:
    """The line of the user's program that is running, as people are told of it."""
    place = user_place()
    return "an unknown place" if place is None else shown(f"{place.file}:{place.line}")


_lock = threading.Lock()
_all: weakref.WeakSet[RunHandle] = weakref.WeakSet()


def note_those_going_on(error: BaseException) -> None:
    """Adds to the reason why a run cannot begin what else goes on."""
    with _lock:
        others = [handle for handle in _all if handle.is_running]
    for other in others:
        error.add_note(f"A run goes on in the background that was started at {other._place}; its stop() ends it.")


def end_those_left() -> bool:
    """Ends the runs that the program has no use for any more, since another one may need what they have, and waits for
    that; whether there were any."""
    with _lock:
        left = [handle for handle in _all if handle.is_running and handle._control.signals.is_left]
    for handle in left:
        handle._control.signals.ask(at_once=False)
    until = time.monotonic() + _PATIENCE_SECONDS
    return all([handle._ended.wait(max(0.0, until - time.monotonic())) for handle in left]) and bool(left)


def _begin_anew() -> None:
    """In a process that was forked no run goes on, and nobody would give back a lock."""
    global _lock, _all
    for handle in list(_all):
        handle._lock = threading.Lock()
    _lock = threading.Lock()
    _all = weakref.WeakSet()


forks.in_child(_begin_anew)
