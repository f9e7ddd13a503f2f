"""The command `pathway`: how the processes that it has started end together.

The programs are small scripts that wait for signals. Where a test has to know that something has happened, a process
says so.
"""

import fcntl
import os
import pathlib
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.processes import PATHWAY, environment, free_ports, pathway
from tests.waiting import when


@pytest.mark.parametrize(
    ("scripts", "status"),
    [
        (["exit 0"], 0),
        (["exit 3"], 3),
        (["kill -9 $$"], 137),
        (["exit 1", "exit 5", "exit 2"], 5),
        (["exit 0", "exit 5"], 5),
        (["exit 0", "kill -SEGV $$"], 139),
    ],
)
def test_the_largest_exit_status(scripts: list[str], status: int) -> None:
    cases = " ".join(f"{number}) {script};;" for number, script in enumerate(scripts))
    first_port = free_ports(len(scripts))
    script = f"case $PATHWAY_PROCESS_ID in {cases} esac"
    done = pathway("spawn", "-n", len(scripts), "--first-port", first_port, "sh", "-c", script)
    assert done.returncode == status
    assert ("SIGKILL" in done.stderr) == (status == 137)


class Spawned:
    """`pathway spawn -n 2` of a Python script, read line by line."""

    def __init__(self, script: str, *, processes: int = 2, terminal: bool = False) -> None:
        self.lines: list[str] = []
        self._partial = b""
        command = [*PATHWAY, "spawn", "-n", str(processes), "--first-port", str(free_ports(processes))]
        command += [sys.executable, "-c", script]
        if terminal:
            self._output, theirs = pty.openpty()
            self.terminal = self._output
            # What is typed does not show up between the lines.
            modes = termios.tcgetattr(theirs)
            modes[3] &= ~termios.ECHO
            termios.tcsetattr(theirs, termios.TCSANOW, modes)

            def take_the_terminal() -> None:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)

            self.process = subprocess.Popen(
                command,
                env=environment(),
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                start_new_session=True,
                preexec_fn=take_the_terminal,
            )
        else:
            self._output, theirs = os.pipe()
            self.process = subprocess.Popen(command, env=environment(), stdout=theirs, stderr=theirs)
        os.close(theirs)

    def wait_for(self, *expected: str) -> None:
        """Reads until there is a line that begins like each of these."""
        while not all(any(line.startswith(start) for line in self.lines) for start in expected):
            assert self._read(), f"never saw {expected} in {self.lines}"

    @property
    def ready(self) -> list[int]:
        """The processes, by their ids, that have said that they are ready; in their order."""
        return [int(line.split()[2]) for line in sorted(self.lines) if line.startswith("ready")]

    def end(self) -> int:
        """Reads to the end, when nobody is left who could write; the exit status."""
        while self._read():
            pass
        return self.process.wait(timeout=60)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._output)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._output], [], [], 60)
        assert ready, f"nothing more after {self.lines}"
        try:
            data = os.read(self._output, 65536)
        except OSError:
            # What Linux says when the last program in the terminal has ended.
            return False
        *complete, self._partial = (self._partial + data).split(b"\n")
        self.lines += [line.decode().strip() for line in complete]
        return bool(data)


@pytest.fixture
def spawned() -> Iterator[Any]:
    with ExitStack() as stack:

        def start(script: str, **options: Any) -> Spawned:
            started = Spawned(script, **options)
            stack.callback(started.close)
            return started

        yield start


PROGRAM = """
import os, signal, sys, time
me = os.environ["PATHWAY_PROCESS_ID"]
def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
"""

# Counts what it gets, and ends when it is told to with SIGUSR1.
COUNTING = (
    PROGRAM
    + """
counts = {}
def count(number, frame):
    counts[number] = counts.get(number, 0) + 1
    say("got", me, signal.Signals(number).name)
def finish(number, frame):
    say("counted", me, sorted(counts.values()))
    sys.exit(int(me))
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, count)
signal.signal(signal.SIGUSR1, finish)
say("ready", me, os.getpid())
while True:
    signal.pause()
"""
)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_reaches_every_process_once(spawned: Any, number: signal.Signals) -> None:
    program = spawned(COUNTING)
    program.wait_for("ready 0", "ready 1")
    # As timeout(1) does it.
    program.process.send_signal(number)
    program.process.send_signal(number)
    program.wait_for(f"got 0 {number.name}", f"got 1 {number.name}")
    program.process.send_signal(signal.SIGUSR1)
    # They take their time, and end with statuses of their own.
    assert program.end() == 1
    assert {"counted 0 [1]", "counted 1 [1]"} <= set(program.lines)
    assert not any(line.startswith("pathway spawn:") for line in program.lines)


def test_ctrl_c_in_a_terminal_reaches_every_process_once(spawned: Any) -> None:
    program = spawned(COUNTING, terminal=True)
    program.wait_for("ready 0", "ready 1")
    # The terminal sends to a whole process group: that of the command. No process must be in there.
    foreground = os.tcgetpgrp(program.terminal)
    assert foreground == os.getpgid(program.process.pid)
    for process in program.ready:
        assert os.getsid(process) != os.getsid(program.process.pid)
    os.write(program.terminal, b"\x03")
    program.wait_for("got 0 SIGINT", "got 1 SIGINT")
    program.process.send_signal(signal.SIGUSR1)
    assert program.end() == 1
    assert {"counted 0 [1]", "counted 1 [1]"} <= set(program.lines)


