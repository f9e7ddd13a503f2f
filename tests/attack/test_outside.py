"""An outside world that is against us: folders that are mazes, pipes without another end, files that come and go."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.processes import environment
from tests.waiting import when

pytestmark = [pytest.mark.attack, pytest.mark.one_process("the programs are processes of their own")]

PROGRAM = """
import sys
import pathway as pw

class Row(pw.Schema):
    a: int

mode, path, output = sys.argv[1:]
rows = pw.io.csv.read(path, schema=Row, mode=mode, autocommit_duration_ms=10)
pw.io.jsonlines.write(rows, output)
print("running", flush=True)
# What is read once fails the run if it has no such column; what is followed may still get one.
pw.run(monitoring_level=pw.MonitoringLevel.NONE, terminate_on_error=mode == "streaming")
"""


@pytest.fixture
def script(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "main.py"
    path.write_text(PROGRAM)
    return path


@contextlib.contextmanager
def running(
    script: pathlib.Path, mode: str, path: pathlib.Path, output: str = "out.jsonl"
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, script, mode, path, output],
        env=environment(PATHWAY_THREADS=random.choice("14")),
        cwd=script.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        yield process
    finally:
        process.kill()
        process.communicate(timeout=60)


def ends_within(process: subprocess.Popen[str], seconds: float) -> str:
    begin = time.monotonic()
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - begin < seconds, errors
    return errors


def maze(folder: pathlib.Path) -> None:
    for name in "ab":
        (folder / name).symlink_to(".")
    for depth in range(30):
        (folder / str(depth)).mkdir()
        for name in "xyz":
            (folder / str(depth) / name).symlink_to(f"../{(depth + 1) % 30}")


def pipes(folder: pathlib.Path) -> None:
    for name in "ab":
        os.mkfifo(folder / f"{name}.csv")


@pytest.mark.parametrize("mode", ["static", "streaming"])
@pytest.mark.parametrize("make", [maze, pipes])
def test_a_folder_that_leads_nowhere(script: pathlib.Path, mode: str, make: Callable[[pathlib.Path], None]) -> None:
    folder = script.parent / "in"
    folder.mkdir()
    (folder / "rows.csv").write_text("a\n1\n2\n")
    make(folder)
    output = script.parent / "out.jsonl"
    with running(script, mode, folder) as process:
        if mode == "streaming":
            when(lambda: output.exists() and '"a":2' in output.read_text())
            process.send_signal(signal.SIGINT)
        ends_within(process, 10)
        assert process.returncode == (0 if mode == "static" else -signal.SIGINT)
    assert '"a":1' in output.read_text()


@pytest.mark.parametrize("mode", ["static", "streaming"])
def test_a_pipe_as_an_input_into_which_nobody_writes(script: pathlib.Path, mode: str) -> None:
    path = script.parent / "pipe.csv"
    os.mkfifo(path)
    with running(script, mode, path) as process:
        time.sleep(0.5)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        errors = ends_within(process, 5)
        assert process.returncode == -signal.SIGINT, errors


def test_a_pipe_as_an_input(script: pathlib.Path) -> None:
    path = script.parent / "pipe.csv"
    os.mkfifo(path)
    with running(script, "static", path) as process:
        with path.open("w") as pipe:
            pipe.write("a\n")
            for number in range(10_000):
                pipe.write(f"{number}\n")
        ends_within(process, 20)
        assert process.returncode == 0
    assert (script.parent / "out.jsonl").read_text().count("\n") == 10_000


class Vandal:
    """Changes a folder in ways that nobody expects."""

    def __init__(self, folder: pathlib.Path, seed: int) -> None:
        self._folder = folder
        self._chance = random.Random(seed)
        self._number = 0

    def _any(self) -> pathlib.Path | None:
        below = [path for path in self._folder.rglob("*") if path.name != "last.csv"]
        return self._chance.choice(below) if below else None

    def _new(self) -> pathlib.Path:
        self._number += 1
        folders = [path for path in self._folder.rglob("*") if path.is_dir() and not path.is_symlink()]
        return self._chance.choice([self._folder, *folders]) / f"{self._number}.csv"

    def act(self) -> None:
        act = self._chance.choice(["file", "file", "folder", "pipe", "loop", "remove", "move", "swap", "grow", "cut"])
        with contextlib.suppress(OSError):
            self._act(act)

    def _act(self, act: str) -> None:
        old, new = self._any(), self._new()
        if act == "file":
            new.write_text("a\n" + "1\n" * self._chance.randrange(3))
        elif act == "folder":
            new.mkdir()
        elif act == "pipe":
            os.mkfifo(new)
        elif act == "loop":
            new.symlink_to(self._chance.choice([".", "..", new.name, "nowhere", str(self._folder)]))
        elif old is None:
            return
        elif act == "remove":
            shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
        elif act == "move":
            old.rename(new)
        elif act == "swap":
            old.unlink()
            self._chance.choice([old.mkdir, lambda: os.mkfifo(old), lambda: old.write_text("a\n5\n")])()
        elif act == "grow" and old.is_file():
            with old.open("a") as file:
                file.write("7\n")
        elif act == "cut" and old.is_file():
            os.truncate(old, self._chance.randrange(3))


def test_a_folder_that_changes_while_it_is_followed(script: pathlib.Path, attack_seed: int) -> None:
    folder = script.parent / "in"
    folder.mkdir()
    output = script.parent / "out.jsonl"
    vandal = Vandal(folder, attack_seed)
    with running(script, "streaming", folder) as process:
        for _ in range(300):
            vandal.act()
            time.sleep(0.003)
            assert process.poll() is None
        (folder / "last.csv").write_text("a\n123456\n")
        when(lambda: '"a":123456' in output.read_text())
        process.send_signal(signal.SIGTERM)
        errors = ends_within(process, 10)
        assert process.returncode == 143, errors
    with running(script, "static", folder, "again.jsonl") as process:
        errors = ends_within(process, 10)
        assert process.returncode == 0, errors
    assert remaining(output) == remaining(script.parent / "again.jsonl")


def remaining(path: pathlib.Path) -> Counter[int]:
    """The rows that are left when all changes are applied."""
    rows: Counter[int] = Counter()
    for line in path.read_text().splitlines():
        change = json.loads(line)
        rows[change["a"]] += change["diff"]
    return +rows


def test_outputs_of_all_kinds_do_not_keep_a_program_running(script: pathlib.Path, attack_seed: int) -> None:
    chance = random.Random(attack_seed)
    folder = script.parent / "in"
    folder.mkdir()
    (folder / "rows.csv").write_text("a\n" + "".join(f"{number}\n" for number in range(50_000)))
    pipe = script.parent / "pipe"
    os.mkfifo(pipe)
    with running(script, "streaming", folder, str(pipe)) as process:
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        time.sleep(chance.random())
        with contextlib.suppress(BlockingIOError):
            os.read(reader, chance.randrange(1, 100_000))
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.7)
        errors = ends_within(process, 8)
        assert process.returncode == -signal.SIGINT, errors
        os.close(reader)
