"""Databases that are written and read by runs that are kept: each change once, and what has changed meanwhile."""

from __future__ import annotations

import contextlib
import pathlib
import sqlite3
from typing import Any

import pathway as pw
import pytest
from crash_pipelines import CONFIGS, Pipeline, crash
from pathway.io._database_writing import TIMES

from tests.persistence.programs import QUIET, Declare, Sends, Stop, Word, config, go, remaining, written

CREATE = "create_if_not_exists"


def execute(path: pathlib.Path, *statements: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection, connection:
        rows: list[tuple[Any, ...]] = []
        for statement in statements:
            rows = connection.execute(statement).fetchall()
        return rows


def declare(count: int, fails: bool = False, **settings: Any) -> Declare:
    settings = {"init_mode": CREATE, "name": "words", **settings}

    def program(folder: pathlib.Path) -> None:
        subject = Sends(count, fails=fails)
        table = pw.io.python.read(subject, schema=Word, name="sent", resume="replay", autocommit_duration_ms=None)
        pw.io.sqlite.write(table, folder / "words.db", "words", **settings)
        counts = table.groupby(table.word).reduce(table.word, count=pw.reducers.count())
        pw.io.sqlite.write(
            counts,
            folder / "words.db",
            "counts",
            init_mode=settings["init_mode"],
            output_table_type="snapshot",
            primary_key=[counts.word],
        )

    return program


def numbers(folder: pathlib.Path) -> list[int]:
    return [number for (number,) in execute(folder / "words.db", "SELECT number FROM words ORDER BY number")]


def counts(folder: pathlib.Path) -> dict[str, int]:
    return dict(execute(folder / "words.db", "SELECT word, count FROM counts"))


@pytest.mark.parametrize("init_mode", [CREATE, "replace"])
@pytest.mark.usefixtures("kept_everywhere")
def test_a_database_goes_on_where_it_was(tmp_path: pathlib.Path, init_mode: str) -> None:
    go(tmp_path, declare(4, fails=True, init_mode=init_mode), fails=Stop)
    assert numbers(tmp_path) == [0, 1, 2, 3]
    for count in (6, 6, 9):
        go(tmp_path, declare(count, init_mode=init_mode))
        assert numbers(tmp_path) == list(range(count))
        assert counts(tmp_path) == {"a": (count + 1) // 2, "b": count // 2}
    times = execute(tmp_path / "words.db", "SELECT MAX(time) FROM words")
    noted = execute(tmp_path / "words.db", f'SELECT output, time FROM "{TIMES}" ORDER BY output')
    assert noted == [('output "words"', *times[0]), ("output sqlite.write counts 1", *times[0])]


def test_a_database_that_is_older_than_the_state_catches_up(tmp_path: pathlib.Path) -> None:
    go(tmp_path, declare(4))
    backup = (tmp_path / "words.db").read_bytes()
    go(tmp_path, declare(8))
    (tmp_path / "words.db").write_bytes(backup)
    go(tmp_path, declare(10))
    assert numbers(tmp_path) == list(range(10))
    assert counts(tmp_path) == {"a": 5, "b": 5}


def test_another_database_is_refused(tmp_path: pathlib.Path) -> None:
    def again(message: str, **settings: Any) -> None:
        pw.testing.reset()
        declare(6, **settings)(tmp_path)
        with pytest.raises(ValueError, match=message):
            pw.run(monitoring_level=QUIET, persistence_config=config(tmp_path))

    path = tmp_path / "words.db"
    go(tmp_path, declare(4))
    content = path.read_bytes()
    execute(path, "DROP TABLE words")
    again(r"words: .*words\.db has no table 'words', of which everything up to time")
    path.unlink()
    again(r"words: .*words\.db has nothing of this output, of which everything up to time .* reset the state")
    path.write_bytes(content)
    go(tmp_path, declare(6))
    (tmp_path / "state").rename(tmp_path / "old state")
    for _ in range(2):
        again("words: it has everything up to time .*, and the state that the run goes on with knows nothing of it")
    go(tmp_path, declare(6, init_mode="replace"))
    assert numbers(tmp_path) == list(range(6))


def test_a_run_that_is_not_kept_leaves_no_table_of_ours(tmp_path: pathlib.Path) -> None:
    declare(4)(tmp_path)
    pw.run(monitoring_level=QUIET)
    names = execute(tmp_path / "words.db", "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    assert names == [("counts",), ("words",)]


def test_a_failed_write_is_made_up_for(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "words.db"
    go(tmp_path, declare(4))
    execute(path, "CREATE TRIGGER no BEFORE INSERT ON words BEGIN SELECT RAISE(ABORT, 'not now'); END")
    pw.testing.reset()
    declare(8)(tmp_path)
    with pytest.raises(OSError, match=r"words: cannot write to .*words\.db: not now"):
        pw.run(monitoring_level=QUIET, persistence_config=config(tmp_path))
    assert numbers(tmp_path) == [0, 1, 2, 3]
    execute(path, "DROP TRIGGER no")
    go(tmp_path, declare(8))
    assert numbers(tmp_path) == list(range(8))


class Boat(pw.Schema):
    number: int = pw.column_definition(primary_key=True)
    name: str


class Nameless(pw.Schema):
    number: int
    name: str


@pytest.mark.parametrize("schema", [Boat, Nameless])
@pytest.mark.usefixtures("kept_everywhere")
def test_what_has_changed_meanwhile_comes_as_one_change(tmp_path: pathlib.Path, schema: type[pw.Schema]) -> None:
    def program(folder: pathlib.Path) -> None:
        boats = pw.io.sqlite.read(folder / "boats.db", "boats", schema, mode="static", name="boats")
        pw.io.csv.write(boats, folder / "boats.csv", name="written")
        total = boats.reduce(total=pw.reducers.sum(boats.number))
        pw.io.csv.write(total, folder / "total.csv", name="total")

    def changed(statement: str) -> list[tuple[str, str]]:
        path = tmp_path / "boats.csv"
        before = len(written(path)) if path.exists() else 0
        execute(tmp_path / "boats.db", statement)
        go(tmp_path, program)
        rows = written(path)[before:]
        return sorted((row["diff"], row["name"]) for row in rows)

    execute(tmp_path / "boats.db", "CREATE TABLE boats (number INTEGER PRIMARY KEY, name TEXT)")
    assert changed("INSERT INTO boats VALUES (1, 'a'), (2, 'b'), (3, 'c')") == [("1", "a"), ("1", "b"), ("1", "c")]
    assert changed("UPDATE boats SET name = 'z' WHERE number = 1") == [("-1", "a"), ("1", "z")]
    assert changed("DELETE FROM boats WHERE number = 2") == [("-1", "b")]
    assert changed("UPDATE boats SET name = name") == []
    assert changed("INSERT INTO boats VALUES (2, 'y')") == [("1", "y")]
    assert remaining(tmp_path / "total.csv") == [("6",)]


@pytest.mark.one_process("the pipelines run in processes of their own")
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("processes", "threads"), [(1, 1), (1, 2), (2, 1)])
@pytest.mark.parametrize("kept", CONFIGS)
def test_nothing_is_lost_and_nothing_doubled(
    kept: str, processes: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATHWAY_THREADS", str(threads))
    source = "replay" if threads == 1 else "seek"
    settings = CONFIGS[kept]
    report = crash(Pipeline(source, "sqlite"), kills=8, seed=threads, processes=processes, **settings)
    assert report.kills == 8
