"""A program that declares outputs and ends without running them is told so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_process("programs of their own")

PROGRAM = """import pathway as pw

table = pw.debug.table_from_markdown('''
    a
    1
''')
pw.io.null.write(table)
pw.io.subscribe(table, lambda **change: None)
"""


def stderr_of(tmp_path: Path, program: str, *options: str) -> str:
    path = tmp_path / "program.py"
    path.write_text(program)
    run = subprocess.run([sys.executable, *options, str(path)], capture_output=True, text=True, input="", timeout=60)
    return run.stderr


def test_outputs_that_never_run_are_named(tmp_path: Path) -> None:
    assert stderr_of(tmp_path, PROGRAM) == (
        f"the program has ended without running 2 outputs, the first declared at {tmp_path / 'program.py'}:7: write "
        "pw.run() after the last one\n"
    )


def test_the_one_after_the_last_run_is_named(tmp_path: Path) -> None:
    program = PROGRAM + "pw.run(monitoring_level=pw.MonitoringLevel.NONE)\npw.io.null.write(table)\n"
    assert "without running 1 output, declared at" in stderr_of(tmp_path, program)


@pytest.mark.parametrize(
    "end",
    [
        "pw.run(monitoring_level=pw.MonitoringLevel.NONE)",
        "pw.run_all(monitoring_level=pw.MonitoringLevel.NONE)",
        "with pw.start(monitoring_level=pw.MonitoringLevel.NONE) as run: run.wait()",
        "pw.testing.reset()",
        "import pytest",
    ],
)
def test_nothing_is_said_where_nothing_was_forgotten(tmp_path: Path, end: str) -> None:
    assert stderr_of(tmp_path, PROGRAM + end + "\n") == ""


def test_nothing_is_said_of_tables_that_were_looked_at(tmp_path: Path) -> None:
    declared = PROGRAM.partition("pw.io")[0]
    looks = (
        "pw.debug.compute_and_print(table)\npw.debug.table_to_pandas(table)\npw.testing.capture(table)\ntable.show()\n"
    )
    assert stderr_of(tmp_path, declared + looks) == ""


def test_nothing_is_said_after_an_exception(tmp_path: Path) -> None:
    assert "without running" not in stderr_of(tmp_path, PROGRAM + "raise ValueError\n")


def test_nothing_is_said_where_the_program_is_typed(tmp_path: Path) -> None:
    assert "without running" not in stderr_of(tmp_path, PROGRAM, "-i")


def test_nothing_is_said_by_processes_of_a_pool(tmp_path: Path) -> None:
    program = PROGRAM + (
        "if __name__ == '__main__':\n"
        "    import multiprocessing\n"
        "    for way in 'spawn', 'fork':\n"
        "        with multiprocessing.get_context(way).Pool(1) as pool:\n"
        "            print(pool.map(abs, [-1]))\n"
        "            pool.close()\n"
        "            pool.join()\n"
        "    pw.run(monitoring_level=pw.MonitoringLevel.NONE)\n"
    )
    assert stderr_of(tmp_path, program) == ""
