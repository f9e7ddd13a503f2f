"""The runs in the background that compute live tables, one for each table.

A live table that nobody has any more is over, but not at once: in a notebook, and in programs that keep nothing of it,
it is often asked for again, and connectors do not like to be stopped and started.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

from pathway._debugging.captures import quiet
from pathway._ground import notebook_shell
from pathway._looking import content
from pathway._running import run
from pathway._running.background import Control, RunHandle, present_place
from pathway._tables.table import Table

_numbers = itertools.count()
_going_on: dict[int, Computation] = {}
_lock = threading.Lock()


class Computation:
    """A run that keeps the rows of a table."""

    def __init__(self, table: Table[Any]) -> None:
        self.table = table
        self.content = content.of_table(table)
        self.view: Callable[[], object] = lambda: None
        """The live table that people have of it, if they have one."""
        self._number_of_views = 0
        self._cell = notebook_shell.cell()
        content.follow(table, self.content, name="live")
        number = next(_numbers)
        settings = quiet("Table.live")

        def execute(control: Control) -> None:
            try:
                run._execute(settings, "Table.live", everything=False, captures=None, control=control)
            finally:
                _going_on.pop(number, None)

        self.handle = RunHandle(execute, None)
        _going_on[number] = self
        self.handle._begin()

    def viewed(self) -> int:
        """There is another live table of it; gives its number, for `leave`."""
        self._number_of_views += 1
        self.handle._control.signals.take_back()
        return self._number_of_views

    def leave(self, number: int, seconds: float) -> None:
        """Nobody has this live table any more; the run ends after a while. It may be called at any moment, and late."""
        if number == self._number_of_views:
            self.handle._control.signals.ask_in(seconds)

    def leave_for(self, other: Table[Any]) -> None:
        """Ends if the cell of a notebook that has begun it is run again and asks for another table, whose rows come
        from the same sources: what it has made before is what people have left behind."""
        cell = notebook_shell.cell()
        is_again = self._cell is not None and cell is not None and cell != self._cell
        if is_again and self.handle._place == present_place() and self.table._graph is other._graph:
            plan = other._graph.plan
            if not set(plan.sources(self.table._node)).isdisjoint(plan.sources(other._node)):
                self.handle._control.signals.ask(at_once=False)


def of(table: Table[Any]) -> Computation:
    """That of a table, which is begun unless it goes on."""
    with _lock:
        for known in list(_going_on.values()):
            if known.table is not table:
                known.leave_for(table)
            elif known.handle.is_running and known.handle._control.signals.take_back():
                return known
        return Computation(table)
