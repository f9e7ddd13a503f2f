"""Connectors written in Python: sources (``ConnectorSubject``) and sinks (``ConnectorObserver``)."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal

from pathway import _native
from pathway._expressions.expression import ColumnReference
from pathway._ground import arguments, missing_names, tracebacks
from pathway._ground.origin import user_origin, warn
from pathway._native import Pointer
from pathway._schemas.builders import schema_from_types
from pathway._schemas.schema import Schema
from pathway._tables import connecting
from pathway._tables.table import Table
from pathway._values.json import Json
from pathway.io import _deletions, _hooks, _partitions, _subject
from pathway.io._subject import ConnectorSubject, SessionType
from pathway.io._subscribe import Hooks, connect

__all__ = ["AsyncConnectorObserver", "ConnectorObserver", "ConnectorSubject", "SessionType", "read", "write"]

if not TYPE_CHECKING:
    # Type checkers know the names that are there.
    __getattr__ = missing_names.of(__name__)


@arguments.explained
def read(
    subject: ConnectorSubject,
    *,
    schema: type[Schema] | None = None,
    format: Literal["json", "raw", "binary"] | None = None,
    autocommit_duration_ms: int | None = 1500,
    debug_data: Any = None,
    name: str | None = None,
    max_backlog_size: int | None = None,
    max_backlog_bytes: int | None = None,
    persistent_id: str | None = None,
    resume: Literal["new", "seek", "replay"] | None = None,
) -> Table[Any]:
    """A table of the rows that a ``ConnectorSubject`` sends.

    Args:
        subject: an instance of your subclass of ``ConnectorSubject``. Each instance makes one table.
        schema: the columns. Columns with ``primary_key=True`` give a row its key; without any, each row gets a key
            of its own.
        format: deprecated; ``"raw"`` and ``"binary"`` make one column ``data``.
        autocommit_duration_ms: how often what was sent becomes visible on its own. None: only at ``commit()`` and at
            the end.
        debug_data: a pandas DataFrame; a run with ``debug=True`` refuses it, any other does not use it.
        name: a unique name for messages and monitoring.
        max_backlog_size: how many rows may wait for the engine before sending waits. It has a default.
        max_backlog_bytes: the same in bytes.
        persistent_id: deprecated, use ``name``.
        resume: how the source goes on when a run with persistence is started again. ``"seek"``: ``seek(offset)`` is
            called before ``run``, with the offset of the last ``commit(offset=...)`` that was kept. ``"replay"``:
            ``run`` starts over, and the rows that are there already are left out; they have to be the same. ``"new"``:
            all that ``run`` sends is new. Default: ``"seek"`` where ``seek`` is defined, else ``"new"``.

    A row that does not fit the schema is left out; it is logged, counted, and found in ``pw.global_error_log()``. A
    field that the schema does not have is ignored, and reported once.

    Example:

    >>> import pathway as pw
    >>> class Stations(pw.io.python.ConnectorSubject):
    ...     def run(self):
    ...         self.next(code="KBP", metres=178)
    ...         self.next(code="LPB", metres=4061)
    >>> class StationSchema(pw.Schema):
    ...     code: str = pw.column_definition(primary_key=True)
    ...     metres: int
    >>> stations = pw.io.python.read(Stations(), schema=StationSchema)
    >>> pw.debug.compute_and_print(stations, include_id=False)
    code | metres
    KBP  | 178
    LPB  | 4061
    """
    if persistent_id is not None:
        warn("persistent_id is deprecated, use name instead", DeprecationWarning)
        name = name if name is not None else persistent_id
    state = _check_subject(subject)
    if format is not None:
        warn("format is deprecated: the fields of a row are the columns", DeprecationWarning)
    if _hooks.is_internal(subject) and name is not None:
        raise ValueError(f"a {type(subject).__name__} is internal and has no name of its own, found {name!r}")
    connecting.check_debug_data(debug_data)
    schema = _schema_for(format, schema, with_metadata=_subject.with_metadata(subject))
    datasource_name = _subject.datasource_name(subject)
    fields = connecting.fields(schema, f"the subject {datasource_name}")
    upsert = _subject.session_type(subject) is SessionType.UPSERT
    # A subject that overrides `_session_type` may choose the keys itself, with `_add`.
    if state.session is SessionType.UPSERT and not any(field.primary_key for field in fields):
        raise ValueError(
            "session_type='upsert' requires a schema with at least one primary_key column: upserts replace the row "
            "with the same primary key"
        )
    autocommit = connecting.check_positive("autocommit_duration_ms", autocommit_duration_ms)
    backlog_rows = connecting.check_positive("max_backlog_size", max_backlog_size) or state.max_backlog_size
    backlog_bytes = connecting.check_positive("max_backlog_bytes", max_backlog_bytes)
    node = connecting.plan().python_source(
        subject,
        fields,
        name=connecting.check_name(name),
        default_name=datasource_name,
        format=format or "json",
        upsert=upsert,
        deletions=_subject.private_deletions_enabled(subject),
        own_keys=_deletions.chooses_keys(type(subject)),
        is_partitioned=_partitions.are_declared(type(subject)),
        autocommit_milliseconds=autocommit,
        backlog_rows=backlog_rows,
        backlog_bytes=backlog_bytes,
        resume=_resume(subject, resume),
        reads=state.reads,
        origin=user_origin(),
    )
    state.is_read = True
    state.shown_name = name or datasource_name
    state.format = format or "json"
    connecting.note_live(
        node,
        type(subject).__name__ if state.shown_name == _subject.DEFAULT_NAME else state.shown_name,
        is_endless=not _hooks.is_finite(subject),
        has_static_mode=False,
        is_being_read=lambda: state.run is not None,
    )
    _native.open_subject(subject)
    return connecting.source_table(node, schema)


def _check_subject(subject: object) -> _subject.State:
    if isinstance(subject, type) and issubclass(subject, ConnectorSubject):
        raise TypeError(
            f"read() takes an instance of a ConnectorSubject, found the class {subject.__name__}: "
            f"write pw.io.python.read({subject.__name__}(), schema=...)"
        )
    if not isinstance(subject, ConnectorSubject):
        raise TypeError(
            f"read() takes an instance of a ConnectorSubject, found {subject!r}: write class "
            "Rows(pw.io.python.ConnectorSubject) with a method run(self), which sends rows with self.next(...) or "
            "yields them, and pw.io.python.read(Rows(), schema=...)"
        )
    state = _subject.state_of(subject)
    if state.is_read:
        raise ValueError(
            "You can't use the same ConnectorSubject object in more than one Python connector. "
            "If you want to use the same ConnectorSubject twice, create two separate objects of this class."
        )
    return state


def _resume(subject: ConnectorSubject, resume: object) -> str:
    seeks = _hooks.has_own(subject, "seek") or _hooks.has_own(subject, "_seek")
    if resume is None:
        return "seek" if seeks else "new"
    if resume not in ("new", "seek", "replay"):
        raise ValueError(f"invalid resume {resume!r}: expected 'new', 'seek' or 'replay'")
    if resume == "seek" and not seeks:
        raise ValueError(f"resume='seek' wants {type(subject).__name__} to define seek(self, offset)")
    return str(resume)


def _schema_for(format: str | None, schema: type[Schema] | None, *, with_metadata: bool) -> type[Schema]:
    if format in (None, "json"):
        return connecting.check_schema(schema)
    if format not in ("raw", "binary"):
        raise ValueError(f"invalid format {format!r}: expected 'json', 'raw' or 'binary'")
    data = str if format == "raw" else bytes
    return schema_from_types(_metadata=Json, data=data) if with_metadata else schema_from_types(data=data)


@tracebacks.shortened_class
class _Observer(ABC):  # noqa: B024 (its subclasses have the abstract method)
    def on_time_end(self, time: int) -> None:  # noqa: B027
        """Called after the last change at a time."""

    def on_end(self) -> None:  # noqa: B027
        """Called after the last change of all."""

    def prepare(self, time: int) -> bytes | None:  # noqa: B027
        """Makes the changes of a time ready to become visible, such that a crash does not undo it.

        Define it together with ``commit`` where the outside system commits in two steps. It is called after the last
        change at a time. In a run with persistence, what it returns is kept on disk with all that the time comes of
        before ``commit`` is called.

        Args:
            time: of the changes since the last call.

        Returns:
            what ``commit`` and ``recover`` have to know, such as the number of a transaction.
        """

    def commit(self, time: int, token: bytes | None) -> None:  # noqa: B027
        """Makes the changes of a time visible.

        It is called in the order of times; the changes of the next time come when it has returned. In a run with
        persistence it is called once all that the time comes of is on disk, so that no crash takes it back. Where there
        is a ``prepare`` and no ``recover``, it is called again after a restart, with the last token that was kept: that
        time may have been committed already.

        Args:
            time: of the changes.
            token: what ``prepare`` has returned.
        """

    def recover(self, time: int | None, token: bytes | None) -> int | None:  # noqa: B027
        """Says where to go on, before anything else in a run with persistence.

        If ``prepare`` is defined, the time with this token may not be visible yet: then it is committed here. What was
        made ready later is thrown away here; it comes again.

        Args:
            time: up to which everything was prepared, or committed where there is no ``prepare``, as the runs before
                have noted; None if they have noted nothing, as in the first run.
            token: what ``prepare`` has returned then.

        Returns:
            up to which time everything is visible: changes up to then do not come again. None is what was noted. A
            number below zero says that nothing is visible, and everything comes again.
        """


class ConnectorObserver(_Observer):
    """A sink of your own: subclass it, write ``on_change``, and pass an instance to ``pw.io.python.write``."""

    @abstractmethod
    def on_change(self, key: Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        """Called with every change of a row.

        Args:
            key: the key of the row.
            row: the values by the names of the columns.
            time: when it changed; changes that belong together have the same.
            is_addition: whether the row came, and did not go.
        """


class AsyncConnectorObserver(_Observer):
    """A sink whose ``on_change`` is asynchronous; all changes of one time are awaited together."""

    @abstractmethod
    async def on_change(self, key: Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        """Awaited with every change of a row.

        Args:
            key: the key of the row.
            row: the values by the names of the columns.
            time: when it changed; changes that belong together have the same.
            is_addition: whether the row came, and did not go.
        """


@arguments.explained
def write(
    table: Table[Any],
    observer: ConnectorObserver | AsyncConnectorObserver,
    *,
    name: str | None = None,
    sort_by: Iterable[ColumnReference] | None = None,
) -> None:
    """Sends every change of a table to an observer.

    Args:
        table: the table to follow.
        observer: an instance of your subclass of ``ConnectorObserver`` or ``AsyncConnectorObserver``. If it defines
            ``commit``, and ``prepare`` or ``recover``, it takes part in commits: in a run with persistence it has each
            change exactly once, whatever kills it.
        name: a name for monitoring, by which a run with persistence finds the output again.
        sort_by: columns of the table that order the changes of one time.

    Raises:
        TypeError: it is no observer, or one that defines ``prepare`` without ``commit``.

    Example:

    >>> import pathway as pw
    >>> class Printer(pw.io.python.ConnectorObserver):
    ...     def on_change(self, key, row, time, is_addition):
    ...         print("+" if is_addition else "-", row)
    ...     def on_end(self):
    ...         print("end")
    >>> table = pw.debug.table_from_markdown('''
    ... tree
    ... hornbeam
    ... ''')
    >>> pw.io.python.write(table, Printer())
    >>> pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    + {'tree': 'hornbeam'}
    end
    """
    if not isinstance(observer, (ConnectorObserver, AsyncConnectorObserver)):
        raise TypeError(f"write() takes an instance of a ConnectorObserver, found {observer!r}")
    # An attribute that cannot be called is the user's own.
    on_end, on_time_end = observer.on_end, observer.on_time_end
    connect(
        table,
        on_change=observer.on_change,
        on_end=on_end if callable(on_end) else None,
        on_time_end=on_time_end if callable(on_time_end) else None,
        name=name,
        sort_by=sort_by,
        hooks=_hooks_of(observer),
    )


def _hooks_of(observer: _Observer) -> Hooks:
    """What the observer defines to take part in commits."""
    prepare, commit, recover = (
        _hooks.defined(observer, name, _Observer, arguments)
        for name, arguments in (("prepare", 1), ("commit", 2), ("recover", 2))
    )
    if prepare is not None and commit is None:
        raise TypeError(f"{type(observer).__name__} defines prepare(self, time) and no commit(self, time, token)")
    return Hooks(prepare=_waiting(prepare), commit=_waiting(commit), recover=_waiting(recover))


def _waiting(method: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """A method, or one that waits for it where it is a coroutine function."""
    if method is None or not inspect.iscoroutinefunction(method):
        return method

    def wait(*arguments: Any) -> Any:
        # Only coroutines need asyncio, which takes long to import.
        from pathway._ground import event_loop

        returned: list[Any] = []

        async def call() -> None:
            returned.append(await method(*arguments))

        event_loop.run_together([call()])
        return returned[0]

    return wait
