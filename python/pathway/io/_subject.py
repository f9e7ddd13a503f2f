"""The Python half of a connector written in Python.

A `ConnectorSubject` has two halves. The native one (`_native.Subject`) takes rows: `next`, `next_batch`,
`commit` and their kin append straight to the engine's columns. This one has what users override; what happens
during a run is in `_subject_run`.

The class of a user's may have any names. So our own state is not in the instance but in the native half
(`state_of`), and our own code calls functions, never methods that a user could have replaced. The exceptions are
the hooks that the API documents, see `_hooks`.
"""

from __future__ import annotations

import enum
import json
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from pathway import _native
from pathway._ground import forks
from pathway._tables import connecting
from pathway.io import _deletions

if TYPE_CHECKING:
    import asyncio

    from pathway.io._subject_run import SubjectRun

Value = TypeVar("Value")


DEFAULT_NAME = "python"


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


@dataclass(slots=True, eq=False)
class State:
    """What we keep of a subject. Without a run it does not refer to the subject, which would live for ever."""

    datasource_name: str
    session: SessionType
    # What `read` was told to call it, or else its own name.
    shown_name: str = ""
    is_read: bool = False
    # Whether it has sent a row in one of the runs.
    has_sent: bool = False
    # From the start of its thread to the end.
    run: SubjectRun | None = None
    # Known after `read`.
    format: str | None = None
    max_backlog_size: int | None = None
    # The files that it reads, if it is one of the package's that read some.
    reads: Sequence[str] = ()


def state_of(subject: ConnectorSubject) -> State:
    """What we keep of a subject.

    Raises:
        RuntimeError: its `__init__` has not called ours.
    """
    state: State | None = _native.subject_state(subject)
    if state is None:
        raise RuntimeError(
            f"{type(subject).__name__}.__init__() does not call super().__init__(): a ConnectorSubject needs it"
        )
    return state


