"""Drawing something anew when it has changed, but not too often, in a thread that is there while there is work.

One drawing goes on at a time in the whole program: libraries for figures are not made for several threads. At the end
of the interpreter the drawing under way is waited for, and none begins any more.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable

from pathway._ground import pipes
from pathway._ground.shown import of_error

logger = logging.getLogger("pathway")

Clock = Callable[[], float]

_IDLE_SECONDS = 2.0
"""After so long without anything to draw, the thread ends."""

_END_SECONDS = 1.0

_REST = 9
"""After a drawing there is a rest so many times as long: the run has better things to do."""

_drawing = threading.Lock()
_has_ended = False


class CannotDraw(Exception):
    """Why something cannot be drawn, in words for people."""


class Refresher:
    """Calls `draw` after `poke`, once in so many seconds at most, and in `finish`. Where it is patient, the first time
    is so many seconds after the first `poke`. `what` is said with the reason if it cannot be drawn."""

    def __init__(
        self,
        draw: Callable[[], None],
        seconds: float,
        *,
        what: str = "something cannot be shown",
        is_patient: bool = False,
        clock: Clock = time.monotonic,
    ) -> None:
        self._what = what
        self._draw = draw
        self._seconds = seconds
        self._clock = clock
        self._poked = threading.Condition()
        self._is_due = False
        # How often it was finished: what was begun before must not be drawn after.
        self._finished = 0
        self._thread: threading.Thread | None = None
        self._earliest: float | None = None if is_patient else clock()
        self._last_problem: str | None = None
        self._nobody_reads = False

    def poke(self) -> None:
        """There is something new."""
        if self._nobody_reads:
            pipes.leave()
        with self._poked:
            self._is_due = True
            if self._earliest is None:
                self._earliest = self._clock() + self._seconds
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="refreshing what is shown", daemon=True)
                self._thread.start()
            self._poked.notify_all()

    def finish(self) -> None:
        """There will be nothing new: draws it as it is, in this thread."""
        with self._poked:
            self._is_due = False
            self._finished += 1
            finished = self._finished
        self._draw_once(finished)
        if self._nobody_reads:
            pipes.leave()

    def _work(self) -> None:
        while True:
            with self._poked:
                self._poked.wait_for(lambda: self._is_due, _IDLE_SECONDS)
                if not self._is_due:
                    self._thread = None
                    return
                early = (self._earliest or 0.0) - self._clock()
                if early > 0:
                    self._poked.wait_for(lambda: not self._is_due, early)
                if not self._is_due:
                    continue
                self._is_due = False
                finished = self._finished
            begun = self._clock()
            self._draw_once(finished)
            with self._poked:
                self._earliest = max(begun + self._seconds, self._clock() + _REST * (self._clock() - begun))

    def _draw_once(self, finished: int) -> None:
        with _drawing:
            if _has_ended or finished != self._finished:
                return
            try:
                self._draw()
                self._last_problem = None
            except BrokenPipeError:
                self._nobody_reads = True
            except Exception as error:
                # The run is not about what is shown of it.
                problem = str(error) if isinstance(error, CannotDraw) else of_error(error)
                if problem != self._last_problem:
                    self._last_problem = problem
                    logger.warning("%s: %s", self._what, problem)


def _end() -> None:
    global _has_ended
    got_it = _drawing.acquire(timeout=_END_SECONDS)
    _has_ended = True
    if got_it:
        _drawing.release()


atexit.register(_end)
