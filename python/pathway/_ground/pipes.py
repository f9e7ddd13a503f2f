"""Printing into a pipe that nobody reads any more, as with `| head`."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import NoReturn

_STATUS = 141
"""With what status a shell says that a program has ended for this reason: that of SIGPIPE."""


def leave() -> NoReturn:
    """Ends the program, or the run that it is in, as other programs end then: without a word."""
    with suppress(OSError, ValueError, AttributeError):
        # Python would complain at its end. A stream of the program's own may have no file.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    raise SystemExit(_STATUS)
