"""Made-up and replayed streams."""

import pathlib
import time
from typing import Any

import pathway as pw
import pytest
from support import assert_table, rows


def test_a_range() -> None:
    table = pw.demo.range_stream(nb_rows=3, offset=5, input_rate=1000)
    assert dict(table.typehints()) == {"value": float}
    assert table.schema.primary_key_columns() is None
    assert rows(table, "value") == [5.0, 6.0, 7.0]


def test_noise_is_the_same_in_every_run() -> None:
    table = pw.demo.noisy_linear_stream(nb_rows=4, input_rate=1000)
    assert rows(table, "x") == [0.0, 1.0, 2.0, 3.0]
    again = pw.demo.noisy_linear_stream(nb_rows=4, input_rate=1000)
    assert rows(table, "y") == rows(again, "y")


def test_numbers_of_rows() -> None:
    assert pw.testing.capture(pw.demo.range_stream(nb_rows=0)) == []
    with pytest.raises(ValueError, match="nb_rows"):
        pw.demo.range_stream(nb_rows=-1)
    with pytest.raises(ValueError, match="input_rate"):
        pw.demo.range_stream(input_rate=0)


def test_values_of_a_function_that_fails_end_the_run() -> None:
    schema = pw.schema_from_types(a=int)
    table = pw.demo.generate_custom_stream({"a": lambda n: 1 // (1 - n)}, schema=schema, nb_rows=2, input_rate=1000)
    with pytest.raises(ZeroDivisionError):
        pw.testing.capture(table)


@pytest.fixture
def laps(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "laps.csv"
    path.write_text("at,lap,note\n100,1,a\n400,2,\n")
    return path


class Lap(pw.Schema):
    at: int
    lap: int


def test_a_file_is_replayed_with_the_columns_of_the_schema(laps: pathlib.Path) -> None:
    assert_table(pw.demo.replay_csv(laps, schema=Lap, input_rate=1000), "at | lap\n100 | 1\n400 | 2")
    with pytest.raises(ValueError, match=r"laps\.csv has no column distance"):
        pw.testing.capture(pw.demo.replay_csv(laps, schema=pw.schema_from_types(lap=int, distance=int)))


@pytest.mark.parametrize(("unit", "speedup", "seconds"), [("ms", 1, 0.3), ("ms", 10, 0.03), ("us", 1, 0.0003)])
def test_a_file_is_replayed_at_the_times_in_it(laps: pathlib.Path, unit: str, speedup: float, seconds: float) -> None:
    table = pw.demo.replay_csv_with_time(laps, schema=Lap, time_column="at", unit=unit, speedup=speedup)
    began = time.monotonic()
    assert rows(table, "lap") == [1, 2]
    assert time.monotonic() - began >= seconds


def test_mistakes_of_a_replay_are_named(laps: pathlib.Path) -> None:
    def replay(**arguments: Any) -> None:
        pw.demo.replay_csv_with_time(laps, schema=Lap, **{"time_column": "at", **arguments})

    with pytest.raises(ValueError, match="the schema has no column when"):
        replay(time_column="when")
    with pytest.raises(ValueError, match="unit has to be one of s, ms, us, ns, found 'd'"):
        replay(unit="d")
    with pytest.raises(ValueError, match="speedup"):
        replay(speedup=0)


def test_fields_of_a_replayed_file_are_those_of_csv(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("\ufeffn, x,flag,text,when,maybe\r\n1, 0.5,yes, t ,2024-01-02T03:04:05Z,None\r\n2,nan,,,".encode())
    path.write_bytes(path.read_bytes() + b"2024-01-02T05:04:05+02:00,7\r\n")

    class Line(pw.Schema):
        n: int
        x: float
        flag: bool = pw.column_definition(default_value=False)
        text: str
        when: pw.DateTimeUtc
        maybe: int | None
        absent: str = pw.column_definition(default_value="-")

    when = pw.DateTimeUtc("2024-01-02T03:04:05Z")
    expected = [(1, 0.5, True, " t ", when, None, "-"), (2, float("nan"), False, "", when, 7, "-")]
    replayed = pw.testing.capture(pw.demo.replay_csv(path, schema=Line, input_rate=1000))
    read = pw.testing.capture(pw.io.csv.read(path, schema=Line, mode="static"))
    for updates in (replayed, read):
        assert repr(sorted(tuple(update.row.values()) for update in updates)) == repr(expected)
    path.write_text("n\n1\nx\n")
    bad = pw.demo.replay_csv(path, schema=pw.schema_from_types(n=int), input_rate=1000)
    with pytest.raises(ValueError, match=r"a\.csv:3: field 'n': cannot read 'x' as int"):
        pw.testing.capture(bad)
    path.write_text("n,m\n1\n")
    short = pw.demo.replay_csv(path, schema=pw.schema_from_types(n=int, m=int), input_rate=1000)
    with pytest.raises(ValueError, match=r"a\.csv:2: the line has no field 'm'"):
        pw.testing.capture(short)
