"""Text files, a row for each line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

from pathway._ground import arguments, missing_names
from pathway._tables.table import Table
from pathway.io import fs

__all__ = ["read"]

if not TYPE_CHECKING:
    # Type checkers know the names that are there.
    __getattr__ = missing_names.of(__name__)


@arguments.explained
def read(
    path: str | os.PathLike[str],
    *,
    mode: Literal["streaming", "static"] = "streaming",
    object_pattern: str = "*",
    with_metadata: bool = False,
    autocommit_duration_ms: int | None = 1500,
    name: str | None = None,
    max_backlog_size: int | None = None,
    debug_data: Any = None,
) -> Table[Any]:
    """Reads text files into a table with a column ``data``, a row for each line.

    Args:
        path: a file, a glob, or a folder.
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
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "verse.txt"
    >>> _ = path.write_text("the tide\\nthe shore\\n")
    >>> pw.debug.compute_and_print(pw.io.plaintext.read(path, mode="static"), include_id=False)
    data
    the shore
    the tide
    """
    return fs.read(
        path,
        "plaintext",
        mode=mode,
        object_pattern=object_pattern,
        with_metadata=with_metadata,
        autocommit_duration_ms=autocommit_duration_ms,
        name=name,
        max_backlog_size=max_backlog_size,
        debug_data=debug_data,
    )
