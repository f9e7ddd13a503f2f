"""Runs that several processes share: the same results, and one clear end for all when something fails.

The programs are small scripts, started with `pathway spawn` or one by one.
"""

import os
import pathlib
import re
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.processes import SHAPES, environment, final_rows, free_ports, one_by_one, spawn

COMMON = """
import os, signal, sys
import pathway as pw

PROCESS = os.environ.get("PATHWAY_PROCESS_ID", "0")

class Numbers(pw.io.python.ConnectorSubject):
    def run(self):
        print("reading in process", PROCESS)
        for number in range(1000):
            self.next(number=number)
            if number % 300 == 299:
                self.commit()

class Number(pw.Schema):
    number: int

numbers = pw.io.python.read(Numbers(), schema=Number, autocommit_duration_ms=None)

def run(**options):
    pw.run(monitoring_level=pw.MonitoringLevel.NONE, **options)
"""


@pytest.fixture
def program(tmp_path: pathlib.Path) -> Callable[[str], pathlib.Path]:
    """Writes a script that begins with what all have in common."""

    def write(text: str, name: str = "main.py") -> pathlib.Path:
        path = tmp_path / name
        path.write_text(COMMON + text)
        return path

    return write


EVERY_KIND = """
import datetime, numpy as np

class Small(pw.Schema):
    key: int = pw.column_definition(primary_key=True)
    name: str

names = pw.debug.table_from_rows(Small, [(key, "name " + "long " * key) for key in range(7)])

@pw.udf
def values(number: int) -> tuple[str, bytes, float, pw.Duration]:
    return (str(number), bytes([number % 256]), number / 7, datetime.timedelta(seconds=number))

@pw.udf
def json(number: int) -> pw.Json:
    return pw.Json({"number": number, "list": [None, number]})

@pw.udf
def array(number: int) -> np.ndarray:
    return np.array([number, 2 * number])

@pw.udf
def wrapped(number: int) -> pw.PyObjectWrapper:
    return pw.wrap_py_object({number})

@pw.udf
def unwrapped(wrapped: pw.PyObjectWrapper) -> int:
    return next(iter(wrapped.value))

made = numbers.select(
    numbers.number,
    group=numbers.number % 10,
    odd=pw.if_else(numbers.number % 2 == 1, numbers.number, None),
    values=values(numbers.number), json=json(numbers.number), array=array(numbers.number),
    wrapped=wrapped(numbers.number),
)
made = made.with_id_from(made.group, made.number)
made = made.with_columns(again=unwrapped(made.wrapped))
groups = made.groupby(made.group).reduce(
    made.group, count=pw.reducers.count(), largest=pw.reducers.max(made.number), least=pw.reducers.min(made.odd),
    total=pw.reducers.sum(made.again),
)
joined = groups.join_left(names, groups.group == names.key).select(*groups, names.name)
pw.io.csv.write(joined, "joined.csv")
pw.io.csv.write(made.without(made.wrapped), "made.csv")
run()
"""


