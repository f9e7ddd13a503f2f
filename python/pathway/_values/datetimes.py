"""`pw.DateTimeNaive`, `pw.DateTimeUtc` and `pw.Duration`: pandas values with nanoseconds.

This module imports pandas; nothing imports it before somebody asks for one of its names.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from pathway._ground import tracebacks


class DateTimeNaive(pd.Timestamp):
    """A date and time without a time zone, precise to the nanosecond; a `pandas.Timestamp`.

    >>> DateTimeNaive("2024-05-01 12:30:00")
    Timestamp('2024-05-01 12:30:00')
    """

    @tracebacks.shortened
    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Takes what `pandas.Timestamp` takes; ValueError if there is a time zone in it."""
        value = pd.Timestamp(*args, **kwargs)
        if value.tzinfo is not None:
            raise ValueError(f"{value} has a time zone and cannot be a DateTimeNaive; use pw.DateTimeUtc")
        return value


class DateTimeUtc(pd.Timestamp):
    """A point in time, precise to the nanosecond; a `pandas.Timestamp` with a time zone.

    >>> DateTimeUtc("2024-05-01 12:30:00+00:00")
    Timestamp('2024-05-01 12:30:00+0000', tz='UTC')
    """

    @tracebacks.shortened
    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Takes what `pandas.Timestamp` takes; ValueError if there is no time zone in it."""
        value = pd.Timestamp(*args, **kwargs)
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone and cannot be a DateTimeUtc; use pw.DateTimeNaive")
        return value


class Duration(pd.Timedelta):
    """A span of time, precise to the nanosecond; a `pandas.Timedelta`.

    >>> print(Duration(hours=2))
    0 days 02:00:00
    """
