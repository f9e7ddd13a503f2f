"""Processes on machines of their own: the same results, and a clear end when the network fails.

The machines are network namespaces, which share only a cable. That needs root, and `ip` of Debian's package iproute2.
"""

import csv
import os
import pathlib
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.processes import PATHWAY, environment, pathway

PORT = 10000
FIRST, SECOND = "10.97.3.1", "10.97.3.2"
# One that the first machine has, too, and one that nobody has, though the second machine sends to it.
FURTHER, SILENT = "10.97.3.11", "10.97.3.99"

PROGRAM = """
import sys
import pathway as pw

class Number(pw.Schema):
    number: int

class Numbers(pw.io.python.ConnectorSubject):
    def run(self):
        for number in range(20_000):
            self.next(number=number)
            if number % 3000 == 2999:
                self.commit()

numbers = pw.io.python.read(Numbers(), schema=Number, autocommit_duration_ms=None)
grouped = numbers.select(numbers.number, group=numbers.number % 500)
groups = grouped.groupby(grouped.group).reduce(
    grouped.group, count=pw.reducers.count(), last=pw.reducers.max(grouped.number)
)
joined = numbers.join(groups, numbers.number == groups.group).select(numbers.number, groups.count, groups.last)
pw.io.csv.write(joined, sys.argv[1])
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
"""

# Rows come until the run ends.
ENDLESS = """
import threading
import pathway as pw

class Number(pw.Schema):
    number: int

class Endless(pw.io.python.ConnectorSubject):
    def __init__(self):
        super().__init__()
        self.stopped = threading.Event()

    def run(self):
        number = 0
        while not self.stopped.wait(0.01):
            self.next(number=number)
            self.commit()
            number += 1

    def on_stop(self):
        self.stopped.set()

numbers = pw.io.python.read(Endless(), schema=Number)
groups = numbers.groupby(numbers.number).reduce(numbers.number)

def on_change(key, row, time, is_addition):
    # By now the second machine has had its share.
    if row["number"] == 50:
        print("flowing", flush=True)

pw.io.subscribe(groups, on_change)
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
"""


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=30)


