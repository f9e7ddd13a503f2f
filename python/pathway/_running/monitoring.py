"""Showing the progress of a run: a live panel on a terminal, log lines elsewhere.

Everything shown comes from `Run.statistics()`: counters that only grow, so a rate is the difference of two looks.
`rich` is imported only when a panel is drawn.
"""

from __future__ import annotations

import enum
import logging
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from pathway._ground import environment, forks
from pathway._ground.shown import shown

if TYPE_CHECKING:
    from pathway._native import Statistics

logger = logging.getLogger("pathway")

Clock = Callable[[], float]

_LOG_SECONDS = 5.0
_PANEL_SECONDS = 0.25

# The engine's time once there is nothing more to come.
END_OF_TIME = 2**63 - 1

# Times of tables in a program, `__time__`, are small numbers; those of live sources are milliseconds since 1970.
FIRST_TIME_OF_DAY = 10**12


class MonitoringLevel(enum.Enum):
    """What a run shows of its progress.

    Example:

    >>> import pathway as pw
    >>> pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    """

    AUTO = 0
    """IN_OUT as a panel on a terminal, as log lines elsewhere; nothing in a notebook."""
    AUTO_ALL = 1
    """ALL on a terminal, else like AUTO."""
    NONE = 2
    """Nothing."""
    IN_OUT = 3
    """Sources and sinks."""
    ALL = 4
    """Sources, operators and sinks."""


class Line(NamedTuple):
    """What is shown of one source, operator or sink."""

    name: str
    role: str
    rows: int
    rate: float
    waiting: int
    lag_seconds: float | None


class Monitor:
    """Shows nothing but, at the end, that rows were rejected: those are never silent."""

    def __enter__(self) -> Monitor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def update(self, statistics: Callable[[], Sequence[Statistics]]) -> None:
        """Called several times a second; asks for the statistics only when it has something to show."""

    def finish(self, statistics: Sequence[Statistics]) -> None:
        """Called once, after the run."""
        for entry in statistics:
            if entry.rejected:
                logger.warning(
                    "%s: %s rejected, see the messages above or pw.global_error_log()",
                    entry.name,
                    _count(entry.rejected, "row was", "rows were"),
                )


class SilentMonitor(Monitor):
    """Shows nothing."""

    def finish(self, statistics: Sequence[Statistics]) -> None:
        pass