def test_the_results_are_the_same_in_every_shape(
    program: Callable[[str], pathlib.Path], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script = program(EVERY_KIND)
    results = []
    for shape in [*SHAPES, ("-t", 16), ("-n", 4, "-t", 4)]:
        done = spawn(*shape, script)
        assert done.returncode == 0, done.stderr
        assert done.stdout == "reading in process 0\n"
        results.append([final_rows(tmp_path / name) for name in ("joined.csv", "made.csv")])
    joined, made = results[0]
    assert (sum(joined.values()), sum(made.values())) == (10, 1000)
    assert ("3", "100", "993", "3", "49800", "name long long long ") in joined
    assert all(result == results[0] for result in results[1:])


def test_every_process_computes_its_share(program: Callable[[str], pathlib.Path], tmp_path: pathlib.Path) -> None:
    output = tmp_path / "out.csv"
    script = program(f"""
groups = numbers.groupby(numbers.number).reduce(numbers.number)
groups = groups.select(process=pw.apply_with_type(lambda number: int(PROCESS), int, groups.number))
pw.io.csv.write(groups, {str(output)!r})
run()
""")
    assert spawn("-n", 2, script).returncode == 0
    shares = final_rows(output)
    assert set(shares) == {("0",), ("1",)}
    assert all(count > 400 for count in shares.values())


@pytest.mark.parametrize("culprit", [0, 1])
def test_an_exception_is_reported_once_and_ends_all(program: Callable[[str], pathlib.Path], culprit: int) -> None:
    script = program(f"""
def fail(number):
    return 1 // (PROCESS != "{culprit}")

groups = numbers.groupby(numbers.number).reduce(numbers.number)
failing = groups.select(failed=pw.apply_with_type(fail, int, groups.number))
pw.io.null.write(failing)
run()
""")
    done = spawn("-n", 3, script)
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1, done.stderr
    assert "\nZeroDivisionError: integer division or modulo by zero\n" in done.stderr
    assert f"File: {script}:" in done.stderr
    assert done.stderr.count(f"process {culprit} has failed: ") == 2


def test_an_exception_of_a_subject_ends_all(program: Callable[[str], pathlib.Path]) -> None:
    script = program("""
class Failing(pw.io.python.ConnectorSubject):
    def run(self):
        raise OSError("no such service")

pw.io.null.write(pw.io.python.read(Failing(), schema=Number))
run()
""")
    done = spawn("-n", 2, script)
    assert done.returncode == 1
    assert done.stderr.count("\nOSError: no such service\n") == 1, done.stderr
    assert done.stderr.count(":ERROR:process 0 has failed: ") == 1


@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_is_killed_is_named(program: Callable[[str], pathlib.Path], victim: int) -> None:
    script = program(f"""
def die(number):
    if PROCESS == "{victim}":
        os.kill(os.getpid(), signal.SIGKILL)
    return number

groups = numbers.groupby(numbers.number).reduce(numbers.number)
pw.io.null.write(groups.select(dead=pw.apply_with_type(die, int, groups.number)))
run()
""")
    port = free_ports(3)
    done = spawn("-n", 2, script, port=port)
    assert done.returncode == 128 + signal.SIGKILL
    assert f"process {victim} at 127.0.0.1:{port + victim} is gone without a word" in done.stderr


def test_rows_that_fail_elsewhere_are_in_the_error_log(
    program: Callable[[str], pathlib.Path], tmp_path: pathlib.Path
) -> None:
    output = tmp_path / "errors.csv"
    script = program(f"""
def fail(number):
    if number % 100 == 0:
        raise ValueError(f"number {{number}} is round")
    return number

groups = numbers.groupby(numbers.number).reduce(numbers.number)
pw.io.null.write(groups.select(checked=pw.apply_with_type(fail, int, groups.number)))
pw.io.csv.write(pw.global_error_log().select(pw.this.message), {str(output)!r})
run(terminate_on_error=False)
""")
    done = spawn("-n", 2, script)
    assert done.returncode == 0, done.stderr
    messages = [cells[0] for cells in final_rows(output)]
    for number in range(0, 1000, 100):
        assert any(f"number {number} is round" in message for message in messages), messages


def test_only_the_first_process_prints_tables(program: Callable[[str], pathlib.Path]) -> None:
    script = program("""
pw.debug.compute_and_print(numbers.filter(numbers.number > 997), include_id=False)
""")
    done = spawn("-n", 2, script)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "reading in process 0\nnumber\n998\n999\n"


def test_every_process_has_the_rows(program: Callable[[str], pathlib.Path], tmp_path: pathlib.Path) -> None:
    script = program(f"""
digits = numbers.select(digit=numbers.number % 10)
counted = digits.groupby(digits.digit).reduce(digits.digit, count=pw.reducers.count())
frame = pw.debug.table_to_pandas(counted, include_id=False)
assert len(frame) == 10 and frame["count"].sum() == 1000, frame

# The next tables come of these rows: were they others, the programs would differ.
largest = pw.debug.table_from_rows(Number, [(int(digit),) for digit in frame["digit"]])
(update,) = pw.testing.capture(largest.reduce(total=pw.reducers.sum(pw.this.number)))
assert update.row == {{"total": 45}}

frame.to_csv({str(tmp_path)!r} + "/" + PROCESS, index=False)
pw.debug.table_to_parquet(largest, {str(tmp_path)!r} + "/parquet" + PROCESS)
pw.debug.compute_and_print(largest.filter(pw.this.number > 8).debug("large"), include_id=False)
""")
    done = spawn("-n", 2, "-t", 2, script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("reading in process 0\n[large] @0 +1 id=")
    assert done.stdout.count("\n") == 4
    assert (tmp_path / "0").read_text() == (tmp_path / "1").read_text()
    assert [path.name for path in tmp_path.glob("parquet*")] == ["parquet0"]


def test_a_program_may_run_several_times(program: Callable[[str], pathlib.Path]) -> None:
    script = program("""
pw.io.subscribe(numbers, on_change=lambda key, row, time, is_addition: None, on_end=lambda: print("end", PROCESS))
for _ in range(3):
    run()
""")
    done = spawn("-n", 2, script)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "reading in process 0\nend 0\n" * 3


def test_a_process_that_does_not_come_is_named(program: Callable[[str], pathlib.Path]) -> None:
    script = program("pw.io.null.write(numbers)\nrun()\n")
    port = free_ports(2)
    settings = environment(
        PATHWAY_PROCESSES="2",
        PATHWAY_PROCESS_ID="1",
        PATHWAY_FIRST_PORT=str(port),
        PATHWAY_CLUSTER_SECRET="s",
        PATHWAY_CLUSTER_TIMEOUT="0.3",
    )
    done = subprocess.run([sys.executable, script], env=settings, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"RuntimeError: process 0 was not found at 127.0.0.1:{port} within 0.3 s: Connection refused" in done.stderr


def test_processes_with_different_programs_do_not_start(program: Callable[..., pathlib.Path]) -> None:
    port = free_ports(2)
    scripts = [
        program("pw.io.null.write(numbers)\nrun()\n", "first.py"),
        program("pw.io.null.write(numbers.filter(numbers.number > 3))\nrun()\n", "second.py"),
    ]
    processes = one_by_one(scripts, port)
    for number, process in enumerate(processes):
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 1
        assert f"RuntimeError: process {1 - number} does not fit: the programs differ. " in errors, errors


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("to", ["spawn", "0", "1"])
def test_a_signal_to_any_process_ends_all_in_good_order(
    program: Callable[[str], pathlib.Path], tmp_path: pathlib.Path, sent: signal.Signals, to: str
) -> None:
    script = program(f"""
import threading

class Endless(pw.io.python.ConnectorSubject):
    def __init__(self):
        super().__init__()
        self.stopped = threading.Event()

    def run(self):
        self.next(number=1)
        self.commit()
        self.stopped.wait()

    def on_stop(self):
        print("stopped", PROCESS, flush=True)
        self.stopped.set()

def ready(key, row, time, is_addition):
    print("ready", flush=True)

open({str(tmp_path)!r} + "/" + PROCESS, "w").write(str(os.getpid()))
endless = pw.io.python.read(Endless(), schema=Number, autocommit_duration_ms=None)
pw.io.subscribe(endless, on_change=ready)
run()
""")
    command = [sys.executable, "-m", "pathway.cli", "spawn", "--first-port", str(free_ports(2)), "-n", "2"]
    with subprocess.Popen(
        [*command, sys.executable, script], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        os.kill(running.pid if to == "spawn" else int((tmp_path / to).read_text()), sent)
        output, errors = running.communicate(timeout=60)
    assert output == "stopped 0\n", errors
    # A process that ends without having been told so itself ends well.
    expected = 130 if sent == signal.SIGINT else 143
    assert running.returncode == expected, errors
    assert "Traceback" not in errors, errors
    # All of them get a signal that the command gets, and one of them tells of it.
    told = re.findall("(?:Interrupted|Received SIGTERM): (?:shutting down the computation|the computation was)", errors)
    assert len(told) == (to != "1"), errors


def test_the_product_of_a_hot_key_does_not_wait_in_another_process(
    program: Callable[[str], pathlib.Path], tmp_path: pathlib.Path
) -> None:
    """Nine million pairs, made in one process; half of them go to the other, where hundreds of megabytes could wait."""
    script = program(f"""
import resource
os.chdir({str(tmp_path)!r})
rows = [(1, number) for number in range(3000)]
class Row(pw.Schema):
    key: int
    number: int
left, right = (pw.debug.table_from_rows(Row, rows) for _ in range(2))
pairs = left.join(right, left.key == right.key).select(group=(left.number * 7 + right.number) % 5000)
counts = pairs.groupby(pairs.group).reduce(count=pw.reducers.count())
pw.io.csv.write(counts.reduce(all=pw.reducers.sum(counts.count)), "all.csv")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
run()
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
with open("grown-" + PROCESS, "w") as file:
    file.write(str(grown))
""")
    done = spawn("-n", 2, script)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "all.csv").read_text().splitlines()[1].startswith('"9000000",')
    # A million rows may be on their way.
    assert all(int((tmp_path / f"grown-{process}").read_text()) < 150 for process in range(2))
