"""The plan that tables are being added to, one for the whole program.

`reset_graph()` begins a new one. Tables of the old plan stay what they were but cannot be used any more;
using one says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pathway import _native
from pathway._tables.universes import Solver, Universe

if TYPE_CHECKING:
    from pathway._tables.outputs import Debugged


class Graph:
    """A plan, what is known of the keys of its tables, and what is shared between tables."""

    def __init__(self) -> None:
        self.plan = _native.Plan()
        self.solver = Solver()
        self.id_columns: dict[tuple[_native.Node, _native.DType], _native.Column] = {}
        self.group_universes: dict[object, Universe] = {}
        self.debugged: list[Debugged] = []
        # Whether a source was given rows for runs with `debug=True`.
        self.has_debug_data = False
        # Sources that hold all their rows when a run begins: how many these are, or the path of files that have them.
        self.static_sources: dict[_native.Node, int | str] = {}
        self._static: dict[frozenset[_native.Pointer], Universe] = {}

    def static_universe(self, keys: Iterable[_native.Pointer]) -> Universe:
        """The universe of tables with exactly these keys, known when the plan is built."""
        return self._static.setdefault(frozenset(keys), Universe(self.solver))


_current = Graph()


def current_graph() -> Graph:
    """The graph that new tables belong to."""
    return _current


def reset_graph() -> None:
    """Begins a new, empty graph: forgets all tables and outputs declared so far."""
    global _current
    _current = Graph()


@contextmanager
def another_graph() -> Iterator[Graph]:
    """New tables belong to a graph of their own for a while."""
    global _current
    before, _current = _current, Graph()
    try:
        yield _current
    finally:
        _current = before
