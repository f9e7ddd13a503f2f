"""Stand-ins for what a run says of itself, and for the clock."""

from __future__ import annotations


class Entry:
    """What `_native.Statistics` looks like."""

    def __init__(self, name: str, role: str, rows: int, rejected: int = 0, backlog: int = 0, time: int = 0) -> None:
        self.bytes = self.bytes_read = 0
        self.name, self.role, self.rows_in, self.rows_out = name, role, rows, rows
        self.rejected, self.backlog, self.time = rejected, backlog, time


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now
