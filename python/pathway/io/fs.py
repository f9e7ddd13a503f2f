"""Files and folders. ``pw.io.csv``, ``pw.io.jsonlines`` and ``pw.io.plaintext`` are short forms of this module."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pathway._expressions.expression import ColumnReference
from pathway._ground import arguments, missing_names
from pathway._ground.origin import user_origin
from pathway._schemas.builders import schema_from_types
from pathway._schemas.schema import Schema
from pathway._tables import connecting
from pathway._tables.table import Table
from pathway._values.json import Json
from pathway.io._csv_settings import CsvParserSettings

__all__ = ["read", "write"]

if not TYPE_CHECKING:
    # Type checkers know the names that are there.
    __getattr__ = missing_names.of(__name__)

# The formats of `read`: whether they take their columns from a schema, and otherwise which type `data` has.
_FORMATS: dict[str, type | None] = {
    "csv": None,
    "json": None,
    "plaintext": str,
    "plaintext_by_file": str,
    "binary": bytes,
    "only_metadata": None,
}


@arguments.explained
def read(
    path: str | os.PathLike[str],
    format: Literal["csv", "json", "plaintext", "plaintext_by_file", "binary", "only_metadata"],
    *,
    schema: type[Schema] | None = None,
    mode: Literal["streaming", "static"] = "streaming",
    csv_settings: CsvParserSettings | None = None,
    json_field_paths: Mapping[str, str] | None = None,
    object_pattern: str = "*",
    with_metadata: bool = False,
    name: str | None = None,
    autocommit_duration_ms: int | None = 1500,
    max_backlog_size: int | None = None,
    debug_data: Any = None,
) -> Table[Any]:
    """Reads a file, all files that match a glob, or all files of a folder.

    Args:
        path: a file, a glob, or a folder, which is read with its subfolders.
        format: ``"csv"``; ``"json"``, one object a line; ``"plaintext"``, a row for each line; ``"plaintext_by_file"``
            and ``"binary"``, a row for each file; ``"only_metadata"``, a row for each file without its content. The
            last four have a column ``data``, but for ``"only_metadata"``.
        schema: the columns, for csv and json.
        mode: ``"static"`` reads what is there and ends. ``"streaming"`` goes on following new, changed and deleted
            files; the rows of a file that has changed or gone are taken back, unless the schema is append-only.
        csv_settings: delimiter, quotes and so on.
        json_field_paths: for fields that are not at the top of the object, their JSON pointers (RFC 6901).
        object_pattern: a glob that the names of files in a folder have to match.
        with_metadata: adds a column ``_metadata``, a Json with ``path``, ``size``, ``modified_at``, ``created_at``,
            ``owner`` and ``seen_at``.
        name: a unique name for messages and monitoring.
        autocommit_duration_ms: how often what was read becomes visible.
        max_backlog_size: how many rows may wait for the engine before reading waits. It has a default. A change of a
            file that is read anew stays in one piece.
        debug_data: a pandas DataFrame; a run with ``debug=True`` refuses it, any other does not use it.

    A record that cannot be read is left out; it is logged, counted, and found in ``pw.global_error_log()``. With
    ``terminate_on_error=False`` a value that cannot be read becomes an error in a row that is kept.

    In static mode with several workers (``pathway spawn``) all of them read: they share the files, and a big csv, json
    or plaintext file is split among them. The rows and their ids are the same whatever the number of workers.

    In streaming mode a file that grows is read on from where reading stopped. The columns that are read stay in memory,
    so that a change of a file can be told as a difference. If all columns of the schema are append-only
    (``class Log(pw.Schema, append_only=True)``), nothing is kept: the rows of a file that is truncated, rewritten or
    deleted stay, and the error log says what happened. A record may be 256 MiB long.

    Example:

    >>> import pathlib, tempfile
    >>> import pathway as pw
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.csv").write_text("metal,kelvin\\ntin,505\\nlead,601\\n")
    >>> class Metal(pw.Schema):
    ...     metal: str
    ...     kelvin: int
    >>> table = pw.io.fs.read(folder, format="csv", schema=Metal, mode="static")
    >>> pw.debug.compute_and_print(table, include_id=False)
    metal | kelvin
    lead  | 601
    tin   | 505
    """
    if format not in _FORMATS:
        raise ValueError(f"invalid format {format!r}: expected one of {', '.join(_FORMATS)}")
    if mode not in ("streaming", "static"):
        raise ValueError(f"invalid mode {mode!r}: expected 'streaming' or 'static'")
    connecting.check_debug_data(debug_data)
    schema = _schema_for(format, schema)
    fields = connecting.fields(schema, f"files in {format}")
    place = connecting.path_text("path", path)
    node = connecting.plan().file_source(
        place,
        fields,
        format=format,
        mode=mode,
        settings=_settings(format, csv_settings, json_field_paths, [field.name for field in fields]),
        object_pattern=object_pattern,
        with_metadata=with_metadata or format == "only_metadata",
        append_only=connecting.is_append_only(schema),
        autocommit_milliseconds=connecting.check_positive("autocommit_duration_ms", autocommit_duration_ms),
        backlog_rows=connecting.check_positive("max_backlog_size", max_backlog_size),
        name=connecting.check_name(name),
        origin=user_origin(),
    )
    if mode == "static":
        connecting.note_static(node, place)
    else:
        connecting.note_live(node, name or format, is_endless=True, has_static_mode=True)
    if with_metadata or format == "only_metadata":
        schema = _with_metadata(schema)
    return connecting.source_table(node, schema)


def _schema_for(format: str, schema: type[Schema] | None) -> type[Schema]:
    if format in ("csv", "json"):
        return connecting.check_schema(schema)
    if schema is not None:
        raise ValueError(f"format {format!r} takes no schema")
    data = _FORMATS[format]
    return schema_from_types() if data is None else schema_from_types(data=data)


def _with_metadata(schema: type[Schema]) -> type[Schema]:
    # The columns of the right operand come first.
    combined: type[Schema] = schema_from_types(_metadata=Json) | schema
    return combined


def _settings(
    format: str,
    csv_settings: CsvParserSettings | None,
    json_field_paths: Mapping[str, str] | None,
    names: list[str],
) -> dict[str, object]:
    if csv_settings is not None and format != "csv":
        raise ValueError(f"csv_settings are for the format 'csv', not for {format!r}")
    if json_field_paths is not None and format != "json":
        raise ValueError(f"json_field_paths are for the format 'json', not for {format!r}")
    if format == "csv":
        return (csv_settings or CsvParserSettings())._native()
    if json_field_paths is not None:
        unknown = sorted(set(json_field_paths) - set(names))
        if unknown:
            raise ValueError(f"json_field_paths names fields that the schema does not have: {', '.join(unknown)}")
        return {"paths": dict(json_field_paths)}
    return {}


@arguments.explained
def write(
    table: Table[Any],
    filename: str | os.PathLike[str],
    format: Literal["json", "csv"],
    *,
    partitioned: bool = False,
    name: str | None = None,
    sort_by: Iterable[ColumnReference] | None = None,
) -> None:
    """Writes the changes of a table to a file, see ``pw.io.csv.write`` and ``pw.io.jsonlines.write``.

    Args:
        table: the table to write.
        filename: the file; it is created when the run starts, and what it held is lost.
        format: ``"csv"`` or ``"json"``.
        partitioned: whether ``filename`` is a folder in which every worker writes a file of its own, see
            ``pw.io.csv.write``.
        name: a name for monitoring.
        sort_by: columns of the table that order the changes of one time.

    Example:

    >>> import pathlib, tempfile
    >>> import pathway as pw
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "moons.jsonl"
    >>> table = pw.debug.table_from_markdown('''
    ... moon | planet
    ... Io   | Jupiter
    ... ''')
    >>> pw.io.fs.write(table, path, format="json")
    >>> pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    >>> print(path.read_text(), end="")
    {"moon":"Io","planet":"Jupiter","diff":1,"time":0}
    """
    output = connecting.declared_output(table, sort_by)
    plan = connecting.plan()
    writers = {"csv": plan.csv_write, "json": plan.jsonlines_write}
    if format not in writers:
        raise ValueError(f"invalid format {format!r}: expected 'csv' or 'json'")
    writers[format](
        output.node,
        output.columns,
        connecting.path_text("filename", filename),
        connecting.check_flag("partitioned", partitioned),
        output.sort_by,
        connecting.check_name(name),
        output.origin,
    )
