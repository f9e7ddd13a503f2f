"""Waiting for the end of a run, and ending it on a signal.

An interrupt asks the sources to end, lets what they committed reach the sinks, and only then leaves. So a Ctrl-C
only leaves a note: as an exception it could come up anywhere, also where a subject is just being started and nobody
would stop it. A second one aborts the run.

A run that has failed, or was aborted, waits for the functions under way, but not for long (`abandoning`). No function
of the user is called in the thread that waits. Before, while the run begins, `partitions` of a subject is: there a
signal is an exception.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from pathway import _native
from pathway._ground import environment, forks, frames, tracebacks
from pathway._ground.signals import ECHO_SECONDS, are_raised
from pathway._ground.words import counted
from pathway._running import abandoning
from pathway._running.monitor import Monitor

if TYPE_CHECKING:
    from pathway._running.scaling import Scaling

logger = logging.getLogger("pathway")

# How long a signal may have to wait; the end of a run is noticed at once.
_STEP_SECONDS = 0.1


class Signals:
    """Which signals have come. The first asks the run to stop, any further one to stop at once. What holds the run in
    the background (`background`) asks for the same without a signal."""

    def __init__(self) -> None:
        self.interrupted = False
        self.terminated = False
        self.asked = False
        self.at_once = False
        self.is_told = False
        """Whether people have been told what happens now."""
        self._last_terminate: float | None = None
        # When it is to be asked to stop, unless this is true then.
        self._ask_at: tuple[float, Callable[[], object]] | None = None
        # Of `asked`. A handler of signals may come in between.
        self._lock = threading.RLock()

    @property
    def noted(self) -> bool:
        if self._ask_at is not None:
            with self._lock:
                ask_at = self._ask_at
                if ask_at is not None and time.monotonic() >= ask_at[0] and not ask_at[1]():
                    self.asked = True
        return self.interrupted or self.terminated or self.asked

    @property
    def is_left(self) -> bool:
        """Whether it is to end, now or in a while, since the program has no use for it any more."""
        ask_at = self._ask_at
        return self.asked or (ask_at is not None and not ask_at[1]())

    def ask_in(self, seconds: float, unless: Callable[[], object]) -> None:
        """Asks the run to stop after a while, unless something is true then. It takes no lock, for those who may be
        called at any moment."""
        self._ask_at = time.monotonic() + seconds, unless

    def take_back(self) -> bool:
        """The run is wanted after all; False if it was asked to stop already."""
        with self._lock:
            self._ask_at = None
            return not self.asked

    def ask(self, *, at_once: bool) -> None:
        self.asked = True
        self.at_once = self.at_once or at_once

    def interrupt(self, _number: int = signal.SIGINT, _frame: FrameType | None = None) -> None:
        self.at_once = self.noted
        self.interrupted = True
        if are_raised():
            raise KeyboardInterrupt

    def terminate(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        last, self._last_terminate = self._last_terminate, now
        if last is not None and now - last < ECHO_SECONDS:
            return
        self.at_once = self.noted
        self.terminated = True
        if are_raised():
            raise SystemExit(143)


def has_begun(native_run: _native.Run, signals: Signals) -> bool:
    """Waits until the run has what it reads and writes, or a signal comes. False if something cannot be opened: the run
    has failed."""
    while not signals.noted:
        is_open = native_run.opened(_STEP_SECONDS)
        if is_open is not None:
            return is_open
    return True


def wait(
    native_run: _native.Run,
    monitor: Monitor,
    signals: Signals,
    *,
    is_shared: bool = False,
    scaling: Scaling | None = None,
) -> None:
    """Waits for the end of the run; stops it on the first signal and aborts it on the second. It is stopped as well if
    it should go on with another number of processes.

    It returns or raises when the run has ended, or has failed and some function does not return. Then the run is
    abandoned, and its threads with it; `is_shared` says that it is one of several processes, which end with it.
    """
    __tracebackhide__ = True
    stopped = aborted = is_abandoned = False
    told = not _tells()
    abandon_at: float | None = None
    failure: BaseException | None = None
    try:
        while True:
            try:
                if signals.noted and not stopped:
                    # Who has asked for it in the program needs not be told.
                    stopped, told = True, told or signals.asked
                    _tell(signals, "shutting down the computation gracefully")
                    native_run.stop()
                elif stopped and not told and not signals.at_once:
                    told = True
                    _tell_what_is_left(native_run)
                if signals.at_once and not aborted:
                    aborted = True
                    native_run.abort()
                if native_run.wait(_STEP_SECONDS):
                    break
                if abandon_at is None and native_run.has_failed():
                    abandon_at = time.monotonic() + abandoning.SECONDS
                if abandon_at is not None and time.monotonic() > abandon_at:
                    is_abandoned = True
                    abandoning.abandon(native_run, is_shared=is_shared)
                monitor.update(native_run.statistics)
                if scaling is not None and not stopped and scaling.look(native_run.statistics()):
                    stopped = told = True
                    native_run.stop()
            except BaseException as error:
                if not is_abandoned and not _has_ended(native_run):
                    # A handler of somebody else has raised it.
                    if isinstance(error, KeyboardInterrupt):
                        signals.interrupt()
                    else:
                        failure = error
                        signals.at_once = True
                    continue
                # The run has ended with an error. If it was told to end, that is what the caller should learn.
                if aborted:
                    break
                if not stopped or signals.asked or not isinstance(error, Exception):
                    raise
                frames.shorten(error)
                logger.error("an error while shutting down", exc_info=error)
                break
        if failure is not None:
            raise failure
        if signals.noted and not signals.is_told:
            # Another process was quicker, and has told this one to stop.
            _tell(signals, "the computation was shut down")
    finally:
        del native_run, failure


def leave(signals: Signals, scaling: Scaling | None = None, *, has_begun: bool = True) -> None:
    """Leaves the program as the signals ask for, if there were any, or to be started again with more processes or
    fewer."""
    if signals.noted and not signals.is_told:
        _tell(signals, "the computation has ended" if has_begun else "the computation had not begun")
    if signals.interrupted:
        raise tracebacks.told(KeyboardInterrupt())
    if signals.terminated:
        raise SystemExit(143)
    if scaling is not None and scaling.status is not None:
        raise SystemExit(scaling.status)


def _tells() -> bool:
    """Whether this process tells of signals: of those that one command has started, all get them, and one tells."""
    return environment.is_first_process() or not environment.is_started_with_the_others()


def _tell(signals: Signals, what: str) -> None:
    signals.is_told = True
    if _tells() and (signals.interrupted or signals.terminated):
        logger.warning("%s: %s", "Interrupted" if signals.interrupted else "Received SIGTERM", what)


def _tell_what_is_left(native_run: _native.Run) -> None:
    rows = sum(entry.backlog for entry in native_run.statistics() if entry.role == "source")
    logger.warning(
        "stopping: %s; press Ctrl-C again (or send the signal again) to stop at once",
        f"{counted(rows, 'row is', 'rows are')} still on the way to the sinks"
        if rows
        else "sources and sinks have still to end",
    )


def _has_ended(native_run: _native.Run) -> bool:
    __tracebackhide__ = True
    try:
        return native_run.wait(0)
    except BaseException:
        return True
    finally:
        del native_run


@contextmanager
def noted_signals(signals: Signals) -> Iterator[Signals]:
    """Notes SIGINT and SIGTERM, each if nobody else takes care of it."""
    before: dict[signal.Signals, Any] = {}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    if threading.current_thread() is threading.main_thread():
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            before[signal.SIGINT] = signal.signal(signal.SIGINT, signals.interrupt)
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            before[signal.SIGTERM] = signal.signal(signal.SIGTERM, signals.terminate)
    # A forked process ends by signals as it would without a run.
    with forks.undone_in_child(restore):
        try:
            yield signals
        finally:
            restore()
