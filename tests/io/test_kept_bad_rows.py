"""With `terminate_on_error=False` a bad value becomes an error in a row that is kept, and a bad key drops the row:
the same for every way to send rows, and for files."""

from __future__ import annotations

import csv
import json
import pathlib
from collections.abc import Callable
from typing import Any

import pathway as pw
import pytest


class Gauge(pw.Schema):
    k: int = pw.column_definition(primary_key=True)
    level: float
    name: str


NAMES = ["k", "level", "name"]

# Good, a bad value, a bad key, two bad values (one is None), good.
ROWS: list[dict[str, Any]] = [
    {"k": 1, "level": 1.5, "name": "Elbe"},
    {"k": 2, "level": "high", "name": "Oder"},
    {"k": "three", "level": 3.5, "name": "Main"},
    {"k": 4, "level": "low", "name": None},
    {"k": 5, "level": 5.5, "name": "Isar"},
]
KEPT = [(1, 1.5, "Elbe"), (2, -1.0, "Oder"), (4, -1.0, "?"), (5, 5.5, "Isar")]

WAYS: dict[str, Callable[[Any], object]] = {
    "next": lambda subject: [subject.next(**row) for row in ROWS],
    "next_json of str": lambda subject: [subject.next_json(json.dumps(row)) for row in ROWS],
    "next_json with escapes": lambda subject: [
        subject.next_json(json.dumps(row).replace("E", "\\u0045")) for row in ROWS
    ],
    "next_json of dict": lambda subject: [subject.next_json(row) for row in ROWS],
    "next_str": lambda subject: [subject.next_str(json.dumps(row)) for row in ROWS],
    "next_bytes": lambda subject: [subject.next_bytes(json.dumps(row).encode()) for row in ROWS],
    "next_batch": lambda subject: subject.next_batch(ROWS),
    "next_columns": lambda subject: subject.next_columns({name: [row[name] for row in ROWS] for name in NAMES}),
}


def kept(table: Any) -> tuple[list[tuple[Any, ...]], list[str]]:
    filled = table.select(k=table.k, level=pw.fill_error(table.level, -1.0), name=pw.fill_error(table.name, "?"))
    rows, errors = pw.testing.capture(filled, pw.global_error_log().select(pw.this.message), terminate_on_error=False)
    return sorted(tuple(update.row.values()) for update in rows), [update.row["message"] for update in errors]


@pytest.mark.parametrize("way", WAYS)
def test_rows_of_a_subject(way: str) -> None:
    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            WAYS[way](self)

    rows, errors = kept(pw.io.python.read(Subject(), schema=Gauge))
    assert rows == KEPT
    assert len(errors) == 4
    for number, field in [(2, "level"), (3, "k"), (4, "level"), (4, "name")]:
        matching = [error for error in errors if f"row {number}" in error and f'field "{field}"' in error]
        assert len(matching) == 1, (number, field, errors)
        assert ("did not accept" if field == "k" else "put an error into") in matching[0]
        assert "test_kept_bad_rows.py:" in matching[0]


@pytest.mark.parametrize("way", WAYS)
def test_the_same_rows_are_left_out_where_errors_end_the_run(way: str) -> None:
    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            WAYS[way](self)

    table = pw.io.python.read(Subject(), schema=Gauge)
    rows, errors = pw.testing.capture(table, pw.global_error_log())
    assert sorted(update.row["k"] for update in rows) == [1, 5]
    assert len(errors) == 3


def test_arrow_columns_of_which_a_value_does_not_fit() -> None:
    pa = pytest.importorskip("pyarrow")
    data = pa.table({"k": [1, 2, None], "level": [1.5, None, 3.5], "name": ["a", "b", "c"]})

    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next_arrow(data)

    rows, errors = kept(pw.io.python.read(Subject(), schema=Gauge))
    assert rows == [(1, 1.5, "a"), (2, -1.0, "b")]
    assert [error.split(":")[0].rpartition("row ")[2] for error in errors] == ['2, field "level"', '3, field "k"']


def test_a_csv_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "gauges.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, NAMES)
        writer.writeheader()
        writer.writerows(ROWS)
        # A line with too few fields is no row.
        file.write("6\r\n")
    rows, errors = kept(pw.io.csv.read(path, schema=Gauge, mode="static"))
    # An empty field is a text.
    assert rows == [(1, 1.5, "Elbe"), (2, -1.0, "Oder"), (4, -1.0, ""), (5, 5.5, "Isar")]
    assert [error.partition("line ")[2][:14] for error in errors] == [
        '3: field "leve', '4: field "k": ', '5: field "leve', '7: field "leve',
    ]  # fmt: skip


def test_a_file_of_json_lines(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "gauges.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS) + '{"k": 6}\n[7]\n')
    rows, errors = kept(pw.io.jsonlines.read(path, schema=Gauge, mode="static"))
    assert rows == [*KEPT, (6, -1.0, "?")]
    assert len(errors) == 7


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_sinks_leave_out_rows_with_errors(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "gauges.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    rows: list[int] = []
    pw.io.subscribe(
        pw.io.jsonlines.read(path, schema=Gauge, mode="static"),
        lambda key, row, time, is_addition: rows.append(row["k"]),
    )
    pw.run(monitoring_level=pw.MonitoringLevel.NONE, terminate_on_error=False)
    assert rows == [1, 5]


@pytest.mark.parametrize("source", ["subject", "file"])
def test_of_a_thousand_bad_rows_the_first_are_logged(
    source: str, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    count = 1234

    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next_batch([{"k": "bad", "level": 1.0, "name": "x"}] * count)
            self.next(k=1, level=1.0, name="x")

    if source == "subject":
        table = pw.io.python.read(Subject("many"), schema=Gauge)
    else:
        path = tmp_path / "many.csv"
        path.write_text("k,level,name\n" + "bad,1.0,x\n" * count + "1,1.0,x\n")
        table = pw.io.csv.read(path, schema=Gauge, mode="static", name="many")
    rows, errors = pw.testing.capture(table, pw.global_error_log())
    assert [update.row["k"] for update in rows] == [1]
    assert len(errors) == count
    logged = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    *first, more, rest = logged
    assert len(first) == 20
    assert "from now on they are only counted" in more
    assert "pw.global_error_log()" in more
    assert rest.startswith("980 more messages like this one: ")