class Machines:
    """Two network namespaces and the cable between them."""

    def __init__(self, undo: ExitStack) -> None:
        # Names of interfaces have at most 15 letters.
        self.names = [f"towpath-{os.getpid()}-{number}" for number in range(2)]
        self.cables = [f"tow{os.getpid() % 10**8}-{number}" for number in range(2)]
        for name in self.names:
            ip("netns", "add", name)
            undo.callback(ip, "netns", "del", name)
        first, second = self.cables
        ip("-n", self.names[0], "link", "add", first, "type", "veth", "peer", second, "netns", self.names[1])
        for name, cable, address in zip(self.names, self.cables, (FIRST, SECOND), strict=True):
            ip("-n", name, "address", "add", f"{address}/24", "dev", cable)
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", cable, "up")
        ip("-n", self.names[0], "address", "add", f"{FURTHER}/24", "dev", first)
        unknown = "02:00:00:00:00:63"
        ip("-n", self.names[1], "neigh", "add", SILENT, "lladdr", unknown, "dev", second, "nud", "permanent")

    def on(self, machine: int, *command: object) -> list[str]:
        """The command, run on one of the machines."""
        return ["ip", "netns", "exec", self.names[machine], *map(str, command)]

    def start(
        self, machine: int, *program: object, addresses: str = f"{FIRST}:{PORT},{SECOND}:{PORT}", **changes: str
    ) -> subprocess.Popen[str]:
        options = ["--threads", 2, "--addresses", addresses, "--process-id", machine]
        return subprocess.Popen(
            self.on(machine, *PATHWAY, "spawn", *options, sys.executable, *program),
            env=environment(**{"PATHWAY_CLUSTER_SECRET": "secret", "PATHWAY_CLUSTER_TIMEOUT": "20", **changes}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def can_connect(self, machine: int, host: str) -> bool:
        """Whether somebody on a machine gets an answer from an address."""
        call = f"import socket; socket.create_connection(({host!r}, {PORT}), timeout=5)"
        done = subprocess.run(self.on(machine, sys.executable, "-c", call), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 or "ConnectionRefusedError" in done.stderr, done.stderr
        return done.returncode == 0

    def cut(self) -> None:
        """Takes the cable out of the second machine."""
        ip("-n", self.names[1], "link", "set", self.cables[1], "down")


@pytest.fixture
def machines() -> Iterator[Machines]:
    if shutil.which("ip") is None:
        pytest.skip("network namespaces need the command ip: apt-get install iproute2")
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    with ExitStack() as undo:
        try:
            made = Machines(undo)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"this machine does not allow network namespaces: {error.stderr}")
        yield made


@pytest.fixture
def script(tmp_path: pathlib.Path) -> Any:
    def write(text: str) -> pathlib.Path:
        path = tmp_path / "main.py"
        path.write_text(text)
        return path

    return write


def final_rows(path: pathlib.Path) -> Counter[tuple[str, ...]]:
    rows: Counter[tuple[str, ...]] = Counter()
    with path.open(newline="") as file:
        _, *lines = csv.reader(file)
    for *cells, _, diff in lines:
        rows[tuple(cells)] += int(diff)
    return +rows


def ended(processes: list[subprocess.Popen[str]]) -> list[str]:
    """What the processes have written to standard error when all have ended."""
    try:
        return [process.communicate(timeout=60)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()


def test_two_machines_give_the_results_of_one(machines: Machines, script: Any, tmp_path: pathlib.Path) -> None:
    program = script(PROGRAM)
    processes = [machines.start(machine, program, tmp_path / f"{machine}.csv") for machine in range(2)]
    errors = ended(processes)
    assert [process.returncode for process in processes] == [0, 0], errors
    alone = pathway("spawn", sys.executable, program, tmp_path / "alone.csv")
    assert alone.returncode == 0, alone.stderr
    expected = final_rows(tmp_path / "alone.csv")
    assert expected.total() == 500
    assert final_rows(tmp_path / "0.csv") == expected
    assert not (tmp_path / "1.csv").exists()


def test_a_process_listens_at_its_address_only(machines: Machines, script: Any) -> None:
    waiting = machines.start(0, script(ENDLESS))
    try:
        # It has come so far when it answers.
        while not machines.can_connect(1, FIRST):
            assert waiting.poll() is None
        assert not machines.can_connect(1, FURTHER)
        assert not machines.can_connect(0, FURTHER)
        assert not machines.can_connect(0, "127.0.0.1")
    finally:
        waiting.terminate()
        waiting.communicate(timeout=60)


def test_both_ends_of_a_cable_that_is_cut_say_so(machines: Machines, script: Any) -> None:
    """The connections are idle or busy then; either way the end is noticed within the half minute that is promised."""
    program = script(ENDLESS)
    processes = [machines.start(machine, program) for machine in range(2)]
    assert processes[0].stdout is not None
    assert processes[0].stdout.readline() == "flowing\n"
    machines.cut()
    errors = ended(processes)
    for machine, (process, text) in enumerate(zip(processes, errors, strict=True)):
        other = f"{(SECOND, FIRST)[machine]}:{PORT}"
        assert process.returncode == 1, text
        assert f"process {1 - machine} at {other} is gone" in text


def test_an_address_that_swallows_everything_is_named(machines: Machines, script: Any) -> None:
    calling = machines.start(
        1, script(ENDLESS), addresses=f"{SILENT}:{PORT},{SECOND}:{PORT}", PATHWAY_CLUSTER_TIMEOUT="1"
    )
    (errors,) = ended([calling])
    assert calling.returncode == 1
    assert f"RuntimeError: process 0 was not found at {SILENT}:{PORT} within 1 s: " in errors