class _Default(Generic[Value]):
    """A value that instances have unless they are given one of their own: a property that does not mind."""

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> _Default[Value]: ...

    @overload
    def __get__(self, instance: ConnectorSubject, owner: type) -> Value: ...

    def __get__(self, instance: ConnectorSubject | None, owner: type) -> Value | _Default[Value]:
        return self if instance is None else self._compute(instance)


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
    - ``commit(offset=...)``: the same, and in a run with persistence the offset is kept with the rows: ``seek`` gets it
      after a restart, and ``on_durable`` once it is on disk;
    - ``close()``: commits and ends the source; called for you when ``run`` returns.

    Instead of calling them, ``run`` may be a generator that yields rows (dicts, dataclasses, NamedTuples, pydantic
    models) or batches (lists of these, arrow data), an ``async def``, or an asynchronous generator; or it returns
    them. Any number of threads may send rows, also before the computation starts: then they are kept for it, as many as
    may wait for the engine. When the engine is busy, sending waits. In a forked process it raises a RuntimeError.

    Any names are free for attributes and methods of your own.

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
        self, datasource_name: str = DEFAULT_NAME, *, session_type: Literal["native", "upsert"] = "native"
    ) -> None:
        missing = sorted(getattr(type(self), "__abstractmethods__", ()))
        if missing:
            raise TypeError(f"Can't instantiate {type(self).__name__}: it does not define {', '.join(missing)}()")
        if session_type not in ("native", "upsert"):
            raise ValueError(f"invalid session_type {session_type!r}: expected 'native' or 'upsert'")
        session = SessionType(session_type)
        state = _native.subject_state(self)
        if state is None:
            _native.set_subject_state(self, State(datasource_name, session))
        else:
            # Several classes that it is made of call this.
            state.datasource_name, state.session = datasource_name, session

    def __reduce__(self) -> Any:
        raise TypeError(
            f"cannot pickle or copy a {type(self).__name__}: a ConnectorSubject sends its rows in the process that has "
            "it; a process of its own gets a queue, and what comes out of the queue is sent here"
        )

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
        """Called in the subject's thread, before ``run``, in each run.

        ``on_stop`` waits until it has returned, for two seconds at most: what ``on_stop`` sets, such as an Event, is
        cleared here.
        """

    def end(self) -> None:
        """Called in the subject's thread, after ``on_stop``."""

    def close(self) -> None:
        """Commits what was sent and ends the source. Rows sent afterwards are not taken."""
        state = state_of(self)
        if state.run is not None and state.run.closes(self):
            return
        if not _native.is_early(self):
            _native.close_subject(self)
        elif not state.is_read:
            _native.keep_call(self, _native.close_subject)

    def on_persisted_run(self) -> None:
        """Called before ``seek`` and ``start`` in a run with persistence."""

    def seek(self, *args: Any) -> None:
        """Called in a run with persistence, before ``start`` and ``run``, with the offset of the last
        ``commit(offset=...)`` that was kept; not called if there is none. A subject with partitions gets the partition
        as well."""
        run = state_of(self).run
        if run is not None and not run.is_resuming:
            raise RuntimeError("seek() is called before the subject is started")
        self._seek(*args)

    def _seek(self, *args: Any) -> None:
        raise NotImplementedError(f"{type(self).__name__} has a stored offset, but does not define _seek()")

    def on_durable(self, *args: Any) -> None:
        """Called in a run with persistence, with the offset of a commit once it and all before it are on disk: their
        rows will not be asked for again, and may be acknowledged. Not every offset is named, but the last is. A subject
        with partitions gets the partition as well. Called in a thread of its own.

        Example:

        >>> import tempfile
        >>> import pathway as pw
        >>> class Orders(pw.io.python.ConnectorSubject):
        ...     def run(self):
        ...         self.next(order=1)
        ...         self.commit(offset={"page": 1})
        ...     def seek(self, offset):
        ...         print("going on behind", offset)
        ...     def on_durable(self, offset):
        ...         print("acknowledged", offset)
        >>> class OrderSchema(pw.Schema):
        ...     order: int
        >>> orders = pw.io.python.read(Orders(), schema=OrderSchema)
        >>> pw.io.null.write(orders)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     config = pw.persistence.Config(pw.persistence.Backend.filesystem(folder))
        ...     pw.run(persistence_config=config, monitoring_level=pw.MonitoringLevel.NONE)
        acknowledged {'page': 1}
        """

    @_Default
    def datasource_name(self) -> str:
        """A name for messages and monitoring."""
        name = self._datasource_name
        return name if isinstance(name, str) else state_of(self).datasource_name

    @_Default
    def _datasource_name(self) -> str:
        return state_of(self).datasource_name

    @_Default
    def _session_type(self) -> SessionType:
        return state_of(self).session

    @_Default
    def _deletions_enabled(self) -> bool:
        return deletions_enabled(self)

    @_Default
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
        _set_autocommit(self, False)

    def _enable_commits(self) -> None:
        """Commits, and lets the timer commit again."""
        _set_autocommit(self, True)

    def _set_max_backlog_size(self, max_backlog_size: int) -> None:
        """How many rows may wait for the engine, unless `read` is told something else."""
        state = state_of(self)
        if state.is_read:
            raise RuntimeError("the size of the backlog is set before the subject is passed to read()")
        state.max_backlog_size = connecting.check_positive("max_backlog_size", max_backlog_size)

    # Rows under keys that the subject chooses.

    def _add_inner(self, key: _native.Pointer | None, values: dict[str, Any]) -> None:
        """Sends a row under this key; without one it gets its key as by `next`."""
        push(self, key, values, 1)

    def _remove_inner(self, key: _native.Pointer | None, values: dict[str, Any]) -> None:
        """Takes back the row that was sent under this key."""
        push(self, key, values, -1)

    def _add(self, key: _native.Pointer | None, message: bytes, metadata: bytes | None = None) -> None:
        """Sends a row, a JSON object or the column `data` of a raw source, under this key."""
        _push_message(self, key, message, metadata, 1)

    def _remove(self, key: _native.Pointer | None, message: bytes, metadata: bytes | None = None) -> None:
        """Takes back the row that was sent under this key."""
        _push_message(self, key, message, metadata, -1)

    def _report_offset(self, offset: bytes) -> None:
        """Says where to go on after the rows sent so far; `seek` gets it in a later run with persistence."""
        if not isinstance(offset, bytes):
            raise TypeError(f"an offset is bytes, found {offset!r}")
        if _native.is_early(self):
            _native.keep_call(self, _native.report_offset, offset)
        else:
            _native.report_offset(self, offset)


