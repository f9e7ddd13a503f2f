"""What a process prints when an exception ends it.

Python writes a traceback line by line. Where several processes share a console and fail at once, their lines would be
mixed, and nobody could tell whose they are.
"""

from __future__ import annotations

import sys
from types import TracebackType

from pathway import _environment


def install() -> None:
    """Has the traceback printed whole and with the process, if this is one of several and nobody else prints it."""
    if sys.excepthook is sys.__excepthook__ and _environment.is_one_of_several():
        sys.excepthook = _print_whole


def _print_whole(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    import traceback

    if sys.stderr is not None:
        sys.stderr.write(_environment.log_prefix() + "".join(traceback.format_exception(kind, error, trace)))
