"""Whether a run that is kept should go on with more processes or fewer, and how it says so.

`pathway spawn` starts a program again, with twice or half as many processes, when its first process ends with a status
that asks for it. The first process decides: it has heard of the rows of all, it reads the sources and writes the
outputs, so none has more to do, and the rest is spread evenly.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pathway._ground import environment

if TYPE_CHECKING:
    from pathway._native import Statistics
    from pathway._running.persisting import Config

logger = logging.getLogger("pathway")

Clock = Callable[[], float]

FEWER = 10
"""The exit status that asks for half as many processes."""

MORE = 12
"""The exit status that asks for twice as many."""

_IDLE_SHARE = 0.25
"""Who needs less than this of the time of the processors that its threads could have, does not need so many."""


def most_workers() -> int:
    """With more of them, nothing is faster: a machine has as many processors, or two."""
    return max(2, os.cpu_count() or 1)


class Scaling:
    """Looks at a run. It is overloaded if rows wait to be read for as long as a window, and idle if none do and little
    is computed."""

    def __init__(
        self,
        window_seconds: float,
        *,
        processes: int,
        threads: int,
        most_workers: int,
        clock: Clock = time.monotonic,
        computed: Clock = time.process_time,
    ) -> None:
        self.status: int | None = None
        self._window = window_seconds
        self._processes, self._threads, self._most_workers = processes, threads, most_workers
        self._clock, self._computed = clock, computed
        self._waits: bool | None = None
        self._since = self._computed_before = math.nan

    def look(self, statistics: Sequence[Statistics]) -> bool:
        """Whether the run should end now, to go on with another number of processes."""
        now, computed = self._clock(), self._computed()
        waits = any(entry.backlog for entry in statistics if entry.role == "source")
        if waits is not self._waits:
            self._begin(waits, now, computed)
        seconds = now - self._since
        if seconds <= 0 or seconds < self._window:
            return False
        share = (computed - self._computed_before) / (seconds * self._threads)
        self._begin(waits, now, computed)
        if waits and 2 * self._processes * self._threads <= self._most_workers:
            return self._ask(MORE, 2 * self._processes, "rows have waited")
        if not waits and self._processes > 1 and share < _IDLE_SHARE:
            return self._ask(FEWER, self._processes // 2, "there was little to do")
        return False

    def _begin(self, waits: bool, now: float, computed: float) -> None:
        self._waits, self._since, self._computed_before = waits, now, computed

    def _ask(self, status: int, processes: int, reason: str) -> bool:
        logger.info(
            "%s for %g s: the run ends, to go on with %d %s",
            reason,
            self._window,
            processes,
            "process" if processes == 1 else "processes",
        )
        self.status = status
        return True


def scaling_of(config: Config, processes: int) -> Scaling | None:
    """What looks at a run of so many processes that is kept like this, if somebody is to."""
    if not config.worker_scaling_enabled:
        return None
    if not environment.is_scaled():
        logger.warning(
            "worker_scaling_enabled: the number of processes stays as it is, since the program was not started by "
            "`pathway spawn`, or with --addresses"
        )
        return None
    if not environment.is_first_process():
        return None
    return Scaling(
        config.workload_tracking_window_ms / 1000,
        processes=processes,
        threads=environment.threads(),
        most_workers=most_workers(),
    )
