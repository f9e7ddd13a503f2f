"""The runs in the background that compute live tables, one for each table.

A live table that nobody has any more is over, but not at once: in a notebook, and in programs that keep nothing of it,
it is often asked for again, and connectors do not like to be stopped and started.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from pathway._debugging.captures import quiet
from pathway._ground import forks, notebook_shell
from pathway._looking import content
from pathway._running import run
from pathway._running.background import Control, RunHandle, present_place
from pathway._tables.table import Table

View = TypeVar("View")

_numbers = itertools.count()
_going_on: dict[int, Computation] = {}
_lock = threading.Lock()


class Computation:
    """A run that keeps the rows of a table."""

    def __init__(self, table: Table[Any]) -> None:
        self.table = table
        self.content = content.of_table(table)
        # The live table that people have of it, if they have one.
        self._view: Callable[[], Any] = lambda: None
        # Who makes it may be interrupted by what asks for it, such as a finalizer of the user's.
        self._view_lock = threading.RLock()
        # The numbers of those that somebody has: that one, and others that were made of it.
        self._views: set[int] = set()
        self._cell = notebook_shell.cell()
        content.follow_while_there(table, self.content, name="live")
        number = next(_numbers)
        settings = quiet("Table.live")

        def execute(control: Control) -> None:
            try:
                run._execute(settings, "Table.live", everything=False, captures=None, control=control)
            finally:
                _going_on.pop(number, None)

        self.handle = RunHandle(execute, None)
        _going_on[number] = self
        try:
            self.handle._begin()
        except BaseException:
            # There may be no thread that would do it.
            _going_on.pop(number, None)
            raise

    def view(self, make: Callable[[Computation], View]) -> View:
        """The live table that people have of it, or a new one. Of several threads, all get the same."""
        with self._view_lock:
            view: View | None = self._view()
            if view is None:
                view = make(self)
                self._view = weakref.ref(view)
            return view

    def viewed(self) -> int:
        """There is another live table of it; gives its number, for `leave`."""
        number = next(_numbers)
        self._views.add(number)
        self.handle._control.signals.take_back()
        return number

    def leave(self, number: int, seconds: float) -> None:
        """Nobody has this live table any more. If it was the last, the run ends after a while. It may be called at any
        moment, also where this thread has a lock, and so takes none."""
        self._views.discard(number)
        if not self._views:
            # Another thread may be about to have one.
            self.handle._control.signals.ask_in(seconds, unless=self._views.__len__)

    def _forget_in_child(self) -> None:
        # The threads that may have these locks are those of the parent.
        self._view_lock = threading.RLock()
        self.content.changed = threading.Condition()

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


def _begin_anew() -> None:
    """In a process that was forked no run goes on, and nobody would give back a lock."""
    global _lock
    for known in list(_going_on.values()):
        known._forget_in_child()
    _going_on.clear()
    _lock = threading.Lock()


forks.in_child(_begin_anew)
