"""The line that sums a run up: how it has ended, and how many rows there were of each kind."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes import environment

# Five rows that are delivered and two that are rejected; it tells when they are.
PROGRAM = """
import os, signal, sys, threading
import pathway as pw

class Numbers(pw.io.python.ConnectorSubject):
    stopped = threading.Event()
    def run(self):
        for number in [0, 1, 2, 3, 4, "a", "b"]:
            self.next(number=number)
        self.commit()
        seen.wait()
        self.end_it()
    def end_it(self):
        self.stopped.wait()
    def on_stop(self):
        self.stopped.set()

class Deaf(Numbers):
    def on_stop(self):
        pass

class Finite(Numbers):
    def end_it(self):
        pass

class Failing(Numbers):
    def end_it(self):
        raise ValueError("the sky is falling")

seen = threading.Event()
delivered = []

def on_change(key, row, time, is_addition):
    delivered.append(row)
    if len(delivered) == 5:
        seen.set()

def declare(subject):
    table = pw.io.python.read(subject(), schema=pw.schema_from_types(number=int), name="numbers")
    pw.io.subscribe(table, on_change, name="outputs")
    return table

def interrupt(number):
    threading.Thread(target=lambda: (seen.wait(), os.kill(os.getpid(), number))).start()
"""

WAYS = {
    "finished": ("declare(Finite)\npw.run()", "finished", 0),
    "stop": ("declare(Numbers)\nhandle = pw.start()\nseen.wait()\nhandle.stop()", "stopped", 0),
    "block": ("declare(Numbers)\nwith pw.start():\n    seen.wait()", "stopped", 0),
    "block that fails": ("declare(Numbers)\nwith pw.start():\n    seen.wait()\n    1 / 0", "stopped", 1),
    "abort": ("declare(Numbers)\nhandle = pw.start()\nseen.wait()\nhandle.abort()\nhandle.wait()", "aborted", 0),
    "Ctrl-C": ("declare(Numbers)\ninterrupt(signal.SIGINT)\npw.run()", "stopped", -signal.SIGINT),
    "SIGTERM": ("declare(Numbers)\ninterrupt(signal.SIGTERM)\npw.run()", "stopped", 143),
    "source": ("declare(Failing)\npw.run()", "failed", 1),
    "program": ("declare(Numbers)\nhandle = pw.start()\nseen.wait()", "stopped by the end of the program", 0),
    "deaf": ("declare(Deaf)\nhandle = pw.start()\nseen.wait()", "stopped by the end of the program", 0),
    "exit": ("declare(Numbers)\nhandle = pw.start()\nseen.wait()\nsys.exit(3)", "stopped by the end of the program", 3),
}


@pytest.fixture
def run(tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    def run(text: str) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "main.py"
        path.write_text(PROGRAM + text + "\n")
        command = [sys.executable, str(path)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, env=environment(), cwd=tmp_path, check=False
        )

    return run


@pytest.mark.parametrize("way", WAYS)
def test_one_line_says_how_it_has_ended(way: str, run: Callable[[str], subprocess.CompletedProcess[str]]) -> None:
    text, ending, status = WAYS[way]
    done = run(text)
    assert done.returncode == status, done.stderr
    lines = [line.partition(":INFO:")[2] for line in done.stderr.splitlines() if " in (numbers)" in line]
    (line,) = lines
    how, _, rest = line.partition(" after ")
    assert how == ending
    assert rest.partition(": ")[2] == "5 rows in (numbers), 5 rows out (outputs), 2 rejected"


def test_rows_that_went_nowhere_were_read_and_not_delivered(
    run: Callable[[str], subprocess.CompletedProcess[str]],
) -> None:
    text = """
seen.set()
table = declare(Finite)
pw.io.null.write(table.select(b=pw.apply_with_type(lambda a: 1 // (2 - a), int, table.number)), name="failing")
pw.run()
"""
    done = run(text)
    assert done.returncode == 1
    (line,) = [line.partition(":INFO:")[2] for line in done.stderr.splitlines() if ":INFO:failed after" in line]
    assert "5 rows in (numbers)" in line
    assert "failing 0" in line
    assert line.endswith("2 rejected (5 rows not delivered)")


def test_rows_that_an_output_leaves_out_are_not_counted_as_delivered(
    run: Callable[[str], subprocess.CompletedProcess[str]],
) -> None:
    text = """
seen.set()
table = declare(Finite)
pw.io.jsonlines.write(table.select(b=10 // (table.number % 3)), "inverses.jsonl", name="inverses")
pw.run(terminate_on_error=False)
"""
    done = run(text)
    (line,) = [line.partition(":INFO:")[2] for line in done.stderr.splitlines() if ":INFO:finished after" in line]
    # Of 0 to 4, it cannot be computed for 0 and 3. Two more rows are not accepted, and become rows with Errors.
    assert "inverses 3" in line
    assert ":WARNING:inverses: 4 rows were rejected, see the messages above" in done.stderr


def test_calls_before_the_one_that_fails_are_counted(run: Callable[[str], subprocess.CompletedProcess[str]]) -> None:
    text = """
def failing(key, row, time, is_addition):
    if row["number"] == 3:
        raise ValueError("no three")
seen.set()
table = pw.io.python.read(Finite(), schema=pw.schema_from_types(number=int), name="numbers")
pw.io.subscribe(table, failing, name="calls", sort_by=[table.number])
pw.run()
"""
    done = run(text)
    assert done.returncode == 1
    (line,) = [line.partition(":INFO:")[2] for line in done.stderr.splitlines() if ":INFO:failed after" in line]
    assert "3 rows out (calls)" in line
