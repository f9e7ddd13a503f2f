"""Texts that are dates and times: formats, offsets, what files hold, names of durations, gaps and folds of zones."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pandas as pd
import pathway as pw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import rows

SILENT = pw.MonitoringLevel.NONE
EXAMPLES = settings.default.max_examples
BASE = "2024-03-05 14:07:09"
FORMAT = "%Y-%m-%d %H:%M:%S"


def read(texts: list[str], fmt: str, **options: Any) -> list[Any]:
    """What the texts are by the format; an Error where they are nothing."""
    pw.testing.reset()
    schema = pw.schema_builder(
        {"n": pw.column_definition(dtype=int, primary_key=True), "v": pw.column_definition(dtype=str)}
    )
    table = pw.debug.table_from_rows(schema, list(enumerate(texts)))
    found = pw.testing.capture(table.select(pw.this.n, x=table.v.dt.strptime(fmt, **options)), terminate_on_error=False)
    by_number = {update.row["n"]: update.row["x"] for update in found}
    return [by_number[n] if isinstance(by_number[n], pd.Timestamp) else "Error" for n in range(len(texts))]


OFFSETS = {
    "+02:00": "12:07:09",
    "+0200": "12:07:09",
    "+02": "12:07:09",
    " +02:00": "12:07:09",
    "+02:00:00": "12:07:09",
    "-05:30": "19:37:09",
    "−05:30": "19:37:09",
    "Z": "14:07:09",
    "z": "14:07:09",
    "+00:00": "14:07:09",
    "-0000": "14:07:09",
}
NO_OFFSETS = ["", "+2", "+24:00", "+02:60", "02:00", "UTC", "Zx", "+02:00 x", "+02000"]


@pytest.mark.parametrize("directive", ["%z", "%:z", "%::z", "%:::z", "%#z"])
def test_an_offset_is_read_in_every_form(directive: str) -> None:
    found = read([BASE + offset for offset in [*OFFSETS, *NO_OFFSETS]], FORMAT + directive)
    expected = [pd.Timestamp(f"2024-03-05 {time}+00:00") for time in OFFSETS.values()]
    assert found == [*expected, *["Error"] * len(NO_OFFSETS)]


@pytest.mark.parametrize(
    ("text", "fmt", "expected"),
    [
        ("2024-03-05T14:07:09.5+02:00", "%+", "2024-03-05 12:07:09.5+00:00"),
        ("2024-03-05T14:07:09Z", "%+", "2024-03-05 14:07:09+00:00"),
        ("5 Mar 2024 14:07 UTC", "%d %b %Y %H:%M %Z", "2024-03-05 14:07:00+00:00"),
        ("[05/Mar/2024:14:07:09 GMT]", "[%d/%b/%Y:%H:%M:%S %Z]", "2024-03-05 14:07:09+00:00"),
        ("[05/Mar/2024:14:07:09 +0200] GET", "[%d/%b/%Y:%H:%M:%S %z] GET", "2024-03-05 12:07:09+00:00"),
        ("Tue, 05 Mar 2024 14:07:09 CET +0100", "%a, %d %b %Y %H:%M:%S %Z %z", "2024-03-05 13:07:09+00:00"),
        ("1709647629 +0200", "%s %z", "2024-03-05 14:07:09+00:00"),
        # An ordinary letter and an ordinary percent sign are no zone.
        (BASE + "Z", FORMAT + "Z", BASE),
        (BASE + " %z", FORMAT + " %%z", BASE),
        ("Tue 5 March 2024", "%a %d %B %Y", "2024-03-05"),
        ("Wed 5 March 2024", "%a %d %B %Y", "Error"),
        ("tue 5 MAR 24", "%A %d %b %y", "2024-03-05"),
        ("2024 065", "%Y %j", "2024-03-05"),
        ("2024 10 2", "%Y %U %w", "2024-03-12"),
        ("2024 W10 2", "%G W%V %u", "2024-03-05"),
        ("5.3.2024 2 pm", "%d.%m.%Y %I %p", "2024-03-05 14:00"),
        ("12:30 am", "%I:%M %p", "1900-01-01 00:30"),
        ("Tue Mar  5 14:07:09 2024", "%c", BASE),
        ("03/05/24 14:07", "%D %R", "2024-03-05 14:07"),
        (" 5-Mar-2024 02:07:09 PM", "%v %r", BASE),
        ("2024-03-05 14:07:09", "%F %T", BASE),
        ("20240305140709", "%Y%m%d%H%M%S", BASE),
        ("1709647629.5", "%s%.f", BASE + ".5"),
        ("14:07:09.123", "%H:%M:%S%.3f", "1900-01-01 14:07:09.123"),
        ("14:07:09123456", "%H:%M:%S%6f", "1900-01-01 14:07:09.123456"),
        ("14:07:09.1234567899", "%H:%M:%S.%f", "1900-01-01 14:07:09.123456789"),
        ("14:07:09.", "%H:%M:%S.%f", "Error"),
        ("23:59:60", "%H:%M:%S", "1900-01-02"),
        ("23:59:61", "%H:%M:%S", "Error"),
        ("24:00", "%H:%M", "Error"),
        ("2024-02-30", "%Y-%m-%d", "Error"),
        ("2023-02-29", "%Y-%m-%d", "Error"),
        ("2024-03-05 ", "%Y-%m-%d", "Error"),
        ("٢٠٢٤-03-05", "%Y-%m-%d", "Error"),
        ("", "%Y-%m-%d", "Error"),
        ("2024-03-05", "%Q", "Error"),
        # Beyond 64 bits of nanoseconds: never wrapped into them.
        ("0001-01-01", "%Y-%m-%d", "Error"),
        ("9999-12-31", "%Y-%m-%d", "Error"),
        ("1677-09-21 00:12:43", FORMAT, "Error"),
        ("1677-09-21 00:12:44", FORMAT, "1677-09-21 00:12:44"),
        ("2262-04-11 23:47:16", FORMAT, "2262-04-11 23:47:16"),
        ("2262-04-11 23:47:17", FORMAT, "Error"),
        ("2262-04-11 23:47:16-0100", FORMAT + "%z", "Error"),
    ],
)
def test_directives(text: str, fmt: str, expected: str) -> None:
    assert read([text], fmt) == ["Error" if expected == "Error" else pd.Timestamp(expected)]


def test_the_name_of_a_zone_is_no_offset() -> None:
    table = pw.debug.table_from_rows(pw.schema_from_types(v=str), [("2024-03-05 14:00 CEST",)])
    with pytest.raises(ValueError, match='"CEST" is no offset from UTC; read one with %z'):
        rows(table.select(x=table.v.dt.strptime("%Y-%m-%d %H:%M %Z")), "x")


def test_an_offset_is_never_thrown_away() -> None:
    table = pw.debug.table_from_rows(pw.schema_from_types(v=str, f=str), [("14 +0200", "%H %z")])
    for fmt in ("%H %z", "%H %:z", "%H %#z", "%+", "%H %Z"):
        with pytest.raises(ValueError, match="a result without a time zone would lose"):
            table.v.dt.strptime(fmt, contains_timezone=False)
    with pytest.raises(ValueError, match="contains_timezone"):
        table.v.dt.strptime(table.f)
    with pytest.raises(ValueError, match="it has an offset from UTC, which the result would lose"):
        rows(table.select(x=table.v.dt.strptime(table.f, contains_timezone=False)), "x")
    known = table.select(x=table.v.dt.strptime(table.f, contains_timezone=True))
    assert rows(known, "x") == [pd.Timestamp("1900-01-01 12:00+00:00")]


# What a column of moments takes from csv and JSON: each text with what it is without a zone, and in UTC.
MOMENTS = {
    "2024-03-31T01:30:00": ("2024-03-31 01:30", None),
    "2024-03-31 01:30:00": ("2024-03-31 01:30", None),
    "2024-03-31T01:30:00.5": ("2024-03-31 01:30:00.5", None),
    "2024-03-31T01:30:00.123456789": ("2024-03-31 01:30:00.123456789", None),
    "2024-03-31T01:30:00.1234567899": ("2024-03-31 01:30:00.123456789", None),
    "2016-12-31T23:59:60": ("2017-01-01", None),
    "2024-03-31T01:30:00Z": (None, "2024-03-31 01:30Z"),
    "2024-03-31 01:30:00.25Z": (None, "2024-03-31 01:30:00.25Z"),
    "2024-03-31T03:30:00+02:00": (None, "2024-03-31 01:30Z"),
    "2024-03-31T03:30:00+0200": (None, "2024-03-31 01:30Z"),
    "2024-03-31T03:30:00+02": (None, "2024-03-31 01:30Z"),
    "2024-03-31T01:30:00.123456789-00:00": (None, "2024-03-31 01:30:00.123456789Z"),
    "2016-12-31T23:59:60Z": (None, "2017-01-01 00:00Z"),
    "2262-04-11T23:47:16.854775807": ("2262-04-11 23:47:16.854775807", None),
    "2262-04-11T23:47:16.854775808": (None, None),
    "1677-09-21T00:12:43.145224193Z": (None, "1677-09-21 00:12:43.145224193Z"),
    "0001-01-01T00:00:00": (None, None),
    "0001-01-01T00:00:00Z": (None, None),
    "9999-12-31T23:59:59": (None, None),
    "9999-12-31T23:59:59+00:00": (None, None),
    "2024-02-30T00:00:00": (None, None),
    "2024-03-31T24:00:00": (None, None),
    "2024-03-31": (None, None),
    "2024-03-31T01:30": (None, None),
    "1711848600": (None, None),
    "2024-03-31T01:30:00 Europe/Paris": (None, None),
}


@pytest.mark.parametrize("format", ["csv", "jsonlines"])
def test_moments_in_files(format: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a"
    if format == "csv":
        path.write_text("n,v\n" + "".join(f'{n},"{text}"\n' for n, text in enumerate(MOMENTS)))
    else:
        path.write_text("".join(json.dumps({"n": n, "v": text}) + "\n" for n, text in enumerate(MOMENTS)))
    for place, annotation in enumerate((pw.DateTimeNaive, pw.DateTimeUtc)):
        schema = pw.schema_from_types(n=int, v=annotation)
        reader: Any = getattr(pw.io, format)
        found = pw.testing.capture(reader.read(path, schema=schema, mode="static"))
        expected = {n: texts[place] for n, texts in enumerate(MOMENTS.values()) if texts[place] is not None}
        assert {update.row["n"]: update.row["v"] for update in found} == {
            n: pd.Timestamp(text) for n, text in expected.items()
        }


def test_names_of_durations() -> None:
    moment = pw.DateTimeNaive("2024-03-05 14:37:29.123456789")
    table = pw.debug.table_from_rows(pw.schema_from_types(v=pw.DateTimeNaive), [(moment,)])
    floors = {
        "2H": "14:00",
        "2h": "14:00",
        "H": "14:00",
        "15T": "14:30",
        "15min": "14:30",
        "T": "14:37",
        "10S": "14:37:20",
        "90 s": "14:36",
        "100L": "14:37:29.1",
        "100ms": "14:37:29.1",
        "U": "14:37:29.123456",
        "us": "14:37:29.123456",
        "N": "14:37:29.123456789",
        "ns": "14:37:29.123456789",
        "D": "00:00",
        "1d": "00:00",
        "1h30min": "13:30",
        "1H30T": "13:30",
        "1.5H": "13:30",
        "0.5 h": "14:30",
    }
    found = table.select(**{f"floor {name}": table.v.dt.floor(name) for name in floors})
    (update,) = pw.testing.capture(found)
    assert update.row == {f"floor {name}": pd.Timestamp(f"2024-03-05 {time}") for name, time in floors.items()}
    rounded = table.select(a=table.v.dt.round("2H"), b=table.v.dt.round("15T"), c=table.v.dt.round("1h30min"))
    (update,) = pw.testing.capture(rounded)
    assert [str(value)[11:] for value in update.row.values()] == ["14:00:00", "14:30:00", "15:00:00"]
    for name in ("", "W", "1W", "M", "1m", "Y", "B", "hour", "1 hour", "h 5", "t", "P1D", "1 day 01:00:00", "5", "µs"):
        with pytest.raises(ValueError, match="is no duration"):
            table.v.dt.round(name)
    for name in ("0h", "-1h", "0.1ns"):
        with pytest.raises(ValueError, match="at least a nanosecond"):
            table.v.dt.floor(name)


def test_gaps_and_folds() -> None:
    """A local time that a zone skips is taken for the end of the gap, one that it has twice for the later."""
    cases = {
        ("2024-03-31 01:59:59", "Europe/Warsaw"): "2024-03-31 00:59:59",
        ("2024-03-31 02:00:00", "Europe/Warsaw"): "2024-03-31 01:00:00",
        ("2024-03-31 02:59:59", "Europe/Warsaw"): "2024-03-31 01:00:00",
        ("2024-03-31 03:00:00", "Europe/Warsaw"): "2024-03-31 01:00:00",
        ("2024-10-27 01:59:59", "Europe/Warsaw"): "2024-10-26 23:59:59",
        ("2024-10-27 02:00:00", "Europe/Warsaw"): "2024-10-27 01:00:00",
        ("2024-10-27 02:59:59", "Europe/Warsaw"): "2024-10-27 01:59:59",
        ("2024-10-27 03:00:00", "Europe/Warsaw"): "2024-10-27 02:00:00",
        ("2011-12-30 12:00:00", "Pacific/Apia"): "2011-12-30 10:00:00",
        ("2024-04-07 02:15:00", "Australia/Lord_Howe"): "2024-04-06 15:45:00",
        ("2024-07-01 00:00:00", "UTC"): "2024-07-01 00:00:00",
    }
    table = pw.debug.table_from_rows(
        pw.schema_from_types(v=pw.DateTimeNaive, zone=str, expected=pw.DateTimeUtc),
        [(pd.Timestamp(v), zone, pd.Timestamp(utc + "Z")) for (v, zone), utc in cases.items()],
    )
    assert rows(table.select(x=table.v.dt.to_utc(table.zone) == table.expected), "x") == [True] * len(cases)
    back = table.select(pw.this.v, x=table.expected.dt.to_naive_in_timezone(table.zone))
    assert sorted(update.row["x"] - update.row["v"] for update in pw.testing.capture(back))[-1] < pd.Timedelta(days=1.6)


@settings(max_examples=EXAMPLES)
@given(
    st.datetimes(pd.Timestamp("1700-01-02").to_pydatetime(), pd.Timestamp("2260-01-01").to_pydatetime()),
    st.integers(0, 999),
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
    st.sampled_from(["", ":"]),
)
def test_what_is_written_with_an_offset_is_that_moment(moment: Any, nanosecond: int, minutes: int, colon: str) -> None:
    expected = pd.Timestamp(moment, tz="UTC") + pd.Timedelta(nanosecond)
    local = (expected + pd.Timedelta(minutes=minutes)).tz_localize(None)
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    text = f"{local.isoformat(timespec='nanoseconds')}{sign}{hours:02}{colon}{rest:02}"
    assert read([text], "%Y-%m-%dT%H:%M:%S.%f%z") == [expected]
    assert read([text], "%Y-%m-%dT%H:%M:%S%.f%:z") == [expected]


def test_seconds_since_1970_need_no_offset() -> None:
    assert read(["86400", "0"], "%s", contains_timezone=True) == [
        pw.DateTimeUtc("1970-01-02T00:00:00+00:00"),
        pw.DateTimeUtc("1970-01-01T00:00:00+00:00"),
    ]
