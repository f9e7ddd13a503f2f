"""Tables written to SQLite databases: types, modes, names and errors."""

from __future__ import annotations

import contextlib
import math
import pathlib
import sqlite3
import stat
from typing import Any

import pathway as pw
import pytest
from pathway.io import _database_writing, _databases

QUIET = pw.MonitoringLevel.NONE
CREATE = "create_if_not_exists"


class Boat(pw.Schema):
    number: int
    name: str | None


def boats() -> pw.Table[Any]:
    """One boat changes its name, one leaves."""
    changes = [(1, "a", 2, 1), (2, "b", 2, 1), (1, "a", 4, -1), (1, "c", 4, 1), (2, "b", 6, -1)]
    return pw.debug.table_from_rows(Boat, changes, is_stream=True)


CHANGES = [(1, "a", 2, 1), (2, "b", 2, 1), (1, "a", 4, -1), (1, "c", 4, 1), (2, "b", 6, -1)]


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "boats.db"


def execute(path: pathlib.Path, *statements: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        rows: list[tuple[Any, ...]] = []
        for statement in statements:
            rows = connection.execute(statement).fetchall()
        return rows


def write(path: pathlib.Path, table: pw.Table[Any] | None = None, **settings: Any) -> None:
    table = boats() if table is None else table
    pw.io.sqlite.write(table, path, "boats", sort_by=[table.number], **settings)
    pw.run(monitoring_level=QUIET)


def definition(path: pathlib.Path) -> str:
    return str(execute(path, "SELECT sql FROM sqlite_master WHERE name = 'boats'")[0][0])


@pytest.mark.parametrize("max_batch_size", [None, 1, 2, 100])
def test_a_stream_of_changes_has_every_change_with_its_time(path: pathlib.Path, max_batch_size: int | None) -> None:
    write(path, init_mode=CREATE, max_batch_size=max_batch_size)
    assert execute(path, "SELECT * FROM boats ORDER BY time, diff, number") == CHANGES
    assert definition(path) == (
        'CREATE TABLE "boats" ("number" INTEGER NOT NULL, "name" TEXT, '
        '"time" INTEGER NOT NULL, "diff" INTEGER NOT NULL)'
    )


@pytest.mark.parametrize("max_batch_size", [None, 1])
def test_a_snapshot_has_the_rows_that_are_there(path: pathlib.Path, max_batch_size: int | None) -> None:
    table = boats()
    write(
        path,
        table,
        init_mode=CREATE,
        output_table_type="snapshot",
        primary_key=[table.number],
        max_batch_size=max_batch_size,
    )
    assert execute(path, "SELECT * FROM boats") == [(1, "c")]
    assert definition(path) == ('CREATE TABLE "boats" ("number" INTEGER NOT NULL, "name" TEXT, PRIMARY KEY ("number"))')


def test_a_changed_row_of_a_snapshot_keeps_what_else_the_table_has(path: pathlib.Path) -> None:
    execute(
        path,
        "CREATE TABLE boats (number INTEGER PRIMARY KEY, name TEXT, note TEXT DEFAULT 'new')",
        "INSERT INTO boats VALUES (1, 'old', 'kept'), (3, 'other', 'untouched')",
    )
    table = boats()
    write(path, table, output_table_type="snapshot", primary_key=[table.number])
    assert execute(path, "SELECT * FROM boats ORDER BY number") == [(1, "c", "kept"), (3, "other", "untouched")]


def test_a_snapshot_of_nothing_but_keys(path: pathlib.Path) -> None:
    table = boats().select(pw.this.number)
    write(path, table, init_mode=CREATE, output_table_type="snapshot", primary_key=[table.number])
    assert execute(path, "SELECT * FROM boats") == [(1,)]


def test_what_is_there_is_kept_added_to_or_replaced(path: pathlib.Path) -> None:
    execute(path, "CREATE TABLE Boats (z, diff, TIME, name, number)", "INSERT INTO boats VALUES (9, 9, 9, 'there', 9)")
    ordered = "SELECT number, name, time, diff FROM boats ORDER BY time, diff, number"
    write(path)
    assert execute(path, ordered) == [*CHANGES[:5], (9, "there", 9, 9)]
    write(path, init_mode=CREATE)
    assert len(execute(path, ordered)) == 11
    write(path, init_mode="replace")
    assert execute(path, "SELECT * FROM boats ORDER BY time, diff, number") == CHANGES


def test_a_table_is_created_though_nothing_comes(path: pathlib.Path) -> None:
    table = boats().filter(pw.this.number > 9)
    write(path, table, init_mode=CREATE)
    assert execute(path, "SELECT * FROM boats") == []


def test_names_may_be_anything(path: pathlib.Path) -> None:
    table = boats().select(**{'a"b;': pw.this.number, "select": pw.this.name})
    pw.io.sqlite.write(table, path, 'the "boats" table', init_mode=CREATE)
    pw.run(monitoring_level=QUIET)
    rows = execute(path, 'SELECT "a""b;", "select" FROM "the ""boats"" table" WHERE time = 4 ORDER BY diff')
    assert rows == [(1, "a"), (1, "c")]


TYPES: list[tuple[Any, str, list[tuple[Any, Any, str]]]] = [
    (bool, "INTEGER", [(True, 1, "integer")]),
    (int, "INTEGER", [(-(2**63), -(2**63), "integer")]),
    (float, "REAL", [(1.0, 1.0, "real"), (math.inf, math.inf, "real"), (math.nan, "NaN", "text")]),
    (str, "TEXT", [("é\0b", "é\0b", "text"), ("7", "7", "text")]),
    (bytes, "BLOB", [(b"\0\xff", b"\0\xff", "blob")]),
    (pw.Pointer, "TEXT", [(pw.Pointer(5), str(pw.Pointer(5)), "text")]),
    (
        pw.DateTimeNaive,
        "TEXT",
        [(pw.DateTimeNaive("2024-01-02 03:04:05.12"), "2024-01-02T03:04:05.120000000", "text")],
    ),
    (
        pw.DateTimeUtc,
        "TEXT",
        [(pw.DateTimeUtc("2024-01-02 01:04:05Z"), "2024-01-02T01:04:05.000000000+0000", "text")],
    ),
    (pw.Duration, "INTEGER", [(pw.Duration("1s 5ns"), 1_000_000_005, "integer")]),
    (
        pw.Json,
        "TEXT",
        [(pw.Json({"a": [1, None, "é"]}), '{"a":[1,null,"é"]}', "text"), (pw.Json(None), "null", "text")],
    ),
    (tuple[int, str], "TEXT", [((1, "q"), '[1,"q"]', "text")]),
    (list[float], "TEXT", [((1.0, 2.5), "[1.0,2.5]", "text")]),
]


@pytest.mark.parametrize(("kind", "stored", "values"), TYPES)
@pytest.mark.parametrize("is_optional", [False, True])
def test_types_there_and_back(
    path: pathlib.Path, kind: Any, stored: str, values: list[tuple[Any, Any, str]], is_optional: bool
) -> None:
    dtype = kind | None if is_optional else kind
    cells = [(number, value) for number, (value, _, _) in enumerate(values)]
    expected: list[tuple[Any, Any]] = [(there, type) for _, there, type in values]
    if is_optional:
        cells.append((len(cells), None))
        expected.append((None, "null"))
    schema = pw.schema_from_types(number=int, cell=dtype)
    write(path, pw.debug.table_from_rows(schema, cells), init_mode=CREATE)
    required = "" if is_optional else " NOT NULL"
    assert f'"cell" {stored}{required},' in definition(path)
    assert execute(path, "SELECT cell, typeof(cell) FROM boats ORDER BY number") == expected
    pw.testing.reset()
    table = pw.io.sqlite.read(path, "boats", schema, mode="static")
    rows = [update.row for update in pw.testing.capture(table)]
    back = [row["cell"] for row in sorted(rows, key=lambda row: row["number"])]
    assert list(map(repr, back)) == [repr(value) for _, value in cells]


def test_arrays_and_objects_there_and_back(path: pathlib.Path) -> None:
    import numpy

    schema = pw.schema_from_types(number=int, array=numpy.ndarray, object=pw.PyObjectWrapper)
    array = numpy.array([[1, 2], [3, 4]])
    rows = [(1, array, pw.PyObjectWrapper({"a": 1}))]
    write(path, pw.debug.table_from_rows(schema, rows), init_mode=CREATE)
    assert execute(path, "SELECT array FROM boats") == [('{"shape":[2,2],"elements":[1,2,3,4]}',)]
    pw.testing.reset()
    (update,) = pw.testing.capture(pw.io.sqlite.read(path, "boats", schema, mode="static"))
    assert (update.row["array"] == array).all()
    assert update.row["object"].value == {"a": 1}


def test_a_row_with_an_error_is_left_out(path: pathlib.Path) -> None:
    table = boats().select(pw.this.number, half=1 // (pw.this.number - 2))
    pw.io.sqlite.write(table, path, "boats", init_mode=CREATE)
    pw.run(monitoring_level=QUIET, terminate_on_error=False)
    assert {number for number, *_ in execute(path, "SELECT * FROM boats")} == {1}


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"init_mode": "make"}, ValueError, "invalid init_mode 'make'"),
        ({"output_table_type": "rows"}, ValueError, "invalid output_table_type 'rows'"),
        ({"output_table_type": "snapshot"}, ValueError, "wants a primary_key"),
        ({"primary_key": ["number"]}, ValueError, "primary_key is for output_table_type='snapshot'"),
        ({"output_table_type": "snapshot", "primary_key": ["name"]}, ValueError, "it must not be None"),
        ({"output_table_type": "snapshot", "primary_key": ["number"] * 2}, ValueError, "has the column 'number' twice"),
        ({"max_batch_size": 0}, ValueError, "max_batch_size has to be above zero"),
        ({"table_name": ""}, ValueError, "table_name has to name a table"),
        ({"path": "."}, ValueError, "is a folder"),
        ({"columns": ["Time"]}, ValueError, "'Time' is one that a stream of changes has already"),
        ({"columns": ["a", "A"]}, ValueError, "takes the columns 'a' and 'A' for one"),
        ({"type": Any}, TypeError, "the column 'number' has the type"),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    path: pathlib.Path, settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    table = boats()
    for name in settings.pop("columns", ()):
        table = table.with_columns(**{name: table.name})
    if "type" in settings:
        table = table.with_columns(number=pw.apply_with_type(lambda number: number, settings.pop("type"), table.number))
    if "primary_key" in settings:
        settings["primary_key"] = [table[name] for name in settings["primary_key"]]
    arguments = {"path": path, "table_name": "boats", **settings}
    with pytest.raises(error, match=message):
        pw.io.sqlite.write(table, **arguments)


