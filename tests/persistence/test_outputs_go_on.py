"""Outputs go on where the run before has ended, or say why they cannot."""

from __future__ import annotations

import pathlib

import pathway as pw
import pytest

from tests.persistence.programs import QUIET, Declare, Sends, Word, config, counted, go, written

pytestmark = pytest.mark.usefixtures("kept_everywhere")


def test_a_change_is_told_again_only_if_nobody_knows_that_it_was_told(tmp_path: pathlib.Path) -> None:
    told: list[tuple[int, bool]] = []

    def declare(count: int) -> Declare:
        def followed(folder: pathlib.Path) -> None:
            table = pw.io.python.read(Sends(count), schema=Word, resume="replay", autocommit_duration_ms=None)
            sums = table.reduce(sum=pw.reducers.sum(table.number))
            pw.io.subscribe(sums, lambda key, row, time, is_addition: told.append((row["sum"], is_addition)))

        return followed

    go(tmp_path, declare(2))
    go(tmp_path, declare(2))
    assert told == [(1, True)]
    go(tmp_path, declare(4))
    assert told == [(1, True), (1, False), (6, True)]


@pytest.mark.parametrize("kept_everywhere", ["history"], indirect=True)
def test_an_output_in_parts_goes_on_and_is_written_anew_by_other_workers(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def declare(count: int) -> Declare:
        def parts(folder: pathlib.Path) -> None:
            table = pw.io.python.read(
                Sends(count), schema=Word, name="words", resume="replay", autocommit_duration_ms=None
            )
            pw.io.csv.write(table, folder / "parts", name="parts", partitioned=True)

        return parts

    def numbers() -> list[int]:
        return sorted(int(row["number"]) for part in (tmp_path / "parts").iterdir() for row in written(part))

    for threads, count in ((2, 6), (2, 9), (3, 12), (1, 13), (1, 14)):
        monkeypatch.setenv("PATHWAY_THREADS", str(threads))
        go(tmp_path, declare(count))
        assert numbers() == list(range(count))


@pytest.mark.parametrize("kept_everywhere", ["history"], indirect=True)
def test_a_program_that_has_changed_sees_the_history(tmp_path: pathlib.Path) -> None:
    def changed(folder: pathlib.Path) -> None:
        table = pw.io.python.read(Sends(4), schema=Word, name="words", resume="replay", autocommit_duration_ms=None)
        big = table.filter(table.number > 1)
        pw.io.csv.write(big, folder / "big.csv", name="big")

    go(tmp_path, lambda folder: counted(folder, Sends(4), resume="replay"))
    go(tmp_path, changed)
    assert [row["number"] for row in written(tmp_path / "big.csv")] == ["2", "3"]


def test_an_output_that_is_not_the_one_that_was_written_is_refused(tmp_path: pathlib.Path) -> None:
    def again(count: int) -> None:
        pw.testing.reset()
        counted(tmp_path, Sends(count), resume="replay")
        pw.run(monitoring_level=QUIET, persistence_config=config(tmp_path))

    again(4)
    rows = tmp_path / "rows.csv"
    content = rows.read_bytes()
    for change, message in (
        (lambda: rows.unlink(), "it is not there, though"),
        (lambda: rows.write_bytes(content[:-3]), f"it has {len(content) - 3} bytes, and {len(content)} were written"),
        (lambda: rows.write_bytes(content[:-3] + b"999"), "it is not the file that was written"),
    ):
        change()
        with pytest.raises(OSError, match=message) as error:
            again(6)
        assert "rows.csv" in str(error.value)
        assert "reset the state" in str(error.value)
        rows.write_bytes(content)
    again(6)
    assert len(written(rows)) == 6
    assert rows.read_bytes().startswith(content)


@pytest.mark.parametrize("kept_everywhere", ["history"], indirect=True)
def test_a_file_keeps_its_columns(tmp_path: pathlib.Path) -> None:
    def declare(folder: pathlib.Path, *names: str) -> None:
        table = pw.io.python.read(Sends(4), schema=Word, name="words", resume="replay", autocommit_duration_ms=None)
        pw.io.csv.write(table[[*names]], folder / "rows.csv", name="rows")

    go(tmp_path, lambda folder: declare(folder, "word"))
    pw.testing.reset()
    declare(tmp_path, "word", "number")
    with pytest.raises(OSError, match="it has other columns than those that would be written now"):
        pw.run(monitoring_level=QUIET, persistence_config=config(tmp_path))
    go(tmp_path, lambda folder: declare(folder, "word"))
    assert len(written(tmp_path / "rows.csv")) == 4


def test_what_was_written_behind_the_last_note_is_written_again(tmp_path: pathlib.Path) -> None:
    go(tmp_path, lambda folder: counted(folder, Sends(4), resume="replay"))
    content = (tmp_path / "rows.csv").read_bytes()
    with (tmp_path / "rows.csv").open("ab") as file:
        file.write(b'"half of a row')
    go(tmp_path, lambda folder: counted(folder, Sends(5), resume="replay"))
    again = (tmp_path / "rows.csv").read_bytes()
    assert again.startswith(content)
    assert len(written(tmp_path / "rows.csv")) == 5
    assert b"half" not in again
