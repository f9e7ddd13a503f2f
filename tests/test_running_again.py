"""What a run has when lines are run again: in a notebook, a REPL, a loop, a test."""

from __future__ import annotations

import csv
import logging
import pathlib
import threading
from collections.abc import Callable
from typing import Any

import pathway as pw
import pytest

SILENT = pw.MonitoringLevel.NONE


class Number(pw.Schema):
    number: int


class Counting(pw.io.python.ConnectorSubject):
    """Sends so many numbers, in every run."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.runs = 0

    def run(self) -> None:
        self.runs += 1
        for number in range(self.count):
            self.next(number=number)


class Seen(list[Any]):
    """The numbers that an output has seen."""

    def follow(self, table: pw.Table[Any], **keywords: Any) -> None:
        pw.io.subscribe(table, lambda key, row, time, is_addition: self.append(row["number"]), **keywords)


def numbers(path: pathlib.Path) -> list[int]:
    with path.open(newline="") as file:
        return sorted(int(row["number"]) for row in csv.DictReader(file))


def run() -> None:
    pw.run(monitoring_level=SILENT)


def test_a_run_without_anything_new_does_the_last_one_again() -> None:
    subject, seen = Counting(2), Seen()
    seen.follow(pw.io.python.read(subject, schema=Number))
    for _ in range(3):
        run()
    assert (subject.runs, seen) == (3, [0, 1] * 3)


def test_a_run_has_what_was_declared_since_the_last(tmp_path: pathlib.Path) -> None:
    subjects, seen = [Counting(1), Counting(2), Counting(3)], [Seen() for _ in range(3)]
    for subject, each in zip(subjects, seen, strict=True):
        each.follow(pw.io.python.read(subject, schema=Number, name="numbers"), name="seen")
        run()
        # Also between the runs.
        pw.debug.table_to_dicts(pw.debug.table_from_markdown("a\n1"))
    run()
    assert [subject.runs for subject in subjects] == [1, 1, 2]
    assert seen == [[0], [0, 1], [0, 1, 2] * 2]


def test_a_cell_that_is_run_again_writes_its_file_anew(tmp_path: pathlib.Path, caplog: Any) -> None:
    path = tmp_path / "out.csv"
    for count in (3, 1, 2):
        pw.io.csv.write(pw.io.python.read(Counting(count), schema=Number), path)
        run()
        assert numbers(path) == list(range(count))
    assert not caplog.messages


def test_a_later_output_may_use_tables_of_an_earlier_run() -> None:
    subject, first, second = Counting(2), Seen(), Seen()
    table = pw.io.python.read(subject, schema=Number)
    first.follow(table)
    run()
    second.follow(table.select(number=pw.this.number + 10))
    run()
    assert (subject.runs, first, second) == (2, [0, 1], [10, 11])


def test_of_outputs_that_are_only_declared_again_the_last_one_counts(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, other, seen = tmp_path / "out.csv", tmp_path / "other.csv", Seen()
    subjects = [Counting(count) for count in (3, 1, 2)]
    for subject in subjects:
        pw.io.csv.write(pw.io.python.read(subject, schema=Number, name="numbers"), path, name="written")
    table = pw.io.python.read(Counting(1), schema=Number)
    seen.follow(table)
    pw.io.csv.write(table, other)
    with caplog.at_level(logging.WARNING, "pathway"):
        run()
    assert [subject.runs for subject in subjects] == [0, 0, 1]
    assert (numbers(path), numbers(other), seen) == ([0, 1], [0], [0])
    (message,) = caplog.messages
    assert message.startswith(
        f"several outputs write to the file {path}: only the one that was declared last is run, at "
    )
    assert message.endswith("; pw.testing.reset() forgets what was declared before")


def test_two_lines_of_a_program_that_write_to_one_file_are_a_mistake(tmp_path: pathlib.Path) -> None:
    path, seen = tmp_path / "out.csv", Seen()
    table = pw.debug.table_from_markdown("number\n1")
    pw.io.csv.write(table, path)
    pw.io.csv.write(table, path)
    with pytest.raises(ValueError, match=r"two outputs write to the file .*out\.csv, declared at .*:\d+ and .*:\d+"):
        run()
    # It spoils nothing that is run later.
    assert pw.testing.capture(table)[0].row == {"number": 1}
    seen.follow(table)
    run()
    assert seen == [1]


def test_cells_are_programs_of_their_own(tmp_path: pathlib.Path) -> None:
    # The file of a cell is named for its text, so a cell that was changed has another.
    cell = "{lines}import pathway as pw\npw.io.csv.write(pw.debug.table_from_markdown('number\\n{number}'), path)\n"
    path = tmp_path / "out.csv"
    for number, file in (
        (1, "<stdin>"),
        (2, "<stdin>"),
        (3, "/tmp/ipykernel_1/123.py"),
        (4, "/tmp/ipykernel_1/456.py"),
    ):
        exec(compile(cell.format(lines="\n" * number, number=number), file, "exec"), {"path": path})
    run()
    assert numbers(path) == [4]


def failing_subject() -> None:
    class Failing(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            raise ValueError("the first attempt")

    Seen().follow(pw.io.python.read(Failing(), schema=Number, name="numbers"))


def failing_function() -> None:
    table = pw.debug.table_from_markdown("number\n0")
    pw.io.null.write(table.select(n=1 // table.number))


def no_folder() -> None:
    pw.io.csv.write(pw.debug.table_from_markdown("number\n1"), "/no/such/folder/out.csv")


def same_names() -> None:
    for _ in range(2):
        Seen().follow(pw.io.python.read(Counting(1), schema=Number, name="numbers"))


@pytest.mark.parametrize("fail", [failing_subject, failing_function, no_folder, same_names])
def test_what_has_failed_spoils_no_later_run(fail: Callable[[], None]) -> None:
    fail()
    with pytest.raises((ValueError, ZeroDivisionError, OSError)) as first:
        run()
    # Without anything new it is tried again.
    with pytest.raises(first.type):
        run()
    assert pw.testing.capture(pw.debug.table_from_markdown("number\n1"))[0].row == {"number": 1}
    seen = Seen()
    seen.follow(pw.io.python.read(Counting(2), schema=Number, name="numbers"))
    run()
    assert seen == [0, 1]


def test_two_connectors_of_one_name_say_how_to_go_on() -> None:
    same_names()
    with pytest.raises(ValueError, match=r"Unique name 'numbers' used more than once, at .*; .*pw\.testing\.reset\(\)"):
        run()


def test_run_all_runs_everything_ever_declared(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    subjects, seen = [Counting(1), Counting(2)], [Seen(), Seen()]
    for subject, each in zip(subjects, seen, strict=True):
        table = pw.io.python.read(subject, schema=Number)
        each.follow(table)
        pw.io.csv.write(table, tmp_path / "out.csv")
        run()
    idle = Counting(1)
    pw.io.python.read(idle, schema=Number)
    captured = pw.debug.table_from_markdown("number\n1")
    pw.testing.capture(captured)
    pw.run_all(monitoring_level=SILENT)
    assert (idle.runs, [subject.runs for subject in subjects]) == (1, [2, 2])
    assert (seen, numbers(tmp_path / "out.csv")) == ([[0] * 2, [0, 1] * 2], [0, 1])


def test_debug_is_printed_where_it_is_wanted_and_belongs_to_its_run(capsys: pytest.CaptureFixture[str]) -> None:
    def printed(debug: bool) -> list[str]:
        pw.run(monitoring_level=SILENT, debug=debug)
        return sorted(line.partition("]")[0] for line in capsys.readouterr().out.splitlines())

    seen = Seen()
    table = pw.debug.table_from_markdown("number\n1").debug("first")
    seen.follow(table)
    assert [printed(debug) for debug in (False, True, True, False)] == [[], ["[first"], ["[first"], []]
    assert seen == [1] * 4
    seen.follow(pw.debug.table_from_markdown("number\n2").debug("second"))
    assert [printed(debug) for debug in (True, False)] == [["[second"], []]
    # Nothing else is new: what the last run has run is run again.
    pw.debug.table_from_markdown("number\n2").debug("third")
    assert printed(False) == []
    assert seen == [1] * 4 + [2] * 3


@pytest.mark.one_process("runs that go on at the same time would meet each other's processes")
def test_runs_at_the_same_time_do_not_share_what_serves_one() -> None:
    begun, ended = threading.Event(), threading.Event()

    class Waiting(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next(number=1)
            begun.set()
            ended.wait(30)

    seen, other = Seen(), Seen()
    table = pw.io.python.read(Waiting(), schema=Number)
    seen.follow(table)
    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(30)
    try:
        with pytest.raises(RuntimeError, match="has these outputs already"):
            run()
        with pytest.raises(RuntimeError, match=r"reads the connector that was declared at .*test_running_again\.py:"):
            pw.testing.capture(table)
        # What has nothing to do with it.
        other.follow(pw.io.python.read(Counting(2), schema=Number))
        run()
        assert other == [0, 1]
    finally:
        ended.set()
        thread.join()
    assert seen == [1]
    assert [update.row["number"] for update in pw.testing.capture(table)] == [1]