@pytest.mark.parametrize(
    ("there", "is_snapshot", "message"),
    [
        ([], False, "has no table 'boats'; create it"),
        (["CREATE TABLE t (number, name, time, diff)", "CREATE VIEW boats AS SELECT * FROM t"], False, "is a view"),
        (["CREATE TABLE boats (number, time)"], False, "has no column 'name', 'diff'"),
        (["CREATE TABLE boats (number, name NOT NULL, time, diff)"], False, "takes no NULL in the column 'name'"),
        (["CREATE TABLE boats (number, name, time, diff, x NOT NULL)"], False, "wants a value for the column 'x'"),
        (["CREATE TABLE boats (number, name, time, diff AS (1))"], False, "computes the column 'diff'"),
        (["CREATE TABLE boats (number, name)"], True, "does not say that 'number' is unique"),
        (["CREATE TABLE boats (number, name, UNIQUE (number, name))"], True, "does not say that 'number' is unique"),
    ],
)
def test_a_table_that_has_no_place_for_the_rows_is_refused(
    path: pathlib.Path, there: list[str], is_snapshot: bool, message: str
) -> None:
    execute(path, *there)
    table = boats()
    settings: dict[str, Any] = {}
    if is_snapshot:
        settings = {"output_table_type": "snapshot", "primary_key": [table.number]}
    with pytest.raises(RuntimeError, match=message) as error:
        write(path, table, name="the boats", **settings)
    assert str(error.value).startswith("the boats: ")
    assert str(path) in str(error.value)


