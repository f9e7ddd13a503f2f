"""A subject during one run in this process.

    native run ── start() ── thread: start() → run() → on_stop() → close(), end() → the streams are closed
       └─ stop (Ctrl-C, SIGTERM, a failure elsewhere) ── request_stop(): on_stop()

A subject with partitions has a thread for each of those that this process reads, see `_partitions`.

`on_stop` is called exactly once a run, by whichever comes first. Whatever ends the thread closes its streams, so a
run never waits for a subject that is gone. After a stop, the native half raises `StopSubject` from `next`, which
unwinds `run`.
"""

from __future__ import annotations

import inspect
import logging
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pathway._ground import shown
from pathway._native import rows_given
from pathway.io import _drive, _hooks, _offsets, _partitions
from pathway.io._subject import StopSubject, state_of

if TYPE_CHECKING:
    from pathway.io._partitions import Part
    from pathway.io._subject import ConnectorSubject, State

logger = logging.getLogger("pathway")

# How long the last hooks of a subject that has failed may take, before the run fails without them.
PATIENCE_SECONDS = 2.0


def start(subject: ConnectorSubject, is_partitioned: bool, parts: Sequence[Part]) -> SubjectRun:
    """Starts the thread of a subject. Called by the native half, with what takes the rows of each stream."""
    run = SubjectRun(subject, is_partitioned, parts)
    state = state_of(subject)
    state.run = run
    _end_threads_quietly()
    threading.Thread(target=run.work, name=f"pathway:{run.name}", daemon=True).start()
    return run


def _end_threads_quietly() -> None:
    """A thread of the program's that `StopSubject` ends has not failed. Python is silent about a SystemExit in a
    thread, but not about the classes derived from it."""
    global _quiet
    before = threading.excepthook
    if before is _quiet:
        return

    def report(arguments: threading.ExceptHookArgs) -> None:
        if not issubclass(arguments.exc_type, StopSubject):
            before(arguments)

    threading.excepthook = _quiet = report


_quiet: Callable[[threading.ExceptHookArgs], object] | None = None
"""What we have put in the place of the hook that was there."""


