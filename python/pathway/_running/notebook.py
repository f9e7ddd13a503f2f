"""The progress of a run in a notebook: one output of its cell, which is replaced by later ones in its place.

A display has an identity of its own, by which the notebook finds it again wherever it is: so it does not matter that
the cell has ended when the run goes on in another thread. A second run, also of the same cell, has another.
"""

from __future__ import annotations

import html
import logging
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pathway._ground.shown import shown
from pathway._running.log_lines import LogMonitor
from pathway._running.monitor import Monitor
from pathway._running.progress import Clock, Ending, Line, Progress, duration, rate_text

if TYPE_CHECKING:
    from pathway._native import Statistics

logger = logging.getLogger("pathway")

_SECONDS = 0.5
"""How often it is shown in the first minute."""

_LATER_SECONDS = 2.0
"""How often then: a notebook on a slow line has to take all of it."""

_HEADERS = ("", "name", "rows", "read", "rows/s", "rejected", "waiting", "lag", "last row")

_READ = 3
"""The column that is left out where no size is known."""


class NotebookMonitor(Monitor):
    """A small table below the cell."""

    def __init__(self, *, operators: bool, clock: Clock = time.monotonic) -> None:
        self._operators = operators
        self._clock = clock
        self._progress = Progress(clock)
        self._next = clock()
        self._handle: Any = None
        self._has_finished = False

    def __enter__(self) -> Monitor:
        try:
            # It is there, or this would not be here; but not on every machine on which types are checked.
            display = import_module("IPython.display").display
            self._handle = display(View([], "starting"), display_id=True)
        except Exception as error:
            logger.warning("the progress cannot be shown in the notebook: %s", error)
        # A shell that is there but shows nothing gives no handle.
        return self if self._handle is not None else LogMonitor(self._clock)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._has_finished:
            # Something has kept the run from beginning.
            self._show([], "not run")

    def update(self, statistics: Callable[[], Sequence[Statistics]]) -> None:
        now = self._clock()
        if now >= self._next:
            self._next = now + (_SECONDS if self._progress.seconds < 60 else _LATER_SECONDS)
            self._show(self._progress.look(statistics()), f"running for {duration(self._progress.seconds)}")

    def finish(self, statistics: Sequence[Statistics], ending: Ending = Ending.FINISHED) -> None:
        self._has_finished = True
        lines = self._progress.end(statistics)
        totals = self._progress.totals(lines)
        state = f"{ending.value} after {duration(totals.seconds)}: {totals.text()}" if lines else "not run"
        self._show(lines, state)
        super().finish(statistics, ending)

    def _show(self, lines: Sequence[Line], state: str) -> None:
        if self._handle is None:
            return
        chosen = [line for line in lines if self._operators or line.role != "operator"]
        try:
            self._handle.update(View(chosen, state))
        except Exception as error:
            # The notebook is gone. The run is not about that.
            self._handle = None
            logger.warning("the progress is not shown any more: %s", error)


class View:
    """What a notebook shows, as HTML, and as text for those that show no HTML."""

    def __init__(self, lines: Sequence[Line], state: str) -> None:
        rows = [_HEADERS, *map(_cells, lines)]
        if all(line.share is None for line in lines):
            rows = [(*row[:_READ], *row[_READ + 1 :]) for row in rows]
        self._headers, *self._rows = rows
        self._state = state

    def _repr_html_(self) -> str:
        head = "".join(
            f'<th style="text-align: {_side(number)}">{name}</th>' for number, name in enumerate(self._headers)
        )
        body = "".join(
            "<tr>"
            + "".join(
                f'<td style="text-align: {_side(number)}">{html.escape(cell)}</td>' for number, cell in enumerate(row)
            )
            + "</tr>"
            for row in self._rows
        )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if self._rows else ""
        return f"<div>{table}<div>{html.escape(self._state)}</div></div>"

    def __repr__(self) -> str:
        if not self._rows:
            return self._state
        rows = [self._headers, *self._rows]
        widths = [max(len(row[number]) for row in rows) for number in range(len(self._headers))]
        lines = [
            "  ".join(
                cell.ljust(width) if number < 2 else cell.rjust(width)
                for number, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        return "\n".join([*lines, self._state])


def _cells(line: Line) -> tuple[str, ...]:
    return (
        line.role,
        shown(line.name),
        f"{line.rows:,}",
        line.share_text,
        rate_text(line.rate),
        f"{line.rejected:,}",
        f"{line.waiting:,}",
        "" if line.lag_seconds is None else f"{line.lag_seconds:.1f} s",
        "" if line.age_seconds is None else f"{duration(line.age_seconds)} ago",
    )


def _side(number: int) -> str:
    return "left" if number < 2 else "right"
