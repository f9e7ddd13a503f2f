"""The Python half of a connector written in Python.

A `ConnectorSubject` has two halves. The native one (`_native.Subject`) takes rows: `next`, `next_batch`,
`commit` and their kin append straight to the engine's columns. This one has the life cycle:

    pw.run() ── _start_run() ── thread: start() → run() → on_stop() → end() → _close_native(error | None)
       └─ stop (Ctrl-C, SIGTERM, a failure elsewhere) ── _stop_requested(): on_stop()

A subject with partitions has a thread for each of those that this process reads, see `_partitions`.

`on_stop` is called exactly once a run, by whichever comes first. Whatever ends the thread reaches
`_close_native`, so a run never waits for a subject that is gone. After a stop, the native half raises
`StopSubject` from `next`, which unwinds `run`.
"""

from __future__ import annotations

import enum
import inspect
import json
import logging
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal, Self

from pathway import _native, _shown
from pathway.io import _deletions, _drive, _partitions, _tables

logger = logging.getLogger("pathway")


class StopSubject(SystemExit):
    """Raised by `next` once the run has been told to stop, to unwind `run`.

    It is a SystemExit so that `except Exception` in a client library does not swallow it, and so that a
    thread of such a library ends quietly.
    """


class SessionType(enum.Enum):
    """How rows with the key of an earlier row are understood."""

    NATIVE = "native"
    """Every row is an insertion of its own."""
    UPSERT = "upsert"
    """A row replaces the earlier row with its key."""


