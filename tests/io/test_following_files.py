"""Files that are followed, with the system's own news of changes: each step waits for the rows of the one before."""

import csv
import json
import os
import pathlib
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pathway as pw
import pytest


class Line(pw.Schema):
    data: str


class Log(pw.Schema, append_only=True):
    data: str


FORMATS = ["csv", "json", "plaintext"]


class Finished(Exception):
    pass


Steps = Iterator[list[str]]
"""Does something to files and says which rows there are then; then it goes on."""


def follow(table: pw.Table[Any], steps: Steps) -> list[tuple[str, bool]]:
    """Runs the steps, and answers what was added and removed."""
    found: Counter[str] = Counter()
    seen: list[tuple[str, bool]] = []
    expected = Counter(next(steps))

    def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        seen.append((row["data"], is_addition))
        found[row["data"]] += 1 if is_addition else -1

    def on_time_end(time: int) -> None:
        nonlocal expected
        assert min(found.values()) >= 0
        while +found == expected:
            following = next(steps, None)
            if following is None:
                raise Finished
            expected = Counter(following)

    pw.io.subscribe(table, on_change, on_time_end=on_time_end)
    with pytest.raises(Finished):
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    return seen


def read(path: pathlib.Path, format: Any, schema: type[pw.Schema] = Line, **options: Any) -> pw.Table[Any]:
    if format == "plaintext":
        return pw.io.plaintext.read(path, autocommit_duration_ms=10, **options)
    return pw.io.fs.read(path, format, schema=schema, autocommit_duration_ms=10, **options)


def header(format: str) -> str:
    return "data\n" if format == "csv" else ""


def lines(format: str, *texts: str) -> str:
    return "".join(json.dumps({"data": text}) + "\n" if format == "json" else f"{text}\n" for text in texts)


def write(path: pathlib.Path, text: str, mode: str = "a") -> None:
    with path.open(mode) as file:
        file.write(text)


def replace(path: pathlib.Path, text: str) -> None:
    aside = path.parent.parent / "aside"
    aside.write_text(text)
    aside.rename(path)


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_added_is_read_and_nothing_else_changes(folder: pathlib.Path, format: str) -> None:
    path = folder / "log"

    def steps() -> Steps:
        write(path, header(format) + lines(format, "one", "two"))
        yield ["one", "two"]
        third = lines(format, "three")
        write(path, lines(format, "and") + third[:3])
        yield ["one", "two", "and"]
        write(path, third[3:] + lines(format, "four"))
        yield ["one", "two", "and", "three", "four"]

    seen = follow(read(folder, format), steps())
    assert all(is_addition for _, is_addition in seen)


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_that_was_edited_is_the_difference(folder: pathlib.Path, format: str) -> None:
    path = folder / "notes"

    def steps() -> Steps:
        write(path, header(format) + lines(format, "one", "two", "three"))
        yield ["one", "two", "three"]
        # An editor that writes another file and renames it.
        replace(path, header(format) + lines(format, "one", "TWO", "three"))
        yield ["one", "TWO", "three"]
        # One that writes into the same file, to the same length.
        write(path, header(format) + lines(format, "one", "two", "three"), "r+")
        yield ["one", "two", "three"]
        # And one that cuts it.
        os.truncate(path, len(header(format) + lines(format, "one")))
        yield ["one"]
        path.unlink()
        yield []

    seen = follow(read(folder, format), steps())
    assert seen.count(("one", True)) == seen.count(("one", False)) == 1


@pytest.mark.parametrize("format", FORMATS)
def test_what_has_no_file_behind_it_any_more_has_no_rows(folder: pathlib.Path, format: str) -> None:
    path, behind = folder / "link", folder.parent / "behind"

    def steps() -> Steps:
        write(behind, header(format) + lines(format, "one"))
        path.symlink_to(behind)
        write(folder / "other", header(format) + lines(format, "two"))
        yield ["one", "two"]
        behind.unlink()
        yield ["two"]
        write(behind, header(format) + lines(format, "three"))
        yield ["two", "three"]
        (folder / "other").unlink()
        os.mkfifo(folder / "other")
        yield ["three"]

    follow(read(folder, format), steps())


