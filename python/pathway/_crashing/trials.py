"""A run of a connector in this process, in which things happen to it.

The connector is one of a class derived from its own, whose ways to send rows note what happens, and stop or fail where
they are told to.
"""

from __future__ import annotations

import logging
import threading
import time
import types
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pathway import _native
from pathway._running import ending
from pathway._running.backends import Backend
from pathway._running.persisting import Config, kept
from pathway._schemas.schema import Schema
from pathway._tables.graph import another_graph
from pathway.io import python
from pathway.io._subject import ConnectorSubject, StopSubject

_STEP_SECONDS = 0.01

# How long it takes at most until those who send rows know that a run is to stop.
_TELLING_SECONDS = 0.05

# How long a run may take to end when it is told to end at once, before it is left behind.
_ABORT_SECONDS = 2.0

# How often a connector may go on sending after it was told to stop, before it is slowed down.
_MOST_IN_VAIN = 100

_PUSHES = ("next", "next_json", "next_str", "next_bytes", "next_batch", "next_columns", "next_arrow")


class Injected(Exception):
    """What a trial lets `next` raise."""


@dataclass
class Trial:
    """What is to happen in a run, and what has happened."""

    make_subject: Callable[[], ConnectorSubject]
    schema: type[Schema]
    resume: Literal["new", "seek", "replay"] | None = None
    # Where it is kept, if it is.
    state: Path | None = None
    autocommit_duration_ms: int | None = 20
    max_backlog_size: int | None = None

    # It is told to stop after so many rows; right after this commit of its own; before it sends for this time.
    stop_after_rows: int | None = None
    stop_at_commit: int | None = None
    stop_at_push: int | None = None
    # Then it goes on as if nothing had happened, and learns from `next` that it is to stop.
    is_told_by_next: bool = False
    # Nobody takes rows before it is told to stop.
    is_blocked: bool = False
    # Each of the first rows is taken so slowly.
    slow_seconds: float = 0.0
    # `next` raises when it is called for this time.
    fail_at_push: int | None = None
    # A run that has not ended after so many seconds is told to stop; then it has so many to end.
    seconds: float = 5.0
    patience: float = 5.0

    # What has happened.
    rows: Counter[str] = field(default_factory=Counter)
    times: list[int] = field(default_factory=list)
    pushes: int = 0
    commits: list[bool] = field(default_factory=list)
    senders: set[threading.Thread] = field(default_factory=set)
    in_vain: int = 0
    rejected: int = 0
    error: BaseException | None = None
    was_stopped: bool = False
    has_hung: bool = False
    threads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._reached = threading.Event()
        self._released = threading.Event()
        self._is_told = False
        self._is_over = False
        self._taken = 0

    def run(self) -> Trial:
        """Lets it happen."""
        before = set(threading.enumerate())
        with another_graph() as graph, self._expected():
            subject = self.make_subject()
            if isinstance(subject, ConnectorSubject):
                subject.__class__ = self._traced(type(subject))
            table = python.read(
                subject,
                schema=self.schema,
                name="tried",
                autocommit_duration_ms=self.autocommit_duration_ms,
                max_backlog_size=self.max_backlog_size,
                resume=self.resume,
            )
            # An output that was not there before gets all that was kept.
            python.write(table, _Observer(self), name=f"seen {time.monotonic_ns()}")
            config = None if self.state is None else Config(Backend.filesystem(self.state))
            native_run = graph.plan.run(
                everything=False,
                debug=False,
                workers=1,
                terminate_on_error=True,
                start_time=None,
                captures_only=None,
                cluster=None,
                persistence=None if config is None else kept(config),
            )
            with ending.stopped_at_the_end(native_run):
                try:
                    self._wait(native_run)
                except BaseException as error:
                    if not isinstance(error, Exception) or isinstance(error, KeyboardInterrupt):
                        raise
                    self.error = error
                finally:
                    self._is_over = True
                    self._released.set()
            self.rejected = sum(entry.rejected for entry in native_run.statistics())
            del native_run
        self.threads = _left_over(before)
        return self

    @contextmanager
    def _expected(self) -> Iterator[None]:
        """Nobody is told of a failure that is meant."""
        logger = logging.getLogger("pathway")

        def is_news(record: logging.LogRecord) -> bool:
            return Injected.__name__ not in record.getMessage()

        logger.addFilter(is_news)
        try:
            yield
        finally:
            logger.removeFilter(is_news)

    def change(self, row: dict[str, Any], time_of_row: int, is_addition: bool) -> None:
        """A row has come out."""
        if self.is_blocked and not self._released.is_set():
            self._reached.set()
            self._released.wait(self.seconds + self.patience)
        if self.slow_seconds and self._taken < 50:
            time.sleep(self.slow_seconds)
        text = ", ".join(f"{name}={value!r}" for name, value in row.items())
        with self._lock:
            self._taken += 1
            self.rows[text] += 1 if is_addition else -1
            if not self.times or self.times[-1] != time_of_row:
                self.times.append(time_of_row)
        if self.stop_after_rows is not None and self._taken >= self.stop_after_rows:
            self._reached.set()

    def _wait(self, native_run: _native.Run) -> None:
        """Waits for the end, and sees to it that it comes."""
        stop_at = time.monotonic() + self.seconds
        abort_at = abandon_at = float("inf")
        while not native_run.wait(_STEP_SECONDS):
            now = time.monotonic()
            if not self.was_stopped and (self._reached.is_set() or now > stop_at):
                self.was_stopped = True
                self._settle(native_run)
                native_run.stop()
                # Its threads learn of it first.
                time.sleep(_TELLING_SECONDS)
                self._released.set()
                abort_at = time.monotonic() + self.patience
            elif now > abort_at:
                abort_at, abandon_at = float("inf"), now + _ABORT_SECONDS
                self.has_hung = True
                self._is_over = True
                native_run.abort()
            elif now > abandon_at:
                native_run.abandon()
                return
        del native_run

    def _settle(self, native_run: _native.Run) -> None:
        """Waits, though not for long, until the engine has had what was sent to it."""
        if self.is_blocked:
            return
        until = time.monotonic() + 1.0
        while any(entry.backlog for entry in native_run.statistics() if entry.role == "source"):
            if time.monotonic() > until:
                break
            time.sleep(_STEP_SECONDS)
        del native_run

    def _stop_here(self) -> None:
        """The thread of the connector stands still until it is told to stop, as if the process had been killed."""
        self._reached.set()
        self._released.wait(self.seconds + self.patience)
        if not self.is_told_by_next:
            raise StopSubject("the trial is over")

    def before_push(self) -> None:
        """Rows are about to be sent."""
        with self._lock:
            self.pushes += 1
            number = self.pushes
            self.senders.add(threading.current_thread())
            if self._is_told:
                self.in_vain += 1
        if self._is_over:
            time.sleep(0.1)
            raise StopSubject("the trial is over")
        if self.in_vain > _MOST_IN_VAIN:
            time.sleep(0.05)
        if number == self.fail_at_push:
            raise Injected("check_connector() lets next() fail")
        if number == self.stop_at_push:
            self._stop_here()

    def told(self) -> None:
        """The connector has learned that it is to stop."""
        self._is_told = True

    def committed(self, has_offset: bool) -> None:
        """The connector has committed."""
        with self._lock:
            self.commits.append(has_offset)
            number = len(self.commits)
        if number == self.stop_at_commit:
            self._stop_here()

    def _traced(self, kind: type[ConnectorSubject]) -> type[ConnectorSubject]:
        trial = self

        def traced(name: str) -> Callable[..., Any]:
            def push(subject: Any, *arguments: Any, **values: Any) -> Any:
                trial.before_push()
                try:
                    return getattr(kind, name)(subject, *arguments, **values)
                except StopSubject:
                    trial.told()
                    raise

            return push

        def commit(subject: Any, *arguments: Any, **values: Any) -> Any:
            result: object = kind.commit(subject, *arguments, **values)
            trial.committed(bool(arguments or values))
            return result

        names: dict[str, Any] = {name: traced(name) for name in _PUSHES}
        names |= {"commit": commit, "__module__": kind.__module__, "__qualname__": kind.__qualname__}
        return types.new_class(kind.__name__, (kind,), exec_body=lambda body: body.update(names))


class _Observer(python.ConnectorObserver):
    def __init__(self, trial: Trial) -> None:
        self._trial = trial

    def on_change(self, key: _native.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        self._trial.change(row, time, is_addition)


def _left_over(before: set[threading.Thread]) -> list[str]:
    """The threads that were not there before and do not end."""
    until = time.monotonic() + 1.0
    while True:
        left = [
            thread
            for thread in threading.enumerate()
            if thread not in before and not thread.name.startswith(("pathway", "asyncio", "Dummy"))
        ]
        if not left or time.monotonic() > until:
            return sorted(thread.name for thread in left)
        time.sleep(_STEP_SECONDS)
