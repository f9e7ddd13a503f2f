"""Files that are read in several runs, and have changed between them."""

from __future__ import annotations

import os
import pathlib
import signal
from collections import Counter, defaultdict
from typing import Any

import pathway as pw
import pytest

from tests.persistence.programs import go, remaining, written

pytestmark = pytest.mark.usefixtures("kept_everywhere")


def test_a_job_that_reads_a_folder_each_night_sees_what_has_changed(tmp_path: pathlib.Path) -> None:
    class Sale(pw.Schema):
        shop: str
        amount: int

    folder = tmp_path / "in"
    folder.mkdir()

    def job(path: pathlib.Path) -> None:
        sales = pw.io.csv.read(folder, schema=Sale, mode="static", name="sales")
        totals = sales.groupby(sales.shop).reduce(
            sales.shop, total=pw.reducers.sum(sales.amount), most=pw.reducers.max(sales.amount)
        )
        pw.io.csv.write(totals, path / "totals.csv", name="totals")

    (folder / "monday.csv").write_text("shop,amount\nkiosk,3\nmarket,4\n")
    go(tmp_path, job)
    assert remaining(tmp_path / "totals.csv") == [("kiosk", "3", "3"), ("market", "4", "4")]
    before = written(tmp_path / "totals.csv")
    go(tmp_path, job)
    assert written(tmp_path / "totals.csv") == before
    (folder / "tuesday.csv").write_text("shop,amount\nkiosk,5\n")
    go(tmp_path, job)
    assert remaining(tmp_path / "totals.csv") == [("kiosk", "8", "5"), ("market", "4", "4")]
    (folder / "monday.csv").write_text("shop,amount\nkiosk,1\n")
    go(tmp_path, job)
    assert remaining(tmp_path / "totals.csv") == [("kiosk", "6", "5")]
    (folder / "tuesday.csv").unlink()
    go(tmp_path, job)
    assert remaining(tmp_path / "totals.csv") == [("kiosk", "1", "1")]


# What the outputs of each test have seen in all of its runs.
SEEN: defaultdict[pathlib.Path, Counter[str]] = defaultdict(Counter)


def follow(folder: pathlib.Path, schema: type[pw.Schema], expected: list[str]) -> None:
    """Follows the folder `in` until these texts are there."""

    def declare(path: pathlib.Path) -> None:
        table = pw.io.csv.read(path / "in", schema=schema, mode="streaming", name="lines", autocommit_duration_ms=10)
        pw.io.csv.write(table, path / "lines.csv", name="lines written")
        found = SEEN[folder]

        def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
            found[row["text"]] += 1 if is_addition else -1

        def on_time_end(time: int) -> None:
            if sorted((+found).elements()) == sorted(expected):
                # As by Ctrl-C.
                os.kill(os.getpid(), signal.SIGINT)

        pw.io.subscribe(table, on_change, on_time_end=on_time_end, name="watch")

    go(folder, declare, KeyboardInterrupt)


class Line(pw.Schema):
    text: str


class LogLine(pw.Schema, append_only=True):
    text: str


@pytest.mark.parametrize("schema", [Line, LogLine])
def test_a_followed_file_is_read_on(tmp_path: pathlib.Path, schema: type[pw.Schema]) -> None:
    (tmp_path / "in").mkdir()
    log = tmp_path / "in" / "log.csv"
    log.write_text("text\none\ntwo\n")
    follow(tmp_path, schema, ["one", "two"])
    with log.open("a") as file:
        file.write("three\n")
    follow(tmp_path, schema, ["one", "two", "three"])
    (tmp_path / "in" / "other.csv").write_text("text\nfour\n")
    follow(tmp_path, schema, ["one", "two", "three", "four"])
    assert sorted(row["text"] for row in written(tmp_path / "lines.csv")) == ["four", "one", "three", "two"]


def test_a_file_that_was_changed_while_nobody_looked_is_seen_as_a_change(tmp_path: pathlib.Path) -> None:
    (tmp_path / "in").mkdir()
    first, second = tmp_path / "in" / "first.csv", tmp_path / "in" / "second.csv"
    first.write_text("text\none\ntwo\n")
    second.write_text("text\nthree\n")
    follow(tmp_path, Line, ["one", "two", "three"])
    first.write_text("text\none\nTWO\n")
    second.unlink()
    follow(tmp_path, Line, ["one", "TWO"])
    found = [(row["text"], row["diff"]) for row in written(tmp_path / "lines.csv")]
    assert sorted(found[:3]) == [("one", "1"), ("three", "1"), ("two", "1")]
    assert sorted(found[3:]) == [("TWO", "1"), ("three", "-1"), ("two", "-1")]


def test_a_log_that_was_rotated_while_nobody_looked_keeps_its_rows(tmp_path: pathlib.Path) -> None:
    (tmp_path / "in").mkdir()
    log = tmp_path / "in" / "log.csv"
    log.write_text("text\none\ntwo\n")
    follow(tmp_path, LogLine, ["one", "two"])
    with log.open("a") as file:
        file.write("three\n")
    log.rename(tmp_path / "in" / "log.csv.1")
    log.write_text("text\nfour\n")
    follow(tmp_path, LogLine, ["one", "two", "three", "four"])
    assert Counter(row["text"] for row in written(tmp_path / "lines.csv")) == Counter(["one", "two", "three", "four"])
