"""The progress of a run as lines of the log: for pipes, files, services, and terminals that cannot do more."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pathway._ground.words import counted
from pathway._running.monitor import Monitor
from pathway._running.progress import Clock, Ending, Line, Progress, duration, rate_text

if TYPE_CHECKING:
    from pathway._native import Statistics

logger = logging.getLogger("pathway")

_LOOK_SECONDS = 0.5
"""How often the counters are looked at, so that a rate is right."""

_FIRST_SECONDS = 5.0
"""How far lines are apart in the first minute, when somebody may be watching."""

_LATER_SECONDS = 60.0
"""How far they are apart then: a service that runs for a month fills no disk."""


class LogMonitor(Monitor):
    """Log lines: every few seconds while something changes, later every minute, and one at the end that sums up."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._progress = Progress(clock)
        self._next_look = clock() + _LOOK_SECONDS
        self._next_line = clock() + _FIRST_SECONDS
        self._last: list[tuple[int, int, int]] | None = None

    def update(self, statistics: Callable[[], Sequence[Statistics]]) -> None:
        now = self._clock()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_SECONDS
        lines = _shown(self._progress.look(statistics()))
        if now < self._next_line:
            return
        self._next_line = now + (_FIRST_SECONDS if self._progress.seconds < _LATER_SECONDS else _LATER_SECONDS)
        figures = [(line.rows, line.waiting, line.rejected) for line in lines]
        if lines and figures != self._last:
            self._last = figures
            logger.info("%s", "; ".join(map(_text, lines)) + _waiting(lines, "waiting"))

    def finish(self, statistics: Sequence[Statistics], ending: Ending = Ending.FINISHED) -> None:
        lines = _shown(self._progress.end(statistics))
        if lines:
            totals = self._progress.totals(lines)
            parts = [_sum(lines, "source", "in"), _sum(lines, "sink", "out")]
            if totals.rejected:
                parts.append(f"{totals.rejected:,} rejected")
            logger.info(
                "%s after %s: %s",
                ending.value,
                duration(totals.seconds),
                ", ".join(part for part in parts if part) + _waiting(lines, "not delivered"),
            )
        super().finish(statistics, ending)


def _shown(lines: Sequence[Line]) -> list[Line]:
    return [line for line in lines if line.role != "operator"]


def _text(line: Line) -> str:
    notes = [f"{line.share_text} read"] if line.share is not None else []
    if line.rate:
        notes.append(f"{rate_text(line.rate)}/s")
    if line.rejected:
        notes.append(f"{line.rejected:,} rejected")
    direction = "to" if line.role == "sink" else "from"
    return f"{counted(line.rows, 'row')} {direction} {line.name}" + (f" ({', '.join(notes)})" if notes else "")


def _sum(lines: Sequence[Line], role: str, direction: str) -> str:
    """The rows of all that have a role, with the names, and how many each has if there are several."""
    own = [line for line in lines if line.role == role]
    if not own:
        return ""
    names = ", ".join(line.name if len(own) == 1 else f"{line.name} {line.rows:,}" for line in own)
    return f"{counted(sum(line.rows for line in own), 'row')} {direction} ({names})"


def _waiting(lines: Sequence[Line], what: str) -> str:
    # What waits at a sink is on its way from a source, and is waiting there as well unless all of it has been read.
    waiting = max(
        sum(line.waiting for line in lines if line.role == "source"),
        max((line.waiting for line in lines if line.role == "sink"), default=0),
    )
    return f" ({counted(waiting, 'row')} {what})" if waiting else ""
