"""Running what was declared: from the arguments of `pw.run` to a native run and back.

The engine works in threads of its own. The calling thread waits (`waiting`), shows the progress (`monitoring`),
and serves it over HTTP if asked to (`metrics_server`).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pathway import _native
from pathway._ground import environment, streams
from pathway._running import background, ending, logs, monitoring, waiting
from pathway._running.background import Control, RunHandle
from pathway._running.monitor import LastLine
from pathway._running.monitoring import MonitoringLevel
from pathway._running.progress import Ending
from pathway._running.settings import Replay, RunSettings, taking
from pathway._tables.debugged import printed_afterwards
from pathway._tables.graph import current_graph

if TYPE_CHECKING:
    from pathway._running.cluster import Member
    from pathway._running.persisting import Config
    from pathway._running.scaling import Scaling

logger = logging.getLogger("pathway")


@taking(RunSettings)
def run(settings: RunSettings) -> None:
    """Runs everything that the outputs declared since the last run need, until all sources have ended.

    If none was declared since, what the last run has run is run again, from the beginning. Without outputs it does
    nothing, and says so. An exception in a source, a function or a sink ends the run and is raised. Ctrl-C and SIGTERM
    end it in order: ``on_stop`` of the subjects is called, what was committed reaches the outputs, then
    KeyboardInterrupt or SystemExit(143) is raised. A second signal ends it as soon as the functions that are being
    called return, and rows still on the way are lost. Outputs that are running cannot be run a second time.

    A run that has failed is abandoned 2 seconds later if functions that were called have not returned; they go on in
    their threads. If it is a run of several processes, the process ends with the program all the same, with status 1.

    Args:
        debug: whether ``Table.debug`` prints.
        monitoring_level: what is shown of the progress, see ``pw.MonitoringLevel``.
        with_http_server: whether the counters are served over HTTP while the run goes on, at 127.0.0.1, port 20000, or
            what the environment variables PATHWAY_MONITORING_HTTP_HOST and PATHWAY_MONITORING_HTTP_PORT say: as a page
            at /, and as OpenMetrics text at /metrics and /status. A message says where.
        default_logging: whether messages of the logger ``pathway`` from level INFO are written to standard error while
            the run goes on, if the program has set up no logging. Other loggers are left alone.
        persistence_config: where the run is kept, so that the next one goes on where it has ended, see
            ``pw.persistence.Config``. Default: what the environment variable PATHWAY_REPLAY_STORAGE names, if it does.
        runtime_typechecking: accepted; the types of values are always checked.
        terminate_on_error: whether the first error in a computation ends the run. Otherwise the error becomes the value
            of the cell and is found in ``pw.global_error_log()``. Default: the environment variable
            PATHWAY_TERMINATE_ON_ERROR, else True.
        max_expression_batch_size: accepted; the engine chooses the size of its batches.
        event_loop: the asyncio loop in which asynchronous subjects and callbacks run. It may be running in another
            thread; otherwise it runs as long as the run. By default subjects have loops of their own, and callbacks
            share one.
        udf_cache_directory: accepted; there are no caches of functions yet.

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
    _start(settings, "pw.run", everything=False)


