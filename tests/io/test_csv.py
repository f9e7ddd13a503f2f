"""csv files, in and out."""

import pathlib
from typing import Any

import pathway as pw
import pytest

SILENT = pw.MonitoringLevel.NONE


class City(pw.Schema):
    name: str
    people: int


def rows(table: Any) -> list[dict[str, Any]]:
    return sorted((update.row for update in pw.testing.capture(table)), key=str)


def test_columns_are_found_by_name(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.csv").write_text('people,river,name\n5,Ob,"A, B"\n')
    (tmp_path / "b.csv").write_text('name,people\n"say ""hi""",7\n')
    table = pw.io.csv.read(tmp_path, schema=City, mode="static")
    assert rows(table) == [{"name": "A, B", "people": 5}, {"name": 'say "hi"', "people": 7}]


def test_settings(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("# from 1990\nname;people\n'A;B';5\n")
    settings = pw.io.CsvParserSettings(delimiter=";", quote="'", comment_character="#")
    assert rows(pw.io.csv.read(path, schema=City, mode="static", csv_settings=settings)) == [
        {"name": "A;B", "people": 5}
    ]
    with pytest.raises(ValueError, match="delimiter"):
        pw.io.CsvParserSettings(delimiter=";;")


def test_a_bad_field_is_a_bad_row(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("name,people\nA,many\nB,2\n")
    table, errors = pw.testing.capture(pw.io.csv.read(path, schema=City, mode="static"), pw.global_error_log())
    assert [update.row for update in table] == [{"name": "B", "people": 2}]
    assert "people" in errors[0].row["message"]


def test_metadata(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("name,people\nA,1\n")
    table = pw.io.csv.read(path, schema=City, mode="static", with_metadata=True)
    assert table.column_names() == ["name", "people", "_metadata"]
    (row,) = rows(table)
    assert pathlib.Path(row["_metadata"]["path"].as_str()).name == "a.csv"


def test_pattern_and_schema_arguments(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.csv").write_text("name,people\nA,1\n")
    (tmp_path / "b.txt").write_text("name,people\nB,1\n")
    assert len(rows(pw.io.csv.read(tmp_path, schema=City, mode="static", object_pattern="*.csv"))) == 1
    with pytest.raises(ValueError, match="Schema must be specified"):
        pw.io.csv.read(tmp_path)
    with pytest.raises(TypeError, match="delimiter"):
        pw.io.csv.read(tmp_path, schema=City, delimiter=";")  # type: ignore[call-arg]


def test_streaming_follows_changes(tmp_path: pathlib.Path) -> None:
    """Each change of a row leads to the next step, and the last one ends the run."""
    path = tmp_path / "a.csv"
    path.write_text("name,people\nA,1\n")
    seen: list[tuple[str, int, bool]] = []

    def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        seen.append((row["name"], row["people"], is_addition))
        match seen[-1]:
            case ("A", 1, True):
                replace(path, "name,people\nA,2\n")
            case ("A", 2, True):
                replace(tmp_path / "b.csv", "name,people\nB,5\n")
            case ("B", 5, True):
                (tmp_path / "b.csv").unlink()
            case ("B", 5, False):
                raise StopIteration

    table = pw.io.csv.read(tmp_path, schema=City, object_pattern="*.csv", autocommit_duration_ms=10)
    pw.io.subscribe(table, on_change)
    with pytest.raises(StopIteration):
        pw.run(monitoring_level=SILENT)
    assert seen == [("A", 1, True), ("A", 1, False), ("A", 2, True), ("B", 5, True), ("B", 5, False)]


def replace(path: pathlib.Path, text: str) -> None:
    """Puts a file in place at once, as a careful writer does."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text)
    temporary.rename(path)


def test_updates_are_written_with_time_and_diff(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "out.csv"
    table = pw.debug.table_from_markdown(
        """
          | n | __time__ | __diff__
        1 | 1 | 2        | 1
        1 | 1 | 4        | -1
        1 | 2 | 4        | 1
        """
    )
    pw.io.csv.write(table, path)
    assert not path.exists()
    pw.run(monitoring_level=SILENT)
    assert path.read_text() == '"n","time","diff"\n"1","2","1"\n"1","4","-1"\n"2","4","1"\n'


def test_sort_by(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "out.csv"
    table = pw.debug.table_from_markdown("a | b\n3 | x\n1 | y\n2 | z")
    pw.io.csv.write(table, path, sort_by=[table.a])
    pw.run(monitoring_level=SILENT)
    assert [line.split(",")[0] for line in path.read_text().splitlines()] == ['"a"', '"1"', '"2"', '"3"']


def test_no_rows_make_an_empty_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")
    table = pw.debug.table_from_markdown("n\n1")
    pw.io.csv.write(table.filter(table.n > 1), path)
    pw.run(monitoring_level=SILENT)
    assert path.read_text() == ""


def test_a_missing_folder_is_named(tmp_path: pathlib.Path) -> None:
    pw.io.csv.write(pw.debug.table_from_markdown("n\n1"), tmp_path / "missing" / "out.csv")
    with pytest.raises(OSError, match="missing"):
        pw.run(monitoring_level=SILENT)


def test_a_path_is_no_empty_text(tmp_path: pathlib.Path) -> None:
    table = pw.debug.table_from_markdown("n\n1")
    with pytest.raises(ValueError, match="filename is empty"):
        pw.io.csv.write(table, "")
    with pytest.raises(ValueError, match="path is empty"):
        pw.io.csv.read("", schema=pw.schema_from_types(n=int))
    with pytest.raises(TypeError, match=r"filename is a path, .* found None"):
        pw.io.csv.write(table, None)  # type: ignore[arg-type]


def test_a_round_trip(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "out.csv"
    table = pw.debug.table_from_markdown('name | people\nx"y | 1\nz | 2')
    pw.io.csv.write(table, path)
    pw.run(monitoring_level=SILENT)
    pw.testing.assert_equal_tables(pw.io.csv.read(path, schema=City, mode="static"), table)


@pytest.mark.parametrize("mode", ["static", "streaming"])
def test_a_bounded_backlog_loses_nothing(tmp_path: pathlib.Path, mode: Any) -> None:
    path = tmp_path / "a.csv"
    path.write_text("name,people\n" + "".join(f"x,{number}\n" for number in range(100)))
    seen: list[tuple[int, int]] = []

    def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        seen.append((time, row["people"]))

    def on_time_end(time: int) -> None:
        if len(seen) == 100 and mode == "streaming":
            raise StopIteration

    table = pw.io.csv.read(path, schema=City, mode=mode, max_backlog_size=7)
    pw.io.subscribe(table, on_change, on_time_end=on_time_end)
    if mode == "streaming":
        with pytest.raises(StopIteration):
            pw.run(monitoring_level=SILENT)
        times = [time for time, _ in seen]
        assert max(times.count(time) for time in times) == 7
    else:
        pw.run(monitoring_level=SILENT)
    assert [people for _, people in seen] == list(range(100))
    with pytest.raises(ValueError, match="max_backlog_size"):
        pw.io.csv.read(path, schema=City, max_backlog_size=0)


def test_debug_data_is_a_data_frame(tmp_path: pathlib.Path) -> None:
    import pandas as pd

    with pytest.raises(TypeError, match="debug_data"):
        pw.io.csv.read(tmp_path, schema=City, debug_data=[{"name": "A", "people": 1}])
    table = pw.io.csv.read(tmp_path, schema=City, mode="static", debug_data=pd.DataFrame({"name": ["A"]}))
    assert rows(table) == []
    pw.io.null.write(table)
    with pytest.raises(NotImplementedError, match="debug_data"):
        pw.run(monitoring_level=SILENT, debug=True)


def test_the_error_log_can_be_filtered_and_projected(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("name,people\nA,many\nB,few\n")
    log = pw.global_error_log()
    few = log.filter(pw.this.message.str.count("few") > 0).select(pw.this.message)
    _table, errors = pw.testing.capture(pw.io.csv.read(path, schema=City, mode="static"), few)
    assert [list(update.row) for update in errors] == [["message"]]
    assert "line 3" in errors[0].row["message"]


def test_a_name_may_hold_any_character(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("number\n" + "".join(f"{number}\n" for number in range(5000)))
    table = pw.io.csv.read(path, schema=pw.schema_from_types(number=int), mode="static", name="in\0")
    pw.io.csv.write(table, tmp_path / "out.csv", name="out\0")
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 5001


def test_fields_are_checked_where_something_uses_their_column(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "numbers.csv"
    path.write_text("a,b\n1,1\n2,x\n3,3\n")
    numbers = pw.io.csv.read(path, schema=pw.schema_from_types(a=int, b=int), mode="static")
    count = numbers.reduce(rows=pw.reducers.count())
    assert [update.row["rows"] for update in pw.testing.capture(count)] == [3]
    seen: list[int] = []
    pw.io.subscribe(count, lambda key, row, time, is_addition: seen.append(row["rows"]))
    pw.io.null.write(numbers)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert seen == [2]