class LogMonitor(Monitor):
    """Log lines: every few seconds while something changes, and one at the end."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._rates = Rates(clock)
        self._next = clock() + _LOG_SECONDS
        self._last: str | None = None

    def update(self, statistics: Callable[[], Sequence[Statistics]]) -> None:
        if self._clock() >= self._next:
            self._next = self._clock() + _LOG_SECONDS
            self._log(statistics())

    def finish(self, statistics: Sequence[Statistics]) -> None:
        self._log(statistics, "not delivered")
        super().finish(statistics)

    def _log(self, statistics: Sequence[Statistics], what_waits: str = "waiting") -> None:
        lines = [line for line in self._rates.lines(statistics) if line.role != "operator"]
        text = "; ".join(f"{_count(line.rows, 'row')} {_direction(line)} {line.name}" for line in lines)
        # What waits at a sink is on its way from a source, and is waiting there as well unless all of it has been read.
        waiting = max(
            sum(line.waiting for line in lines if line.role == "source"),
            max((line.waiting for line in lines if line.role == "sink"), default=0),
        )
        if waiting:
            text += f" ({_count(waiting, 'row')} {what_waits})"
        if text and text != self._last:
            self._last = text
            logger.info("%s", text)


class PanelMonitor(Monitor):
    """A table on the terminal that is redrawn a few times a second."""

    def __init__(self, *, operators: bool, clock: Clock = time.monotonic, console: Any = None) -> None:
        # Only who looks at a panel needs it.
        from rich.live import Live

        self._operators = operators
        self._clock = clock
        self._rates = Rates(clock)
        self._next = clock()
        # What goes elsewhere, as with `2> log.txt`, stays there.
        self._live = Live(console=console, auto_refresh=False, redirect_stderr=_is_terminal(sys.stderr))
        self._handlers: list[tuple[logging.StreamHandler[Any], Any]] = []
        self._streams = (sys.stdout, sys.stderr)
        # Drawn until something goes wrong with the terminal.
        self._is_drawn = True
        self._in_child = forks.undone_in_child(self._leave_in_child)

    def __enter__(self) -> Monitor:
        # Only who looks at a panel needs it.
        from rich.errors import LiveError

        self._streams = (sys.stdout, sys.stderr)
        streams = {sys.stdout: "stdout", sys.stderr: "stderr"}
        self._in_child.__enter__()
        try:
            self._live.start()
        except LiveError:
            # There is one panel on a terminal: that of another run, or one of the program.
            self._is_drawn = False
            return LogMonitor(self._clock)
        # While the panel is drawn, `print` writes above it. So must handlers that have got hold of the streams before.
        for handler in [*logging.root.handlers, *logger.handlers]:
            if isinstance(handler, logging.StreamHandler) and handler.stream in streams:
                before = handler.setStream(getattr(sys, streams[handler.stream]))
                if before is not None:
                    self._handlers.append((handler, before))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._in_child.__exit__(None, None, None)
        with suppress(OSError, ValueError):
            self._live.stop()
        for handler, stream in self._handlers:
            handler.setStream(stream)

    def _leave_in_child(self) -> None:
        """Lets a forked process write where it would without a panel, which goes on in its parent."""
        sys.stdout, sys.stderr = self._streams
        for handler, stream in self._handlers:
            handler.stream = stream

    def update(self, statistics: Callable[[], Sequence[Statistics]]) -> None:
        if self._is_drawn and self._clock() >= self._next:
            self._next = self._clock() + _PANEL_SECONDS
            self._draw(statistics())

    def finish(self, statistics: Sequence[Statistics]) -> None:
        if self._is_drawn:
            self._draw(statistics)
        super().finish(statistics)

    def _draw(self, statistics: Sequence[Statistics]) -> None:
        # Only who looks at a panel needs it.
        from rich.table import Table
        from rich.text import Text

        panel = Table(title="pathway", title_justify="left")
        panel.add_column("")
        panel.add_column("name")
        for header in ("rows", "rows/s", "waiting", "lag"):
            panel.add_column(header, justify="right")
        for line in self._rates.lines(statistics):
            if self._operators or line.role != "operator":
                panel.add_row(
                    line.role,
                    # A text as it is: in a string, rich looks for what is to be bold.
                    Text(shown(line.name)),
                    f"{line.rows:,}",
                    f"{line.rate:,.0f}",
                    f"{line.waiting:,}",
                    "" if line.lag_seconds is None else f"{line.lag_seconds:.1f} s",
                )
        try:
            self._live.update(panel, refresh=True)
        except (OSError, ValueError) as error:
            # The terminal is gone, or cannot write a name. The run is not about that.
            self._is_drawn = False
            logger.warning("the progress is not shown any more: %s", error)


class Rates:
    """Turns counters into lines, remembering the last look."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._looked = clock()
        self._rows: dict[tuple[int, str], int] = {}

    def lines(self, statistics: Sequence[Statistics]) -> list[Line]:
        now = self._clock()
        seconds = now - self._looked
        self._looked = now
        return [
            self._line(position, entry, seconds, lag)
            for position, (entry, lag) in enumerate(zip(statistics, lags(statistics), strict=True))
        ]

    def _line(self, position: int, entry: Statistics, seconds: float, lag: float | None) -> Line:
        rows = entry.rows_in if entry.role == "sink" else entry.rows_out
        before = self._rows.get((position, entry.name), 0)
        self._rows[position, entry.name] = rows
        rate = (rows - before) / seconds if seconds > 0 else 0.0
        return Line(entry.name, entry.role, rows, rate, entry.backlog, lag)


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


def choose(level: MonitoringLevel) -> Monitor:
    """The monitor for a level and for where the output goes."""
    if not environment.is_first_process():
        # The first process has heard of all rows, those included that were rejected here.
        return SilentMonitor()
    automatic = level in (MonitoringLevel.AUTO, MonitoringLevel.AUTO_ALL)
    if level is MonitoringLevel.NONE or (automatic and _in_notebook()):
        return Monitor()
    if not _is_terminal(sys.stdout):
        return LogMonitor()
    return PanelMonitor(operators=level in (MonitoringLevel.ALL, MonitoringLevel.AUTO_ALL))


def _is_terminal(stream: Any) -> bool:
    return stream is not None and stream.isatty()


def _in_notebook() -> bool:
    if "IPython" not in sys.modules:
        return False
    shell = sys.modules["IPython"].get_ipython()
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _direction(line: Line) -> str:
    return "to" if line.role == "sink" else "from"