@taking(RunSettings)
def run_all(settings: RunSettings) -> None:
    """Runs every table and output declared so far, whether or not they have run, and whether or not an output needs a
    table. The arguments are those of ``pw.run``.

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
    _start(settings, "pw.run_all", everything=True)


@taking(RunSettings)
def start(settings: RunSettings) -> RunHandle:
    """Starts what ``pw.run`` would run, and comes back while it goes on in the background. The arguments are those of
    ``pw.run``.

    It comes back when the outputs are open. What keeps the run from beginning, such as a file that cannot be made, is
    raised here; what ends it later is raised by ``wait`` and ``stop`` of the handle, and logged. Where two runs need
    the same connector or output, the second is refused with a RuntimeError. On a terminal ``MonitoringLevel.AUTO``
    shows nothing: the panel would be drawn over what the program does meanwhile.

    At the end of the program the run is stopped, for at most two seconds: leave a ``with`` block, or call
    ``stop``, if more may be on its way. Ctrl-C raises KeyboardInterrupt in the main thread, which leaves the block;
    SIGTERM ends the program at once, unless it has a handler, or waits for the run with ``wait`` or ``stop``.

    Returns:
        The handle of the run, a ``pw.RunHandle``.

    Example:

    >>> import threading
    >>> import pathway as pw
    >>> class Ticks(pw.io.python.ConnectorSubject):
    ...     stopped = threading.Event()
    ...     def run(self):
    ...         while not self.stopped.wait(0.01):
    ...             self.next(tick=1)
    ...     def on_stop(self):
    ...         self.stopped.set()
    >>> ticks = pw.io.python.read(Ticks(), schema=pw.schema_from_types(tick=int), autocommit_duration_ms=10)
    >>> seen = threading.Event()
    >>> pw.io.subscribe(ticks, lambda **change: seen.set())
    >>> with pw.start(monitoring_level=pw.MonitoringLevel.NONE) as handle:
    ...     seen.wait(10)
    True
    >>> handle.is_running
    False
    """
    _check(settings, "pw.start")
    is_automatic = settings.monitoring_level in (MonitoringLevel.AUTO, MonitoringLevel.AUTO_ALL)
    if is_automatic and streams.is_terminal(sys.stdout):
        settings = replace(settings, monitoring_level=MonitoringLevel.NONE)
    handle = RunHandle(
        lambda control: _execute(settings, "pw.start", everything=False, captures=None, control=control),
        settings.event_loop,
    )
    handle._begin(awaits_outputs=True)
    return handle


def _start(settings: RunSettings, call: str, *, everything: bool) -> None:
    _check(settings, call)
    _execute(settings, call, everything=everything, captures=None)


def _check(settings: RunSettings, call: str) -> None:
    if settings.debug and current_graph().has_debug_data:
        raise NotImplementedError(f"a source has debug_data, which {call}(debug=True) does not support yet")


def run_captures(
    captures: Sequence[_native.Capture], settings: RunSettings, call: str, control: Control | None = None
) -> None:
    """Runs what the captures need, and no other output; `call` is what the user has called."""
    with printed_afterwards(current_graph(), settings.debug) as debugged:
        _execute(settings, call, everything=False, captures=[*captures, *debugged], control=control)


def _execute(
    settings: RunSettings,
    call: str,
    *,
    everything: bool,
    captures: Sequence[_native.Capture] | None,
    control: Control | None = None,
) -> None:
    """Runs to the end. Whoever has the `control` of it hears when it has begun, and can end it; `call` is what the user
    has called."""
    __tracebackhide__ = True
    if ending.has_begun():
        raise RuntimeError(
            f"{call}() is called while the interpreter ends, when nothing can run any more: import pathway before the "
            "function is registered with atexit, or call it before"
        )
    if captures is None:
        current_graph().waiting_outputs.clear()
    control = control or Control()
    terminate_on_error = settings.terminate_on_error
    if terminate_on_error is None:
        terminate_on_error = environment.terminate_on_error()
    with ExitStack() as stack:
        stack.enter_context(logs.set_up(is_wanted=settings.default_logging))
        if settings.event_loop is not None:
            # Most runs need no asyncio, which takes long to import.
            from pathway._ground import event_loop

            stack.enter_context(event_loop.using(settings.event_loop, call))
        server = None
        if settings.with_http_server:
            # It needs asyncio.
            from pathway._running.metrics_server import MetricsServer

            server = stack.enter_context(MetricsServer(environment.monitoring_host(), environment.monitoring_port()))
        signals = stack.enter_context(waiting.noted_signals(control.signals))
        cluster = _cluster(signals)
        config = _persistence(settings, is_looked_at=captures is not None)
        kept = scaling = None
        if config is not None:
            # Most runs are not kept, and begin sooner without these.
            from pathway._running import persisting
            from pathway._running.scaling import scaling_of

            kept = persisting.kept(config)
            stack.enter_context(persisting.told(config))
            scaling = scaling_of(config, 1 if cluster is None else len(cluster.addresses))
        monitor = stack.enter_context(monitoring.choose(settings.monitoring_level))

        def begin() -> _native.Run:
            __tracebackhide__ = True
            return current_graph().plan.run(
                everything=everything,
                debug=settings.debug,
                workers=environment.threads(),
                terminate_on_error=terminate_on_error,
                start_time=environment.start_timestamp(),
                captures_only=captures,
                cluster=cluster,
                persistence=kept,
            )

        try:
            native_run = begin()
        except (KeyboardInterrupt, SystemExit):
            # A signal came while the user's `partitions` was called, or that has raised it.
            waiting.leave(signals, has_begun=False)
            raise
        except RuntimeError:
            # The wait for other processes ends with the first signal.
            waiting.leave(signals, has_begun=False)
            if signals.asked:
                return
            # Another run may have what it needs.
            try:
                if not background.end_those_left():
                    raise
                native_run = begin()
            except RuntimeError as error:
                background.note_those_going_on(error)
                raise
        how = Ending.FAILED
        last = LastLine(monitor, native_run)
        try:
            with ending.stopped_at_the_end(native_run, partial(last.show, Ending.LEFT), lambda: signals.is_left):
                try:
                    if not control.awaits_outputs or waiting.has_begun(native_run, signals):
                        control.begun.set()
                    if server is not None:
                        server.serve(native_run)
                    waiting.wait(native_run, monitor, signals, is_shared=cluster is not None, scaling=scaling)
                    how = _how(signals, scaling)
                finally:
                    if server is not None:
                        server.close()
                    statistics = native_run.statistics()
                    last.show(Ending.LEFT if ending.has_begun() else how)
        finally:
            # A traceback keeps what its frames hold. A run must never live on until the interpreter ends.
            del native_run
        if captures is None and not any(entry.role == "sink" for entry in statistics):
            _tell_that_nothing_runs(call, everything=everything, has_run=bool(statistics))
    waiting.leave(signals, scaling)


def _cluster(signals: waiting.Signals) -> Member | None:
    """The processes that the run is shared with; None if this process works alone."""
    described = environment.cluster()
    if described is None:
        return None
    # Most processes work alone, and begin sooner without it.
    from pathway._running import cluster

    return cluster.member_of_run(described, signals)


def _persistence(settings: RunSettings, *, is_looked_at: bool) -> Config | None:
    """How the run is kept, if it is: as the program says, or else the environment, which does not mean runs whose
    results are only looked at."""
    config = settings.persistence_config
    if config is None and not is_looked_at:
        storage = environment.replay_storage()
        if storage is not None:
            # Most runs are not kept, and begin sooner without it.
            from pathway._running import persisting

            return persisting.config_of(storage)
    return None if isinstance(config, Replay) else config


def _how(signals: waiting.Signals, scaling: Scaling | None) -> Ending:
    """How a run has ended that has not failed."""
    if signals.at_once:
        return Ending.ABORTED
    is_stopped = signals.noted or (scaling is not None and scaling.status is not None)
    return Ending.STOPPED if is_stopped else Ending.FINISHED


def _tell_that_nothing_runs(call: str, *, everything: bool, has_run: bool) -> None:
    """A run without outputs is most often one in which something was forgotten."""
    if (everything and has_run) or not environment.is_first_process():
        return
    logger.warning(
        "nothing to run: the program has declared no output. Add one before %s(), such as "
        'pw.io.csv.write(table, "table.csv") or pw.io.subscribe(table, on_change); to look at a table, use '
        "pw.debug.compute_and_print(table)%s",
        call,
        f"; Table.debug() prints with {call}(debug=True)" if current_graph().debugged else "",
    )
