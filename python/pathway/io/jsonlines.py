"""Files with one JSON object a line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pathway._expressions.expression import ColumnReference
from pathway._ground import arguments, missing_names
from pathway._schemas.schema import Schema
from pathway._tables.table import Table
from pathway.io import fs

__all__ = ["read", "write"]

if not TYPE_CHECKING:
    # Type checkers know the names that are there.
    __getattr__ = missing_names.of(__name__)


@arguments.explained
def read(
    path: str | os.PathLike[str],
    *,
    schema: type[Schema] | None = None,
    mode: Literal["streaming", "static"] = "streaming",
    json_field_paths: Mapping[str, str] | None = None,
    object_pattern: str = "*",
    with_metadata: bool = False,
    autocommit_duration_ms: int | None = 1500,
    name: str | None = None,
    max_backlog_size: int | None = None,
    debug_data: Any = None,
) -> Table[Any]:
    """Reads files with one JSON object a line. The arguments are those of ``pw.io.fs.read``.

    Args:
        path: a file, a glob, or a folder.
        schema: the fields to read.
        mode: ``"static"`` reads what is there; ``"streaming"`` follows new, changed and deleted files.
        json_field_paths: for fields that are not at the top of the object, their JSON pointers (RFC 6901).
        object_pattern: a glob that the names of files in a folder have to match.
        with_metadata: adds a column ``_metadata`` about the file.
        autocommit_duration_ms: how often what was read becomes visible.
        name: a unique name for messages and monitoring.
        max_backlog_size: how many rows may wait for the engine before reading waits. It has a default.
        debug_data: a pandas DataFrame; a run with ``debug=True`` refuses it, any other does not use it.

    Example:

    >>> import pathlib, tempfile
    >>> import pathway as pw
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "notes.jsonl"
    >>> _ = path.write_text('{"note": "la", "pitch": {"hertz": 440}}\\n')
    >>> class Note(pw.Schema):
    ...     note: str
    ...     hertz: int
    >>> table = pw.io.jsonlines.read(
    ...     path, schema=Note, json_field_paths={"hertz": "/pitch/hertz"}, mode="static"
    ... )
    >>> pw.debug.compute_and_print(table, include_id=False)
    note | hertz
    la   | 440
    """
    return fs.read(
        path,
        "json",
        schema=schema,
        mode=mode,
        json_field_paths=json_field_paths,
        object_pattern=object_pattern,
        with_metadata=with_metadata,
        autocommit_duration_ms=autocommit_duration_ms,
        name=name,
        max_backlog_size=max_backlog_size,
        debug_data=debug_data,
    )


@arguments.explained
def write(
    table: Table[Any],
    filename: str | os.PathLike[str],
    *,
    partitioned: bool = False,
    name: str | None = None,
    sort_by: Iterable[ColumnReference] | None = None,
) -> None:
    """Writes the changes of a table to a file, a JSON object a line.

    Each object has the columns, then ``diff``, 1 for an addition and -1 for a removal, and ``time``.

    Args:
        table: the table to write.
        filename: the file, or the folder for the parts; a file is created when the run starts, and what it held is
            lost.
        partitioned: whether ``filename`` is a folder in which every worker writes a file of its own,
            ``part-00000.jsonl`` and so on, see ``pw.io.csv.write``.
        name: a name for monitoring.
        sort_by: columns of the table that order the changes of one time, within each file.

    Example:

    >>> import pathlib, tempfile
    >>> import pathway as pw
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "winds.jsonl"
    >>> table = pw.debug.table_from_markdown('''
    ... wind  | knots
    ... bora  | 52.5
    ... ''')
    >>> pw.io.jsonlines.write(table, path)
    >>> pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    >>> print(path.read_text(), end="")
    {"wind":"bora","knots":52.5,"diff":1,"time":0}

    With a file for every worker, of which there is one here:

    >>> folder = path.with_name("winds")
    >>> pw.io.jsonlines.write(table, folder, partitioned=True)
    >>> pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    >>> print((folder / "part-00000.jsonl").read_text(), end="")
    {"wind":"bora","knots":52.5,"diff":1,"time":0}
    """
    fs.write(table, filename, "json", partitioned=partitioned, name=name, sort_by=sort_by)
