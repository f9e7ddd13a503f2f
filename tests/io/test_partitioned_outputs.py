"""Outputs of which every worker writes a part: what is in the parts, and what the folder looks like."""

import csv
import json
import logging
import pathlib
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pathway as pw
import pytest

from tests.processes import free_ports, pathway
from tests.shapes import PROCESSES

SILENT = pw.MonitoringLevel.NONE

PROGRAM = """
import sys
import pathway as pw

class Numbers(pw.io.python.ConnectorSubject):
    def run(self):
        for number in range(1000):
            self.next(number=number)
            if number % 300 == 299:
                self.commit()

class Number(pw.Schema):
    number: int

numbers = pw.io.python.read(Numbers(), schema=Number, autocommit_duration_ms=None)
grouped = numbers.select(numbers.number, group=numbers.number % 50)
groups = grouped.groupby(grouped.group).reduce(
    grouped.group, count=pw.reducers.count(), last=pw.reducers.max(grouped.number)
)
for table, name in [(numbers, "numbers"), (groups, "groups")]:
    pw.io.csv.write(table, f"{name}.csv")
    pw.io.csv.write(table, f"{name}-csv", partitioned=True)
    pw.io.fs.write(table, f"{name}-json/", "json", partitioned=True, sort_by=[table[table.column_names()[0]]])
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
"""

Row = tuple[Any, ...]


def csv_rows(path: pathlib.Path) -> list[Row]:
    """Every line of a csv file but the header, with numbers for its fields."""
    with path.open(newline="") as file:
        header, *lines = csv.reader(file)
    assert header[-2:] == ["time", "diff"]
    return [tuple(map(int, line)) for line in lines]


def json_rows(path: pathlib.Path) -> list[Row]:
    """The rows of a file of JSON lines, in the order of the columns of a csv file."""
    found = []
    for line in path.read_text().splitlines():
        row = json.loads(line)
        time, diff = row.pop("time"), row.pop("diff")
        found.append((*row.values(), time, diff))
    return found


def spawn(folder: pathlib.Path, text: str, *options: object) -> Any:
    script = folder / "program.py"
    script.write_text(text)
    return pathway("spawn", "--first-port", free_ports(3), *options, sys.executable, script)


@pytest.mark.parametrize(
    ("options", "workers"), [((), 1), (("-t", 3), 3), (("-n", 2, "-t", 2), 4)], ids=["1", "threads", "processes"]
)
def test_the_parts_together_are_the_single_file(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, options: tuple[object, ...], workers: int
) -> None:
    monkeypatch.chdir(tmp_path)
    done = spawn(tmp_path, PROGRAM, *options)
    assert done.returncode == 0, done.stderr
    kinds: list[tuple[str, str, Callable[[pathlib.Path], list[Row]]]] = [
        ("csv", "csv", csv_rows),
        ("json", "jsonl", json_rows),
    ]
    for name in ("numbers", "groups"):
        single = csv_rows(tmp_path / f"{name}.csv")
        assert single
        for kind, extension, read in kinds:
            folder = tmp_path / f"{name}-{kind}"
            parts = {path.name: read(path) for path in sorted(folder.iterdir())}
            assert list(parts) == [f"part-{worker:05}.{extension}" for worker in range(workers)]
            assert Counter(row for rows in parts.values() for row in rows) == Counter(single)
            for rows in parts.values():
                times = [row[-2] for row in rows]
                assert times == sorted(times)
                if kind == "json":
                    # Deletions come first.
                    order = [(row[-2], row[-1], row[0]) for row in rows]
                    assert order == sorted(order)
        # All changes of a row are in one part.
        if name == "groups":
            groups = [{row[0] for row in rows} for rows in parts.values()]
            assert sum(map(len, groups)) == len(set().union(*groups)) == 50
            assert sum(map(bool, groups)) == workers


class Number(pw.Schema):
    number: int


def numbers(count: int = 100) -> pw.Table[Number]:
    return pw.debug.table_from_rows(Number, [(number,) for number in range(count)])