def test_a_database_that_cannot_be_opened_or_written_is_named(
    tmp_path: pathlib.Path, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OSError, match=r"sqlite.write boats: cannot open .*nowhere.*: unable to open"):
        write(tmp_path / "nowhere" / "boats.db", init_mode=CREATE)
    junk = tmp_path / "junk.db"
    junk.write_bytes(b"junk" * 1000)
    pw.testing.reset()
    with pytest.raises(OSError, match=r"cannot open .*junk.db: file is not a database: the file is no SQLite database"):
        write(junk, init_mode=CREATE)
    monkeypatch.setattr(_databases, "BUSY_SECONDS", 0.01)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        pw.testing.reset()
        with pytest.raises(
            OSError, match=r"database is locked: another program has not let go of it for 0\.01 seconds"
        ):
            write(path, init_mode=CREATE)


def test_a_database_that_must_not_be_written_is_named(path: pathlib.Path) -> None:
    execute(path, "CREATE TABLE boats (number, name, time, diff)")
    path.chmod(stat.S_IRUSR)
    try:
        if _may_be_written(path):
            pytest.skip("whoever runs this may write to any file")
        with pytest.raises(OSError, match=r"boats\.db: attempt to write a readonly database"):
            write(path)
    finally:
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)


def _may_be_written(path: pathlib.Path) -> bool:
    try:
        path.open("r+b").close()
    except PermissionError:
        return False
    return True


class Growing(pw.io.python.ConnectorSubject):
    """Sends large boats, one at a time."""

    def run(self) -> None:
        for number in range(100):
            self.next(number=number, name="x" * 1000)
            self.commit()


def test_a_table_that_is_dropped_ends_the_run(path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = _database_writing.Output.commit

    def dropping(output: _database_writing.Output, time: int, token: bytes | None) -> None:
        commit(output, time, token)
        execute(path, "DROP TABLE boats")

    monkeypatch.setattr(_database_writing.Output, "commit", dropping)
    with pytest.raises(OSError, match=r"sqlite.write boats: cannot write to .*boats.db: no such table: boats"):
        write(path, init_mode=CREATE)


def test_a_full_database_ends_the_run_and_leaves_whole_transactions(
    path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = _databases.connect

    def small(path: str, mode: str) -> sqlite3.Connection:
        connection = connect(path, mode)
        connection.execute("PRAGMA max_page_count = 12")
        return connection

    monkeypatch.setattr(_databases, "connect", small)
    table = pw.io.python.read(Growing(), schema=Boat, autocommit_duration_ms=None)
    with pytest.raises(OSError, match=r"sqlite.write boats: cannot write to .*boats.db: database or disk is full"):
        write(path, table, init_mode=CREATE)
    numbers = [number for (number,) in execute(path, "SELECT number FROM boats ORDER BY number")]
    assert numbers == list(range(len(numbers)))
    assert 0 < len(numbers) < 100
