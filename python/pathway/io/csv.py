"""Comma-separated values."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from pathway._expressions.expression import ColumnReference
from pathway._ground import arguments, missing_names
from pathway._schemas.schema import Schema
from pathway._tables.table import Table
from pathway.io import fs
from pathway.io._csv_settings import CsvParserSettings

__all__ = ["CsvParserSettings", "read", "write"]

if not TYPE_CHECKING:
    # Type checkers know the names that are there.
    __getattr__ = missing_names.of(__name__)


@arguments.explained
def read(
    path: str | os.PathLike[str],
    *,
    schema: type[Schema] | None = None,
    csv_settings: CsvParserSettings | None = None,
    mode: Literal["streaming", "static"] = "streaming",
    object_pattern: str = "*",
    with_metadata: bool = False,
    autocommit_duration_ms: int | None = 1500,
    name: str | None = None,
    max_backlog_size: int | None = None,
    debug_data: Any = None,
) -> Table[Any]:
    """Reads csv files whose first line names the columns. The arguments are those of ``pw.io.fs.read``.

    Args:
        path: a file, a glob, or a folder.
        schema: the columns to read; the files may have more, in any order.
        csv_settings: delimiter, quotes and so on.
        mode: ``"static"`` reads what is there; ``"streaming"`` follows new, changed and deleted files.
        object_pattern: a glob that the names of files in a folder have to match.
        with_metadata: adds a column ``_metadata`` about the file.
        autocommit_duration_ms: how often what was read becomes visible.
        name: a unique name for messages and monitoring.
        max_backlog_size: how many rows may wait for the engine before reading waits. It has a default.
        debug_data: a pandas DataFrame; a run with ``debug=True`` refuses it, any other does not use it.

    Example:

    >>> import pathlib, tempfile
    >>> import pathway as pw
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "bridges.csv"
    >>> _ = path.write_text('name,metres\\n"Forth, rail",2467\\nAkashi,3911\\n')
    >>> class Bridge(pw.Schema):
    ...     name: str
    ...     metres: int
    >>> pw.debug.compute_and_print(pw.io.csv.read(path, schema=Bridge, mode="static"), include_id=False)
    name        | metres
    Akashi      | 3911
    Forth, rail | 2467
    """
    return fs.read(
        path,
        "csv",
        schema=schema,
        csv_settings=csv_settings,
        mode=mode,
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
    """Writes the changes of a table to a csv file.

    Every change is a line: the columns, then ``time``, then ``diff``, 1 for an addition and -1 for a removal. All
    fields are quoted. The header comes with the first change.

    A file is written by one worker. Where a run has several and the order of rows does not matter,
    ``partitioned=True`` lets all of them write: each worker, in every process, has a file ``part-00000.csv``,
    ``part-00001.csv`` and so on in the folder ``filename``, which is made if it is missing. All changes of a row are in
    one file, in the order of their times; every file begins with the header. What earlier runs have left in parts is
    removed or overwritten, other files stay. ``pw.io.csv.read`` of the folder reads all parts.

    Args:
        table: the table to write.
        filename: the file, or the folder for the parts; a file is created when the run starts, and what it held is
            lost.
        partitioned: whether every worker writes a file of its own.
        name: a name for monitoring.
        sort_by: columns of the table that order the changes of one time, within each file.

    Example:

    >>> import pathlib, tempfile
    >>> import pathway as pw
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "lakes.csv"
    >>> table = pw.debug.table_from_markdown('''
    ... lake   | depth
    ... Baikal | 1642
    ... ''')
    >>> pw.io.csv.write(table, path)
    >>> pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    >>> print(path.read_text(), end="")
    "lake","depth","time","diff"
    "Baikal","1642","0","1"

    With a file for every worker, of which there is one here:

    >>> folder = path.with_name("lakes")
    >>> pw.io.csv.write(table, folder, partitioned=True)
    >>> pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    >>> print((folder / "part-00000.csv").read_text(), end="")
    "lake","depth","time","diff"
    "Baikal","1642","0","1"
    """
    fs.write(table, filename, "csv", partitioned=partitioned, name=name, sort_by=sort_by)
