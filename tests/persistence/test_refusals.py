"""What a run that is kept refuses, by name."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable
from typing import Any

import pathway as pw
import pytest

from tests.persistence.programs import QUIET, Sends, Word, config, counted, go, written

pytestmark = pytest.mark.usefixtures("kept_both_ways")


def test_rows_that_differ_after_a_restart_are_refused(tmp_path: pathlib.Path) -> None:
    class Other(Sends):
        def run(self) -> None:
            for number in range(self.count):
                self.next(word="z", number=number)

    go(tmp_path, lambda folder: counted(folder, Sends(4), resume="replay"))
    pw.testing.reset()
    counted(tmp_path, Other(6), resume="replay")
    with pytest.raises(
        ValueError, match="the first 4 rows have to be those of the run before, and they are not"
    ) as error:
        pw.run(monitoring_level=QUIET, persistence_config=config(tmp_path))
    assert "words" in str(error.value)
    assert len(written(tmp_path / "rows.csv")) == 4


@pytest.mark.parametrize("kept_both_ways", ["history"], indirect=True)
def test_a_source_keeps_its_schema_while_its_rows_are_kept(tmp_path: pathlib.Path) -> None:
    class Wider(pw.Schema):
        word: str
        number: int
        more: float | None = pw.column_definition(default_value=None)

    class Floats(pw.Schema):
        word: str
        number: float

    class Renamed(pw.Schema):
        text: str
        count: int

    class Others(Sends):
        def run(self) -> None:
            self.next(text="c", count=9)

    go(tmp_path, lambda folder: counted(folder, Sends(2)))
    for schema in (Wider, Floats):
        pw.testing.reset()
        table = pw.io.python.read(Sends(2), schema=schema, name="words")
        pw.io.csv.write(table, tmp_path / "other.csv", name="other")
        with pytest.raises(ValueError, match='source "words": the rows that are kept of it have 2 columns'):
            pw.run(monitoring_level=QUIET, persistence_config=config(tmp_path))

    def renamed(folder: pathlib.Path) -> None:
        table = pw.io.python.read(Others(0), schema=Renamed, name="words")
        pw.io.csv.write(table, folder / "renamed.csv", name="renamed")

    go(tmp_path, renamed)
    assert [row["text"] for row in written(tmp_path / "renamed.csv")] == ["a", "b", "c"]


@pytest.mark.one_process("the storage is asked for by the first process")
def test_a_second_run_on_the_same_storage_is_refused(tmp_path: pathlib.Path) -> None:
    refused: list[str] = []

    class Asking(Sends):
        def run(self) -> None:
            with pytest.raises(OSError, match="has used it since") as error:
                pw.run(monitoring_level=QUIET, persistence_config=config(tmp_path))
            refused.append(str(error.value))
            super().run()

    class Nested(Asking):
        def run(self) -> None:
            # Declared while the other run goes on: it is what the inner run runs.
            pw.io.null.write(other)
            super().run()

    pw.testing.reset()
    other = pw.debug.table_from_rows(pw.schema_from_types(a=int), [(1,)])
    counted(tmp_path, Nested(2), resume="replay")
    pw.run(monitoring_level=QUIET, persistence_config=config(tmp_path))
    assert [f"process {os.getpid()}" in message for message in refused] == [True]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_text("x"), "(?i)not a (folder|directory)|is a file"),
        (
            lambda path: (path.mkdir(), (path / "holiday.jpg").write_text("x")),
            "there are other things, such as 'holiday.jpg'",
        ),
    ],
)
def test_a_place_that_is_something_else_is_refused(
    tmp_path: pathlib.Path, make: Callable[[pathlib.Path], Any], message: str
) -> None:
    make(tmp_path / "state")
    pw.testing.reset()
    counted(tmp_path, Sends(2))
    with pytest.raises(OSError, match=message):
        pw.run(monitoring_level=QUIET, persistence_config=config(tmp_path))
    assert not (tmp_path / "rows.csv").exists()


def test_an_object_that_cannot_be_kept_is_named(tmp_path: pathlib.Path) -> None:
    class Thing(pw.Schema):
        thing: Any

    class Generators(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next(thing=pw.wrap_py_object(number for number in range(3)))

    pw.testing.reset()
    pw.io.null.write(pw.io.python.read(Generators(), schema=Thing, name="things"))
    with pytest.raises(ValueError, match=r"a row cannot be kept: .*generator"):
        pw.run(monitoring_level=QUIET, persistence_config=config(tmp_path))


def test_settings_that_are_no_settings_are_refused(tmp_path: pathlib.Path) -> None:
    backend = pw.persistence.Backend.filesystem(tmp_path)
    with pytest.raises(TypeError, match=r"argument backend has to be a pw\.persistence\.Backend"):
        pw.persistence.Config(str(tmp_path))  # type: ignore[arg-type]
    for settings in ({"snapshot_interval_ms": "1"}, {"persistence_mode": "persisting"}, {"snapshot_access": None}):
        with pytest.raises(TypeError, match=f"argument {next(iter(settings))} has to be"):
            pw.persistence.Config(backend, **settings)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="snapshot_interval_ms has to be at least 0"):
        pw.persistence.Config(backend, snapshot_interval_ms=-1)
    with pytest.raises(ValueError, match="the path of a storage is empty"):
        pw.persistence.Backend.filesystem("")
    with pytest.raises(ValueError, match="invalid resume 'again'"):
        pw.io.python.read(Sends(1), schema=Word, resume="again")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"wants Sends to define seek\(self, offset\)"):
        pw.io.python.read(Sends(1), schema=Word, resume="seek")


@pytest.mark.parametrize("offset", [object(), {1: 2}, (1, 2), {"a": float("nan")}, {"a": {1}}])
def test_an_offset_that_would_not_come_back_is_refused(offset: Any) -> None:
    class Offsets(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            with pytest.raises(TypeError, match="an offset is a JSON value or bytes"):
                self.commit(offset=offset)

    assert pw.testing.capture(pw.io.python.read(Offsets(), schema=Word)) == []
