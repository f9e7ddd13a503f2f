"""Leaving a run that has failed while functions of the user are still at work in it.

A function may take long, or never return, such as a request that is never answered, and nothing can be done to the
thread that is in it. So `pw.run` raises what it would have raised, as if the function had returned, and the program
goes on. What the thread was writing stays as it is.

Several processes that share a run all end soon after one of them has failed. The program of each still goes on to its
end as usual: ``except``, ``finally``, functions that were registered with `atexit`. But threads that Python waits for
at its end, such as those of asyncio, may never end; so the process ends without them.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from contextlib import suppress

from pathway import _native

logger = logging.getLogger("pathway")

SECONDS = 2.0
"""How long the functions at work may take to return after a run has failed. Less than what `pathway spawn` gives the
other processes until it sends them signals."""

_is_registered = False


def abandon(native_run: _native.Run, *, is_shared: bool) -> None:
    """Raises what the run has failed with; its threads go on until the process ends."""
    global _is_registered
    logger.error(
        "the run has failed, and functions or connectors at work in this process have not returned within %.0f "
        "seconds: it ends without them",
        SECONDS,
    )
    if is_shared and not _is_registered:
        _is_registered = True
        # What is registered last is called first: before threads are joined that may never end, such as those of
        # asyncio.to_thread.
        register = getattr(threading, "_register_atexit", atexit.register)
        register(_end)
    try:
        native_run.abandon()
    finally:
        # A traceback keeps what its frames hold.
        del native_run


def _end() -> None:
    """Ends the process, which has failed."""
    with suppress(BaseException):
        atexit.unregister(_end)
        # Those of the program, and those of the standard library, such as of logging.
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(BaseException):
            stream.flush()
    os._exit(1)
