"""Outputs that were declared and never run: most often `pw.run()` was forgotten, and the program ends in silence.

Where somebody types the program, or a test declares what it does not run, that is as it should be. A program that an
exception has ended has said enough.
"""

from __future__ import annotations

import logging
import os
import sys

from pathway._ground import environment, exits, forks
from pathway._ground.words import counted
from pathway._tables.graph import current_graph

logger = logging.getLogger("pathway")

_is_forked = False


def note(origin: tuple[str, int, str, str] | None) -> None:
    """An output was declared in this line of the program."""
    current_graph().waiting_outputs.append("" if origin is None else f"{os.path.normpath(origin[0])}:{origin[1]}")


def _end() -> None:
    outputs = current_graph().waiting_outputs
    if not outputs or "pytest" in sys.modules or hasattr(sys, "last_value") or _is_typed() or _is_a_helper():
        return
    place = next((place for place in outputs if place), None)
    logger.warning(
        "the program has ended without running %s%s: write pw.run() after the last one",
        counted(len(outputs), "output"),
        "" if place is None else f", declared at {place}" if len(outputs) == 1 else f", the first declared at {place}",
    )


def _is_typed() -> bool:
    return hasattr(sys, "ps1") or bool(sys.flags.interactive)


def _is_a_helper() -> bool:
    """Whether the program is that of another process, too, which runs it."""
    multiprocessing = sys.modules.get("multiprocessing.process")
    is_child = multiprocessing is not None and multiprocessing.parent_process() is not None
    return _is_forked or is_child or not environment.is_first_process()


def _forked() -> None:
    global _is_forked
    _is_forked = True


forks.in_child(_forked)
exits.at_exit(_end)
