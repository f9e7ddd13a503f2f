"""`Table.debug`: printing the updates of a table while a program is being written.

A run with ``debug=True`` prints them as they happen. The functions of `pw.debug` run captures only; there the
updates are printed when the run is over, before what the function prints itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pathway import _native
from pathway._ground import environment
from pathway._ground.origin import user_origin
from pathway._native import Pointer
from pathway._tables.columns import TableColumns
from pathway._tables.graph import Graph
from pathway._tables.outputs import Debugged, Output


def print_updates(table: TableColumns, name: str) -> None:
    """Prints the updates of the table from now on, in runs that want it."""
    graph = table._graph
    debugged = Debugged(name, Output(table._node, list(table._columns.items()), [], user_origin()))
    graph.debugged.append(debugged)

    def on_change(key: Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        print(debugged.line(key, row, time, 1 if is_addition else -1), flush=True)

    graph.plan.subscribe(
        debugged.output.node,
        debugged.output.columns,
        on_change=on_change,
        on_time_end=None,
        on_end=None,
        skip_errors=False,
        sort_by=[],
        name=f"debug {name}",
        origin=debugged.output.origin,
        debug=True,
    )


@contextmanager
def printed_afterwards(graph: Graph, wanted: bool) -> Iterator[list[_native.Capture]]:
    """Captures of the debugged tables, to be run meanwhile; their updates are printed at the end."""
    tables = graph.debugged if wanted else []
    outputs = [debugged.output for debugged in tables]
    captures = [graph.plan.capture(out.node, [column for _, column in out.columns], out.origin) for out in outputs]
    yield captures
    # Every process has the updates.
    if not environment.is_first_process():
        return
    for debugged, capture in zip(tables, captures, strict=True):
        names = [name for name, _ in debugged.output.columns]
        for key, values, time, diff in capture.updates():
            print(debugged.line(key, dict(zip(names, values, strict=True)), time, diff))
