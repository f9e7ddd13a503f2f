"""Waiting for the end of a run, and ending it on a signal.

An interrupt asks the sources to end, lets what they committed reach the sinks, and only then leaves. So a Ctrl-C
only leaves a note: as an exception it could come up anywhere, also where a subject is just being started and nobody
would stop it. A second one aborts the run, and even then the calling thread waits until the functions under way have
returned: an interpreter that ends while they run crashes.

Only a run of several processes that has failed does not wait for them for long (`_abandoning`): all its processes end
within 5 seconds.
"""

from __future__ import annotations

import logging
import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from pathway import _abandoning, _native
from pathway._monitoring import Monitor
from pathway._signals import ECHO_SECONDS

logger = logging.getLogger("pathway")

# How long a signal may have to wait; the end of a run is noticed at once.
_STEP_SECONDS = 0.1

# How long a run that was told to end at once may take before signals kill the process.
_PATIENCE_SECONDS = 5.0


class Signals:
    """Which signals have come. The first asks the run to stop, any further one to stop at once."""

    def __init__(self) -> None:
        self.interrupted = False
        self.terminated = False
        self.at_once = False
        # Whether code of the user, `on_stop`, is running in this thread: only an exception gets out of it.
        self.in_user_code = False
        self._last_terminate: float | None = None

    @property
    def noted(self) -> bool:
        return self.interrupted or self.terminated

    def interrupt(self, _number: int = signal.SIGINT, _frame: FrameType | None = None) -> None:
        self.at_once = self.noted
        self.interrupted = True
        if self.at_once and self.in_user_code:
            raise KeyboardInterrupt

    def terminate(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        last, self._last_terminate = self._last_terminate, now
        if last is not None and now - last < ECHO_SECONDS:
            return
        self.at_once = self.noted
        self.terminated = True
        if self.at_once and self.in_user_code:
            raise SystemExit(143)


def wait(native_run: _native.Run, monitor: Monitor, signals: Signals, *, is_shared: bool = False) -> None:
    """Waits for the end of the run; stops it on the first signal and aborts it on the second.

    It returns or raises only when the run has ended. Its threads may be in functions of the user, and the interpreter
    must not be taken away from under them. A run that is shared with other processes and has failed is
    abandoned after a while, and these threads with it.
    """
    stopped = told = is_abandoned = False
    patient_until: float | None = None
    abandon_at: float | None = None
    failure: BaseException | None = None
    try:
        while True:
            try:
                if signals.noted and not stopped:
                    stopped = True
                    what = "Interrupted" if signals.interrupted else "Received SIGTERM"
                    logger.warning("%s: shutting down the computation gracefully", what)
                    _stop(native_run, signals)
                elif stopped and not told and not signals.at_once:
                    told = True
                    _tell_what_is_left(native_run)
                if signals.at_once and patient_until is None:
                    patient_until = time.monotonic() + _PATIENCE_SECONDS
                    native_run.abort()
                if patient_until is not None and time.monotonic() > patient_until:
                    patient_until = math.inf
                    _let_signals_kill()
                if native_run.wait(_STEP_SECONDS):
                    break
                if is_shared and abandon_at is None and native_run.has_failed():
                    abandon_at = time.monotonic() + _abandoning.SECONDS
                if abandon_at is not None and time.monotonic() > abandon_at:
                    is_abandoned = True
                    _abandoning.abandon(native_run)
                monitor.update(native_run.statistics)
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
                if patient_until is not None:
                    break
                if not stopped or not isinstance(error, Exception):
                    raise
                logger.exception("an error while shutting down")
                break
        if failure is not None:
            raise failure
    finally:
        del native_run, failure


def leave(signals: Signals) -> None:
    """Leaves the program as the signals ask for, if there were any."""
    if signals.interrupted:
        raise KeyboardInterrupt
    if signals.terminated:
        raise SystemExit(143)


def _stop(native_run: _native.Run, signals: Signals) -> None:
    """Asks the sources to end; a further signal gets out of an `on_stop` that does not return."""
    try:
        signals.in_user_code = True
        native_run.stop()
        signals.in_user_code = False
    except (KeyboardInterrupt, SystemExit):
        if not signals.at_once:
            raise
    finally:
        signals.in_user_code = False
        del native_run


def _tell_what_is_left(native_run: _native.Run) -> None:
    rows = sum(entry.backlog for entry in native_run.statistics() if entry.role == "source")
    logger.warning(
        "stopping: %s; press Ctrl-C again (or send the signal again) to stop at once",
        f"{rows:,} {'row is' if rows == 1 else 'rows are'} still on the way to the sinks"
        if rows
        else "sources and sinks have still to end",
    )


def _let_signals_kill() -> None:
    """Gives the signals back to the system, which ends the process without asking the interpreter.

    Only now, as it would take an interactive session with it.
    """
    ours = [number for number in (signal.SIGINT, signal.SIGTERM) if _is_ours(signal.getsignal(number))]
    for number in ours:
        signal.signal(number, signal.SIG_DFL)
    logger.warning(
        "stopping: the functions and connectors at work have not returned within %.0f seconds%s",
        _PATIENCE_SECONDS,
        "; press Ctrl-C again (or send the signal again) to kill the process" if ours else "",
    )


def _is_ours(handler: object) -> bool:
    return isinstance(getattr(handler, "__self__", None), Signals)


def _has_ended(native_run: _native.Run) -> bool:
    try:
        return native_run.wait(0)
    except BaseException:
        return True
    finally:
        del native_run


@contextmanager
def noted_signals() -> Iterator[Signals]:
    """Notes SIGINT and SIGTERM, each if nobody else takes care of it."""
    signals = Signals()
    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            before[signal.SIGINT] = signal.signal(signal.SIGINT, signals.interrupt)
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            before[signal.SIGTERM] = signal.signal(signal.SIGTERM, signals.terminate)
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