# What works on a subject, whatever its class has under these names.


def is_told_to_stop(subject: ConnectorSubject) -> bool:
    """Whether the run that it sends rows to has told it to stop."""
    run = state_of(subject).run
    return run is not None and run.is_stopped


def session_type(subject: ConnectorSubject) -> SessionType:
    """What a subject says of its session; an attribute of that name that says something else is the user's own."""
    session = subject._session_type
    return session if isinstance(session, SessionType) else state_of(subject).session


def deletions_enabled(subject: ConnectorSubject) -> bool:
    """What a subject says of deletions, or else what its code says."""
    said = subject.deletions_enabled
    if isinstance(said, bool):
        return said
    return session_type(subject) is SessionType.UPSERT or _deletions.are_reachable(type(subject))


def private_deletions_enabled(subject: ConnectorSubject) -> bool:
    """The same, where a class overrides the private property."""
    said = subject._deletions_enabled
    return said if isinstance(said, bool) else deletions_enabled(subject)


def with_metadata(subject: ConnectorSubject) -> bool:
    """Whether metadata is a column."""
    return subject._with_metadata is True


def datasource_name(subject: ConnectorSubject) -> str:
    """The name of a subject that `read` gives none."""
    name = subject.datasource_name
    return name if isinstance(name, str) else state_of(subject).datasource_name


def _set_autocommit(subject: ConnectorSubject, enabled: bool) -> None:
    if _native.is_early(subject):
        _native.keep_call(subject, _native.set_autocommit, enabled)
    else:
        _native.set_autocommit(subject, enabled)


def push(subject: ConnectorSubject, key: _native.Pointer | None, values: dict[str, Any], diff: int) -> None:
    """Adds or removes a row."""
    if _native.is_early(subject):
        _native.keep_call(subject, _native.push_row, key, values, diff)
    else:
        _native.push_row(subject, key, values, diff)


def _push_message(
    subject: ConnectorSubject, key: _native.Pointer | None, message: bytes, metadata: bytes | None, diff: int
) -> None:
    if _native.is_early(subject):
        _native.keep_call(subject, _push_message, key, message, metadata, diff)
        return
    format = state_of(subject).format
    try:
        data = message.decode() if format == "raw" else message
        values = json.loads(data) if format == "json" else {"data": data}
        if metadata is not None and with_metadata(subject):
            values["_metadata"] = json.loads(metadata)
    except ValueError:
        values = None
    if isinstance(values, dict):
        push(subject, key, values, diff)
    else:
        # It is no row, and this says why.
        _native.Subject.next_bytes(subject, message)


def stopped(name: str, is_over: bool) -> BaseException:
    """What ends a thread that sends rows after the run was told to stop. Called by the native half."""
    what = "its run is over, and was told to stop" if is_over else "the computation has been told to stop"
    if _may_end_here():
        return StopSubject(what)
    return RuntimeError(f"{name}: {what}; rows are taken again in the next run")


def _may_end_here() -> bool:
    """Whether a SystemExit ends what sends rows, and not the program itself or an event loop that serves others."""
    thread = threading.current_thread()
    if thread is threading.main_thread():
        return False
    # Nobody runs an event loop who has not imported it; that takes long.
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return True
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return True
    return thread.name.startswith("pathway:") or asyncio.current_task(loop) is run_task.get()


# The task of an asynchronous `run`, where it and what it has started are at work.
run_task: ContextVar[asyncio.Task[Any] | None] = ContextVar("pathway_run_task", default=None)


forks.in_child(_native.begin_forked_process)
