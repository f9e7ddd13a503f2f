"""Methods of dates, times and durations: `expression.dt`.

Every method is a function of the engine of the same name; `_namespace.method` makes the call.
"""

from __future__ import annotations

import warnings

from pathway._expressions import ColumnExpression
from pathway._namespace import Namespace


class DateTimeNamespace(Namespace):
    """Methods of dates, times and durations; see `ColumnExpression.dt`."""

    _prefix = "dt"

    def nanosecond(self) -> ColumnExpression:
        """The nanoseconds since the last full second.

        >>> import pathway as pw
        >>> v = pw.DateTimeNaive("2024-03-05 14:07:09.123456789")
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=pw.DateTimeNaive), [(v,)])
        >>> result = table.select(x=table.v.dt.nanosecond())
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        123456789
        """
        return self._call("nanosecond")

    def microsecond(self) -> ColumnExpression:
        """The microseconds since the last full second.

        >>> import pathway as pw
        >>> v = pw.DateTimeNaive("2024-03-05 14:07:09.123456789")
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=pw.DateTimeNaive), [(v,)])
        >>> result = table.select(x=table.v.dt.microsecond())
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        123456
        """
        return self._call("microsecond")

    def millisecond(self) -> ColumnExpression:
        """The milliseconds since the last full second.

        >>> import pathway as pw
        >>> v = pw.DateTimeNaive("2024-03-05 14:07:09.123456789")
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=pw.DateTimeNaive), [(v,)])
        >>> result = table.select(x=table.v.dt.millisecond())
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        123
        """
        return self._call("millisecond")

    def second(self) -> ColumnExpression:
        """The second of the minute.

        >>> import pathway as pw
        >>> v = pw.DateTimeNaive("2024-03-05 14:07:09.123456789")
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=pw.DateTimeNaive), [(v,)])
        >>> result = table.select(x=table.v.dt.second())
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        9
        """
        return self._call("second")

    def minute(self) -> ColumnExpression:
        """The minute of the hour.

        >>> import pathway as pw
        >>> v = pw.DateTimeNaive("2024-03-05 14:07:09.123456789")
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=pw.DateTimeNaive), [(v,)])
        >>> result = table.select(x=table.v.dt.minute())
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        7
        """
        return self._call("minute")

    def hour(self) -> ColumnExpression:
        """The hour of the day.

        >>> import pathway as pw
        >>> v = pw.DateTimeNaive("2024-03-05 14:07:09.123456789")
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=pw.DateTimeNaive), [(v,)])
        >>> result = table.select(x=table.v.dt.hour())
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        14
        """
        return self._call("hour")

    def day(self) -> ColumnExpression:
        """The day of the month.

        >>> import pathway as pw
        >>> v = pw.DateTimeNaive("2024-03-05 14:07:09.123456789")
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=pw.DateTimeNaive), [(v,)])
        >>> result = table.select(x=table.v.dt.day())
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        5
        """
        return self._call("day")

    def month(self) -> ColumnExpression:
        """The month of the year.

        >>> import pathway as pw
        >>> v = pw.DateTimeNaive("2024-03-05 14:07:09.123456789")
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=pw.DateTimeNaive), [(v,)])
        >>> result = table.select(x=table.v.dt.month())
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        3
        """
        return self._call("month")

    def year(self) -> ColumnExpression:
        """The year of the date.

        >>> import pathway as pw
        >>> v = pw.DateTimeNaive("2024-03-05 14:07:09.123456789")
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=pw.DateTimeNaive), [(v,)])
        >>> result = table.select(x=table.v.dt.year())
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        2024
        """
        return self._call("year")

    def weekday(self) -> ColumnExpression:
        """The day of the week; Monday is 0.

        >>> import pathway as pw
        >>> v = pw.DateTimeNaive("2024-03-05 14:07:09.123456789")
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=pw.DateTimeNaive), [(v,)])
        >>> result = table.select(x=table.v.dt.weekday())
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        1
        """
        return self._call("weekday")

    def timestamp(self, unit: str | None = None) -> ColumnExpression:
        """The time since 1970 as a float, in `s`, `ms`, `us` or `ns`; without a unit, nanoseconds as an int.

        >>> import pathway as pw
        >>> v = pw.DateTimeNaive("2024-03-05 14:07:09.123456789")
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=pw.DateTimeNaive), [(v,)])
        >>> result = table.select(x=table.v.dt.timestamp("s"))
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        1709647629.1234567
        """
        if unit is None:
            warnings.warn("give timestamp() a unit: s, ms, us or ns", DeprecationWarning, stacklevel=2)
            return self._call("timestamp_ns")
        return self._call("timestamp", _unit(unit))

    def from_timestamp(self, unit: str) -> ColumnExpression:
        """The date and time, without a zone, of a number of `s`, `ms`, `us` or `ns` since 1970.

        >>> import pathway as pw
        >>> v = 60
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=int), [(v,)])
        >>> result = table.select(x=table.v.dt.from_timestamp("s"))
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        1970-01-01 00:01:00
        """
        return self._call("from_timestamp", _unit(unit))

    def utc_from_timestamp(self, unit: str) -> ColumnExpression:
        """The point in time that is a number of `s`, `ms`, `us` or `ns` after 1970 began in UTC.

        >>> import pathway as pw
        >>> v = 60
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=int), [(v,)])
        >>> result = table.select(x=table.v.dt.utc_from_timestamp("s"))
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        1970-01-01 00:01:00+00:00
        """
        return self._call("utc_from_timestamp", _unit(unit))

    def strptime(self, fmt: object, contains_timezone: bool | None = None) -> ColumnExpression:
        """The date and time that a text holds; with a zone (`%z`) in the format, in UTC.

        Args:
            fmt: the format, with `%Y` and the like.
            contains_timezone: whether the result has a time zone; by default, if the format has `%z`.

        >>> import pathway as pw
        >>> v = "01.05.2024 12:30"
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=str), [(v,)])
        >>> result = table.select(x=table.v.dt.strptime("%d.%m.%Y %H:%M"))
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        2024-05-01 12:30:00
        """
        if contains_timezone is None:
            if not isinstance(fmt, str):
                raise ValueError("say contains_timezone=True or False if the format of strptime() is no constant")
            contains_timezone = "%z" in fmt or "%Z" in fmt
        return self._call("strptime_utc" if contains_timezone else "strptime_naive", fmt)

    def strftime(self, fmt: object) -> ColumnExpression:
        """The date and time as a text.

        >>> import pathway as pw
        >>> v = pw.DateTimeNaive("2024-03-05 14:07:09.123456789")
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=pw.DateTimeNaive), [(v,)])
        >>> result = table.select(x=table.v.dt.strftime("%d.%m.%Y"))
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        05.03.2024
        """
        return self._call("strftime", fmt)

    def to_utc(self, from_timezone: object) -> ColumnExpression:
        """The point in time at which clocks in the time zone show this.

        >>> import pathway as pw
        >>> v = pw.DateTimeNaive("2024-03-05 14:07:09.123456789")
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=pw.DateTimeNaive), [(v,)])
        >>> result = table.select(x=table.v.dt.to_utc("Europe/Warsaw"))
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        2024-03-05 13:07:09.123456789+00:00
        """
        return self._call("to_utc", from_timezone)

    def to_naive_in_timezone(self, timezone: object) -> ColumnExpression:
        """What clocks in the time zone show at this point in time.

        >>> import pathway as pw
        >>> v = pw.DateTimeNaive("2024-03-05 14:07:09.123456789")
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=pw.DateTimeNaive), [(v,)])
        >>> result = table.select(x=table.v.dt.to_utc("UTC").dt.to_naive_in_timezone("Europe/Warsaw"))
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        2024-03-05 15:07:09.123456789
        """
        return self._call("to_naive_in_timezone", timezone)

    def add_duration_in_timezone(self, duration: object, timezone: object) -> ColumnExpression:
        """What clocks in the time zone show so much later.

        Args:
            duration: the duration.
            timezone: the name of a time zone, as in `Europe/Warsaw`.

        >>> import pathway as pw
        >>> v = pw.DateTimeNaive("2024-03-31 01:30:00")
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=pw.DateTimeNaive), [(v,)])
        >>> result = table.select(x=table.v.dt.add_duration_in_timezone(pw.Duration(hours=2), "Europe/Warsaw"))
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        2024-03-31 04:30:00
        """
        return self._call("add_duration_in_timezone", duration, timezone)

    def subtract_duration_in_timezone(self, duration: object, timezone: object) -> ColumnExpression:
        """What clocks in the time zone showed so much earlier.

        Args:
            duration: the duration.
            timezone: the name of a time zone, as in `Europe/Warsaw`.

        >>> import pathway as pw
        >>> v = pw.DateTimeNaive("2024-03-31 04:30:00")
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=pw.DateTimeNaive), [(v,)])
        >>> result = table.select(x=table.v.dt.subtract_duration_in_timezone(pw.Duration(hours=2), "Europe/Warsaw"))
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        2024-03-31 01:30:00
        """
        return self._call("subtract_duration_in_timezone", duration, timezone)

    def subtract_date_time_in_timezone(self, date_time: object, timezone: object) -> ColumnExpression:
        """How much time passed in the time zone since another date and time.

        Args:
            date_time: what is subtracted, a local time too.
            timezone: the name of a time zone, as in `Europe/Warsaw`.

        >>> import pathway as pw
        >>> v = pw.DateTimeNaive("2024-03-31 04:30:00")
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=pw.DateTimeNaive), [(v,)])
        >>> earlier = pw.DateTimeNaive("2024-03-31 01:30:00")
        >>> result = table.select(x=table.v.dt.subtract_date_time_in_timezone(earlier, "Europe/Warsaw"))
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        0 days 02:00:00
        """
        return self._call("subtract_date_time_in_timezone", date_time, timezone)

    def round(self, duration: object) -> ColumnExpression:
        """The nearest multiple of a duration since 1970, halves up.

        >>> import pathway as pw
        >>> v = pw.DateTimeNaive("2024-03-05 14:07:09.123456789")
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=pw.DateTimeNaive), [(v,)])
        >>> result = table.select(x=table.v.dt.round("1h"))
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        2024-03-05 14:00:00
        """
        return self._call("round", _duration(duration))

    def floor(self, duration: object) -> ColumnExpression:
        """The last multiple of a duration since 1970.

        >>> import pathway as pw
        >>> v = pw.DateTimeNaive("2024-03-05 14:07:09.123456789")
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=pw.DateTimeNaive), [(v,)])
        >>> result = table.select(x=table.v.dt.floor("1h"))
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        2024-03-05 14:00:00
        """
        return self._call("floor", _duration(duration))

    def to_duration(self, unit: object) -> ColumnExpression:
        """The duration of so many units (`ns` to `W`).

        >>> import pathway as pw
        >>> v = 2
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=int), [(v,)])
        >>> result = table.select(x=table.v.dt.to_duration("h"))
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        0 days 02:00:00
        """
        return self._call("to_duration", unit)

    def nanoseconds(self) -> ColumnExpression:
        """The nanoseconds in a duration, without a fraction.

        >>> import pathway as pw
        >>> v = 2
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=int), [(v,)])
        >>> result = table.select(x=table.v.dt.to_duration("h").dt.nanoseconds())
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        7200000000000
        """
        return self._call("nanoseconds")

    def microseconds(self) -> ColumnExpression:
        """The microseconds in a duration, without a fraction.

        >>> import pathway as pw
        >>> v = 2
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=int), [(v,)])
        >>> result = table.select(x=table.v.dt.to_duration("h").dt.microseconds())
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        7200000000
        """
        return self._call("microseconds")

    def milliseconds(self) -> ColumnExpression:
        """The milliseconds in a duration, without a fraction.

        >>> import pathway as pw
        >>> v = 2
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=int), [(v,)])
        >>> result = table.select(x=table.v.dt.to_duration("h").dt.milliseconds())
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        7200000
        """
        return self._call("milliseconds")

    def seconds(self) -> ColumnExpression:
        """The seconds in a duration, without a fraction.

        >>> import pathway as pw
        >>> v = 2
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=int), [(v,)])
        >>> result = table.select(x=table.v.dt.to_duration("h").dt.seconds())
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        7200
        """
        return self._call("seconds")

    def minutes(self) -> ColumnExpression:
        """The minutes in a duration, without a fraction.

        >>> import pathway as pw
        >>> v = 2
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=int), [(v,)])
        >>> result = table.select(x=table.v.dt.to_duration("h").dt.minutes())
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        120
        """
        return self._call("minutes")

    def hours(self) -> ColumnExpression:
        """The hours in a duration, without a fraction.

        >>> import pathway as pw
        >>> v = 2
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=int), [(v,)])
        >>> result = table.select(x=table.v.dt.to_duration("h").dt.hours())
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        2
        """
        return self._call("hours")

    def days(self) -> ColumnExpression:
        """The days in a duration, without a fraction.

        >>> import pathway as pw
        >>> v = 2
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=int), [(v,)])
        >>> result = table.select(x=table.v.dt.to_duration("h").dt.days())
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        0
        """
        return self._call("days")

    def weeks(self) -> ColumnExpression:
        """The weeks in a duration, without a fraction.

        >>> import pathway as pw
        >>> v = 2
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=int), [(v,)])
        >>> result = table.select(x=table.v.dt.to_duration("h").dt.weeks())
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        0
        """
        return self._call("weeks")


def _unit(unit: str) -> str:
    if unit not in ("s", "ms", "us", "ns"):
        raise ValueError(f"unit has to be one of s, ms, us, ns but is {unit}.")
    return unit


def _duration(duration: object) -> object:
    """A text such as `1h` stands for a duration."""
    if isinstance(duration, str):
        from pathway._datetimes import Duration

        if duration.isalpha():
            duration = f"1{duration}"
        return Duration(duration)
    return duration
