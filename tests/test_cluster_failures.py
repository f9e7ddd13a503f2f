"""Runs of several processes that fail where it is hard to notice: each process ends soon, and says why."""

import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import pytest

from tests.processes import environment, free_ports

COMMON = """
import atexit, os, pathlib, resource, sys, threading, time
import pathway as pw

PROCESS = os.environ["PATHWAY_PROCESS_ID"]

class Numbers(pw.io.python.ConnectorSubject):
    def run(self):
        for number in range(100):
            self.next(number=number)

class Number(pw.Schema):
    number: int

numbers = pw.io.python.read(Numbers(), schema=Number, autocommit_duration_ms=None)
groups = numbers.groupby(numbers.number).reduce(numbers.number)

def run():
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
"""

# All processes of a run that has failed have ended after so many seconds; the functions take 60.
SOON = 5

# What a process has ended with: its status, what it has said, and how many seconds after the others were told.
End = tuple[int, str, float]


@pytest.fixture
def ends(tmp_path: pathlib.Path) -> Callable[[str], Sequence[End]]:
    """Runs a script in two processes, started one by one; the time begins when the file `now` is there."""

    def run(text: str, **changes: str) -> Sequence[End]:
        script = tmp_path / "main.py"
        script.write_text(COMMON + text)
        first = free_ports(2)
        processes = [
            subprocess.Popen(
                [sys.executable, script],
                env=environment(
                    PATHWAY_PROCESSES="2",
                    PATHWAY_PROCESS_ID=str(number),
                    PATHWAY_FIRST_PORT=str(first),
                    PATHWAY_CLUSTER_SECRET="s",
                    **changes,
                ),
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for number in range(2)
        ]
        ended: dict[int, float] = {}
        deadline = time.monotonic() + 30
        while len(ended) < 2 and time.monotonic() < deadline:
            for number, process in enumerate(processes):
                if number not in ended and process.poll() is not None:
                    ended[number] = time.time()
            time.sleep(0.01)
        for process in processes:
            process.kill()
        now = tmp_path / "now"
        begin = now.stat().st_mtime if now.exists() else 0.0
        return [
            (process.wait(), process.communicate()[0], ended.get(number, float("inf")) - begin)
            for number, process in enumerate(processes)
        ]

    return run


SLEEPING = """
def wait_for(name):
    while not pathlib.Path(name).exists():
        time.sleep(0.01)

def sleep_or_fail(number):
    if PROCESS == SLEEPER:
        pathlib.Path("asleep").touch()
        DEEPLY(60)
    else:
        wait_for("asleep")
        pathlib.Path("now").touch()
        raise ValueError("this is wrong")

atexit.register(lambda: print("exit functions are called"))
pw.io.null.write(groups.select(slept=pw.apply_with_type(sleep_or_fail, int, groups.number)))
try:
    run()
finally:
    print("the program ends as usual")
"""


@pytest.mark.parametrize("sleeper", [0, 1])
@pytest.mark.parametrize("threads", ["1", "2"])
def test_nobody_waits_for_a_function_that_takes_long(
    ends: Callable[..., Sequence[End]], sleeper: int, threads: str
) -> None:
    text = SLEEPING.replace("SLEEPER", f'"{sleeper}"').replace("DEEPLY", "time.sleep")
    found = ends(text, PATHWAY_THREADS=threads)
    status, said, seconds = found[sleeper]
    assert status == 1, said
    assert seconds < SOON, said
    assert f"process {1 - sleeper} has failed: ValueError: this is wrong" in said
    assert "it ends without them" in said
    assert "the program ends as usual\n" in said
    assert "exit functions are called\n" in said
    status, said, seconds = found[1 - sleeper]
    assert (status, seconds < SOON) == (1, True), (said, seconds)
    assert said.count("\nValueError: this is wrong\n") == said.count("\nOccurred here:\n") == 1, said


def test_nobody_waits_for_a_function_in_another_thread(ends: Callable[..., Sequence[End]]) -> None:
    """Neither for those of the process that fails itself, nor for a thread of asyncio."""
    text = """
import asyncio

lock = threading.Lock()
sleepers = []

def fail(number):
    if PROCESS == "1":
        with lock:
            sleepers.append(threading.get_ident())
        if threading.get_ident() == sleepers[0]:
            asyncio.run(asyncio.to_thread(time.sleep, 60))
        pathlib.Path("now").touch()
        raise ValueError("this is wrong")
    return number

pw.io.null.write(groups.select(failed=pw.apply_with_type(fail, int, groups.number)))
run()
"""
    for status, said, seconds in ends(text, PATHWAY_THREADS="2"):
        assert (status, seconds < SOON) == (1, True), (said, seconds)
        assert "ValueError: this is wrong" in said


@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_partition_fails_while_its_worker_is_inside_a_function(
    ends: Callable[..., Sequence[End]], threads: str
) -> None:
    text = """
class Parts(pw.io.python.ConnectorSubject):
    def partitions(self):
        return [str(number) for number in range(4)]

    def run(self, partition):
        self.next(number=int(partition))
        self.commit()
        if partition == "1":
            while not pathlib.Path("asleep").exists():
                time.sleep(0.01)
            pathlib.Path("now").touch()
            raise ValueError("this is wrong")

def sleep(number):
    pathlib.Path("asleep").touch()
    time.sleep(60)

parts = pw.io.python.read(Parts(), schema=Number, autocommit_duration_ms=None)
pw.io.null.write(parts.select(slept=pw.apply_with_type(sleep, int, parts.number)))
run()
"""
    found = ends(text, PATHWAY_THREADS=threads)
    for status, said, seconds in found:
        assert (status, seconds < SOON) == (1, True), (said, seconds)
    # Partition 1 is read in process 1.
    assert "\nValueError: this is wrong\n" in found[1][1]
    assert "process 1 has failed: ValueError: this is wrong" in found[0][1]


def test_what_a_process_cannot_send_is_named(ends: Callable[..., Sequence[End]]) -> None:
    text = """
@pw.udf
def locked(number: int) -> pw.PyObjectWrapper:
    return pw.wrap_py_object(threading.Lock())

with_locks = numbers.select(numbers.number, guard=locked(numbers.number))
pathlib.Path("now").touch()
pw.io.subscribe(with_locks, on_change=lambda key, row, time, is_addition: None, name="guards")
latest = with_locks.groupby(with_locks.number).reduce(with_locks.number, last=pw.reducers.any(with_locks.guard))
pw.io.null.write(latest)
run()
"""
    (status, said, seconds), (other_status, other_said, other_seconds) = ends(text)
    assert (status, other_status) == (1, 1), said + other_said
    assert max(seconds, other_seconds) < 10
    assert said.count("Traceback") == 1, said
    expected = "TypeError: reduce: the column guard cannot be sent to another process: TypeError: cannot pickle"
    assert expected in said
    assert "    Line: latest = with_locks.groupby(with_locks.number).reduce(" in said
    assert "Traceback" not in other_said
    assert "process 0 has failed: reduce: the column guard cannot be sent to another process" in other_said


def test_what_a_process_cannot_make_again_is_named(ends: Callable[..., Sequence[End]]) -> None:
    text = """
class Local:
    def __reduce__(self):
        return (make, (PROCESS,))

def make(process):
    raise LookupError("there is no such thing here")

@pw.udf
def local(number: int) -> pw.PyObjectWrapper:
    return pw.wrap_py_object(Local())

made = numbers.select(numbers.number, thing=local(numbers.number))
latest = made.groupby(made.number).reduce(made.number, last=pw.reducers.any(made.thing))
pw.io.null.write(latest)
run()
"""
    (status, said, _), (other_status, other_said, _) = ends(text)
    assert (status, other_status) == (1, 1), said + other_said
    expected = "reduce: the column thing cannot be read as it came from another process: LookupError: there is no such"
    assert f"TypeError: {expected}" in other_said
    assert other_said.count("Traceback") == 1, other_said
    assert f"process 1 has failed: {expected}" in said
    assert "please report it" not in said + other_said


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="shows how many files are open")
def test_a_process_that_may_not_open_more_files_does_not_leave_the_other_waiting(
    ends: Callable[..., Sequence[End]], tmp_path: pathlib.Path
) -> None:
    """Wherever between the first socket and the last thread the start fails."""
    text = """
pw.io.null.write(groups)
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
if PROCESS == "1":
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + int(os.environ["MORE"]), hard))
pathlib.Path("now").touch()
run()
"""
    outcomes = []
    for more in (0, 2, 3, 4, 5, 6, 20):
        found = ends(text, MORE=str(more), PATHWAY_CLUSTER_TIMEOUT="3")
        outcomes.append([status for status, _, _ in found])
        for _, said, seconds in found:
            assert seconds < SOON, said
    assert [1, 1] in outcomes
    assert [0, 0] in outcomes


def test_tracebacks_of_two_processes_are_told_apart(ends: Callable[..., Sequence[End]]) -> None:
    found = ends('raise ValueError("this is wrong")')
    for (status, said, _), prefix in zip(found, ["", "[process 1] "], strict=True):
        assert status == 1
        assert said.startswith(f"{prefix}Traceback (most recent call last):\n")
        assert said.endswith("\nValueError: this is wrong\n")
