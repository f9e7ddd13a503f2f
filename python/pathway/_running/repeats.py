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

_MOST_KINDS = 1000

_SHOWN = 200
"""So much is shown of a message that stands for others."""

_VARYING = re.compile(r"\^[0-9A-Z]+|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|\d+|\w+\([^()]*\)")
"""What differs between messages of a kind: keys, values, numbers, the arguments of functions."""


class _Kind:
    def __init__(self, now: float) -> None:
        self.budget = float(_FIRST)
        self.looked = now
        self.left_out = 0
        self.last = ""


class Repeats(logging.Filter):
    """Lets warnings and errors of the engine through, as many as can be read."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._kinds: OrderedDict[str, _Kind] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        # What the engine says, which has its own words, comes as it is; messages of this half have their parts apart.
        if record.levelno < logging.WARNING or record.msg != "%s" or record.exc_info:
            return True
        text = record.getMessage()
        with self._lock:
            return self._is_let_through(record, text)

    def _is_let_through(self, record: logging.LogRecord, text: str) -> bool:
        now = self._clock()
        name = _VARYING.sub("", text)
        kind = self._kinds.setdefault(name, _Kind(now))
        self._kinds.move_to_end(name)
        if len(self._kinds) > _MOST_KINDS:
            self._kinds.popitem(last=False)
        kind.budget = min(float(_FIRST), kind.budget + (now - kind.looked) / _PAUSE_SECONDS)
        kind.looked, kind.last = now, text
        if kind.budget < 1:
            kind.left_out += 1
            return False
        kind.budget -= 1
        if kind.left_out:
            record.args = (f"{text} (and {counted(kind.left_out, 'message')} like it before)",)
            kind.left_out = 0
        elif kind.budget < 1:
            record.args = (f"{text} (messages like it are counted from now on)",)
        return True

    def tell_the_rest(self) -> None:
        """Logs how many were left out since the last one of each kind, and forgets them."""
        with self._lock:
            kinds, self._kinds = list(self._kinds.values()), OrderedDict()
        for kind in kinds:
            if kind.left_out:
                last = kind.last if len(kind.last) <= _SHOWN else f"{kind.last[:_SHOWN]}..."
                count = counted(kind.left_out, "more message", "more messages")
                logger.error("%s like this one: %s", count, last)
