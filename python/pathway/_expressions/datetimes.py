"""Methods of dates, times and durations: `expression.dt`.

Every method is a function of the engine of the same name; `Namespace._call` makes the call.
"""

from __future__ import annotations

import re
import warnings
from fractions import Fraction

from pathway._expressions.expression import ColumnExpression
from pathway._expressions.namespace import Namespace
from pathway._ground import tracebacks


@tracebacks.shortened_class
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
        """The date and time that a text holds; with an offset or zone in the format, in UTC.

        Args:
            fmt: the format, with `%Y` and the like. `%z`, `%:z`, `%::z`, `%#z` are an offset from UTC, which may be
                `+0200`, `+02:00`, `+02` or `Z`; `%+` is a whole moment with one. `%Z` takes the names UTC and GMT, and
                any other name only beside an offset.
            contains_timezone: whether the result has a time zone; by default, if there is one in the format. It has to
                be given where the format is no constant.

        Raises:
            ValueError: the format has an offset or zone, and `contains_timezone` is False: what the offset says would
                be lost. Convert the result with `dt.to_naive_in_timezone` instead.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=str), [("01.05.2024 12:30",)])
        >>> result = table.select(x=table.v.dt.strptime("%d.%m.%Y %H:%M"))
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        2024-05-01 12:30:00
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=str), [("2024-05-01T12:30:00+02:00",)])
        >>> result = table.select(x=table.v.dt.strptime("%Y-%m-%dT%H:%M:%S%z"))
        >>> pw.debug.compute_and_print(result, include_id=False)
        x
        2024-05-01 10:30:00+00:00
        """
        has_zone = _has_zone(fmt) if isinstance(fmt, str) else contains_timezone
        if has_zone is None:
            raise ValueError("say contains_timezone=True or False if the format of strptime() is no constant")
        if has_zone and contains_timezone is False:
            raise ValueError(
                f"the format {fmt!r} reads an offset, which a result without a time zone would lose; leave out "
                "contains_timezone=False, and use dt.to_naive_in_timezone() for local times"
            )
        with_zone = has_zone if contains_timezone is None else contains_timezone
        return self._call("strptime_utc" if with_zone else "strptime_naive", fmt)

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

        Args:
            duration: a duration, or a text such as `15min`, of numbers and the units `D`, `h`, `min`, `s`, `ms`, `us`
                and `ns` (or, as pandas once had them, `H`, `T`, `S`, `L`, `U` and `N`).

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

        Args:
            duration: a duration, or a text such as `15min`; see `round`.

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


# A directive of a format; the zone in it, if it has one.
_DIRECTIVE = re.compile(r"%(?:((?::{0,3}|#)z|Z|\+)|.)", re.DOTALL)


def _has_zone(fmt: str) -> bool:
    return any(directive[1] for directive in _DIRECTIVE.finditer(fmt))


_NANOSECONDS = {
    "D": 86_400 * 10**9,
    "h": 3_600 * 10**9,
    "min": 60 * 10**9,
    "s": 10**9,
    "ms": 10**6,
    "us": 10**3,
    "ns": 1,
}
# pandas 3 has dropped these names; programs have not.
_OLD_NAMES = {"d": "D", "H": "h", "T": "min", "S": "s", "L": "ms", "U": "us", "N": "ns"}
_AMOUNT = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)?)\s*([a-zA-Z]+)\s*", re.ASCII)


def _duration(duration: object) -> object:
    """A text such as `1h30min` stands for a duration."""
    if not isinstance(duration, str):
        return duration
    # It imports pandas.
    from pathway._values.datetimes import Duration

    amounts = [match.groups() for match in _AMOUNT.finditer(duration)]
    units = [_NANOSECONDS.get(_OLD_NAMES.get(unit, unit)) for _, unit in amounts]
    if not amounts or _AMOUNT.sub("", duration) or None in units:
        raise ValueError(
            f"{duration!r} is no duration; write numbers and the units {', '.join(_NANOSECONDS)}, as in '1h30min', or "
            "give a pw.Duration"
        )
    ones = {"": "1", "+": "1", "-": "-1"}
    nanoseconds = sum(
        Fraction(ones.get(amount, amount)) * unit for (amount, _), unit in zip(amounts, units, strict=True) if unit
    )
    if nanoseconds < 1:
        raise ValueError(f"{duration!r} is no duration to round to: it has to be at least a nanosecond")
    return Duration(int(nanoseconds))
