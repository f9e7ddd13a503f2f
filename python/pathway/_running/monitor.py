"""What follows a run and tells of it; here those that say little."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from pathway._ground.words import counted
from pathway._running.progress import Ending

if TYPE_CHECKING:
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


class SilentMonitor(Monitor):
    """Shows nothing."""

    def finish(self, statistics: Sequence[Statistics], ending: Ending = Ending.FINISHED) -> None:
        pass
