"""The progress of a run as a panel on a terminal, drawn with `rich` in one place again and again."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.cells import cell_len
from rich.console import Group
from rich.errors import LiveError
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pathway._ground import forks, streams
from pathway._ground.shown import shown
from pathway._running.log_lines import LogMonitor
from pathway._running.monitor import Monitor
from pathway._running.progress import Clock, Ending, Line, Progress, duration, rate_text

if TYPE_CHECKING:
    from pathway._native import Statistics

logger = logging.getLogger("pathway")

_SECONDS = 0.25
"""How often it is drawn."""


class _Column(NamedTuple):
    header: str
    text: Callable[[Line], str]
    is_needed: Callable[[Sequence[Line]], bool] = lambda lines: True
    """Whether it says anything about these lines."""


_ROLE = _Column("", lambda line: line.role)

# The columns after the name.
_FIGURES = (
    _Column("rows", lambda line: f"{line.rows:,}"),
    _Column("read", lambda line: line.share_text, lambda lines: any(line.share is not None for line in lines)),
    _Column("rows/s", lambda line: rate_text(line.rate)),
    _Column(
        "rejected",
        lambda line: f"{line.rejected:,}" if line.rejected else "",
        lambda lines: any(line.rejected for line in lines),
    ),
    _Column("waiting", lambda line: f"{line.waiting:,}"),
    _Column("lag", lambda line: "" if line.lag_seconds is None else f"{line.lag_seconds:.1f} s"),
    _Column("last row", lambda line: "" if line.age_seconds is None else _ago(line.age_seconds)),
)

# What a terminal that is too narrow goes without, first the last ones.
_BY_IMPORTANCE = (*_FIGURES[:3], _ROLE, *_FIGURES[3:])

_NAME_WIDTH = 12
"""So much is shown of a name at least, before columns are left out."""

_HEIGHT = 7
"""So many lines has the panel besides those of sources, operators and sinks, with one below for the cursor."""

_FRAME_WIDTH = 3
"""What a column takes besides what is in it; and there is one more line at the end."""


class PanelMonitor(Monitor):
    """A table on the terminal that is redrawn a few times a second, with a line that sums up below it."""

    def __init__(self, *, operators: bool, clock: Clock = time.monotonic, console: Any = None) -> None:
        self._operators = operators
        self._clock = clock
        self._progress = Progress(clock)
        self._next = clock()
        # What goes elsewhere, as with `2> log.txt`, stays there.
        redirects_errors = streams.is_terminal(sys.stderr)
        self._live = Live(console=console, auto_refresh=False, redirect_stderr=redirects_errors)
        self._handlers: list[tuple[logging.StreamHandler[Any], Any]] = []
        self._streams = (sys.stdout, sys.stderr)
        # Drawn until something goes wrong with the terminal.
        self._is_drawn = True
        self._was_drawn = False
        self._in_child = forks.undone_in_child(self._leave_in_child)

    def __enter__(self) -> Monitor:
        self._streams = (sys.stdout, sys.stderr)
        streams = {sys.stdout: "stdout", sys.stderr: "stderr"}
        self._in_child.__enter__()
        if not self._start():
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
        # Where nothing was drawn, nothing is left, not even an empty line.
        self._live.transient = not self._was_drawn
        with suppress(OSError, ValueError):
            self._live.stop()
        for handler, stream in self._handlers:
            handler.setStream(stream)

    def _start(self) -> bool:
        """Takes the terminal, if nobody else draws on it."""
        try:
            self._live.start()
        except LiveError:
            return False
        # Newer versions of rich draw one below the other, as long as the first one is there.
        if getattr(self._live, "_nested", False):
            self._live.transient = True
            self._live.stop()
            return False
        return True

    def _leave_in_child(self) -> None:
        """Lets a forked process write where it would without a panel, which goes on in its parent."""
        sys.stdout, sys.stderr = self._streams
        for handler, stream in self._handlers:
            handler.stream = stream

    def update(self, statistics: Callable[[], Sequence[Statistics]]) -> None:
        if self._is_drawn and self._clock() >= self._next:
            self._next = self._clock() + _SECONDS
            lines = self._progress.look(statistics())
            self._draw(lines, f"running for {duration(self._progress.seconds)}")

    def finish(self, statistics: Sequence[Statistics], ending: Ending = Ending.FINISHED) -> None:
        # Where there was nothing to run, another message says so.
        if self._is_drawn and statistics:
            lines = self._progress.end(statistics)
            totals = self._progress.totals(lines)
            state = f"{ending.value} after {duration(totals.seconds)}: {totals.text()}"
            self._draw(lines, state, is_last=True)
        super().finish(statistics, ending)

    def _draw(self, lines: Sequence[Line], state: str, *, is_last: bool = False) -> None:
        self._was_drawn = True
        chosen = [line for line in lines if self._operators or line.role != "operator"]
        console = self._live.console
        # What does not fit on the terminal cannot be drawn in its place. In the end all is there to scroll back to.
        fitting = len(chosen) if is_last else max(1, console.height - _HEIGHT)
        if len(chosen) > fitting:
            state = f"and {len(chosen) - fitting:,} more; {state}"
        panel = _table(chosen[:fitting], console.width, console.encoding)
        try:
            self._live.update(Group(panel, Text(state)), refresh=True)
        except (OSError, ValueError) as error:
            # The terminal is gone, or cannot write a name. The run is not about that.
            self._is_drawn = False
            logger.warning("the progress is not shown any more: %s", error)


def _table(lines: Sequence[Line], width: int, encoding: str) -> Table:
    """The table, which fits into so many columns of a terminal if anything does, in what the terminal can write."""
    columns = [column for column in _BY_IMPORTANCE if column.is_needed(lines)]
    names = [shown(line.name).encode(encoding, "backslashreplace").decode(encoding) for line in lines]
    ellipsis = "…" if encoding.startswith("utf") else "..."
    longest = max(map(cell_len, [*names, "name"]))
    least = min(longest, _NAME_WIDTH)
    while len(columns) > 1 and _width(columns, lines) + least > width:
        del columns[-1]
    room = max(1, width - _width(columns, lines))
    panel = Table(title="pathway", title_justify="left")
    if _ROLE in columns:
        panel.add_column(_ROLE.header, no_wrap=True)
    panel.add_column("name", no_wrap=True, max_width=room)
    figures = [column for column in _FIGURES if column in columns]
    for column in figures:
        panel.add_column(column.header, justify="right", no_wrap=True, min_width=_content_width(column, lines))
    for line, name in zip(lines, names, strict=True):
        # A text as it is: in a string, rich looks for what is to be bold.
        cells: list[str | Text] = [Text(_cut(name, room, ellipsis)), *(column.text(line) for column in figures)]
        panel.add_row(*([line.role, *cells] if _ROLE in columns else cells))
    return panel


def _width(columns: Sequence[_Column], lines: Sequence[Line]) -> int:
    """How wide a table of these columns is, with an empty one for the name."""
    return sum(_content_width(column, lines) + _FRAME_WIDTH for column in columns) + _FRAME_WIDTH + 1


def _content_width(column: _Column, lines: Sequence[Line]) -> int:
    return max(len(text) for text in (column.header, *(column.text(line) for line in lines)))


def _cut(name: str, width: int, ellipsis: str) -> str:
    """The end of a name that is too long: of paths it says more than the beginning."""
    if cell_len(name) <= width:
        return name
    while name and cell_len(name) > width - len(ellipsis):
        name = name[1:]
    return f"{ellipsis}{name}"


def _ago(seconds: float) -> str:
    # A tenth of a second would flicker.
    return f"{seconds:.0f} s ago" if seconds < 60 else f"{duration(seconds)} ago"
