"""Times of updates, as people know them."""

from __future__ import annotations

FIRST_TIME_OF_DAY = 10**12
"""Times of tables in a program, `__time__`, are small numbers; those of live sources are milliseconds since 1970."""
