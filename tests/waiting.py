"""Waiting for what tells nobody when it happens."""

import time
from collections.abc import Callable


def when(condition: Callable[[], object], seconds: float = 60) -> None:
    """Looks again and again, until it is true; fails if it does not become true within so many seconds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"it has not become true within {seconds:g} s"
        time.sleep(0.002)
