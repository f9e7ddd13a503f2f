"""Every unit of numpy's and Arrow's moments and durations, years that nanoseconds cannot count among them.

A moment arrives as it is, or its row is rejected: in all ways of sending alike, never as another moment.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pathway as pw
import pytest

pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")

UTC = datetime.UTC
EPOCH = datetime.datetime(1970, 1, 1)
NANOSECONDS = {"D": 86_400 * 10**9, "h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
YEARS = (1, 1677, 1678, 1969, 2024, 2261, 2262, 9999)
LIMIT = 2**63 - 1


def steps_of(year: int, unit: str) -> int | None:
    """The first moment of the year in the unit, if 64 bits hold it."""
    since = datetime.datetime(year, 1, 1) - EPOCH
    nanoseconds = (since.days * 86_400 + since.seconds) * 10**9
    steps = nanoseconds // NANOSECONDS[unit]
    return steps if abs(steps) <= LIMIT else None


def nanoseconds_of(steps: int, unit: str) -> int | None:
    """What the steps are in nanoseconds, if these can be counted."""
    nanoseconds = steps * NANOSECONDS[unit]
    return nanoseconds if abs(nanoseconds) <= LIMIT else None


CASES = [
    (year, unit, steps)
    for unit in NANOSECONDS
    for year in YEARS
    for steps in [steps_of(year, unit)]
    if steps is not None
]


def scalars(kind: str) -> list[Any]:
    """Every case as a scalar of numpy."""
    make = np.datetime64 if kind == "M" else np.timedelta64
    return [make(steps, unit) for _, unit, steps in CASES]


def arrow_arrays(kind: str, zone: str | None = None) -> Iterator[tuple[list[int], Any]]:
    """The cases of each unit that Arrow has, and an array of them."""
    for unit in ("s", "ms", "us", "ns"):
        numbers = [number for number, case in enumerate(CASES) if case[1] == unit]
        steps = pa.array([CASES[number][2] for number in numbers], pa.int64())
        yield numbers, steps.cast(pa.timestamp(unit, zone) if kind == "M" else pa.duration(unit))


def numpy_arrays(kind: str) -> Iterator[tuple[list[int], Any]]:
    for unit in NANOSECONDS:
        numbers = [number for number, case in enumerate(CASES) if case[1] == unit]
        yield numbers, np.array([CASES[number][2] for number in numbers], "i8").view(f"{kind}8[{unit}]")


def send_each(send: Callable[[Any, dict[str, Any]], None]) -> Callable[[Any, str], None]:
    def push(subject: Any, kind: str) -> None:
        for number, value in enumerate(scalars(kind)):
            send(subject, {"number": number, "value": value})

    return push


def send_columns(make: Callable[[str], Iterator[tuple[list[int], Any]]]) -> Callable[[Any, str], None]:
    def push(subject: Any, kind: str) -> None:
        for numbers, array in make(kind):
            subject.next_columns({"number": numbers, "value": array})

    return push


def swapped(kind: str) -> Iterator[tuple[list[int], Any]]:
    for numbers, array in numpy_arrays(kind):
        yield numbers, array.astype(array.dtype.newbyteorder(">"))


def send_arrow(subject: Any, kind: str) -> None:
    for numbers, array in arrow_arrays(kind):
        subject.next_arrow(pa.table({"number": numbers, "value": array}))


def send_polars(subject: Any, kind: str) -> None:
    for numbers, array in arrow_arrays(kind):
        if array.type.unit != "s":
            subject.next_arrow(pl.DataFrame({"number": numbers, "value": pl.Series(pl.from_arrow(array))}))
        else:
            subject.next_arrow(pa.table({"number": numbers, "value": array}))
    send_days(subject, kind)


def send_pandas(subject: Any, kind: str) -> None:
    for numbers, array in numpy_arrays(kind):
        unit = np.datetime_data(array.dtype)[0]
        if unit in ("s", "ms", "us", "ns"):
            subject.next_arrow(pd.DataFrame({"number": numbers, "value": pd.Series(array)}))
    send_days(subject, kind)


def send_days(subject: Any, kind: str) -> None:
    """The units that only numpy has."""
    for numbers, array in numpy_arrays(kind):
        if np.datetime_data(array.dtype)[0] in ("D", "h", "m"):
            subject.next_columns({"number": numbers, "value": array})


def send_arrow_and_days(subject: Any, kind: str) -> None:
    send_arrow(subject, kind)
    send_days(subject, kind)


def send_series(subject: Any, kind: str) -> None:
    for numbers, array in numpy_arrays(kind):
        if np.datetime_data(array.dtype)[0] in ("s", "ms", "us", "ns"):
            subject.next_columns({"number": pd.Series(numbers), "value": pd.Series(array)})
    send_days(subject, kind)


def send_masked(subject: Any, kind: str) -> None:
    for numbers, array in numpy_arrays(kind):
        subject.next_columns({"number": numbers, "value": np.ma.masked_array(array, mask=[False] * len(array))})


WAYS: dict[str, Callable[[Any, str], None]] = {
    "next": send_each(lambda subject, row: subject.next(**row)),
    "next_json": send_each(lambda subject, row: subject.next_json(row)),
    "next_batch": send_each(lambda subject, row: subject.next_batch([row])),
    "next_columns of lists": lambda subject, kind: subject.next_columns(
        {"number": list(range(len(CASES))), "value": scalars(kind)}
    ),
    "next_columns of objects": lambda subject, kind: subject.next_columns(
        {"number": list(range(len(CASES))), "value": np.array([*scalars(kind), None], object)[:-1]}
    ),
    "next_columns of arrays": send_columns(numpy_arrays),
    "next_columns of arrays with their bytes swapped": send_columns(swapped),
    "next_columns of masked arrays": send_masked,
    "next_columns of pandas": send_series,
    "next_columns of pyarrow": lambda subject, kind: [
        *[subject.next_columns({"number": n, "value": a}) for n, a in arrow_arrays(kind)],
        send_days(subject, kind),
    ],
    "next_arrow of pyarrow": send_arrow_and_days,
    "next_arrow of polars": send_polars,
    "next_arrow of pandas": send_pandas,
}


def arrived(annotation: Any, push: Callable[[Any], None]) -> dict[int, Any]:
    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            push(self)

    table = pw.io.python.read(Subject(), schema=pw.schema_from_types(number=int, value=annotation))
    return {update.row["number"]: update.row["value"] for update in pw.testing.capture(table)}


def expected(kind: str) -> dict[int, Any]:
    make = pd.Timestamp if kind == "M" else pd.Timedelta
    counted = {number: nanoseconds_of(steps, unit) for number, (_, unit, steps) in enumerate(CASES)}
    return {number: make(nanoseconds) for number, nanoseconds in counted.items() if nanoseconds is not None}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["M", "m"])
@pytest.mark.parametrize("optional", [False, True])
def test_moments_and_durations(way: str, kind: str, optional: bool) -> None:
    annotation: Any = pw.DateTimeNaive if kind == "M" else pw.Duration
    found = arrived(annotation | None if optional else annotation, lambda subject: WAYS[way](subject, kind))
    assert found == expected(kind)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["M", "m"])
def test_columns_of_any_type(way: str, kind: str) -> None:
    assert arrived(Any, lambda subject: WAYS[way](subject, kind)) == expected(kind)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["M", "m"])
@pytest.mark.parametrize("annotation", [int, float, str, bool, bytes, pw.DateTimeUtc, list[int]], ids=str)
def test_moments_are_nothing_else(way: str, kind: str, annotation: Any) -> None:
    def push(subject: Any) -> None:
        # A whole column of a type that never fits may be an error at once.
        with contextlib.suppress(TypeError):
            WAYS[way](subject, kind)

    assert arrived(annotation, push) == {}


def test_moments_in_utc() -> None:
    def pyarrow(subject: Any) -> None:
        for numbers, array in arrow_arrays("M", "Europe/Berlin"):
            subject.next_arrow(pa.table({"number": numbers, "value": array}))

    def series(subject: Any) -> None:
        for numbers, array in numpy_arrays("M"):
            if np.datetime_data(array.dtype)[0] in ("s", "ms", "us", "ns"):
                zoned = pd.Series(array).dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
                subject.next_columns({"number": numbers, "value": zoned})

    wanted = {
        number: moment.tz_localize("UTC")
        for number, moment in expected("M").items()
        if CASES[number][1] in ("s", "ms", "us", "ns")
    }
    assert arrived(pw.DateTimeUtc, pyarrow) == wanted
    assert arrived(pw.DateTimeUtc, series) == wanted


def test_units_that_have_no_fixed_length_or_are_too_fine() -> None:
    moments = [
        (np.datetime64("2024", "Y"), "2024-01-01"),
        (np.datetime64("2024-05", "M"), "2024-05-01"),
        (np.datetime64(1, "W"), "1970-01-08"),
        (np.datetime64(-1, "M"), "1969-12-01"),
        (np.datetime64("1677", "Y"), None),
        (np.datetime64(2**60, "Y"), None),
        (np.datetime64(3000, "ps"), pd.Timestamp(3)),
        (np.datetime64(3001, "ps"), None),
        (np.datetime64(-2_000_000_000, "as"), pd.Timestamp(-2)),
        (np.datetime64(3, "25s"), pd.Timestamp(75, unit="s")),
        (np.datetime64("NaT"), None),
    ]
    spans = [
        (np.timedelta64(1, "Y"), None),
        (np.timedelta64(1, "M"), None),
        (np.timedelta64(2, "W"), pd.Timedelta(14, "D")),
        (np.timedelta64(5), None),
        (np.timedelta64(1000, "fs"), None),
        (np.timedelta64(1_000_000, "fs"), pd.Timedelta(1)),
        (np.timedelta64("NaT", "s"), None),
    ]
    for annotation, cases in ((pw.DateTimeNaive, moments), (pw.Duration, spans)):
        make: Any = pd.Timestamp if annotation is pw.DateTimeNaive else pd.Timedelta
        wanted = {number: make(value) for number, (_, value) in enumerate(cases) if value is not None}

        def one_by_one(subject: Any, cases: Any = cases) -> None:
            for number, (value, _) in enumerate(cases):
                subject.next(number=number, value=value)

        def arrays(subject: Any, cases: Any = cases) -> None:
            for number, (value, _) in enumerate(cases):
                subject.next_columns({"number": [number], "value": np.array([value])})

        assert arrived(annotation, one_by_one) == wanted
        assert arrived(annotation, arrays) == wanted


@pytest.mark.parametrize(
    "missing", [pd.NaT, pd.NA, np.datetime64("NaT", "ns"), np.timedelta64("NaT", "s"), None], ids=repr
)
@pytest.mark.parametrize("annotation", [pw.DateTimeNaive, pw.DateTimeUtc, pw.Duration, int, float, str, bool, bytes])
def test_what_is_missing_is_none_where_a_column_is_optional(annotation: Any, missing: Any) -> None:
    def push(subject: Any) -> None:
        subject.next(number=0, value=missing)
        subject.next_columns({"number": [1], "value": [missing]})
        subject.next_columns({"number": [2], "value": np.array([missing, 0], object)[:1]})
        subject.next_batch([{"number": 3, "value": missing}])

    assert arrived(annotation | None, push) == dict.fromkeys(range(4))
    assert arrived(annotation, push) == {}


def test_a_datetime_with_an_attribute_of_pandas() -> None:
    class Reading(datetime.datetime):
        value = 5

    class Span(datetime.timedelta):
        value = 5

    moment = Reading(2024, 5, 1, 12)
    assert arrived(pw.DateTimeNaive, lambda subject: subject.next(number=0, value=moment)) == {0: pd.Timestamp(moment)}
    assert arrived(pw.Duration, lambda subject: subject.next(number=0, value=Span(1))) == {0: pd.Timedelta(1, "D")}


def test_the_lowest_moment_and_duration_of_python_fit_in_every_way() -> None:
    moment = datetime.datetime(1677, 9, 21, 0, 12, 43, 145225)
    duration = datetime.timedelta(microseconds=-9223372036854775)

    class Lowest(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next(moment=moment, duration=duration)
            self.next_columns({"moment": pd.Series([moment]), "duration": pd.Series([duration])})

    schema = pw.schema_from_types(moment=pw.DateTimeNaive, duration=pw.Duration)
    rows = [tuple(update.row.values()) for update in pw.testing.capture(pw.io.python.read(Lowest(), schema=schema))]
    assert rows == [(pd.Timestamp(moment), pd.Timedelta(duration))] * 2


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        (pw.Duration, -(2**63)),
        (pw.DateTimeNaive, "1677-09-21T00:12:43.145224192"),
        (pw.DateTimeUtc, "1677-09-21T00:12:43.145224192Z"),
    ],
)
def test_what_is_how_others_write_a_missing_one_is_refused(dtype: Any, value: Any) -> None:
    class Missing(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next_json({"a": value})

    assert pw.testing.capture(pw.io.python.read(Missing(), schema=pw.schema_from_types(a=dtype))) == []
