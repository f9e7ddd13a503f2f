"""The one event loop for coroutines that the engine's threads wait for.

It lives in a daemon thread that starts when it is first needed, and it outlives single calls: a client that
belongs to the loop can be used from one call to the next.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Sequence

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="pathway:event-loop", daemon=True).start()
        return _loop


def run_together(work: Sequence[Awaitable[None]]) -> None:
    """Runs everything concurrently and waits. The first exception cancels the rest and is raised."""
    asyncio.run_coroutine_threadsafe(_together(work), _running_loop()).result()


async def _together(work: Sequence[Awaitable[None]]) -> None:
    tasks = [asyncio.ensure_future(item) for item in work]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
