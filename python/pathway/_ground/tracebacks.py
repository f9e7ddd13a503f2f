"""What a process prints when an exception ends it.

Python writes a traceback line by line. Where several processes share a console and fail at once, their lines would be
mixed, and nobody could tell whose they are.
"""

from __future__ import annotations

import sys
from types import TracebackType

from pathway._ground import environment


def install() -> None:
    """Has the traceback printed whole and with the process, if this is one of several and nobody else prints it."""
    if sys.excepthook is not sys.__excepthook__ or not environment.is_one_of_several():
        return
    try:
        prefix = environment.log_prefix()
    except ValueError:
        # The run will say what is wrong with the environment.
        return

    def print_whole(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        # It takes time to import.
        import traceback

        if sys.stderr is not None:
            sys.stderr.write(prefix + "".join(traceback.format_exception(kind, error, trace)))

    sys.excepthook = print_whole