class SubjectRun:
    """One run of a subject."""

    def __init__(self, subject: ConnectorSubject, is_partitioned: bool, parts: Sequence[Part]) -> None:
        self.name = state_of(subject).shown_name
        self.is_stopped = False
        # `seek` is called, before anything else.
        self.is_resuming = False
        self._subject = subject
        self._named = parts
        self._streams = [stream for _, _, stream in parts]
        self._parts = _partitions.Parts(self, parts) if is_partitioned else None
        self._lock = threading.Lock()
        self._is_on_stop_called = False
        # Whether the hooks of its thread are called; not if it was told to stop before.
        self._has_begun = False
        self._has_started = threading.Event()
        self._coroutines: list[_drive.Cancellable] = []
        # `run` is over, and the last hooks are called.
        self._is_ending = False
        self._is_close_asked = False
        self._deadline: threading.Timer | None = None
        # What is called after `run`.
        self._last_hook = "run"
        self._is_done = False

    def work(self) -> None:
        """Everything the subject's thread does."""
        subject = self._subject
        error: BaseException | None = None
        try:
            if self._begins():
                self._resume()
                self._call("start")
                self._has_started.set()
                if self._parts is None:
                    _drive.drive(self, subject)
                else:
                    self._parts.run()
        except StopSubject:
            pass
        except BaseException as raised:
            error = raised
            self.failed(error)
        self._has_started.set()
        self._is_ending = True
        for name, hook in (
            ("on_stop", self.call_on_stop),
            ("close", self._call_close),
            ("end", lambda: self._call("end")),
        ):
            try:
                self.expect_end_of(name)
                hook()
            except StopSubject:
                pass
            except BaseException as raised:
                error = raised if error is None else error
        with self._lock:
            self._is_done = True
        if self._deadline is not None:
            self._deadline.cancel()
            # No thread of the run is there when it is over.
            self._deadline.join()
        if error is not None:
            what = f"{shown.of_error(error)}{_place_of_exit(error)}"
            failed = None if self._parts is None else self._parts.failed
            partition = "" if failed is None else f', partition "{failed}"'
            logger.error("%s%s: the connector failed: %s", self.name, partition, what)
        is_over = error is not None or self._is_close_asked or _hooks.is_finite(subject)
        state = state_of(subject)
        if self._parts is None:
            self._compare_with_before(state, error)
        if state.run is self:
            state.run = None
        self._end_streams(error, is_over)

    def _compare_with_before(self, state: State, error: BaseException | None) -> None:
        """Tells of a subject that has begun anew and ended by itself without a row, though it has sent some before."""
        has_sent = rows_given(self._subject) > 0
        is_by_itself = error is None and not self.is_stopped and not any(stream.is_kept for stream in self._streams)
        is_odd = state.has_sent and not has_sent and is_by_itself
        state.has_sent = state.has_sent or has_sent
        if is_odd and _hooks.overridden(self._subject, "on_stop") is not None:
            logger.warning(
                "%s: run() of %s has ended without a row, unlike in the run before, at whose end on_stop() was called. "
                "What on_stop() sets, such as an Event, has to be cleared in a method start()",
                self.name,
                type(self._subject).__name__,
            )

    def _begins(self) -> bool:
        with self._lock:
            self._has_begun = not self.is_stopped
            return self._has_begun

    def failed(self, error: BaseException) -> None:
        """`run` or `start` has failed. If the hooks that follow do not return in time, the run ends with this error."""
        self._expect_end(error)

    def expect_end_of(self, name: str) -> None:
        """`run` is over, and this hook is called. If it does not return in time, the source ends without it."""
        self._last_hook = name
        if _hooks.is_there(self._subject, name):
            self._expect_end(None)

    def _expect_end(self, error: BaseException | None) -> None:
        with self._lock:
            if self._deadline is not None or self._is_done:
                return
            self._deadline = threading.Timer(PATIENCE_SECONDS, self._leave_behind, (error,))
            self._deadline.name = f"pathway:{self.name}:deadline"
            self._deadline.daemon = True
            self._deadline.start()

    def _leave_behind(self, error: BaseException | None) -> None:
        with self._lock:
            if self._is_done:
                return
        logger.warning(
            "%s: %s() has not returned within %g seconds after run() has ended, and is left behind in its thread",
            self.name,
            self._last_hook,
            PATIENCE_SECONDS,
        )
        self._end_streams(error, error is not None or self._is_close_asked or _hooks.is_finite(self._subject))

    def _end_streams(self, error: BaseException | None, is_over: bool) -> None:
        # In this order: when the streams are closed, the run may be over at once. It tells a subject whose thread has
        # not ended to stop, and from then on rows are refused.
        for stream in self._streams:
            stream.thread_ended()
        if is_over:
            for stream in self._streams:
                stream.close(error, self.is_stopped)

    def _close_streams(self, error: BaseException) -> None:
        for stream in self._streams:
            stream.close(error, False)

    def closes(self, subject: ConnectorSubject) -> bool:
        """`close` was called: whether it is left to the run."""
        if self._is_ending:
            # The last hooks may still fail, and then the run does.
            self._is_close_asked = True
            return True
        if self._parts is not None and subject is self._subject:
            for stream in self._streams:
                stream.close(None, False)
            return True
        return False

    def _call(self, name: str) -> None:
        hook = _hooks.overridden(self._subject, name)
        if hook is not None:
            _drive.call(hook)

    def _resume(self) -> None:
        """Tells the subject where to go on, in a run that is kept."""
        if not any(stream.is_kept for stream in self._streams):
            return
        self.is_resuming = True
        self._call("on_persisted_run")
        for name, part, stream in self._named:
            if stream.offset is not None and (
                _hooks.has_own(self._subject, "seek") or _hooks.has_own(self._subject, "_seek")
            ):
                partition = () if name is None else (name,)
                _drive.call(part.seek, _offsets.decoded(stream.offset), *partition)
        self.is_resuming = False

    def durable(self, number: int, offset: bytes) -> None:
        """What a stream has sent before an offset is on disk. Called by the native half, in a thread of its own."""
        if not _hooks.has_own(self._subject, "on_durable"):
            return
        for name, part, stream in self._named:
            if stream.number == number:
                partition = () if name is None else (name,)
                try:
                    _drive.call(part.on_durable, _offsets.decoded(offset), *partition)
                except BaseException as error:
                    logger.error("%s: on_durable() failed: %s", self.name, shown.of_error(error))
                    stream.close(error, False)

    def _call_close(self) -> None:
        if _hooks.is_finite(self._subject):
            self._call("close")

    def request_stop(self) -> None:
        """The computation is told to stop; the thread of the subject may still be running."""
        with self._lock:
            self.is_stopped = True
            running = self._coroutines
            if not self._has_begun:
                # Its thread will find out, and call `on_stop`.
                return
        if _hooks.overridden(self._subject, "start") is not None:
            # What `start` prepares for `on_stop`, such as an event, is not to be prepared after it.
            self._has_started.wait(PATIENCE_SECONDS)
        if not (running and self.awaits_on_stop()):
            try:
                self.call_on_stop()
            except BaseException as error:
                self._close_streams(error)
        for coroutine in running:
            # An asynchronous on_stop is awaited where run is unwound, in its own event loop.
            coroutine.cancel()

    def awaits_on_stop(self) -> bool:
        """Whether `on_stop` belongs into the event loop of `run`; partitions have several."""
        return self._parts is None and inspect.iscoroutinefunction(_hooks.on_stop(self._subject))

    def begin(self, coroutine: _drive.Cancellable) -> bool:
        """From here on a stop finds what it has to cancel; whether it came before."""
        with self._lock:
            self._coroutines.append(coroutine)
            return self.is_stopped

    def claim_on_stop(self) -> Callable[[], Any] | None:
        """`on_stop`, for the one who is to call it."""
        with self._lock:
            if self._is_on_stop_called:
                return None
            self._is_on_stop_called = True
        return _hooks.on_stop(self._subject)

    def call_on_stop(self) -> None:
        """Calls `on_stop`, unless that was done before."""
        hook = self.claim_on_stop()
        if hook is not None:
            _drive.call(hook)


def _place_of_exit(error: BaseException) -> str:
    """Where a SystemExit was raised. No traceback will say so, as for other exceptions."""
    if not isinstance(error, SystemExit):
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
