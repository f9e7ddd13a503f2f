"""Running what was declared: the main loop around a native run.

The engine works in threads of its own. The calling thread waits in short steps, so that Python can deliver
signals, and shows the progress. An interrupt asks the sources to end, lets what they committed reach the sinks,
and only then leaves. So a Ctrl-C only leaves a note: as an exception it could come up anywhere, also where
a subject is just being started and nobody would stop it. A second one aborts the run, and even then the calling
thread waits until the functions under way have returned: an interpreter that ends while they run crashes.
"""

from __future__ import annotations

import asyncio
import logging
import math
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from pathway import _environment, _graph, _monitoring, _native
from pathway._monitoring import MonitoringLevel

logger = logging.getLogger("pathway")

# How long a signal may have to wait; the end of a run is noticed at once.
_STEP_SECONDS = 0.1

# How long a run that was told to end at once may take before signals kill the process.
_PATIENCE_SECONDS = 5.0

# timeout(1) and some supervisors send SIGTERM to the process and again to its group: that is one request.
_ECHO_SECONDS = 0.05


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
    KeyboardInterrupt or SystemExit(143) is raised. A second signal ends it as soon as the functions that are being
    called return, and rows still on the way are lost. Outputs that are running cannot be run a second time.

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
    with _only_run(_graph.current()):
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
            # A traceback keeps what its frames hold. A run must never live on until the interpreter ends.
            del native_run
    if signals.interrupted:
        raise KeyboardInterrupt
    if signals.terminated:
        raise SystemExit(143)


_running: set[_graph.Graph] = set()
_running_lock = threading.Lock()


@contextmanager
def _only_run(graph: _graph.Graph) -> Iterator[None]:
    """Refuses a second run of the same outputs: the subjects and files can serve only one at a time."""
    with _running_lock:
        if graph in _running:
            raise RuntimeError("pw.run() is already running these outputs: call it once, or after the run has ended")
        _running.add(graph)
    try:
        yield
    finally:
        with _running_lock:
            _running.discard(graph)


class _Signals:
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
        if last is not None and now - last < _ECHO_SECONDS:
            return
        self.at_once = self.noted
        self.terminated = True
        if self.at_once and self.in_user_code:
            raise SystemExit(143)


def _wait(native_run: _native.Run, monitor: _monitoring.Monitor, signals: _Signals) -> None:
    """Waits for the end of the run; stops it on the first signal and aborts it on the second.

    It returns or raises only when the run has ended. Its threads may be in functions of the user, and the interpreter
    must not be taken away from under them.
    """
    stopped = told = False
    patient_until: float | None = None
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
                monitor.update(native_run.statistics)
            except BaseException as error:
                if not _has_ended(native_run):
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


def _stop(native_run: _native.Run, signals: _Signals) -> None:
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
    rows = sum(entry.backlog for entry in native_run.statistics())
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
    return isinstance(getattr(handler, "__self__", None), _Signals)


def _has_ended(native_run: _native.Run) -> bool:
    try:
        return native_run.wait(0)
    except BaseException:
        return True
    finally:
        del native_run


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
