"""Messages that come again and again, with other rows and values: the first are logged, the others are counted.

Where one row in the data cannot be computed, ten thousand often cannot. The error log has them all; people, and the
disk that the log is on, are told of the first ones of each kind, then of one now and then, with how many there were
between, and of the rest at the end of the run.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import OrderedDict

from pathway._ground.words import counted
from pathway._running.progress import Clock

logger = logging.getLogger("pathway")

_FIRST = 20
"""So many messages of a kind are logged at once."""

_PAUSE_SECONDS = 10.0
"""After that, one so often."""

_FIRST_OF_ALL = 200
"""So many messages are logged at once, of whatever kinds: what differs may be a word of which nobody knows that."""

_PAUSE_SECONDS_OF_ALL = 1.0

_MOST_KINDS = 1000

_LOOKED_AT = 500
"""What a message begins with says of which kind it is."""

_SHOWN = 200
"""So much is shown of a message that stands for others."""

_SUMMED_UP = 20
"""Of so many kinds it is said at the end how many there were."""

_VARYING = r"\^[0-9A-Z]+|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|\d+|\b\w{1,64}\([^()]*\)"
"""What differs between messages of a kind: keys, values, numbers, the arguments of functions. The module `re` keeps it
compiled, from the first message on."""


class _Budget:
    """So many at once, and then one after each pause."""

    def __init__(self, most: int, pause: float, now: float) -> None:
        self._most = most
        self._pause = pause
        self._left = float(most)
        self._looked = now

    def has_some(self, now: float) -> bool:
        self._left = min(float(self._most), self._left + (now - self._looked) / self._pause)
        self._looked = now
        return self._left >= 1

    def take(self) -> bool:
        """Takes one; whether it is the last for now."""
        self._left -= 1
        return self._left < 1


class _Kind:
    def __init__(self, now: float) -> None:
        self.budget = _Budget(_FIRST, _PAUSE_SECONDS, now)
        self.left_out = 0
        self.level = logging.WARNING
        self.last = ""


class Repeats(logging.Filter):
    """Lets warnings and errors of the engine through, as many as can be read."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._kinds: OrderedDict[str, _Kind] = OrderedDict()
        self._all = _Budget(_FIRST_OF_ALL, _PAUSE_SECONDS_OF_ALL, self._clock())
        self._of_other_kinds = 0

    def filter(self, record: logging.LogRecord) -> bool:
        # What the engine says, which has its own words, comes as it is; messages of this half have their parts apart.
        if record.levelno < logging.WARNING or record.msg != "%s" or record.exc_info:
            return True
        text = record.getMessage()
        with self._lock:
            return self._is_let_through(record, text)

    def _is_let_through(self, record: logging.LogRecord, text: str) -> bool:
        now = self._clock()
        name = re.sub(_VARYING, "", text[:_LOOKED_AT])
        kind = self._kinds.setdefault(name, _Kind(now))
        self._kinds.move_to_end(name)
        if len(self._kinds) > _MOST_KINDS:
            _, oldest = self._kinds.popitem(last=False)
            self._of_other_kinds += oldest.left_out
        kind.level = record.levelno
        kind.last = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        if not kind.budget.has_some(now) or not self._all.has_some(now):
            kind.left_out += 1
            return False
        are_counted = kind.budget.take() | self._all.take()
        if kind.left_out:
            record.args = (f"{text} (and {counted(kind.left_out, 'message')} like it before)",)
            kind.left_out = 0
        elif are_counted:
            record.args = (f"{text} (messages like it are counted from now on)",)
        return True

    def tell_the_rest(self) -> None:
        """Logs how many were left out since the last one of each kind, and forgets them."""
        with self._lock:
            kinds = sorted((kind for kind in self._kinds.values() if kind.left_out), key=lambda kind: -kind.left_out)
            others = self._of_other_kinds + sum(kind.left_out for kind in kinds[_SUMMED_UP:])
            self._begin()
        for kind in kinds[:_SUMMED_UP]:
            count = counted(kind.left_out, "more message", "more messages")
            logger.log(kind.level, "%s like this one: %s", count, kind.last)
        if others:
            logger.warning("%s of other kinds", counted(others, "more message", "more messages"))
