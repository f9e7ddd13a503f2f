"""The first rows of a table that depends on nothing but data at rest, computed when somebody looks at it.

Nobody has asked for a run, so there are bounds: no source that goes on is ever started, there is not much data, and
what takes longer than a moment is given up. Functions of the user are called as in any run.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from pathway._debugging import static
from pathway._debugging.captures import quiet, rows_of
from pathway._debugging.snapshots import Snapshot
from pathway._ground import environment
from pathway._ground.shown import of_error
from pathway._running.background import RunHandle
from pathway._running.run import run_captures
from pathway._tables import connecting
from pathway._tables.graph import Graph, current_graph
from pathway._tables.table import Table

MOST_ROWS = 20_000
"""Of the sources, in the program."""

MOST_BYTES = 5_000_000
"""Of the sources, in files."""

SECONDS = 1.0


class Preview(NamedTuple):
    """The rows, or why there are none to be seen."""

    snapshot: Snapshot | None
    reason: str = ""


def preview(table: Table[Any]) -> Preview:
    """The rows of a table, if they can be had within the bounds."""
    graph = table._graph
    sources = list(_static_sources(graph, table._node))
    if None in sources:
        return Preview(None, "its rows come while a run goes on: see show() and live()")
    if graph is not current_graph() or environment.cluster() is not None:
        return Preview(None)
    if not _is_small([source for source in sources if source is not None]):
        return Preview(None, "it comes of much data: show() computes it")
    try:
        return _computed(table)
    except Exception as error:
        return Preview(None, f"it cannot be computed: {of_error(error)}")


def is_static(table: Table[Any]) -> bool:
    """Whether nothing that the table depends on goes on."""
    return None not in _static_sources(table._graph, table._node)


def _static_sources(graph: Graph, node: int) -> Iterator[int | str | None]:
    """What is known of the sources that a node depends on; None stands for each that is not static."""
    return (graph.static_sources.get(source) for source in graph.plan.sources(node))


def _is_small(sources: list[int | str]) -> bool:
    rows = sum(source for source in sources if isinstance(source, int))
    size = 0
    for path in sources:
        if isinstance(path, str):
            for file in _files(path):
                size += os.stat(file).st_size
                if size > MOST_BYTES:
                    return False
    return rows <= MOST_ROWS


def _files(path: str) -> Iterator[str]:
    for found in [path] if os.path.exists(path) else glob.iglob(path, recursive=True):
        if os.path.isfile(found):
            yield found
        for folder, _, names in os.walk(found):
            yield from (file for name in names if os.path.isfile(file := os.path.join(folder, name)))


def _computed(table: Table[Any]) -> Preview:
    output = connecting.output(table)
    capture = connecting.plan().capture(output.node, [column for _, column in output.columns], output.origin)
    # Otherwise every row that fails would be logged, of which nobody has asked.
    settings = quiet("preview", terminate_on_error=True)
    handle = RunHandle(lambda control: run_captures([capture], settings, "preview", control), None)
    handle._begin()
    try:
        if not handle.wait(SECONDS):
            return Preview(None, f"it takes longer than {SECONDS:.0f} s: show() computes it")
    finally:
        handle.abort()
    return Preview(Snapshot(rows_of(capture), static.column_dtypes(table.schema)))
