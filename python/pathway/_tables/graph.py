"""The plan that tables are being added to, one for the whole program.

`reset_graph()` begins a new one. Tables of the old plan stay what they were but cannot be used any more;
using one says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pathway import _native
from pathway._ground.origin import Place
from pathway._tables.universes import Solver, Universe

if TYPE_CHECKING:
    from pathway._tables.outputs import Debugged


@dataclass(frozen=True, kw_only=True)
class LiveSource:
    """What is known of a source that may get more rows while a run goes on."""

    name: str
    place: Place | None
    is_endless: bool
    """Whether it goes on until it is told to stop. That it does not is known of few: a connector in Python may do
    as it likes."""
    has_static_mode: bool
    is_being_read: Callable[[], bool]
    """Whether a run reads it, so that no other can."""

    @property
    def text(self) -> str:
        """Its name, and where it was declared."""
        return self.name + (f" ({self.place.file}:{self.place.line})" if self.place else "")


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
        self.live_sources: dict[_native.Node, LiveSource] = {}
        # The places of outputs that no run has had yet.
        self.waiting_outputs: list[str] = []
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
