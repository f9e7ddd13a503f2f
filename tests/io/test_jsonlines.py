"""Files with a JSON object a line, and text files."""

import json
import pathlib
from typing import Any

import pathway as pw
import pytest

SILENT = pw.MonitoringLevel.NONE


class Note(pw.Schema):
    name: str
    hertz: float
    tags: pw.Json = pw.column_definition(default_value=[])


def rows(table: Any) -> list[dict[str, Any]]:
    return sorted((update.row for update in pw.testing.capture(table)), key=str)


def test_fields_paths_and_defaults(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text(
        '{"name": "la", "pitch": {"hertz": 440}, "tags": ["a"], "other": 1}\n{"pitch": {"hertz": 1.5}, "name": "é"}\n'
    )
    table = pw.io.jsonlines.read(path, schema=Note, mode="static", json_field_paths={"hertz": "/pitch/hertz"})
    assert rows(table) == [
        {"name": "la", "hertz": 440.0, "tags": pw.Json(["a"])},
        {"name": "é", "hertz": 1.5, "tags": pw.Json([])},
    ]
    with pytest.raises(ValueError, match="pitch"):
        pw.io.jsonlines.read(path, schema=Note, json_field_paths={"pitch": "/pitch"})


def test_a_bad_line_is_a_bad_row(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text('{"name": "la", "hertz": 440}\n{"name": \n{"name": "si", "hertz": "high"}\n')
    good, errors = pw.testing.capture(pw.io.jsonlines.read(path, schema=Note, mode="static"), pw.global_error_log())
    assert [update.row["name"] for update in good] == ["la"]
    assert len(errors) == 2


def test_updates_are_objects(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "out.jsonl"
    table = pw.debug.table_from_markdown(
        """
          | n | word | __time__ | __diff__
        1 | 1 | é"   | 2        | 1
        1 | 1 | é"   | 4        | -1
        """
    )
    pw.io.jsonlines.write(table, path)
    pw.run(monitoring_level=SILENT)
    lines = path.read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"n": 1, "word": 'é"', "diff": 1, "time": 2},
        {"n": 1, "word": 'é"', "diff": -1, "time": 4},
    ]
    assert lines[0].endswith('"diff":1,"time":2}')


def test_plaintext(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "verse.txt"
    path.write_text("one two\n\nthree")
    assert rows(pw.io.plaintext.read(path, mode="static")) == [{"data": ""}, {"data": "one two"}, {"data": "three"}]


@pytest.mark.parametrize(("format", "expected"), [("plaintext_by_file", "a\nb"), ("binary", b"a\nb\n")])
def test_a_row_for_each_file(tmp_path: pathlib.Path, format: Any, expected: Any) -> None:
    (tmp_path / "a.txt").write_text("a\nb\n")
    assert rows(pw.io.fs.read(tmp_path, format, mode="static")) == [{"data": expected}]


def test_only_metadata(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.txt").write_text("four")
    (row,) = rows(pw.io.fs.read(tmp_path, "only_metadata", mode="static"))
    assert list(row) == ["_metadata"]
    assert row["_metadata"]["size"].as_int() == 4


def test_what_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="parquet"):
        pw.io.fs.read(tmp_path, "parquet")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="mode"):
        pw.io.fs.read(tmp_path, "csv", schema=Note, mode="batch")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no schema"):
        pw.io.fs.read(tmp_path, "plaintext", schema=Note)
    with pytest.raises(ValueError, match="csv_settings"):
        pw.io.fs.read(tmp_path, "json", schema=Note, csv_settings=pw.io.CsvParserSettings())


@pytest.mark.parametrize("format", ["binary", "plaintext_by_file"])
def test_a_file_that_is_one_value_may_be_as_long_as_a_record(format: Any, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate((1 << 28) + 1)
    table = pw.io.fs.read(path, format=format, mode="static")
    with pytest.raises(OSError, match="huge: it is longer than 256 MiB, and each file is one value"):
        pw.testing.capture(table.reduce(longest=pw.reducers.max(table.data)))
