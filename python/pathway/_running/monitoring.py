"""Which way the progress of a run is shown: a panel on a terminal, a table in a notebook, log lines elsewhere."""

from __future__ import annotations

import enum
import os
import sys
from typing import Any

from pathway._ground import environment, notebook_shell, streams
from pathway._running.log_lines import LogMonitor
from pathway._running.monitor import Monitor, SilentMonitor


class MonitoringLevel(enum.Enum):
    """What a run shows of its progress.

    Example:

    >>> import pathway as pw
    >>> table = pw.debug.table_from_rows(pw.schema_from_types(lock=str), [("Marple",)])
    >>> pw.io.subscribe(table, lambda key, row, time, is_addition: print(row["lock"]))
    >>> pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    Marple
    """

    AUTO = 0
    """IN_OUT as a panel on a terminal, as a table in a notebook, as log lines elsewhere."""
    AUTO_ALL = 1
    """ALL on a terminal and in a notebook, else like AUTO."""
    NONE = 2
    """Nothing."""
    IN_OUT = 3
    """Sources and sinks."""
    ALL = 4
    """Sources, operators and sinks."""


def choose(level: MonitoringLevel) -> Monitor:
    """The monitor for a level and for where the output goes."""
    if not environment.is_first_process():
        # The first process has heard of all rows, those included that were rejected here.
        return SilentMonitor()
    operators = level in (MonitoringLevel.ALL, MonitoringLevel.AUTO_ALL)
    if level is MonitoringLevel.NONE:
        return Monitor()
    if notebook_shell.is_here():
        # Few runs are in notebooks, and it needs the module `html`.
        from pathway._running import notebook

        return notebook.NotebookMonitor(operators=operators)
    if not _can_draw(sys.stdout):
        return LogMonitor()
    # rich takes long to import, and only who looks at a panel needs it.
    from pathway._running.panel import PanelMonitor

    return PanelMonitor(operators=operators)


def _can_draw(stream: Any) -> bool:
    """Whether it goes to a terminal on which something can be drawn anew in its place."""
    return streams.is_terminal(stream) and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")
