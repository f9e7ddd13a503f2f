"""What happens to the files of outputs while a run writes to them, and to files that are read and written."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import pathway as pw
import pytest


class Row(pw.Schema):
    a: int


class Steps(pw.io.python.ConnectorSubject):
    """Sends a row, does something when it is written, and sends another."""

    def __init__(self, path: pathlib.Path, meanwhile: Callable[[pathlib.Path], object]) -> None:
        super().__init__()
        self.path = path
        self.meanwhile = meanwhile

    def run(self) -> None:
        self.next(a=1)
        self.commit()
        written = threading.Event()
        while not self.path.exists() or '"1"' not in self.path.read_text():
            written.wait(0.001)
        self.meanwhile(self.path)
        self.next(a=2)
        self.commit()


def run(path: pathlib.Path, meanwhile: Callable[[pathlib.Path], object]) -> None:
    table = pw.io.python.read(Steps(path, meanwhile), schema=Row, autocommit_duration_ms=None)
    pw.io.csv.write(table, path)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)


def replace(path: pathlib.Path) -> None:
    path.with_name("new").write_text("kept")
    path.with_name("new").rename(path)


@pytest.mark.parametrize(
    ("meanwhile", "what"),
    [
        (lambda path: path.unlink(), "was deleted"),
        (lambda path: shutil.rmtree(path.parent), "was deleted"),
        (lambda path: path.rename(path.with_name("out.csv.1")), "or its folder was renamed"),
        (lambda path: path.parent.rename(path.parent.with_name("moved")), "or its folder was renamed"),
        (replace, "was replaced by another file"),
    ],
)
def test_a_file_that_is_gone_while_it_is_written_is_an_error(
    tmp_path: pathlib.Path, meanwhile: Callable[[pathlib.Path], object], what: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "out.csv"
    with pytest.raises(OSError, match=re.escape(f"csv.write {path}: cannot write to {path}: it {what}")):
        run(path, meanwhile)
    if meanwhile is replace:
        assert path.read_text() == "kept"


def test_a_relative_path_stays_what_it_was(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    path = pathlib.Path("out.csv")
    table = pw.io.python.read(
        Steps(tmp_path / path, lambda _: os.chdir("elsewhere")), schema=Row, autocommit_duration_ms=None
    )
    pw.io.csv.write(table, path)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert (tmp_path / path).read_text().count("\n") == 3


def test_a_file_may_be_copied_and_emptied_while_it_is_written(tmp_path: pathlib.Path) -> None:
    """As `logrotate` does it with `copytruncate`."""
    path = tmp_path / "out.csv"

    def rotate(path: pathlib.Path) -> None:
        shutil.copy(path, path.with_name("out.csv.1"))
        os.truncate(path, 0)

    run(path, rotate)
    before, after = path.with_name("out.csv.1").read_text(), path.read_text()
    assert [line.split(",")[0] for line in before.splitlines()] == ['"a"', '"1"']
    assert [line.split(",")[0] for line in after.splitlines()] == ['"2"']


def table() -> pw.Table[Any]:
    return pw.debug.table_from_rows(Row, [(1,)])


@pytest.mark.parametrize("make", [os.link, os.symlink])
def test_two_outputs_cannot_write_to_one_file_by_two_names(tmp_path: pathlib.Path, make: Any) -> None:
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    one.write_text("")
    make(one, other)
    pw.io.csv.write(table(), one)
    pw.io.csv.write(table(), other)
    with pytest.raises(OSError, match=r"csv.write .*: another output of this process writes to this file"):
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)


CONTENT = "a\n1\n2\n"


@pytest.mark.parametrize("mode", ["static", "streaming"])
@pytest.mark.parametrize(
    ("read", "written"),
    [
        ("in/a.csv", "in/a.csv"),
        ("in/a.csv", "in/../in/a.csv"),
        ("in/a.csv", "link/a.csv"),
        ("in/a.csv", "link.csv"),
        ("link.csv", "in/a.csv"),
        ("in/a.csv", "hard.csv"),
        ("in", "in/a.csv"),
        ("in", "hard.csv"),
        ("in", "in/new.csv"),
        ("in", "link/new.csv"),
        ("link", "in/new.csv"),
        ("in/*.csv", "in/new.csv"),
        (".", "new.csv"),
    ],
)
def test_a_file_is_not_read_and_written_in_one_run(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, mode: Any, read: str, written: str
) -> None:
    monkeypatch.chdir(tmp_path)
    pathlib.Path("in").mkdir()
    pathlib.Path("in/a.csv").write_text(CONTENT)
    pathlib.Path("link").symlink_to("in")
    pathlib.Path("link.csv").symlink_to("in/a.csv")
    os.link("in/a.csv", "hard.csv")
    pw.io.csv.write(pw.io.csv.read(read, schema=Row, mode=mode), written)
    with pytest.raises(ValueError, match=rf"csv.write {written} would write to {written}, which csv .*reads"):
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert pathlib.Path("in/a.csv").read_text() == CONTENT
    assert not pathlib.Path(written).exists() or pathlib.Path(written).read_text() == CONTENT


@pytest.mark.parametrize("kind", ["replay_csv", "replay_csv_with_time", "sqlite"])
@pytest.mark.parametrize("written", ["in.db", "link.db", "hard.db"])
def test_what_a_subject_of_the_package_reads_is_not_written_to(
    kind: str, written: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if kind == "sqlite":
        with contextlib.closing(sqlite3.connect("in.db")) as database:
            database.execute("CREATE TABLE t (number INTEGER)")
            database.commit()
    else:
        pathlib.Path("in.db").write_text("number\n1\n")
    os.link("in.db", "hard.db")
    pathlib.Path("link.db").symlink_to("in.db")
    before = pathlib.Path("in.db").read_bytes()
    schema = pw.schema_from_types(number=int)
    if kind == "sqlite":
        table = pw.io.sqlite.read("in.db", "t", schema, mode="static")
    elif kind == "replay_csv":
        table = pw.demo.replay_csv("in.db", schema=schema)
    else:
        table = pw.demo.replay_csv_with_time("in.db", schema=schema, time_column="number")
    pw.io.csv.write(table, written)
    with pytest.raises(ValueError, match=f"would write to {written}, which .* reads"):
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert pathlib.Path("in.db").read_bytes() == before


def test_parts_are_not_written_into_a_folder_that_is_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / "part-00000.csv").write_text(CONTENT)
    pw.io.csv.write(pw.io.csv.read(tmp_path, schema=Row, mode="static"), tmp_path, partitioned=True)
    with pytest.raises(ValueError, match="would write to"):
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert (tmp_path / "part-00000.csv").read_text() == CONTENT


@pytest.mark.parametrize(
    ("read", "written"),
    [("in/a.csv", "in/b.csv"), ("in/*.csv", "in/out.jsonl"), ("in", "out.csv"), ("in", "/dev/null")],
)
def test_what_is_not_the_same_file_is_no_matter(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, read: str, written: str
) -> None:
    monkeypatch.chdir(tmp_path)
    pathlib.Path("in").mkdir()
    pathlib.Path("in/a.csv").write_text(CONTENT)
    pw.io.csv.write(pw.io.csv.read(read, schema=Row, mode="static"), written)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert pathlib.Path("in/a.csv").read_text() == CONTENT
    if written != "/dev/null":
        assert pathlib.Path(written).read_text().count("\n") == 3
