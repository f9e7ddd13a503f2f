"""Runs that ask for more processes or fewer, and the command that starts them again so."""

from __future__ import annotations

import csv
import pathlib
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pathway as pw
import pytest
from pathway._running import scaling, waiting
from pathway._running.scaling import FEWER, MORE, Scaling

from tests.processes import free_ports, pathway


class Load:
    """A run that is looked at each second: whether rows wait, and how much is computed in a second."""

    def __init__(self, window: float = 10, *, processes: int = 2, threads: int = 2, most_workers: int = 8) -> None:
        self.now = self.computed = 0.0
        self.scaling = Scaling(
            window,
            processes=processes,
            threads=threads,
            most_workers=most_workers,
            clock=lambda: self.now,
            computed=lambda: self.computed,
        )

    def look(self, seconds: int, *, waiting: int, computed: float = 0.0) -> list[int]:
        """The moments at which the run is to end."""
        found = []
        for _ in range(seconds):
            entries: Any = [SimpleNamespace(role="source", backlog=waiting), SimpleNamespace(role="sink", backlog=9)]
            if self.scaling.look(entries):
                found.append(int(self.now))
            self.now += 1
            self.computed += computed
        return found


def test_a_run_asks_for_more_processes_when_rows_have_waited_for_a_window() -> None:
    load = Load()
    assert load.look(12, waiting=5, computed=2) == [10]
    assert load.scaling.status == MORE


def test_a_run_asks_for_fewer_when_there_was_little_to_do_for_a_window() -> None:
    load = Load()
    assert load.look(12, waiting=0, computed=0.4) == [10]
    assert load.scaling.status == FEWER


def test_a_break_begins_another_window() -> None:
    load = Load()
    assert load.look(9, waiting=5) == []
    assert load.look(1, waiting=0) == []
    assert load.look(9, waiting=5) == []
    # Without rows that wait, but busy.
    assert load.look(40, waiting=0, computed=0.6) == []
    assert load.scaling.status is None


@pytest.mark.parametrize(
    ("settings", "waiting"), [({"processes": 1}, 0), ({"most_workers": 7}, 1), ({"threads": 3}, 1)]
)
def test_there_is_a_least_and_a_greatest_number(settings: dict[str, int], waiting: int) -> None:
    assert Load(**settings).look(50, waiting=waiting) == []


class Numbers(pw.Schema):
    number: int


class Endless(pw.io.python.ConnectorSubject):
    """Goes on until it is stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.is_stopped = False

    def on_stop(self) -> None:
        self.is_stopped = True

    def run(self) -> None:
        number = 0
        while not self.is_stopped:
            self.next(number=number)
            self.commit()
            number += 1


@pytest.mark.one_process("it forks no processes that could be started again")
def test_a_run_that_asks_ends_in_order(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATHWAY_SPAWN_SCALES", "true")
    monkeypatch.setattr(scaling, "most_workers", lambda: 1024)
    monkeypatch.setattr(Scaling, "look", lambda self, statistics: self._ask(MORE, 2, "rows have waited"))
    table = pw.io.python.read(Endless(), schema=Numbers, name="numbers")
    pw.io.csv.write(table, tmp_path / "numbers.csv", name="written")
    config = pw.persistence.Config(pw.persistence.Backend.filesystem(tmp_path / "state"), worker_scaling_enabled=True)
    with pytest.raises(SystemExit) as raised:
        pw.run(monitoring_level=pw.MonitoringLevel.NONE, persistence_config=config)
    assert raised.value.code == MORE
    with (tmp_path / "numbers.csv").open(newline="") as file:
        numbers = [int(row["number"]) for row in csv.DictReader(file)]
    assert numbers == list(range(len(numbers)))


def test_a_program_that_nobody_starts_again_is_told(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    table = pw.debug.table_from_markdown("a\n1")
    pw.io.null.write(table)
    config = pw.persistence.Config(pw.persistence.Backend.filesystem(tmp_path / "state"), worker_scaling_enabled=True)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE, persistence_config=config)
    assert any("worker_scaling_enabled" in record.getMessage() for record in caplog.records)


def test_a_signal_goes_before_what_a_run_asks_for() -> None:
    signals = waiting.Signals()
    signals.interrupt()
    asked = SimpleNamespace(status=MORE)
    with pytest.raises(KeyboardInterrupt):
        waiting.leave(signals, asked)  # type: ignore[arg-type]
    with pytest.raises(SystemExit):
        waiting.leave(waiting.Signals(), asked)  # type: ignore[arg-type]
    waiting.leave(waiting.Signals())


@pytest.fixture
def program(tmp_path: pathlib.Path) -> pathlib.Path:
    """Ends with the statuses that it is told, one in each run, and notes in which processes it was."""
    path = tmp_path / "main.py"
    path.write_text(
        """
import os, pathlib, sys

folder = pathlib.Path(__file__).parent
statuses = list(map(int, sys.argv[1:]))
process, processes = os.environ["PATHWAY_PROCESS_ID"], os.environ["PATHWAY_PROCESSES"]
# Each process notes its runs in a file of its own.
notes = folder / f"notes of {process}"
with notes.open("a") as file:
    file.write(f"{processes}\\n")
if process == "0":
    sys.exit(statuses[len(notes.read_text().split()) - 1])
"""
    )
    return path


def spawned(options: list[object], program: pathlib.Path, *statuses: int) -> subprocess.CompletedProcess[str]:
    return pathway("spawn", "--first-port", free_ports(2), *options, sys.executable, program, *statuses)


def notes(program: pathlib.Path) -> dict[str, list[str]]:
    return {path.name[-1]: path.read_text().split() for path in sorted(program.parent.glob("notes of *"))}


def test_the_command_starts_the_program_again(program: pathlib.Path) -> None:
    done = spawned([], program, MORE, FEWER, 3)
    assert done.returncode == 3, done.stderr
    found = notes(program)
    assert found["0"] == ["1", "2", "1"]
    assert set(found) <= {"0", "1"}
    assert "going on with 2 processes" in done.stderr
    assert "going on with 1 process\n" in done.stderr


def test_there_are_no_fewer_than_one_and_no_more_than_processors(program: pathlib.Path) -> None:
    assert spawned([], program, FEWER).returncode == FEWER
    assert spawned(["-t", 1024], program, 0, MORE).returncode == MORE
    assert notes(program) == {"0": ["1", "1"]}


def test_processes_that_others_start_too_are_not_started_again(program: pathlib.Path) -> None:
    port = free_ports(1)
    done = spawned(["--addresses", f"127.0.0.1:{port}"], program, MORE)
    assert done.returncode == MORE
    assert notes(program) == {"0": ["1"]}
