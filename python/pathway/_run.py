"""Running what was declared: the main loop around a native run.

The engine works in threads of its own. The calling thread waits in short steps, so that Python can deliver
signals, and shows the progress. An interrupt asks the sources to end, lets what they committed reach the sinks,
and only then leaves. So the first Ctrl-C only leaves a note: as an exception it could come up anywhere, also where
a subject is just being started and nobody would stop it.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from pathway import _environment, _graph, _monitoring, _native
from pathway._monitoring import MonitoringLevel

logger = logging.getLogger("pathway")

# How long a signal may have to wait; the end of a run is noticed at once.
_STEP_SECONDS = 0.1


def run(
    *,
    debug: bool = False,
    monitoring_level: MonitoringLevel = MonitoringLevel.AUTO,
    with_http_server: bool = False,
    default_logging: bool = True,
    persistence_config: Any = None,
    runtime_typechecking: bool | None = None,
    terminate_on_error: bool | None = None,
    max_expression_batch_size: int = 1024,
    event_loop: asyncio.AbstractEventLoop | None = None,
    udf_cache_directory: str | None = None,
) -> None:
    """Runs everything that the outputs declared so far need, until all sources have ended.

    Without outputs it does nothing. An exception in a source, a function or a sink ends the run and is raised. Ctrl-C
    and SIGTERM end it in order: ``on_stop`` of the subjects is called, what was committed reaches the outputs, then
    KeyboardInterrupt or SystemExit(143) is raised. A second Ctrl-C ends it at once.

    Args:
        debug: not supported yet.
        monitoring_level: what is shown of the progress, see ``pw.MonitoringLevel``.
        with_http_server: not supported yet.
        default_logging: whether to set up ``logging`` for messages from level INFO, unless it was set up already.
        persistence_config: not supported yet.
        runtime_typechecking: accepted; the types of values are always checked.
        terminate_on_error: whether the first error in the data ends the run. Otherwise the error becomes the value of
            the cell and is found in ``pw.global_error_log()``. Default: the environment variable
            PATHWAY_TERMINATE_ON_ERROR, else True.
        max_expression_batch_size: accepted; the engine chooses the size of its batches.
        event_loop: not supported yet.
        udf_cache_directory: not supported yet.

    Example:

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... word
    ... hello
    ... ''')
    >>> pw.io.subscribe(table, lambda key, row, time, is_addition: print(row))
    >>> pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    {'word': 'hello'}
    """
    _run(
        everything=False,
        unsupported={
            "debug": debug,
            "with_http_server": with_http_server,
            "persistence_config": persistence_config,
            "event_loop": event_loop,
            "udf_cache_directory": udf_cache_directory,
        },
        monitoring_level=monitoring_level,
        default_logging=default_logging,
        terminate_on_error=terminate_on_error,
    )


def run_all(
    *,
    debug: bool = False,
    monitoring_level: MonitoringLevel = MonitoringLevel.AUTO,
    with_http_server: bool = False,
    default_logging: bool = True,
    persistence_config: Any = None,
    runtime_typechecking: bool | None = None,
    terminate_on_error: bool | None = None,
    max_expression_batch_size: int = 1024,
    event_loop: asyncio.AbstractEventLoop | None = None,
    udf_cache_directory: str | None = None,
) -> None:
    """Runs every table declared so far, whether or not an output needs it. The arguments are those of ``pw.run``.

    Args:
        debug: not supported yet.
        monitoring_level: what is shown of the progress.
        with_http_server: not supported yet.
        default_logging: whether to set up ``logging``.
        persistence_config: not supported yet.
        runtime_typechecking: accepted; the types of values are always checked.
        terminate_on_error: whether the first error in the data ends the run.
        max_expression_batch_size: accepted; the engine chooses the size of its batches.
        event_loop: not supported yet.
        udf_cache_directory: not supported yet.

    Example:

    >>> import pathway as pw
    >>> class Noisy(pw.io.python.ConnectorSubject):
    ...     def run(self):
    ...         print("running")
    >>> class Empty(pw.Schema):
    ...     a: int
    >>> table = pw.io.python.read(Noisy(), schema=Empty)
    >>> pw.run_all(monitoring_level=pw.MonitoringLevel.NONE)
    running
    """
    _run(
        everything=True,
        unsupported={
            "debug": debug,
            "with_http_server": with_http_server,
            "persistence_config": persistence_config,
            "event_loop": event_loop,
            "udf_cache_directory": udf_cache_directory,
        },
        monitoring_level=monitoring_level,
        default_logging=default_logging,
        terminate_on_error=terminate_on_error,
    )


def _run(
    *,
    everything: bool,
    unsupported: dict[str, object],
    monitoring_level: MonitoringLevel,
    default_logging: bool,
    terminate_on_error: bool | None,
) -> None:
    for name, value in unsupported.items():
        if value:
            raise NotImplementedError(f"argument {name} of pw.run() is not supported yet")
    monitor = _monitoring.choose(monitoring_level)
    if default_logging:
        logging.basicConfig(level=logging.INFO, format="[%(asctime)s]:%(levelname)s:%(message)s")
    _execute(everything=everything, captures=None, terminate_on_error=terminate_on_error, monitor=monitor)


def run_captures(captures: Sequence[_native.Capture], *, terminate_on_error: bool | None = None) -> None:
    """Runs what the captures need, and no other output."""
    _execute(everything=False, captures=captures, terminate_on_error=terminate_on_error, monitor=_monitoring.Monitor())


def _execute(
    *,
    everything: bool,
    captures: Sequence[_native.Capture] | None,
    terminate_on_error: bool | None,
    monitor: _monitoring.Monitor,
) -> None:
    if terminate_on_error is None:
        terminate_on_error = _environment.terminate_on_error()
    _environment.processes()
    with monitor, _noted_signals() as signals:
        native_run = _graph.current().plan.run(
            everything=everything,
            workers=_environment.threads(),
            terminate_on_error=terminate_on_error,
            start_time=_environment.start_timestamp(),
            captures_only=captures,
        )
        try:
            _wait(native_run, monitor, signals)
        finally:
            monitor.finish(native_run.statistics())
    if signals.interrupted:
        raise KeyboardInterrupt
    if signals.terminated:
        raise SystemExit(143)


class _Signals:
    """Which signals have come."""

    def __init__(self) -> None:
        self.interrupted = False
        self.terminated = False

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True

    def terminate(self, _number: int, _frame: FrameType | None) -> None:
        self.terminated = True


def _wait(native_run: _native.Run, monitor: _monitoring.Monitor, signals: _Signals) -> None:
    """Waits for the end of the run; stops it on the first signal and aborts it on the second interrupt."""
    stopped = False
    while True:
        try:
            if (signals.interrupted or signals.terminated) and not stopped:
                stopped = True
                what = "Interrupted" if signals.interrupted else "Received SIGTERM"
                logger.warning("%s: shutting down the computation gracefully", what)
                native_run.stop()
            if native_run.wait(_STEP_SECONDS):
                return
            monitor.update(native_run.statistics)
        except KeyboardInterrupt:
            # The second one, perhaps while on_stop of a subject was running; or the first, by another's handler.
            if signals.interrupted:
                native_run.abort()
                raise
            signals.interrupted = True
        except Exception:
            # The run has ended with an error. If it was told to end, that is what the caller should learn.
            if not stopped:
                raise
            logger.exception("an error while shutting down")
            return


@contextmanager
def _noted_signals() -> Iterator[_Signals]:
    """Notes SIGINT and SIGTERM, each if nobody else takes care of it."""
    signals = _Signals()
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
