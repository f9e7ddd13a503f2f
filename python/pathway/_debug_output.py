"""`Table.debug`: printing the updates of a table while a program is being written.

A run with ``debug=True`` prints them as they happen. The functions of `pw.debug` run captures only; there the
updates are printed when the run is over, before what the function prints itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pathway import _environment, _graph, _native
from pathway._native import Pointer

if TYPE_CHECKING:
    from pathway.io._tables import Output


@dataclass
class Debugged:
    """A table whose updates are printed."""

    name: str
    output: Output
    is_subscribed: bool = False
    is_printing: bool = False

    def line(self, key: Pointer, row: Mapping[str, Any], time: int, diff: int) -> str:
        """An update as text."""
        cells = "".join(f", {name}={value!r}" for name, value in row.items())
        return f"[{self.name}] @{time} {diff:+d} id={key}{cells}"


def print_as_it_happens(graph: _graph.Graph, wanted: bool) -> None:
    """Whether the run that follows prints the updates of all debugged tables."""
    for debugged in graph.debugged:
        debugged.is_printing = wanted
        # An output stays in the plan; one that was never wanted is not there at all.
        if wanted and not debugged.is_subscribed:
            debugged.is_subscribed = True
            _subscribe(graph.plan, debugged)


def _subscribe(plan: _native.Plan, debugged: Debugged) -> None:
    def on_change(key: Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        if debugged.is_printing:
            print(debugged.line(key, row, time, 1 if is_addition else -1), flush=True)

    output = debugged.output
    plan.subscribe(
        output.node,
        output.columns,
        on_change=on_change,
        on_time_end=None,
        on_end=None,
        skip_errors=False,
        sort_by=[],
        name=f"debug {debugged.name}",
        origin=output.origin,
    )


@contextmanager
def printed_afterwards(graph: _graph.Graph, wanted: bool) -> Iterator[list[_native.Capture]]:
    """Captures of the debugged tables, to be run meanwhile; their updates are printed at the end."""
    tables = graph.debugged if wanted else []
    outputs = [debugged.output for debugged in tables]
    captures = [graph.plan.capture(out.node, [column for _, column in out.columns], out.origin) for out in outputs]
    yield captures
    # Every process has the updates.
    if not _environment.is_first_process():
        return
    for debugged, capture in zip(tables, captures, strict=True):
        names = [name for name, _ in debugged.output.columns]
        for key, values, time, diff in capture.updates():
            print(debugged.line(key, dict(zip(names, values, strict=True)), time, diff))
