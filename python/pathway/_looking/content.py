"""The rows of a table while a run goes on, kept for those who look at them now and then.

Changes come in the engine's threads; whoever looks does so in others. What belongs to one time becomes visible at once.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from pathway._debugging import captures, static
from pathway._debugging.captures import LiveRows, Update
from pathway._debugging.snapshots import Snapshot
from pathway._native import DType, Pointer
from pathway._tables import connecting
from pathway._tables.table import Table

logger = logging.getLogger("pathway")


class Content:
    """Keeps the rows of a table, and the latest of its changes."""

    def __init__(self, dtypes: dict[str, DType], *, changes: int = 0) -> None:
        self.dtypes = dtypes
        self.changed = threading.Condition()
        self._rows: LiveRows = {}
        self._latest: deque[Update] = deque(maxlen=changes)
        self._open: list[Update] = []
        self._time: int | None = None
        self._number_of_changes = 0
        self._snapshot: Snapshot | None = None
        self.has_ended = False

    # Called by the engine.

    def begin(self, _name: str | None = None) -> None:
        """A run begins, with nothing."""
        with self.changed:
            self._rows.clear()
            self._latest.clear()
            self._open.clear()
            self._time = self._snapshot = None
            self._number_of_changes = 0
            self.has_ended = False
            self.changed.notify_all()

    def change(self, key: Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        """A row comes or goes."""
        self._open.append(Update(key, row, time, 1 if is_addition else -1))

    def time_ended(self, time: int) -> None:
        """There are no more changes of the time."""
        if not self._open:
            return
        with self.changed:
            for update in self._open:
                # What a run that goes on from a state takes back may have come before.
                captures.apply(self._rows, update.key, tuple(update.row.values()), update.diff)
                if not self._rows[update.key]:
                    del self._rows[update.key]
            self._latest.extend(self._open)
            self._number_of_changes += len(self._open)
            self._open.clear()
            self._time = time
            self._snapshot = None
            self.changed.notify_all()

    def ended(self) -> None:
        """There are no more changes at all."""
        with self.changed:
            self.has_ended = True
            self._snapshot = None
            self.changed.notify_all()

    # Called by those who look.

    def snapshot(self) -> Snapshot:
        """The rows after the last time that is complete. The same object as long as nothing has changed."""
        with self.changed:
            if self._snapshot is None:
                rows = {key: live[-1] for key, live in self._rows.items()}
                self._snapshot = Snapshot(rows, self.dtypes, None if self.has_ended else self._time or 0)
            return self._snapshot

    def latest(self) -> tuple[list[Update], int]:
        """The latest changes, the last one last, and how many there were before them."""
        with self.changed:
            return list(self._latest), self._number_of_changes - len(self._latest)

    def __len__(self) -> int:
        return len(self._rows)


def tell_if_read(table: Table[Any], what: str) -> None:
    """Says it if the rows cannot come before another run has ended, which knows nothing of who wants to see them."""
    for source in connecting.live_sources(table):
        if source.is_being_read():
            logger.warning(
                "%s shows nothing yet: a run that goes on reads %s, and began before; stop that run and start it again",
                what,
                source.text,
            )


def follow(
    table: Table[Any],
    content: Content,
    *,
    name: str,
    on_time_end: Callable[[], object] | None = None,
    on_end: Callable[[], object] | None = None,
) -> None:
    """Has runs keep the rows of the table from now on; then calls the functions, in the engine's threads."""
    output = connecting.output(table)

    def time_ended(time: int) -> None:
        content.time_ended(time)
        if on_time_end is not None:
            on_time_end()

    def ended() -> None:
        content.ended()
        if on_end is not None:
            on_end()

    connecting.plan().subscribe(
        output.node,
        output.columns,
        on_change=content.change,
        on_time_end=time_ended,
        on_end=ended,
        skip_errors=False,
        sort_by=[],
        name=None,
        origin=output.origin,
        default_name=name,
        on_begin=content.begin,
    )


def of_table(table: Table[Any], *, changes: int = 0) -> Content:
    """What will be the rows of a table."""
    return Content(static.column_dtypes(table.schema), changes=changes)