def test_the_folder_can_be_read(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATHWAY_THREADS", "3")
    table = numbers()
    pw.io.csv.write(table, tmp_path / "csv", partitioned=True)
    pw.io.jsonlines.write(table, tmp_path / "json", partitioned=True)
    # Of these at least two parts have no row.
    pw.io.csv.write(table.filter(table.number == 7), tmp_path / "few", partitioned=True)
    pw.run(monitoring_level=SILENT)
    for folder, read, expected in (
        ("csv", pw.io.csv.read, list(range(100))),
        ("json", pw.io.jsonlines.read, list(range(100))),
        ("few", pw.io.csv.read, [7]),
    ):
        pw.testing.reset()
        assert len(list((tmp_path / folder).iterdir())) == 3 * PROCESSES
        updates = pw.testing.capture(read(f"{tmp_path / folder}/", schema=Number, mode="static"))
        assert sorted(update.row["number"] for update in updates) == expected


def test_parts_of_an_earlier_run_are_removed(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for threads in ("4", "2"):
        monkeypatch.setenv("PATHWAY_THREADS", threads)
        pw.testing.reset()
        pw.io.csv.write(numbers(10), tmp_path, partitioned=True)
        pw.run(monitoring_level=SILENT)
        (tmp_path / "notes.csv").write_text("kept")
        (tmp_path / "part-00003.jsonl").write_text("kept")
    names = sorted(path.name for path in tmp_path.iterdir())
    parts = [f"part-{worker:05}.csv" for worker in range(2 * PROCESSES)]
    assert names == sorted(["notes.csv", *parts, "part-00003.jsonl"])
    rows = [row for name in parts for row in csv_rows(tmp_path / name)]
    assert sorted(row[0] for row in rows) == list(range(10))


@pytest.mark.parametrize("culprit", ["0", "1"])
def test_a_run_that_fails_leaves_whole_commits(tmp_path: pathlib.Path, culprit: str) -> None:
    """The second commit is so large that parts of it are in the files when the run fails."""
    text = f"""
import os
import threading
import time
import pathway as pw

class Numbers(pw.io.python.ConnectorSubject):
    def __init__(self):
        super().__init__()
        self.stopped = threading.Event()

    def on_stop(self):
        self.stopped.set()

    def run(self):
        for number in range(-10, 0):
            self.next(number=number, text="committed")
        self.commit()
        for number in range(100_000):
            self.next(number=number, text="not " * 10)
        # The end would be a commit.
        self.stopped.wait(30)

class Number(pw.Schema):
    number: int
    text: str

def check(number):
    if os.environ["PATHWAY_PROCESS_ID"] == "{culprit}":
        time.sleep(1)
        raise ValueError("too small")
    return number

numbers = pw.io.python.read(Numbers(), schema=Number, autocommit_duration_ms=None)
own = numbers.with_id_from(numbers.number)
small = own.filter(own.number < 0)
groups = small.groupby(small.number).reduce(small.number)
pw.io.null.write(groups.select(checked=pw.apply_with_type(check, int, groups.number)))
for table, name in [(numbers, "rows"), (own, "own")]:
    pw.io.csv.write(table, {str(tmp_path)!r} + "/" + name, partitioned=True)
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
"""
    done = spawn(tmp_path, text, "-n", 2, "-t", 2)
    assert done.returncode == 1
    assert "ValueError: too small" in done.stderr
    for name in ("rows", "own"):
        found = []
        for part in range(4):
            header, *lines = csv.reader((tmp_path / name / f"part-0000{part}.csv").open(newline=""))
            assert header == ["number", "text", "time", "diff"]
            found += [(int(line[0]), line[1]) for line in lines]
        assert set(found) <= {(number, "committed") for number in range(-10, 0)}


def test_what_is_in_the_way_is_named(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("kept")
    table = numbers(10)
    pw.io.csv.write(table, path, partitioned=True)
    with pytest.raises(OSError, match=r"cannot create the output folder .*A partitioned output is a folder"):
        pw.run(monitoring_level=SILENT)
    assert path.read_text() == "kept"
    with pytest.raises(TypeError, match="parameter partitioned has to be True or False, found 'yes'"):
        pw.io.csv.write(table, path, partitioned="yes")  # type: ignore[arg-type]
    pw.testing.reset()
    pw.io.jsonlines.write(numbers(10), tmp_path / "missing" / "parts", partitioned=True)
    with pytest.raises(OSError, match=r"The directory .*missing does not exist: create it first"):
        pw.run(monitoring_level=SILENT)


def test_two_outputs_may_not_share_parts(tmp_path: pathlib.Path) -> None:
    pw.io.csv.write(numbers(10), tmp_path, partitioned=True)
    pw.io.csv.write(numbers(10), tmp_path, partitioned=True)
    with pytest.raises(ValueError, match=r"two outputs write to the file .*part-\*\.csv"):
        pw.run(monitoring_level=SILENT)


@pytest.mark.one_process("every process counts what its own workers write")
def test_every_worker_counts(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("PATHWAY_THREADS", "3")
    table = numbers(999)
    pw.io.csv.write(table.groupby(table.number).reduce(table.number), tmp_path, partitioned=True, name="parts")
    pw.run(monitoring_level=pw.MonitoringLevel.IN_OUT)
    assert [message for message in caplog.messages if message.endswith(" 999 rows out (parts)")], caplog.messages