class ConnectorSubject(_native.Subject, ABC):
    """A data source of your own: subclass it, write ``run``, and pass an instance to ``pw.io.python.read``.

    ``run`` is called in a thread of its own when the computation starts. It sends rows with:

    - ``next(**values)``: one row;
    - ``next_json(message)``: one row as a JSON object, in a ``str``, ``bytes`` or ``dict``;
    - ``next_batch(rows)``: many rows: dicts, dataclasses, NamedTuples or pydantic models;
    - ``next_columns({"a": [...], ...})``: many rows as lists or numpy arrays;
    - ``next_arrow(data)``: many rows of pyarrow, polars, pandas or duckdb;
    - ``next_str(message)``, ``next_bytes(message)``: a JSON object, or the column ``data`` of a raw source;
    - ``delete(**values)``: takes a row back;
    - ``commit()``: what was sent so far becomes visible, all at once; otherwise a timer commits;
    - ``close()``: commits and ends the source; called for you when ``run`` returns.

    Instead of calling them, ``run`` may be a generator that yields rows (dicts, dataclasses, NamedTuples, pydantic
    models) or batches (lists of these, arrow data), an ``async def``, or an asynchronous generator. Any number of
    threads may send rows. When the engine is busy, sending waits.

    A source that can be read in parts says so: define ``partitions(self) -> list[str]`` and ``run(self, partition)``.
    The partitions are shared among the workers and processes of a run; each is read in a thread of its own and has
    commits of its own.

    Args:
        datasource_name: a name for messages and monitoring.
        session_type: ``"native"``, every row is an insertion; or ``"upsert"``, a row replaces the earlier one with
            the same primary key.

    Example:

    >>> import pathway as pw
    >>> class Countdown(pw.io.python.ConnectorSubject):
    ...     def run(self):
    ...         for seconds in (3, 2, 1):
    ...             self.next(seconds=seconds)
    >>> class CountdownSchema(pw.Schema):
    ...     seconds: int
    >>> table = pw.io.python.read(Countdown(), schema=CountdownSchema)
    >>> pw.debug.compute_and_print(table, include_id=False)
    seconds
    1
    2
    3
    """

    deletions_enabled: bool | None = None
    """Whether rows may be deleted. Left at None, it is found out: yes for an upsert session, else whether the code
    of ``run`` can reach a ``delete``. A source without deletions is append-only, which some operations need."""

    def __init__(
        self, datasource_name: str = "python", *, session_type: Literal["native", "upsert"] = "native"
    ) -> None:
        missing = sorted(getattr(type(self), "__abstractmethods__", ()))
        if missing:
            raise TypeError(f"Can't instantiate {type(self).__name__}: it does not define {', '.join(missing)}()")
        if session_type not in ("native", "upsert"):
            raise ValueError(f"invalid session_type {session_type!r}: expected 'native' or 'upsert'")
        self.datasource_name = datasource_name
        # What `read` was told to call it, or that.
        self._shown_name = datasource_name
        self._session = SessionType(session_type)
        self._already_read = False
        self._started = False
        self._is_stopped = False
        self._format = "json"
        self._max_backlog_size: int | None = None
        self._offset: bytes | None = None
        self._stop_lock = threading.Lock()
        self._on_stop_called = False
        self._coroutines: list[_drive.Cancellable] = []
        self._parts: _partitions.Parts | None = None

    if TYPE_CHECKING:
        # Subclasses define it with or without a partition.
        @abstractmethod
        def run(self, *args: Any, **kwargs: Any) -> Any: ...
    else:

        @abstractmethod
        def run(self) -> Any:
            """Sends the rows; when it returns the source ends. Called in a thread of its own.

            A subject that defines ``partitions(self) -> list[str]`` defines ``run(self, partition)`` instead: it is
            called once for each partition, at the same time.
            """

    def on_stop(self) -> Any:
        """Called once when the source ends: ``run`` has returned or raised, or the computation is told to stop.

        In the last case ``run`` may still be under way in its thread: close here what it waits for.
        """

    def start(self) -> None:
        """Called in the subject's thread, before ``run``."""

    def end(self) -> None:
        """Called in the subject's thread, after ``on_stop``."""

    def close(self) -> None:
        """Commits what was sent and ends the source. Rows sent afterwards are ignored."""
        self._close_native(None)

    def on_persisted_run(self) -> None:
        """Called before ``seek`` and ``start`` in a run with persistence."""

    def seek(self, state: bytes) -> None:
        """Called in a run with persistence, with the offset reported before the last durable commit."""
        if self._started:
            raise RuntimeError("seek() is called before the subject is started")
        self._seek(state)

    def _seek(self, state: bytes) -> None:
        raise NotImplementedError(f"{type(self).__name__} has a stored offset, but does not define _seek()")

    @property
    def _datasource_name(self) -> str:
        return self.datasource_name

    @_datasource_name.setter
    def _datasource_name(self, name: str) -> None:
        self.datasource_name = name

    @property
    def _session_type(self) -> SessionType:
        return self._session

    @property
    def _deletions_enabled(self) -> bool:
        if self.deletions_enabled is not None:
            return self.deletions_enabled
        return self._is_upsert() or _deletions.are_reachable(type(self))

    def _is_upsert(self) -> bool:
        return SessionType(self._session_type) is SessionType.UPSERT

    @property
    def _with_metadata(self) -> bool:
        """Whether the metadata given to `_add` is the value of a column `_metadata`."""
        return False

    def _is_internal(self) -> bool:
        """Whether the subject belongs to the package itself; then it cannot be named in `read`."""
        return False

    def _is_finite(self) -> bool:
        """False keeps the source open when ``run`` returns, for rows sent by other threads."""
        return True

    def _disable_commits(self) -> None:
        """From now on only ``commit()`` commits, not the timer."""
        self._set_autocommit(False)

    def _enable_commits(self) -> None:
        """Commits, and lets the timer commit again."""
        self._set_autocommit(True)

    def _set_max_backlog_size(self, max_backlog_size: int) -> None:
        """How many rows may wait for the engine, unless `read` is told something else."""
        if self._already_read:
            raise RuntimeError("the size of the backlog is set before the subject is passed to read()")
        self._max_backlog_size = _tables.check_positive("max_backlog_size", max_backlog_size)

    # Rows under keys that the subject chooses.

    def _add_inner(self, key: _native.Pointer | None, values: dict[str, Any]) -> None:
        """Sends a row under this key; without one it gets its key as by `next`."""
        self._push(key, values, 1)

    def _remove_inner(self, key: _native.Pointer | None, values: dict[str, Any]) -> None:
        """Takes back the row that was sent under this key."""
        self._push(key, values, -1)

    def _add(self, key: _native.Pointer | None, message: bytes, metadata: bytes | None = None) -> None:
        """Sends a row, a JSON object or the column `data` of a raw source, under this key."""
        self._push_message(key, message, metadata, 1)

    def _remove(self, key: _native.Pointer | None, message: bytes, metadata: bytes | None = None) -> None:
        """Takes back the row that was sent under this key."""
        self._push_message(key, message, metadata, -1)

    def _push_message(self, key: _native.Pointer | None, message: bytes, metadata: bytes | None, diff: int) -> None:
        try:
            if self._format == "json":
                values = json.loads(message)
            else:
                values = {"data": message.decode() if self._format == "raw" else message}
            if metadata is not None and self._with_metadata:
                values["_metadata"] = json.loads(metadata)
        except ValueError:
            values = None
        if isinstance(values, dict):
            self._push(key, values, diff)
        else:
            # It is no row, and this says why.
            self.next_bytes(message)

    def _report_offset(self, offset: bytes) -> None:
        """Says where to go on after the rows sent so far; `seek` gets it in a later run with persistence."""
        if not isinstance(offset, bytes):
            raise TypeError(f"an offset is bytes, found {offset!r}")
        self._offset = offset

    # Called by the native half.

    def _partition_names(self) -> list[str]:
        """What the subject says can be read at the same time. Called in the first process when a run starts."""
        return _partitions.names(self)

    def _part(self) -> Self:
        """What `run` gets as `self` for one partition: it takes rows of its own and shares everything else."""
        return _partitions.part(self)

    def _start_run(self, parts: list[tuple[str, ConnectorSubject]] | None) -> None:
        """Starts the thread of the subject. Called when a run starts, with the partitions read in this process."""
        with self._stop_lock:
            self._on_stop_called = False
            self._is_stopped = False
            self._started = True
            self._offset = None
            self._coroutines = []
            self._parts = None if parts is None else _partitions.Parts(self, parts)
        threading.Thread(target=self._run_thread, name=f"pathway:{self._shown_name}", daemon=True).start()

    def _run_thread(self) -> None:
        """Everything the subject's thread does."""
        error: BaseException | None = None
        try:
            self.start()
            if self._parts is None:
                _drive.drive(self)
            else:
                self._parts.run()
        except StopSubject:
            pass
        except BaseException as raised:
            error = raised
        for hook in (self._call_on_stop, self.end):
            try:
                hook()
            except StopSubject:
                pass
            except BaseException as raised:
                error = raised if error is None else error
        if error is not None:
            what = f"{_shown.of_error(error)}{_place_of_exit(error)}"
            failed = None if self._parts is None else self._parts.failed
            partition = "" if failed is None else f', partition "{failed}"'
            logger.error("%s%s: the connector failed: %s", self._shown_name, partition, what)
        self._started = False
        for part in [self] if self._parts is None else self._parts.subjects:
            part._end(error)

    def _end(self, error: BaseException | None) -> None:
        """The thread that sends rows with this subject, or this part of one, has ended."""
        if error is not None or self._is_finite():
            self._close_native(error, self._is_stopped)
        self._thread_ended()

    def _stop_requested(self) -> None:
        """The computation is told to stop; the thread of the subject may still be running."""
        with self._stop_lock:
            self._is_stopped = True
            running = self._coroutines
        if not (running and self._awaits_on_stop()):
            try:
                self._call_on_stop()
            except BaseException as error:
                for part in [self] if self._parts is None else self._parts.subjects:
                    part._close_native(error)
        for coroutine in running:
            # An asynchronous on_stop is awaited where run is unwound, in its own event loop.
            coroutine.cancel()

    def _awaits_on_stop(self) -> bool:
        """Whether `on_stop` belongs into the event loop of `run`; partitions have several."""
        return self._parts is None and inspect.iscoroutinefunction(self.on_stop)

    def _call_on_stop(self) -> None:
        with self._stop_lock:
            if self._on_stop_called:
                return
            self._on_stop_called = True
        _drive.call(self.on_stop)


def _place_of_exit(error: BaseException) -> str:
    """Where a SystemExit was raised. No traceback will say so, as for other exceptions."""
    if not isinstance(error, SystemExit):
        return ""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    return f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
