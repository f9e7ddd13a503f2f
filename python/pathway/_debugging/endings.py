"""Who asks for all rows of a table waits for the end of its sources. Some have none, and of others nobody knows."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pathway._ground import environment
from pathway._tables import connecting
from pathway._tables.graph import LiveSource
from pathway._tables.table import Table

logger = logging.getLogger("pathway")

PATIENCE_SECONDS = 5.0
"""After so long it is said which sources are waited for."""


@contextmanager
def awaited(tables: Sequence[Table[Any]], call: str) -> Iterator[None]:
    """A call of the user's waits for all rows of the tables: says that this has no end, or what takes so long."""
    found = {id(source): source for table in tables for source in connecting.live_sources(table)}
    sources = list(found.values())
    unknown = [source for source in sources if not source.is_endless]
    if not sources or not environment.is_first_process():
        yield
        return
    for source in sources:
        if source.is_endless:
            logger.warning(
                "%s goes on for ever, and so does %s(), which waits for all of it: %slook at its rows with "
                "table.live() or table.show(), or write it to an output and use pw.run()",
                source.text,
                call,
                'read it with mode="static", ' if source.has_static_mode else "",
            )
    timer = threading.Timer(PATIENCE_SECONDS, _tell, (unknown, call)) if unknown else None
    if timer is not None:
        timer.daemon = True
        timer.start()
    try:
        yield
    finally:
        if timer is not None:
            timer.cancel()


def _tell(sources: Sequence[LiveSource], call: str) -> None:
    for source in sources:
        if source.is_being_read():
            logger.warning(
                "%s() still waits for the end of %s; rows of what never ends are seen with table.live() or "
                "table.show(), or in an output with pw.run()",
                call,
                source.text,
            )