@pytest.mark.parametrize("format", ["csv", "json"])
@pytest.mark.parametrize("is_folder", [False, True])
def test_the_rows_of_an_append_only_log_stay(folder: pathlib.Path, format: str, is_folder: bool) -> None:
    path = folder / "app.log"

    def steps() -> Steps:
        write(path, header(format) + lines(format, "one"))
        yield ["one"]
        # Rotation with another file: the writer has not noticed yet.
        with path.open("a") as old:
            path.rename(folder / "app.log.1")
            write(path, header(format) + lines(format, "three"))
            old.write(lines(format, "two"))
        yield ["one", "two", "three"]
        # Rotation with a copy.
        shutil.copy(path, folder.parent / "copy")
        os.truncate(path, 0)
        write(path, header(format) + lines(format, "four", "and a text that is longer than what was there before"))
        yield ["one", "two", "three", "four", "and a text that is longer than what was there before"]
        # A program that brings files up to date with copies.
        replace(path, path.read_text() + lines(format, "five"))
        yield ["one", "two", "three", "four", "and a text that is longer than what was there before", "five"]

    table = read(folder if is_folder else path, format, Log)
    assert table.is_append_only
    seen = follow(table, steps())
    assert all(is_addition for _, is_addition in seen)


def test_what_happens_to_an_append_only_log_is_reported(folder: pathlib.Path) -> None:
    path = folder / "app.log"
    table = read(path, "json", Log)
    errors = pw.global_error_log()
    said = errors.select(
        data=pw.if_else(
            pw.this.message.str.find("was truncated; the rows that were read of it stay") >= 0,
            "truncated",
            pw.if_else(pw.this.message.str.find("was deleted; its rows stay") >= 0, "deleted", pw.this.message),
        )
    )
    pw.universes.promise_are_pairwise_disjoint(table, said)

    def steps() -> Steps:
        write(path, lines("json", "one", "two"))
        yield ["one", "two"]
        write(path, lines("json", "three"), "w")
        yield ["one", "two", "truncated", "three"]
        path.unlink()
        yield ["one", "two", "truncated", "three", "deleted"]

    follow(table.concat(said), steps())


def test_only_a_schema_whose_columns_are_all_append_only_is_a_log(folder: pathlib.Path) -> None:
    class Half(pw.Schema):
        name: str = pw.column_definition(append_only=True)
        value: str

    assert not pw.io.csv.read(folder, schema=Half).is_append_only
    assert not read(folder, "plaintext").is_append_only
    assert read(folder, "csv", Log).is_append_only


def test_a_csv_that_is_exported_again_and_again_is_the_difference(folder: pathlib.Path) -> None:
    class Item(pw.Schema):
        number: int = pw.column_definition(primary_key=True)
        data: str

    path = folder / "items.csv"

    def export(items: dict[int, str]) -> list[str]:
        with path.with_suffix(".tmp").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["number", "data"])
            writer.writerows(items.items())
        path.with_suffix(".tmp").rename(path)
        return list(items.values())

    def steps() -> Steps:
        items = {number: f"item {number}" for number in range(100)}
        yield export(items)
        items[50] = "another"
        yield export(items)
        del items[0]
        items[200] = 'a "new" one,\nwith two lines'
        yield export(items)
        yield export({number: items[number] for number in sorted(items, reverse=True) if number != 200})

    seen = follow(read(folder, "csv", Item, object_pattern="*.csv"), steps())
    assert len(seen) == 100 + 2 + 2 + 1


@pytest.mark.parametrize("change", [os.remove, lambda path: os.truncate(path, 0)], ids=["removed", "truncated"])
def test_with_metadata_all_rows_go_with_the_file(folder: pathlib.Path, change: Callable[[pathlib.Path], None]) -> None:
    path = folder / "log"

    def steps() -> Steps:
        write(path, lines("json", "one"))
        yield ["one"]
        write(path, lines("json", "two"))
        yield ["one", "two"]
        change(path)
        yield []

    seen = follow(read(folder, "json", with_metadata=True), steps())
    assert seen.count(("one", True)) == 2, "its metadata has changed"
