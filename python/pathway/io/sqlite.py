"""Tables of SQLite databases."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from pathway import _native
from pathway._expressions.expression import ColumnReference
from pathway._ground import arguments, environment, missing_names
from pathway._ground.origin import user_origin
from pathway._schemas.schema import Schema
from pathway._tables import connecting
from pathway._tables.table import Table
from pathway.io import _database_reading, _database_writing, _databases, _subject
from pathway.io._subscribe import connect

__all__ = ["read", "write"]

if not TYPE_CHECKING:
    # Type checkers know the names that are there.
    __getattr__ = missing_names.of(__name__)

# How often a database is asked whether something has changed.
_PERIOD_SECONDS = 0.5


@arguments.explained
def read(
    path: str | os.PathLike[str],
    table_name: str,
    schema: type[Schema],
    *,
    mode: Literal["streaming", "static"] = "streaming",
    autocommit_duration_ms: int | None = 1500,
    name: str | None = None,
    max_backlog_size: int | None = None,
    debug_data: Any = None,
) -> Table[Any]:
    """Reads a table or view of an SQLite database, and what becomes of it.

    Twice a second the database is asked whether something has changed. If so, the table is read again and compared with
    what it was: a changed row is the removal of the old one and the addition of the new one, and all changes since the
    last look have one time. The rows stay in memory for that. In a run with persistence a restart takes in what has
    changed meanwhile.

    Columns with ``primary_key=True`` in the schema give a row its key; the table has to say that they are unique.
    Without any, the number of the row (``rowid``) does.

    A bool may be 0, 1 or a text such as ``yes``; a float an INTEGER; a Duration nanoseconds; a date and time is a text
    in ISO 8601, with a ``T`` or a space; a Json, tuple, list or array is a text of JSON. A value that does not fit
    leaves out its row; it is logged with table, row and column, counted, and found in ``pw.global_error_log()``. With
    ``terminate_on_error=False`` it becomes an error in a row that is kept.

    Args:
        path: the file of the database.
        table_name: the table or view. As for SQLite, upper and lower case are the same in its name and in those of
            columns.
        schema: the columns to read. The table may have others.
        mode: ``"static"`` reads what is there; ``"streaming"`` goes on with the changes.
        autocommit_duration_ms: the database is asked more often than twice a second if this is less than 500. What is
            found is visible at once.
        name: a unique name for messages and monitoring, by which a run with persistence finds the source again.
        max_backlog_size: how many rows may wait for the engine before reading waits. What has changed between two looks
            stays in one piece.
        debug_data: a pandas DataFrame; a run with ``debug=True`` refuses it, any other does not use it.

    Raises:
        ValueError: there is no such file, table or column; the file is no database; the columns of the primary key are
            not unique; rows have no number and the schema no primary key.
        OSError: (from ``pw.run``) the database cannot be read, is locked for more than 30 seconds, or is gone.

    Example:

    >>> import pathlib, sqlite3, tempfile
    >>> import pathway as pw
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "harbour.db"
    >>> database = sqlite3.connect(path)
    >>> _ = database.execute("CREATE TABLE boats (name TEXT PRIMARY KEY, metres REAL)")
    >>> _ = database.execute("INSERT INTO boats VALUES ('Freja', 9.5), ('Maud', 36)")
    >>> database.commit()
    >>> database.close()
    >>> class Boat(pw.Schema):
    ...     name: str = pw.column_definition(primary_key=True)
    ...     metres: float
    >>> boats = pw.io.sqlite.read(path, "boats", Boat, mode="static")
    >>> pw.debug.compute_and_print(boats, include_id=False)
    name  | metres
    Freja | 9.5
    Maud  | 36.0
    """
    if mode not in ("streaming", "static"):
        raise ValueError(f"invalid mode {mode!r}: expected 'streaming' or 'static'")
    connecting.check_debug_data(debug_data)
    schema = connecting.check_schema(schema)
    table_name = _databases.check_table_name(table_name)
    default_name = f"sqlite {table_name}"
    fields = connecting.fields(schema, f"the table {table_name!r}")
    _databases.check_distinct([field.name for field in fields])
    period = connecting.check_positive("autocommit_duration_ms", autocommit_duration_ms)
    reading = _database_reading.Reading(
        label=connecting.check_name(name) or default_name,
        path=connecting.path_text("path", path),
        table=table_name,
        columns={field.name: field.dtype for field in fields},
        primary_key=[field.name for field in fields if field.primary_key],
        is_static=mode == "static",
        period_seconds=_PERIOD_SECONDS if period is None else min(_PERIOD_SECONDS, period / 1000),
    )
    for field in fields:
        if field.dtype.required.kind != "any":
            _databases.storage_class(field.name, field.dtype)
    if environment.is_first_process():
        # It is read there; others may be on another machine.
        reading.check()
    reader = _database_reading.Reader(reading)
    node = connecting.plan().python_source(
        reader,
        fields,
        name=name,
        default_name=default_name,
        format="json",
        upsert=False,
        deletions=True,
        own_keys=not reading.primary_key,
        is_partitioned=False,
        autocommit_milliseconds=None,
        backlog_rows=connecting.check_positive("max_backlog_size", max_backlog_size),
        backlog_bytes=None,
        resume="compare",
        reads=[reading.path],
        origin=user_origin(),
    )
    state = _subject.state_of(reader)
    state.is_read = True
    state.shown_name = reading.label
    state.format = "json"
    connecting.note_live(
        node,
        reading.label,
        is_endless=not reading.is_static,
        has_static_mode=True,
        is_being_read=lambda: state.run is not None,
    )
    _native.open_subject(reader)
    return connecting.source_table(node, schema)


@arguments.explained
def write(
    table: Table[Any],
    path: str | os.PathLike[str],
    table_name: str,
    *,
    max_batch_size: int | None = None,
    init_mode: Literal["default", "create_if_not_exists", "replace"] = "default",
    output_table_type: Literal["stream_of_changes", "snapshot"] = "stream_of_changes",
    primary_key: Iterable[ColumnReference] | None = None,
    name: str | None = None,
    sort_by: Iterable[ColumnReference] | None = None,
) -> None:
    """Writes a table to one of an SQLite database: its changes, or its present rows.

    All changes of a time are one transaction. In a run with persistence the transaction has the time as well, in a
    table of its own with a row for each output: whatever kills the program, each change is written exactly once. The
    database has to be the same after a restart; one that has nothing of this output any more is refused.

    bool, int and Duration (in nanoseconds) become INTEGER, float REAL, bytes BLOB, and all others TEXT: dates and times
    in ISO 8601, a Json, tuple, list or array as JSON, a PyObjectWrapper as a pickle in base64, a NaN as ``NaN``. Rows
    with errors are left out and reported.

    Args:
        table: the table to write.
        path: the file of the database. It is created if it is not there.
        table_name: the table to write to.
        max_batch_size: how many changes are one transaction at most. None: all of a time are. So are they in a run with
            persistence, always.
        init_mode: what happens when the run starts. ``"default"``: the table has to be there;
            ``"create_if_not_exists"`` creates it; ``"replace"`` drops what is there and creates it. In a run that goes
            on with a state, the table is the one that was written before.
        output_table_type: ``"stream_of_changes"`` adds a row for every change, with the columns ``time`` and ``diff``,
            1 for an addition and -1 for a removal. ``"snapshot"`` has the rows that are there now.
        primary_key: for a snapshot, the columns that tell its rows apart, unique in ``table`` and in the database, and
            never None.
        name: a name for messages and monitoring, by which a run with persistence finds the output again.
        sort_by: columns of the table that order the changes of one time.

    Raises:
        ValueError: names of columns that SQLite takes for one another, or for ``time`` and ``diff``; a primary key that
            is missing, repeated, optional, of another table, or given for a stream of changes; a folder instead of a
            file.
        TypeError: a column of a type that has no place there.
        RuntimeError: (from ``pw.run``) the table is not there, is a view, or has no place for the rows.
        OSError: (from ``pw.run``) the database cannot be opened or written, or is locked for more than 30 seconds.

    Example:

    >>> import contextlib, pathlib, sqlite3, tempfile
    >>> import pathway as pw
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "counts.db"
    >>> arrivals = pw.debug.table_from_markdown('''
    ... boat  | __time__
    ... Freja | 2
    ... Maud  | 2
    ... Freja | 4
    ... ''')
    >>> counts = arrivals.groupby(arrivals.boat).reduce(arrivals.boat, count=pw.reducers.count())
    >>> pw.io.sqlite.write(
    ...     counts, path, "counts", init_mode="create_if_not_exists",
    ...     output_table_type="snapshot", primary_key=[counts.boat],
    ... )
    >>> pw.io.sqlite.write(counts, path, "changes", init_mode="create_if_not_exists", sort_by=[counts.boat])
    >>> pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    >>> with contextlib.closing(sqlite3.connect(path)) as database:
    ...     print(database.execute("SELECT * FROM counts ORDER BY boat").fetchall())
    ...     print(database.execute("SELECT * FROM changes").fetchall())
    [('Freja', 2), ('Maud', 1)]
    [('Freja', 1, 2, 1), ('Maud', 1, 2, 1), ('Freja', 1, 4, -1), ('Freja', 2, 4, 1)]
    """
    if init_mode not in ("default", "create_if_not_exists", "replace"):
        raise ValueError(f"invalid init_mode {init_mode!r}: expected 'default', 'create_if_not_exists' or 'replace'")
    if output_table_type not in ("stream_of_changes", "snapshot"):
        raise ValueError(f"invalid output_table_type {output_table_type!r}: expected 'stream_of_changes' or 'snapshot'")
    is_snapshot = output_table_type == "snapshot"
    columns = connecting.column_types(table)
    _databases.check_distinct(list(columns))
    for column, dtype in columns.items():
        _databases.storage_class(column, dtype)
        if not is_snapshot and _databases.folded(column) in _database_writing.CHANGE_COLUMNS:
            raise ValueError(
                f"the column {column!r} is one that a stream of changes has already, for the time and the kind of a "
                "change; rename it, or write a snapshot"
            )
    table_name = _databases.check_table_name(table_name)
    path = connecting.path_text("path", path)
    _databases.check_not_folder(path)
    default_name = f"sqlite.write {table_name}"
    output = _database_writing.Output(
        label=connecting.check_name(name) or default_name,
        path=path,
        table=table_name,
        columns=columns,
        init_mode=init_mode,
        primary_key=_primary_key(table, columns, primary_key, is_snapshot),
        max_batch_size=connecting.check_positive("max_batch_size", max_batch_size),
    )
    connect(
        table,
        output.on_change,
        on_end=output.end,
        name=name,
        sort_by=sort_by,
        hooks=output.hooks(),
        default_name=default_name,
    )


def _primary_key(
    table: Table[Any],
    columns: dict[str, _native.DType],
    given: Iterable[ColumnReference] | None,
    is_snapshot: bool,
) -> list[str] | None:
    """The names of the columns that tell the rows of a snapshot apart."""
    if not is_snapshot:
        if given is not None:
            raise ValueError("primary_key is for output_table_type='snapshot', which has the present rows")
        return None
    names = connecting.column_names("primary_key", table, given or ())
    if not names:
        raise ValueError("output_table_type='snapshot' wants a primary_key: the columns that tell its rows apart")
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"primary_key has the column {name!r} twice")
        if columns[name].is_optional:
            raise ValueError(
                f"primary_key has the column {name!r}, of which the type is {columns[name]}: it must not be None"
            )
    return names
