"""Strangers at the ports of a cluster, and processes that are there and say nothing."""

from __future__ import annotations

import contextlib
import pathlib
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from tests.processes import environment, free_ports

pytestmark = [pytest.mark.attack, pytest.mark.one_process("the programs are processes of their own")]

PROGRAM = """
import sys
import pathway as pw

class Row(pw.Schema):
    a: int

class Numbers(pw.io.python.ConnectorSubject):
    def run(self):
        for number in range(10):
            self.next(a=number)
        if "endless" in sys.argv:
            print("running", flush=True)
            while True:
                self._wait()

    def _wait(self):
        import threading
        threading.Event().wait(0.1)

rows = pw.io.python.read(Numbers(), schema=Row, autocommit_duration_ms=10)
pw.io.csv.write(rows.groupby(rows.a).reduce(rows.a), "out.csv")
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
"""


@pytest.fixture
def script(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "main.py"
    path.write_text(PROGRAM)
    return path


def start(
    script: pathlib.Path, number: int, port: int, *arguments: str, addresses: str = "", **changes: str
) -> subprocess.Popen[str]:
    changes = {"PATHWAY_CLUSTER_SECRET": "s", "PATHWAY_CLUSTER_TIMEOUT": "60", **changes}
    if addresses:
        changes["PATHWAY_ADDRESSES"] = addresses
    return subprocess.Popen(
        [sys.executable, script, *arguments],
        env=environment(PATHWAY_PROCESSES="2", PATHWAY_PROCESS_ID=str(number), PATHWAY_FIRST_PORT=str(port), **changes),
        cwd=script.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def call(port: int, patience: float = 30) -> socket.socket:
    """A connection to a process, as soon as it listens."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=30)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.01)


class Strangers:
    """Many who call a port, and call again when they are refused. Each has its way to say nothing of sense."""

    def __init__(self, port: int, number: int, seed: int) -> None:
        self._port = port
        self._random = random.Random(seed)
        self._callers: list[tuple[socket.socket, str]] = []
        self._is_over = threading.Event()
        self._lock = threading.Lock()
        self.calls = 0
        for _ in range(number):
            self._add()
        self._thread = threading.Thread(target=self._go_on)

    def _add(self, patience: float = 30) -> None:
        caller = call(self._port, patience)
        caller.setblocking(False)
        way = self._random.choice(["silent", "slow", "magic", "garbage", "http"])
        self._callers.append((caller, way))
        self.calls += 1
        first = {
            "silent": b"",
            "slow": b"t",
            "magic": b"towpath\x02",
            "garbage": self._random.randbytes(self._random.randrange(1, 200)),
            "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        }[way]
        with contextlib.suppress(OSError):
            caller.send(first)

    def _go_on(self) -> None:
        while not self._is_over.wait(0.05):
            for place, (caller, way) in list(enumerate(self._callers)):
                try:
                    if way in ("slow", "magic"):
                        caller.send(b"o")
                    if caller.recv(1000) != b"":
                        continue
                except BlockingIOError:
                    continue
                except OSError:
                    pass
                caller.close()
                try:
                    self._callers.pop(place)
                    self._add(0)
                except (OSError, AssertionError):
                    # The port is closed: all are there.
                    return

    def __enter__(self) -> Strangers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        for caller, _way in self._callers:
            caller.close()


@pytest.mark.parametrize("secret", ["s", ""])
def test_the_rightful_process_joins_beside_300_strangers(script: pathlib.Path, attack_seed: int, secret: str) -> None:
    port = free_ports(2)
    changes = {"PATHWAY_CLUSTER_SECRET": secret}
    first = start(script, 0, port, **changes)
    with Strangers(port, 300, attack_seed) as strangers:
        begin = time.monotonic()
        second = start(script, 1, port, **changes)
        outputs = [process.communicate(timeout=60) for process in (first, second)]
        took = time.monotonic() - begin
    assert [process.returncode for process in (first, second)] == [0, 0], outputs
    # With the start of the interpreter.
    assert took < 5 + 3
    assert strangers.calls >= 300
    log = outputs[0][1].splitlines()
    assert 1 <= len(log) <= 8, log
    assert (script.parent / "out.csv").read_text().count("\n") == 11


def test_garbage_at_every_port_ends_nothing(script: pathlib.Path, attack_seed: int) -> None:
    """Also at the one of the process with the greatest number, which nobody calls."""
    chance = random.Random(attack_seed)
    port = free_ports(2)
    first = start(script, 0, port)
    for _ in range(50):
        with call(port) as stranger:
            stranger.sendall(b"towpath\x02"[: chance.randrange(9)] + chance.randbytes(chance.randrange(3000)))
    second = start(script, 1, port)
    outputs = [process.communicate(timeout=60) for process in (first, second)]
    assert [process.returncode for process in (first, second)] == [0, 0], outputs


@contextlib.contextmanager
def stopped(process: subprocess.Popen[str]) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.kill()
        process.communicate(timeout=60)


@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_is_stopped_is_noticed_and_named(script: pathlib.Path, victim: int) -> None:
    port = free_ports(2)
    processes = [start(script, number, port, "endless", PATHWAY_CLUSTER_SILENCE="2") for number in range(2)]
    assert processes[0].stdout is not None
    assert processes[0].stdout.readline() == "running\n"
    begin = time.monotonic()
    with stopped(processes[victim]):
        other = processes[1 - victim]
        _, errors = other.communicate(timeout=60)
    assert time.monotonic() - begin < 8
    assert other.returncode == 1
    assert (
        f"process {victim} at 127.0.0.1:{port + victim} is gone without a word (nothing was heard of it for 2 s)"
        in (errors)
    )


def test_processes_that_are_stopped_together_go_on_together(script: pathlib.Path) -> None:
    """As with Ctrl-Z: what was silent while we were not there ourselves was not silent."""
    port = free_ports(2)
    processes = [start(script, number, port, "endless", PATHWAY_CLUSTER_SILENCE="1") for number in range(2)]
    assert processes[0].stdout is not None
    assert processes[0].stdout.readline() == "running\n"
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    threading.Event().wait(1.5)
    for process in processes:
        process.send_signal(signal.SIGCONT)
    threading.Event().wait(1.5)
    assert [process.poll() for process in processes] == [None, None]
    processes[0].send_signal(signal.SIGTERM)
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [143, 0]
