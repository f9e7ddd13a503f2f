"""Outputs that are no ordinary files: pipes, terminals, devices, and what the program was started with.

The programs are small scripts, as what they write to belongs to their process.
"""

from __future__ import annotations

import os
import pathlib
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.processes import environment

pytestmark = pytest.mark.one_process("the programs are processes of their own")

PROGRAM = """
import sys
import pathway as pw

path, count = sys.argv[1], int(sys.argv[2])

class Row(pw.Schema):
    number: int
    text: str

rows = pw.debug.table_from_rows(Row, [(number, "x" * (number % 50)) for number in range(count)])
print("before")
sys.stdout.flush()
pw.io.csv.write(rows, path)
if "twice" in sys.argv:
    pw.io.jsonlines.write(rows, path)
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
print("after")
"""


@pytest.fixture
def start(tmp_path: pathlib.Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts the program, which writes to a path so many rows."""
    script = tmp_path / "main.py"
    script.write_text(PROGRAM)

    def started(*arguments: object, **options: Any) -> subprocess.Popen[str]:
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        command = [sys.executable, script, *map(str, arguments)]
        return subprocess.Popen(command, env=environment(), text=True, **options)

    return started


def ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    output, errors = process.communicate(timeout=60)
    return output, errors


def expected(number: int) -> str:
    return f'"{number}","{"x" * (number % 50)}","0","1"'


@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
@pytest.mark.parametrize("appended", [False, True])
def test_standard_output_may_be_a_file(start: Any, tmp_path: pathlib.Path, path: str, appended: bool) -> None:
    """As with `>` and `>>`: what is there stays, and what else the program prints is not overwritten."""
    output = tmp_path / "output"
    output.write_text("long before\n")
    with output.open("a" if appended else "w") as file:
        if not appended:
            file.write("long before\n")
            file.flush()
        process = start(path, 3, stdout=file)
        _, errors = ended(process)
    assert process.returncode == 0, errors
    assert output.read_text().splitlines() == [
        "long before",
        "before",
        '"number","text","time","diff"',
        *map(expected, range(3)),
        "after",
    ]


def test_two_outputs_share_a_pipe_line_by_line(start: Any) -> None:
    process = start("/dev/stdout", 20_000, "twice")
    output, errors = ended(process)
    assert process.returncode == 0, errors
    lines = output.splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    quoted = [line for line in lines if line.startswith('"')]
    objects = [line for line in lines if line.startswith("{")]
    assert len(quoted) + len(objects) + 2 == len(lines)
    assert sorted(quoted) == sorted(['"number","text","time","diff"', *map(expected, range(20_000))])
    assert len(objects) == 20_000
    assert all(line.endswith(',"diff":1,"time":0}') for line in objects)


def test_a_file_that_the_program_was_started_with(start: Any) -> None:
    reading, writing = os.pipe()
    process = start(f"/dev/fd/{writing}", 3, pass_fds=[writing])
    os.close(writing)
    with open(reading) as pipe:
        lines = pipe.read().splitlines()
    assert ended(process)[0] == "before\nafter\n"
    assert lines == ['"number","text","time","diff"', *map(expected, range(3))]


def test_files_that_cannot_be_written(start: Any, tmp_path: pathlib.Path) -> None:
    reading, writing = os.pipe()
    os.close(writing)
    try:
        for path, message, options in [
            (f"/dev/fd/{reading}", "it is open for reading alone", {"pass_fds": [reading]}),
            ("/dev/fd/999", "Bad file descriptor", {}),
            ("/dev/full", "No space left on device", {}),
            (tmp_path, "It is a directory: give the path of a file", {}),
        ]:
            process = start(path, 3, **options)
            _, errors = ended(process)
            assert process.returncode == 1
            assert f"OSError: csv.write {path}: cannot " in errors
            assert message in errors
    finally:
        os.close(reading)


def test_nothing_is_kept_of_what_goes_to_null(start: Any) -> None:
    process = start("/dev/null", 10_000, "twice")
    assert ended(process)[0] == "before\nafter\n"
    assert process.returncode == 0


def test_a_terminal(start: Any) -> None:
    ours, theirs = pty.openpty()
    process = start("/dev/stdout", 2, stdout=theirs)
    os.close(theirs)
    text = b""
    while b"after" not in text:
        text += os.read(ours, 4096)
    ended(process)
    os.close(ours)
    lines = text.decode().replace("\r\n", "\n").splitlines()
    assert lines == ["before", '"number","text","time","diff"', *map(expected, range(2)), "after"]


def test_a_reader_that_is_satisfied_ends_the_program(start: Any, tmp_path: pathlib.Path) -> None:
    """`program | head -1`"""
    process = start("/dev/stdout", 200_000)
    assert process.stdout is not None
    assert process.stdout.readline() == "before\n"
    process.stdout.close()
    assert process.stderr is not None
    errors = process.stderr.read()
    assert process.wait(timeout=60) == 1
    assert "BrokenPipeError: csv.write /dev/stdout: cannot write to /dev/stdout: who read from it is gone" in errors


def test_rows_wait_for_a_reader_of_a_named_pipe(start: Any, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    process = start(path, 50_000)
    assert process.stderr is not None
    assert f"nobody reads from the pipe {path}" in process.stderr.readline()
    lines = path.read_text().splitlines()
    assert lines == ['"number","text","time","diff"', *map(expected, range(50_000))]
    ended(process)
    assert process.returncode == 0


def test_a_reader_that_is_there_gets_all(start: Any, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.extend(path.read_text().splitlines()))
    reader.start()
    process = start(path, 0)
    ended(process)
    reader.join(60)
    assert (process.returncode, read) == (0, [])


@pytest.mark.parametrize("has_reader", [False, True])
def test_a_pipe_from_which_nobody_reads_keeps_no_program_running(
    start: Any, tmp_path: pathlib.Path, has_reader: bool
) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    idle = os.open(path, os.O_RDONLY | os.O_NONBLOCK) if has_reader else None
    process = start(path, 100_000)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "before\n"
    if idle is None:
        assert "nobody reads" in process.stderr.readline()
    else:
        assert select.select([idle], [], [], 60)[0]
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    while "press Ctrl-C again" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, errors = ended(process)
    assert time.monotonic() - begin < 10
    assert process.returncode == -signal.SIGINT, errors
    if idle is not None:
        os.close(idle)


def test_a_reader_of_a_named_pipe_that_goes_away_ends_the_program(start: Any, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    process = start(path, 200_000)
    with path.open() as pipe:
        assert pipe.readline() == '"number","text","time","diff"\n'
    _, errors = ended(process)
    assert process.returncode == 1
    assert f"BrokenPipeError: csv.write {path}: cannot write to {path}: who read from it is gone" in errors


def test_a_link_to_a_file_stays_a_link(start: Any, tmp_path: pathlib.Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    for before in (None, "what was there\n" * 100):
        if before is not None:
            target.write_text(before)
        assert ended(start(link, 1))[0] == "before\nafter\n"
        assert link.is_symlink()
        assert target.read_text().splitlines() == ['"number","text","time","diff"', expected(0)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to every file")
def test_a_file_that_is_read_only_is_left_as_it_is(start: Any, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "kept"
    path.write_text("kept")
    path.chmod(0o400)
    process = start(path, 1)
    assert "Permission denied" in ended(process)[1]
    assert path.read_text() == "kept"
