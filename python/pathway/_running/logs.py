"""Where the messages of a run go.

They are those of the logger `pathway`. A program that has set up logging gets them as it gets all others: nothing here
touches the root logger, or that of any other library. If it has set up none, a run writes them to standard error with a
handler of its own, on its own logger, for as long as it goes on.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pathway._ground import environment, forks, logged
from pathway._running.repeats import Repeats

logger = logging.getLogger("pathway")
logged.install()


class _Handler(logging.Handler):
    """Writes to standard error, whatever that is at the moment: a panel that is drawn stands in for it."""

    def __init__(self) -> None:
        super().__init__()
        self.sets_level = False
        """Whether the level of the logger is ours, too."""

    def emit(self, record: logging.LogRecord) -> None:
        if sys.stderr is None or logging.root.handlers or logger.handlers != [self]:
            # The program has set up logging since.
            return
        try:
            sys.stderr.write(self.format(record) + "\n")
            with suppress(AttributeError):
                sys.stderr.flush()
        except Exception:
            self.handleError(record)


_lock = threading.Lock()
_runs = 0
_handler: _Handler | None = None
_repeats: Repeats | None = None


def tell_the_rest() -> None:
    """Says how many messages were left out, since others like them were logged."""
    repeats = _repeats
    if repeats is not None:
        repeats.tell_the_rest()


@contextmanager
def set_up(*, is_wanted: bool = True) -> Iterator[None]:
    """While this goes on, messages from level INFO are seen, if it is wanted and the program has set up nothing. Of
    those that come again and again a few are, wherever they go."""
    _begin(is_wanted=is_wanted)
    try:
        yield
    finally:
        _end()


def _begin(*, is_wanted: bool) -> None:
    global _runs, _handler, _repeats
    # It says so if the environment is wrong.
    form = logging.Formatter(f"{environment.log_prefix()}[%(asctime)s]:%(levelname)s:%(message)s")
    with _lock:
        _runs += 1
        if _repeats is None:
            _repeats = Repeats()
            logger.addFilter(_repeats)
        if not is_wanted or _handler is not None or logger.hasHandlers():
            return
        _handler = _Handler()
        _handler.setFormatter(form)
        logger.addHandler(_handler)
        # A level that the program has chosen stays.
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)
            _handler.sets_level = True


def _end() -> None:
    global _runs, _handler, _repeats
    with _lock:
        _runs -= 1
        if _runs:
            return
        if _repeats is not None:
            logger.removeFilter(_repeats)
            _repeats = None
        if _handler is None:
            return
        logger.removeHandler(_handler)
        if _handler.sets_level and logger.level == logging.INFO:
            logger.setLevel(logging.NOTSET)
        _handler = None


def _forked() -> None:
    """A forked process has none of the runs; another thread may have had the lock."""
    global _lock, _runs, _repeats
    _lock = threading.Lock()
    _runs = 0
    if _repeats is not None:
        logger.removeFilter(_repeats)
        _repeats = None


forks.in_child(_forked)
