"""Tables read from SQLite databases: rows, keys, changes, types and errors."""

from __future__ import annotations

import contextlib
import logging
import pathlib
import shutil
import sqlite3
from collections.abc import Callable
from typing import Any

import pathway as pw
import pytest
from pathway import _native
from pathway.io import _databases

QUIET = pw.MonitoringLevel.NONE


class Boat(pw.Schema):
    number: int = pw.column_definition(primary_key=True)
    name: str


class Nameless(pw.Schema):
    number: int
    name: str


BOATS = ["CREATE TABLE boats (number INTEGER PRIMARY KEY, name TEXT)", "INSERT INTO boats VALUES (1, 'a'), (2, 'b')"]


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "boats.db"


def execute(path: pathlib.Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def static(path: pathlib.Path, schema: type[pw.Schema], table: str = "boats") -> list[dict[str, Any]]:
    """The rows that are there, in the order of the first column."""
    pw.testing.reset()
    updates = pw.testing.capture(pw.io.sqlite.read(path, table, schema, mode="static"))
    assert all(update.diff == 1 for update in updates)
    return sorted((update.row for update in updates), key=lambda row: repr(next(iter(row.values()))))


Change = tuple[dict[str, Any], bool]


def follow(
    path: pathlib.Path, schema: type[pw.Schema], *steps: Callable[[], object] | str, **settings: Any
) -> list[list[Change]]:
    """The changes at each time, while steps are done: each when what came of the one before has been seen."""
    waiting = list(steps)
    commits: list[list[Change]] = []
    table = pw.io.sqlite.read(path, "boats", schema, autocommit_duration_ms=5, **settings)

    class Done(Exception):
        """All steps have been seen."""

    def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        changes.append((row, is_addition))

    def on_time_end(time: int) -> None:
        commits.append(sorted(changes, key=lambda change: (change[1], repr(change[0]))))
        changes.clear()
        if not waiting:
            raise Done
        step = waiting.pop(0)
        if isinstance(step, str):
            execute(path, step)
        else:
            step()

    changes: list[Change] = []
    pw.io.subscribe(table, on_change, on_time_end=on_time_end)
    with pytest.raises(Done):
        pw.run(monitoring_level=QUIET)
    return commits


def boat(number: int, name: str, is_addition: bool = True) -> Change:
    return {"number": number, "name": name}, is_addition


def test_changes_come_as_differences_each_at_one_time(path: pathlib.Path) -> None:
    execute(path, *BOATS)
    assert follow(
        path,
        Boat,
        "UPDATE boats SET name = 'c' WHERE number = 1",
        "UPDATE boats SET number = 9 WHERE number = 2",
        lambda: execute(path, "DELETE FROM boats WHERE number = 1", "INSERT INTO boats VALUES (1, 'z')"),
        "DELETE FROM boats",
        "INSERT INTO boats VALUES (2, 'b')",
    ) == [
        [boat(1, "a"), boat(2, "b")],
        [boat(1, "a", False), boat(1, "c")],
        [boat(2, "b", False), boat(9, "b")],
        [boat(1, "c", False), boat(1, "z")],
        [boat(1, "z", False), boat(9, "b", False)],
        [boat(2, "b")],
    ]


def test_rows_without_a_primary_key_are_told_apart_by_their_numbers(path: pathlib.Path) -> None:
    execute(path, "CREATE TABLE boats (number, name)", "INSERT INTO boats VALUES (1, 'a'), (1, 'a')")
    assert follow(path, Nameless, "DELETE FROM boats WHERE rowid = 2", "UPDATE boats SET name = 'b'") == [
        [boat(1, "a"), boat(1, "a")],
        [boat(1, "a", False)],
        [boat(1, "a", False), boat(1, "b")],
    ]


def test_keys_are_those_of_the_primary_key_or_the_number(path: pathlib.Path) -> None:
    execute(path, *BOATS)
    for schema in (Boat, Nameless):
        pw.testing.reset()
        updates = pw.testing.capture(pw.io.sqlite.read(path, "boats", schema, mode="static"))
        assert {update.key for update in updates} == {_native.pointer_from((number,)) for number in (1, 2)}


def test_a_database_that_is_replaced_is_compared(path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    execute(path, *BOATS)
    other = tmp_path / "other.db"
    execute(other, BOATS[0], "INSERT INTO boats VALUES (2, 'b'), (3, 'c')")
    assert follow(path, Boat, lambda: other.replace(path)) == [
        [boat(1, "a"), boat(2, "b")],
        [boat(1, "a", False), boat(3, "c")],
    ]


def test_a_log_that_is_written_ahead_is_read(path: pathlib.Path) -> None:
    execute(path, *BOATS)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        assert follow(path, Boat, "INSERT INTO boats VALUES (3, 'c')") == [
            [boat(1, "a"), boat(2, "b")],
            [boat(3, "c")],
        ]


def test_names_are_those_of_sqlite(path: pathlib.Path) -> None:
    execute(path, 'CREATE TABLE "BOATS" ("Number" INTEGER PRIMARY KEY, NAME TEXT, rowid TEXT)')
    execute(path, "INSERT INTO boats VALUES (1, 'a', 'not the number')")
    assert static(path, Boat) == [{"number": 1, "name": "a"}]
    assert static(path, Nameless) == [{"number": 1, "name": "a"}]


def test_views_and_tables_without_numbers_are_read_by_their_key(path: pathlib.Path) -> None:
    execute(path, *BOATS, "CREATE VIEW seen AS SELECT * FROM boats WHERE number > 1")
    execute(path, "CREATE TABLE bare (number INTEGER PRIMARY KEY, name TEXT) WITHOUT ROWID")
    execute(path, "INSERT INTO bare VALUES (7, 'x')")
    assert static(path, Boat, "seen") == [{"number": 2, "name": "b"}]
    assert static(path, Boat, "bare") == [{"number": 7, "name": "x"}]


@pytest.mark.parametrize(
    ("kind", "cells", "expected"),
    [
        (bool, ["0", "1", "'yes'", "'True'", "'off'", "2", "1.0", "NULL"], [False, True, True, True, False]),
        (int, ["7", "1.5", "'7'", "x'07'"], [7]),
        (float, ["1", "1.5", "'NaN'", "'1.5'"], [1.0, 1.5, "nan"]),
        (str, ["'x'", "1", "x'41'"], ["x"]),
        (bytes, ["x'41'", "'x'", "1"], [b"A"]),
        (pw.Duration, ["5", "1.5", "'5'"], [pw.Duration("5ns")]),
        (
            pw.DateTimeNaive,
            ["'2024-01-02 03:04:05.5'", "'2024-01-02T03:04:05.123456789'", "0", "'soon'"],
            [pw.DateTimeNaive("2024-01-02 03:04:05.5"), pw.DateTimeNaive("2024-01-02T03:04:05.123456789")],
        ),
        (
            pw.DateTimeUtc,
            ["'2024-01-02T03:04:05+02:00'", "'2024-01-02T01:04:05Z'"],
            [pw.DateTimeUtc("2024-01-02 01:04:05Z"), pw.DateTimeUtc("2024-01-02 01:04:05Z")],
        ),
        (pw.Json, ["""'{"a":1}'""", "'{'", "5"], [pw.Json({"a": 1})]),
        (tuple[int, str], ["""'[1,"q"]'""", "'[1]'", "1"], [(1, "q")]),
        (pw.Pointer, [f"'{pw.Pointer(5)}'", "'x'", "5"], [pw.Pointer(5)]),
        (Any, ["'x'", "1", "1.5", "NULL", "x'00'"], ["x", 1, 1.5, None, b"\0"]),
        (int | None, ["1", "NULL", "'x'"], [1, None]),
    ],
)
def test_values_are_taken_by_the_declared_type(
    path: pathlib.Path, kind: Any, cells: list[str], expected: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    rows = ", ".join(f"({number}, {cell})" for number, cell in enumerate(cells))
    execute(path, "CREATE TABLE boats (number INTEGER PRIMARY KEY, cell)", f"INSERT INTO boats VALUES {rows}")
    found = static(path, pw.schema_from_types(number=int, cell=kind))
    assert ["nan" if str(row["cell"]) == "nan" else row["cell"] for row in found] == expected
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == len(cells) - len(expected)


def test_a_row_that_does_not_fit_is_left_out_and_named(path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    execute(path, "CREATE TABLE boats (number INTEGER PRIMARY KEY, name)", "INSERT INTO boats VALUES (1, 7), (2, 'b')")
    commits = follow(
        path,
        Boat,
        "UPDATE boats SET name = 'a' WHERE number = 1",
        "UPDATE boats SET name = NULL WHERE number = 2",
        lambda: execute(path, "DELETE FROM boats WHERE number = 2", "INSERT INTO boats VALUES (3, 'c')"),
        name="harbour",
    )
    assert commits == [[boat(2, "b")], [boat(1, "a")], [boat(2, "b", False)], [boat(3, "c")]]
    messages = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert [message.split("row ", 1)[1].split(" ", 1)[1] for message in messages[:2]] == [
        f"field \"name\": expected str, found 7, at the row with number = 1 in the table 'boats' of {path}",
        f"field \"name\": expected str, found NULL, at the row with number = 2 in the table 'boats' of {path}",
    ]
    assert all(message.startswith('connector "harbour" did not accept row') for message in messages[:2])


def test_a_value_that_does_not_fit_may_be_an_error_that_goes_again(
    path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    execute(path, "CREATE TABLE boats (number INTEGER PRIMARY KEY, name)", "INSERT INTO boats VALUES (1, 7), (2, 'b')")
    table = pw.io.sqlite.read(path, "boats", Boat, autocommit_duration_ms=5)
    counts = table.reduce(rows=pw.reducers.count())
    seen: list[int] = []

    class Done(Exception):
        """All was seen."""

    def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        if not is_addition:
            return
        seen.append(row["rows"])
        if len(seen) == 2:
            raise Done
        execute(path, "DELETE FROM boats WHERE number = 1")

    pw.io.subscribe(counts, on_change)
    with pytest.raises(Done):
        pw.run(monitoring_level=QUIET, terminate_on_error=False)
    assert seen == [2, 1]
    assert len([record for record in caplog.records if "put an error into row" in record.getMessage()]) == 1


def test_of_two_rows_with_one_key_the_second_is_left_out(path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    class Loose(pw.Schema):
        number: int | None = pw.column_definition(primary_key=True)
        name: str

    execute(path, "CREATE TABLE boats (number INTEGER UNIQUE, name TEXT)")
    execute(path, "INSERT INTO boats VALUES (NULL, 'a'), (NULL, 'b'), (1, 'c')")
    found = static(path, Loose)
    assert sorted(row["name"] for row in found) == ["a", "c"]
    assert "another row has the same key, at the row with number = None in the table 'boats'" in caplog.text


@pytest.mark.parametrize(
    ("there", "schema", "message"),
    [
        (["CREATE TABLE other (number)"], Boat, "has no table 'boats'"),
        (["CREATE TABLE boats (number INTEGER PRIMARY KEY)"], Boat, "has no column 'name'"),
        (["CREATE TABLE boats (number, name)"], Boat, "does not say that 'number' is unique"),
        (["CREATE TABLE t (number, name)", "CREATE VIEW boats AS SELECT * FROM t"], Nameless, "being a view"),
        (["CREATE TABLE boats (number PRIMARY KEY, name) WITHOUT ROWID"], Nameless, "being a table WITHOUT ROWID"),
    ],
)
def test_a_table_that_is_not_as_the_schema_is_refused_at_once(
    path: pathlib.Path, there: list[str], schema: type[pw.Schema], message: str
) -> None:
    execute(path, *there)
    with pytest.raises(ValueError, match=message) as error:
        pw.io.sqlite.read(path, "boats", schema, name="harbour")
    assert str(error.value).startswith("harbour: ")


def test_what_is_no_database_is_refused_at_once(path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="sqlite boats: there is no database"):
        pw.io.sqlite.read(path, "boats", Boat)
    with pytest.raises(ValueError, match="is a folder"):
        pw.io.sqlite.read(tmp_path, "boats", Boat)
    path.write_bytes(b"junk" * 1000)
    with pytest.raises(ValueError, match=r"cannot open .*boats\.db: file is not a database"):
        pw.io.sqlite.read(path, "boats", Boat)
    path.unlink()
    execute(path, *BOATS)
    with pytest.raises(ValueError, match="invalid mode 'often'"):
        pw.io.sqlite.read(path, "boats", Boat, mode="often")  # type: ignore[arg-type]


def test_a_table_or_database_that_goes_away_ends_the_run(path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    def run(step: Callable[[], object]) -> None:
        pw.testing.reset()
        path.unlink(missing_ok=True)
        execute(path, *BOATS)
        table = pw.io.sqlite.read(path, "boats", Boat, autocommit_duration_ms=5)
        pw.io.subscribe(table, lambda **change: None, on_time_end=lambda time: step())
        pw.run(monitoring_level=QUIET)

    with pytest.raises(ValueError, match=r"sqlite boats: .*boats\.db has no table 'boats'"):
        run(lambda: execute(path, "DROP TABLE boats"))
    with pytest.raises(OSError, match=r"sqlite boats: .*boats\.db is not there any more"):
        run(path.unlink)


def test_a_database_that_is_locked_is_named(path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    execute(path, *BOATS)
    table = pw.io.sqlite.read(path, "boats", Boat, mode="static")
    pw.io.null.write(table)
    monkeypatch.setattr(_databases, "BUSY_SECONDS", 0.01)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(OSError, match=r"sqlite boats: cannot open .*: database is locked: another program"):
            pw.run(monitoring_level=QUIET)


def test_a_copy_is_read_while_the_database_is_written(path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """What reads leaves nothing behind, and may read what nobody may write."""
    execute(path, *BOATS)
    copy = tmp_path / "copy.db"
    shutil.copyfile(path, copy)
    copy.chmod(0o400)
    assert len(static(copy, Boat)) == 2
    assert sorted(file.name for file in tmp_path.iterdir()) == ["boats.db", "copy.db"]


def test_a_table_that_is_followed_is_followed_again_in_the_next_run(path: pathlib.Path) -> None:
    execute(path, *BOATS)
    boats = pw.io.sqlite.read(path, "boats", Boat)
    for number in (2, 3):
        with boats.live() as live:
            live.wait_for(lambda rows, number=number: len(rows) == number)
        execute(path, "INSERT INTO boats VALUES (3, 'c') ON CONFLICT DO NOTHING")
