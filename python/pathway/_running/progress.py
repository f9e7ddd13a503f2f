"""How far a run is: what its counters say, put into numbers and words for people.

Everything comes from `Run.statistics()`: counters that only grow. What takes time, such as a rate or the age of the
last row, is found by looking at them again and again. Rows become visible with their commit, so they come in jumps; a
rate is what came between two jumps, not what happened between two looks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from pathway._ground.words import counted
from pathway._values.times import FIRST_TIME_OF_DAY

if TYPE_CHECKING:
    from pathway._native import Statistics

Clock = Callable[[], float]

# The engine's time once there is nothing more to come.
END_OF_TIME = 2**63 - 1

_WINDOW_SECONDS = 10.0
"""What came in these last seconds makes the rate."""

_FEWEST_JUMPS = 3
"""How many jumps of a counter are remembered at least, however long ago they were."""

_SILENT_INTERVALS = 2.0
"""When nothing came for so many times the longest pause before, the rate begins to fall."""


class Ending(Enum):
    """How a run has ended; the value is what people are told."""

    FINISHED = "finished"
    STOPPED = "stopped"
    """Asked to, by a signal or by the program: what was committed has reached the outputs."""
    ABORTED = "aborted"
    """Asked to stop at once: rows that were on their way are lost."""
    LEFT = "stopped by the end of the program"
    FAILED = "failed"


class Line(NamedTuple):
    """What is shown of one source, operator or sink."""

    name: str
    role: str
    rows: int
    rate: float
    """Rows a second."""
    waiting: int
    lag_seconds: float | None
    """How far behind it is, see `lags`."""
    age_seconds: float | None
    """How long ago its last row was; None if there was none, or there will be no more."""
    rejected: int
    share: float | None = None
    """How much of it a source has read, from 0 to 1, where it is known how much there is and not all has been."""

    @property
    def share_text(self) -> str:
        """The share in percent; 100 only when all is read, and then nothing is said."""
        return "" if self.share is None else f"{min(int(self.share * 100), 99)} %"


class Totals(NamedTuple):
    """What is shown of a run as a whole."""

    rows_in: int
    rows_out: int
    rejected: int
    seconds: float

    def text(self) -> str:
        """The words of the last line, without how it has ended."""
        parts = [f"{counted(self.rows_in, 'row')} in", f"{counted(self.rows_out, 'row')} out"]
        if self.rejected:
            parts.append(f"{self.rejected:,} rejected")
        return ", ".join(parts)


class Progress:
    """Looks at the counters of one run, and remembers what it needs of what it saw.

    The time that has passed is counted from when this was made.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._start = clock()
        self._jumps: dict[tuple[int, str], _Jumps] = {}

    @property
    def seconds(self) -> float:
        """How long the run has been going on."""
        return self._clock() - self._start

    def look(self, statistics: Sequence[Statistics]) -> list[Line]:
        """Remembers the counters, and says what they mean now."""
        now = self._clock()
        return [
            self._line(position, entry, now, lag)
            for position, (entry, lag) in enumerate(zip(statistics, lags(statistics), strict=True))
        ]

    def end(self, statistics: Sequence[Statistics]) -> list[Line]:
        """The same for the end of the run: rates are those of the whole run, and a source has all rows that it has
        read, those included that went nowhere."""
        seconds = self.seconds
        lines = []
        for entry, line in zip(statistics, self.look(statistics), strict=True):
            rows = max(entry.rows_in, line.rows) if line.role == "source" else line.rows
            rate = rows / seconds if seconds > 0 else 0.0
            lines.append(line._replace(rows=rows, rate=rate, age_seconds=None))
        return lines

    def totals(self, lines: Sequence[Line]) -> Totals:
        return Totals(
            sum(line.rows for line in lines if line.role == "source"),
            sum(line.rows for line in lines if line.role == "sink"),
            sum(line.rejected for line in lines),
            self.seconds,
        )

    def _line(self, position: int, entry: Statistics, now: float, lag: float | None) -> Line:
        rows = entry.rows_in if entry.role == "sink" else entry.rows_out
        jumps = self._jumps.setdefault((position, entry.name), _Jumps(self._start))
        jumps.note(now, rows)
        has_ended = entry.time >= END_OF_TIME
        age = None if has_ended or jumps.last is None else now - jumps.last
        share = entry.bytes_read / entry.bytes if entry.bytes and not has_ended else None
        return Line(entry.name, entry.role, rows, jumps.rate(now), entry.backlog, lag, age, entry.rejected, share)


class _Jumps:
    """When a counter was seen to have changed, and what it was then; the first entry is where the counting begins."""

    def __init__(self, start: float) -> None:
        self._seen: list[tuple[float, int]] = [(start, 0)]
        self.last: float | None = None
        """When it changed last, if it did."""

    def note(self, now: float, rows: int) -> None:
        if rows != self._seen[-1][1]:
            self._seen.append((now, rows))
            self.last = now
        while len(self._seen) > _FEWEST_JUMPS and self._seen[1][0] <= now - _WINDOW_SECONDS:
            del self._seen[0]

    def rate(self, now: float) -> float:
        (start, before), (end, rows) = self._seen[0], self._seen[-1]
        if end <= start:
            return 0.0
        longest = max(later[0] - earlier[0] for earlier, later in zip(self._seen, self._seen[1:], strict=False))
        silent = now - end
        if silent > max(_WINDOW_SECONDS, 2 * _SILENT_INTERVALS * longest):
            return 0.0
        return (rows - before) / ((end if silent <= _SILENT_INTERVALS * longest else now) - start)


def lags(statistics: Sequence[Statistics]) -> list[float | None]:
    """How many seconds each is behind: the age of what it has done, while there is more to do.

    0 for what is idle, None for what has ended and for what has no times of the day, such as static tables.
    """
    now = time.time()
    read = max((entry.time for entry in statistics if entry.role == "source"), default=END_OF_TIME)
    return [_lag(entry, read, now) for entry in statistics]


def _lag(entry: Statistics, read: int, now: float) -> float | None:
    if not FIRST_TIME_OF_DAY <= entry.time < END_OF_TIME:
        return None
    is_behind = entry.backlog > 0 if entry.role == "source" else entry.time < read
    return max(0.0, now - entry.time / 1000) if is_behind else 0.0


def duration(seconds: float) -> str:
    """A time span as people write it.

    >>> from pathway._running.progress import duration
    >>> duration(0.04), duration(12.34), duration(75), duration(7384), duration(200000)
    ('0.0 s', '12.3 s', '1 min 15 s', '2 h 3 min', '2 d 7 h')
    """
    if seconds < 60:
        # 59.97 would be shown as 60.0 s.
        return f"{min(seconds, 59.9):.1f} s"
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if minutes < 60:
        return f"{minutes} min {int(seconds % 60)} s"
    if hours < 24:
        return f"{hours} h {minutes % 60} min"
    return f"{days} d {hours % 24} h"


def rate_text(rate: float) -> str:
    """Rows a second, with as many digits as say something.

    >>> from pathway._running.progress import rate_text
    >>> rate_text(0), rate_text(0.0333), rate_text(9.96), rate_text(1234.5)
    ('0', '0.033', '10', '1,234')
    """
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
