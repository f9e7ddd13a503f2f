"""Runs of several processes in which each reads partitions of its own.

The programs are small scripts, started with `pathway spawn` or one by one.
"""

import pathlib
from collections import Counter
from collections.abc import Callable

import pytest

from tests.processes import SHAPES, final_rows, free_ports, one_by_one, spawn

COMMON = """
import os, sys
import pathway as pw

PROCESS = os.environ.get("PATHWAY_PROCESS_ID", "0")

class Number(pw.Schema):
    number: int

def run():
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
"""


@pytest.fixture
def program(tmp_path: pathlib.Path) -> Callable[[str], pathlib.Path]:
    """Writes a script that begins with what all have in common."""

    def write(text: str) -> pathlib.Path:
        path = tmp_path / "main.py"
        path.write_text(COMMON + text)
        return path

    return write


PARTITIONS = """
class Locks(pw.io.python.ConnectorSubject):
    def partitions(self):
        # The others hear it from the first process.
        assert PROCESS == "0"
        return ["a", "b", "c", "d", "e"]

    def run(self, partition):
        sys.stdout.write(f"{partition} in {PROCESS}\\n")
        for number in range(1000):
            self.next(number=number)
            if number % 100 == 99:
                self.commit()

locks = pw.io.python.read(Locks("locks"), schema=Number, autocommit_duration_ms=None)
"""


def test_partitions_are_shared_among_the_processes(
    program: Callable[[str], pathlib.Path], tmp_path: pathlib.Path
) -> None:
    output = tmp_path / "output.csv"
    script = program(f"""{PARTITIONS}
counted = locks.groupby(locks.number).reduce(locks.number, count=pw.reducers.count())
pw.io.csv.write(counted, {str(output)!r})
run()
""")
    for shape in SHAPES:
        done = spawn(*shape, script)
        assert done.returncode == 0, done.stderr
        processes = shape[1] if shape[0] == "-n" else 1
        read = sorted(done.stdout.split("\n"))
        assert read == sorted(["", *(f"{name} in {place % processes}" for place, name in enumerate("abcde"))])
        assert final_rows(output) == Counter({(str(number), "5"): 1 for number in range(1000)})


def test_a_partition_that_waits_holds_no_process_up(
    program: Callable[[str], pathlib.Path], tmp_path: pathlib.Path
) -> None:
    """Process 1 reads `b`, which ends when the rows of `a`, in process 0, have come out."""
    script = program(f"""
import pathlib, time
seen = pathlib.Path({str(tmp_path)!r}) / "seen"

class Uneven(pw.io.python.ConnectorSubject):
    def partitions(self):
        return ["a", "b"]

    def run(self, partition):
        if partition == "b":
            while not seen.exists():
                time.sleep(0.01)
        for number in range(10):
            self.next(number=number)
            self.commit()

def saw(key, row, time, is_addition):
    if row["count"] == 10:
        seen.touch()
    if row["count"] == 20:
        print("all")

uneven = pw.io.python.read(Uneven(), schema=Number, autocommit_duration_ms=None)
pw.io.subscribe(uneven.reduce(count=pw.reducers.count()), saw)
run()
""")
    done = spawn("-n", 2, script)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "all\n"


def test_partitions_that_cannot_be_found_out_end_all_at_once(program: Callable[[str], pathlib.Path]) -> None:
    script = program("""
class Unreachable(pw.io.python.ConnectorSubject):
    def partitions(self):
        raise ConnectionError("the broker does not answer")

    def run(self, partition):
        pass

pw.io.null.write(pw.io.python.read(Unreachable(), schema=Number))
run()
""")
    port = free_ports(2)
    processes = one_by_one([script, script], port)
    errors = [process.communicate(timeout=25)[1] for process in processes]
    assert [process.returncode for process in processes] == [1, 1]
    assert "ConnectionError: the broker does not answer" in errors[0]
    # It has waited for the others no longer than they take to come: they would be waited for 30 s.
    assert "process 0 has failed: " in errors[1]


def test_the_first_process_shows_what_all_have_done(program: Callable[[str], pathlib.Path]) -> None:
    script = program(f"""
import logging
logging.basicConfig(level=logging.INFO, format="%(message)s")
{PARTITIONS}
class Wrong(Locks):
    def run(self, partition):
        super().run(partition)
        self.next(number="many")

wrong = pw.io.python.read(Wrong("wrong"), schema=Number)
pw.io.null.write(wrong, name="nowhere")
pw.run()
""")
    done = spawn("-n", 2, script)
    assert done.returncode == 0, done.stderr
    assert ": 5,000 rows in (wrong), 5,000 rows out (nowhere), 5 rejected\n" in done.stderr
    assert done.stderr.count("wrong: 5 rows were rejected") == 1, done.stderr


@pytest.mark.parametrize("culprit", ["a", "b"])
def test_an_exception_in_a_partition_ends_all(program: Callable[[str], pathlib.Path], culprit: str) -> None:
    script = program(f"""{PARTITIONS}
class Failing(Locks):
    def run(self, partition):
        if partition == {culprit!r}:
            raise RuntimeError("the lock is closed")
        while True:
            self.next(number=1)

failing = pw.io.python.read(Failing("failing"), schema=Number)
pw.io.null.write(failing)
run()
""")
    done = spawn("-n", 2, script)
    assert done.returncode == 1
    assert done.stderr.count("RuntimeError: the lock is closed\nin partition") == 1, done.stderr
    assert f"in partition {culprit!r} of failing" in done.stderr


def test_rows_that_are_rejected_elsewhere_are_in_the_error_log(
    program: Callable[[str], pathlib.Path], tmp_path: pathlib.Path
) -> None:
    output = tmp_path / "errors.csv"
    script = program(f"""{PARTITIONS}
class Wrong(Locks):
    def run(self, partition):
        self.next(number=partition)

wrong = pw.io.python.read(Wrong("wrong"), schema=Number)
pw.io.null.write(wrong)
pw.io.csv.write(pw.global_error_log().select(pw.this.message), {str(output)!r})
run()
""")
    done = spawn("-n", 2, script)
    assert done.returncode == 0, done.stderr
    messages = sorted(cells[0] for cells in final_rows(output))
    assert [message.partition(" did")[0] for message in messages] == [
        f'connector "wrong", partition "{name}"' for name in "abcde"
    ]


def test_many_rejected_rows_do_not_move_time_into_the_future(
    program: Callable[[str], pathlib.Path], tmp_path: pathlib.Path
) -> None:
    """Both processes have an error log, and a commit of one is followed by the other."""
    output = tmp_path / "ahead"
    script = program(f"""{PARTITIONS}
import pathlib, time

class Wrong(Locks):
    def run(self, partition):
        for _ in range(20_000):
            self.next(number=partition)

ahead = []
pw.io.null.write(pw.io.python.read(Wrong("wrong"), schema=Number))
pw.io.subscribe(
    pw.global_error_log().reduce(count=pw.reducers.count()),
    lambda key, row, time, is_addition: None,
    on_time_end=lambda at: ahead.append(at - time.time() * 1000),
)
run()
pathlib.Path({str(output)!r} + os.environ["PATHWAY_PROCESS_ID"]).write_text(str(max(ahead, default=0)))
""")
    done = spawn("-n", 2, script)
    assert done.returncode == 0, done.stderr
    assert float((tmp_path / "ahead0").read_text()) < 500