def test_processes_can_read_from_the_terminal(spawned: Any) -> None:
    script = PROGRAM + "say('ready', sys.stdin.isatty(), os.get_terminal_size() is not None)\nsay('read', input())"
    program = spawned(script, processes=1, terminal=True)
    program.wait_for("ready True True")
    os.write(program.terminal, b"words\n")
    program.wait_for("read words")
    assert program.end() == 0


def test_ctrl_z_stops_the_processes_until_they_are_continued(spawned: Any) -> None:
    continued = """
signal.signal(signal.SIGCONT, lambda number, frame: (say("continued", me), sys.exit(0)))
say("ready", me, os.getpid())
while True:
    signal.pause()
"""
    program = spawned(PROGRAM + continued, terminal=True)
    program.wait_for("ready 0", "ready 1")
    os.write(program.terminal, b"\x1a")
    _, status = os.waitpid(program.process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    when(lambda: all(state(process) == "T" for process in program.ready))
    program.process.send_signal(signal.SIGCONT)
    assert program.end() == 0
    assert {"continued 0", "continued 1"} <= set(program.lines)


def test_a_second_ctrl_c_kills(spawned: Any) -> None:
    program = spawned(COUNTING)
    program.wait_for("ready 0", "ready 1")
    program.process.send_signal(signal.SIGINT)
    program.wait_for("got 0", "got 1")
    # Again and again: the first ones are taken for echoes, and some come when all has ended.
    when(lambda: program.process.send_signal(signal.SIGINT) or program.process.poll() is not None)
    assert program.end() == 137
    assert sum(line.startswith("got") for line in program.lines) == 2


def test_programs_that_end_on_ctrl_c_have_not_failed(spawned: Any) -> None:
    # One ends at once with a status of its own, the other has to write what it has.
    ending = """
def end(number, frame):
    if me == "1":
        sys.exit(1)
    say("writing", me)
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGUSR1, lambda number, frame: (say("written", me), sys.exit(0)))
say("ready", me, os.getpid())
while True:
    signal.pause()
"""
    program = spawned(PROGRAM + ending)
    program.wait_for("ready 0", "ready 1")
    _, other = program.ready
    program.process.send_signal(signal.SIGTERM)
    program.wait_for("writing 0")
    # It is gone when the command has asked for its status.
    when(lambda: not pathlib.Path(f"/proc/{other}").exists())
    # More than the time that is given to others after a failure.
    with pytest.raises(subprocess.TimeoutExpired):
        program.process.wait(timeout=5)
    program.process.send_signal(signal.SIGUSR1)
    assert program.end() == 1
    assert program.lines[-1] == "written 0"


FAILING = """
signal.signal(signal.SIGTERM, {handler})
if me == "1":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(3))
say("ready", me, os.getpid())
while True:
    signal.pause()
"""


@pytest.mark.parametrize(
    ("handler", "status", "last"),
    [("signal.SIG_DFL", 143, "SIGTERM"), ("signal.SIG_IGN", 137, "SIGKILL")],
)
def test_a_failure_ends_the_other_processes(spawned: Any, handler: str, status: int, last: str) -> None:
    program = spawned(PROGRAM + FAILING.format(handler=handler))
    program.wait_for("ready 0", "ready 1")
    _, failing = program.ready
    start = time.monotonic()
    os.kill(failing, signal.SIGTERM)
    assert program.end() == status
    assert time.monotonic() - start < 10
    assert "pathway spawn: process 1 ended with status 3" in program.lines
    assert program.lines[-1] == f"pathway spawn: process 0 is still there: sending {last}"


def test_processes_that_end_by_themselves_after_a_failure_are_left_alone(spawned: Any) -> None:
    script = """
if me == "0":
    signal.signal(signal.SIGUSR1, lambda number, frame: (say("noticed"), sys.exit(2)))
    say("ready", me)
    while True:
        signal.pause()
os.kill(os.getpid(), signal.SIGKILL)
"""
    program = spawned(PROGRAM + script)
    program.wait_for("ready 0", "pathway spawn: process 1 was killed by SIGKILL")
    program.process.send_signal(signal.SIGUSR1)
    assert program.end() == 137
    assert "noticed" in program.lines
    assert not any("sending" in line for line in program.lines)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")
def test_processes_end_when_the_command_is_killed(spawned: Any) -> None:
    program = spawned(COUNTING)
    program.wait_for("ready 0", "ready 1")
    program.process.kill()
    program.wait_for("got 0 SIGTERM", "got 1 SIGTERM")
    for process in program.ready:
        os.kill(process, signal.SIGKILL)
    assert program.end() == -signal.SIGKILL


def state(process: int) -> str:
    """The letter of ps(1) for a process that is not our child: T for a stopped one."""
    return pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(") ")[1][0]


def test_a_process_that_had_ended_before_is_named(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "main.py"
    script.write_text("""
import os, pathlib, sys, time
number = pathlib.Path(sys.argv[1])
if os.environ["PATHWAY_PROCESS_ID"] == "1":
    temporary = number.with_suffix(".new")
    temporary.write_text(str(os.getpid()))
    temporary.rename(number)
    sys.exit()
while not number.exists():
    time.sleep(0.01)
while True:
    try:
        os.kill(int(number.read_text()), 0)
    except ProcessLookupError:
        # The command has noticed it.
        sys.exit(3)
    time.sleep(0.01)
""")
    done = pathway("spawn", "-n", 2, "--first-port", free_ports(2), script, tmp_path / "number")
    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        "pathway spawn: process 0 ended with status 3",
        "pathway spawn: process 1 had ended before, with status 0",
    ]
