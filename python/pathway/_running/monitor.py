"""What follows a run and tells of it; here those that say little."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from pathway._ground.words import counted
from pathway._running import logs
from pathway._running.progress import Ending

if TYPE_CHECKING:
    from pathway import _native
    from pathway._native import Statistics

logger = logging.getLogger("pathway")


class Monitor:
    """Shows nothing but, at the end, that rows were rejected: those are never silent."""

    def __enter__(self) -> Monitor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def update(self, statistics: Callable[[], Sequence[Statistics]]) -> None:
        """Called several times a second; asks for the statistics only when it has something to do."""

    def finish(self, statistics: Sequence[Statistics], ending: Ending = Ending.FINISHED) -> None:
        """Called once, after the run."""
        for entry in statistics:
            if entry.rejected:
                logger.warning(
                    "%s: %s rejected, see the messages above or pw.global_error_log()",
                    entry.name,
                    counted(entry.rejected, "row was", "rows were"),
                )


class LastLine:
    """What sums a run up, by whoever sees its end first: the thread that waits for it, or the end of the program."""

    def __init__(self, monitor: Monitor, native_run: _native.Run) -> None:
        self._monitor = monitor
        self._native_run: _native.Run | None = native_run
        self._lock = threading.Lock()

    def show(self, ending: Ending) -> None:
        with self._lock:
            native_run, self._native_run = self._native_run, None
        if native_run is not None:
            logs.tell_the_rest()
            self._monitor.finish(native_run.statistics(), ending)


class SilentMonitor(Monitor):
    """Shows nothing."""

    def finish(self, statistics: Sequence[Statistics], ending: Ending = Ending.FINISHED) -> None:
        pass
