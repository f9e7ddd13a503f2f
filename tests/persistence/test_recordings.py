"""Runs that are recorded and played."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import time
from time import monotonic

import pathway as pw
import pytest

from tests.persistence.programs import Sends, Word, counted, go, remaining, times


def lines(path: pathlib.Path) -> list[str]:
    """The lines of a file; those of one time may be in any order where there are several workers."""
    return sorted(path.read_text().splitlines())


def test_what_was_recorded_can_be_played_without_the_source(tmp_path: pathlib.Path) -> None:
    go(tmp_path, lambda folder: counted(folder, Sends(4)), snapshot_access=pw.SnapshotAccess.RECORD)
    recorded = lines(tmp_path / "groups.csv")
    started: list[int] = []

    class Nothing(Sends):
        def run(self) -> None:
            started.append(1)

    for _ in range(2):
        go(
            tmp_path,
            lambda folder: counted(folder, Nothing(9)),
            snapshot_access=pw.SnapshotAccess.REPLAY,
            continue_after_replay=False,
        )
        # At the times that it had.
        assert lines(tmp_path / "groups.csv") == recorded
    assert started == []
    go(
        tmp_path,
        lambda folder: counted(folder, Nothing(9)),
        snapshot_access=pw.SnapshotAccess.REPLAY,
        persistence_mode=pw.PersistenceMode.BATCH,
        continue_after_replay=False,
    )
    assert len(set(times(tmp_path / "groups.csv"))) == 1
    assert remaining(tmp_path / "groups.csv") == [("a", "2", "2", "2"), ("b", "2", "4", "3")]


def test_what_was_recorded_can_be_played_with_its_pauses(tmp_path: pathlib.Path) -> None:
    class Slow(Sends):
        def run(self) -> None:
            for number in range(4):
                self.next(word="a", number=number)
                self.commit()
                time.sleep(0.2)

    go(tmp_path, lambda folder: counted(folder, Slow(0)), snapshot_access=pw.SnapshotAccess.RECORD)
    told: list[float] = []

    def watched(folder: pathlib.Path) -> None:
        table = pw.io.python.read(Slow(0), schema=Word, name="words", autocommit_duration_ms=None)
        pw.io.subscribe(table, lambda key, row, time, is_addition: told.append(monotonic()))

    go(
        tmp_path,
        watched,
        snapshot_access=pw.SnapshotAccess.REPLAY,
        persistence_mode=pw.PersistenceMode.REALTIME_REPLAY,
        continue_after_replay=False,
    )
    assert len(told) == 4
    # The time of a commit is that at which it was opened: the second was, when the first had been closed.
    assert told[3] - told[0] >= 0.35


@pytest.mark.one_process("the programs are processes of their own")
def test_the_command_records_and_plays(tmp_path: pathlib.Path) -> None:
    (tmp_path / "main.py").write_text(PROGRAM)

    def pathway(*arguments: str) -> tuple[str, int]:
        command = [sys.executable, "-m", "pathway.cli", *arguments, sys.executable, "main.py"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout, len(set(times(tmp_path / "sum.csv")))

    assert pathway("spawn", "--record", "--record-path", "tape") == ("asked\n", 3)
    for options in (["--mode", "batch"], ["--mode", "batch", "-t", "2"]):
        assert pathway("replay", "--record-path", "tape", *options) == ("", 1)
    for mode in ("speedrun", "realtime"):
        assert pathway("replay", "--record-path", "tape", "--mode", mode) == ("", 3)
    assert pathway("replay", "--record-path", "tape", "--continue") == ("asked\n", 6)


PROGRAM = """
import pathway as pw

class Numbers(pw.io.python.ConnectorSubject):
    def run(self):
        print("asked")
        for number in range(1, 4):
            self.next(number=number)
            self.commit()

class Number(pw.Schema):
    number: int

table = pw.io.python.read(Numbers(), schema=Number, autocommit_duration_ms=None)
pw.io.csv.write(table.reduce(sum=pw.reducers.sum(table.number)), "sum.csv")
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
"""
