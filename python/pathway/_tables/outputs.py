"""What sinks need to know of tables, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pathway import _native
from pathway._native import Pointer


class Output(NamedTuple):
    """What a sink needs to know of a table."""

    node: _native.Node
    columns: list[tuple[str, _native.Column]]
    sort_by: list[int]
    """Positions in `columns`."""
    origin: _native.Origin


@dataclass
class Debugged:
    """A table whose updates are printed."""

    name: str
    output: Output

    def line(self, key: Pointer, row: Mapping[str, Any], time: int, diff: int) -> str:
        """An update as text."""
        cells = "".join(f", {name}={value!r}" for name, value in row.items())
        return f"[{self.name}] @{time} {diff:+d} id={key}{cells}"
