"""What sinks need to know of tables, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pathway import _native
from pathway._ground.shown import shown
from pathway._native import Pointer


class Output(NamedTuple):
    """What a sink needs to know of a table."""

    node: _native.Node
    columns: list[tuple[str, _native.Column]]
    sort_by: list[int]
    """Positions in `columns`."""
    origin: _native.Origin


class Debugged:
    """A table whose updates are printed."""

    def __init__(self, name: str, output: Output) -> None:
        self.name = name
        self.output = output

    def line(self, key: Pointer, row: Mapping[str, Any], time: int, diff: int) -> str:
        """An update as text."""
        cells = "".join(f", {shown(name)}={value!r}" for name, value in row.items())
        return f"[{shown(self.name)}] @{time} {diff:+d} id={key}{cells}"
