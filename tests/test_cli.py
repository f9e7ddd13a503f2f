"""The command `pathway`: what the processes are told, how they end together, and what is refused.

The programs are small scripts that show their environment or wait for signals. Where a test has to know that
something has happened, a process says so.
"""

import fcntl
import itertools
import json
import os
import pathlib
import pty
import select
import shlex
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

PATHWAY = [sys.executable, "-m", "pathway.cli"]


def environment(**changes: str) -> dict[str, str]:
    """Ours, but nothing about threads and processes except the changes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PATHWAY_")}
    return {**kept, "PYTHONUNBUFFERED": "1", **changes}


def pathway(*arguments: object, **changes: str) -> subprocess.CompletedProcess[str]:
    command = [*PATHWAY, *map(str, arguments)]
    return subprocess.run(command, env=environment(**changes), capture_output=True, text=True, timeout=60)


# Below the ports that the system gives to whoever asks for any. Test programs that run at the same time begin at
# different ones, far from each other also where their numbers are not (the golden ratio does that).
FIRST_PORTS = range(20011, 32000, 10)
_first_ports = itertools.cycle(FIRST_PORTS)
next(itertools.islice(_first_ports, int(os.getpid() * 0.618034 % 1 * len(FIRST_PORTS)), None))


def free_ports(number: int) -> int:
    """The first of some ports in a row, ten at most, that nobody uses."""
    for first in itertools.islice(_first_ports, len(FIRST_PORTS)):
        with ExitStack() as stack:
            try:
                for port in range(first, first + number):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return first
    raise AssertionError("no free ports")


@pytest.fixture
def port() -> int:
    return free_ports(3)


SHOW = """
import json, os, sys
about = {name.removeprefix("PATHWAY_"): text for name, text in os.environ.items() if name.startswith("PATHWAY_")}
print(json.dumps({**about, "argv": sys.argv[1:], "other": os.environ.get("OTHER")}) + "\\n", end="")
"""


@pytest.fixture
def show(tmp_path: pathlib.Path) -> pathlib.Path:
    """A script that shows its arguments and environment."""
    path = tmp_path / "show.py"
    path.write_text(SHOW)
    return path


def shown(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """What the processes have shown, in their order."""
    assert done.returncode == 0, done.stderr
    return sorted((json.loads(line) for line in done.stdout.splitlines()), key=lambda about: int(about["PROCESS_ID"]))


def test_version_and_help() -> None:
    done = pathway("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("pathway, version ")
    for arguments in (["--help"], ["spawn", "--help"], ["spawn-from-env", "--help"]):
        done = pathway(*arguments)
        assert done.returncode == 0
        # Examples can be copied: nothing has refilled their lines.
        assert any(line.startswith("      pathway spawn") for line in done.stdout.splitlines()), done.stdout


# What the processes are told.


def test_one_process_by_default(show: pathlib.Path) -> None:
    (about,) = shown(pathway("spawn", sys.executable, show))
    assert (about["THREADS"], about["PROCESSES"], about["PROCESS_ID"]) == ("1", "1", "0")


def test_every_process_is_told_its_place(show: pathlib.Path, port: int) -> None:
    before = time.time_ns() // 1_000_000 - 2
    processes = shown(pathway("spawn", "-t", 2, "-n", 3, "--first-port", port, sys.executable, show, OTHER="passed"))
    after = time.time_ns() // 1_000_000
    assert [about["PROCESS_ID"] for about in processes] == ["0", "1", "2"]
    for name in ("RUN_ID", "START_TIMESTAMP_MS", "CLUSTER_SECRET"):
        assert len({about[name] for about in processes}) == 1
    for about in processes:
        assert (about["THREADS"], about["PROCESSES"], about["FIRST_PORT"]) == ("2", "3", str(port))
        assert about["other"] == "passed"
        assert "ADDRESSES" not in about
    start = int(processes[0]["START_TIMESTAMP_MS"])
    assert before <= start <= after
    assert start % 2 == 0
    assert len(processes[0]["CLUSTER_SECRET"]) == 64


def test_secrets_and_names_are_made_anew_unless_they_are_given(show: pathlib.Path) -> None:
    names = ("RUN_ID", "CLUSTER_SECRET", "START_TIMESTAMP_MS")
    first, second = (shown(pathway("spawn", show))[0] for _ in range(2))
    assert first["RUN_ID"] != second["RUN_ID"]
    assert first["CLUSTER_SECRET"] != second["CLUSTER_SECRET"]
    given = {"PATHWAY_RUN_ID": "a", "PATHWAY_CLUSTER_SECRET": "b", "PATHWAY_START_TIMESTAMP_MS": "1000"}
    (about,) = shown(pathway("spawn", show, **given))
    assert [about[name] for name in names] == ["a", "b", "1000"]
    (about,) = shown(pathway("spawn", show, **dict.fromkeys(given, "")))
    assert all(about[name] for name in names)


def test_what_follows_the_program_belongs_to_it(show: pathlib.Path) -> None:
    arguments = ["a b", "-n", "5", "--threads", "x", "--help", "--", "", "$HOME"]
    (about,) = shown(pathway("spawn", "-t", 2, show, *arguments))
    assert (about["argv"], about["THREADS"], about["PROCESSES"]) == (arguments, "2", "1")


def test_addresses_take_the_place_of_ports_and_number(show: pathlib.Path, port: int) -> None:
    addresses = f"127.0.0.1:{port},localhost:{port + 1}"
    processes = shown(pathway("spawn", "--addresses", addresses, show))
    assert [(about["ADDRESSES"], about["PROCESSES"]) for about in processes] == [(addresses, "2")] * 2


def test_one_of_several_machines(show: pathlib.Path, port: int) -> None:
    # The address of the other machine is not looked at.
    options = ["--addresses", f"192.0.2.1:{port},127.0.0.1:{port}", "--process-id", 1]
    (about,) = shown(pathway("spawn", *options, show, PATHWAY_CLUSTER_SECRET="s"))
    assert (about["PROCESS_ID"], about["PROCESSES"], about["CLUSTER_SECRET"]) == ("1", "2", "s")
    # Each machine would make up another.
    assert "RUN_ID" not in about
    assert "START_TIMESTAMP_MS" not in about


def test_options_come_from_the_environment_too(show: pathlib.Path, port: int) -> None:
    told = {"PATHWAY_THREADS": "3", "PATHWAY_PROCESSES": "2", "PATHWAY_FIRST_PORT": str(port)}
    assert [about["THREADS"] for about in shown(pathway("spawn", show, **told))] == ["3", "3"]
    assert [about["THREADS"] for about in shown(pathway("spawn", "-t", 1, "-n", 1, show, **told))] == ["1"]
    told = {"PATHWAY_ADDRESSES": f"127.0.0.1:{port},192.0.2.1:1", "PATHWAY_PROCESS_ID": "0"}
    assert len(shown(pathway("spawn", show, PATHWAY_CLUSTER_SECRET="s", **told))) == 1


def test_a_spawned_program_may_spawn(show: pathlib.Path) -> None:
    (about,) = shown(pathway("spawn", *PATHWAY, "spawn", "-t", 2, show))
    assert about["THREADS"] == "2"


def test_an_executable_script_is_run_as_it_says(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "main.py"
    path.write_text("#!/bin/sh\necho shell\n")
    path.chmod(0o755)
    assert pathway("spawn", path).stdout == "shell\n"


def test_what_the_shell_has_opened_reaches_the_program(show: pathlib.Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"rows")
    os.close(writer)
    command = [*PATHWAY, "spawn", "cat", f"/dev/fd/{reader}"]
    done = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, timeout=60, pass_fds=[reader])
    os.close(reader)
    assert done.stdout == b"rows"


def test_standard_input_goes_to_process_0(port: int) -> None:
    script = 'printf "%s %s\\n" "$PATHWAY_PROCESS_ID" "$(cat)"'
    command = [*PATHWAY, "spawn", "-n", "2", "--first-port", str(port), "sh", "-c", script]
    done = subprocess.run(command, env=environment(), input="rows", capture_output=True, text=True, timeout=60)
    assert sorted(done.stdout.splitlines()) == ["0 rows", "1 "]


# The arguments in the environment.


def test_spawn_from_env(show: pathlib.Path) -> None:
    arguments = f"--threads 2 {shlex.quote(str(show))} 'a b' \"c\" -n 7"
    (about,) = shown(pathway("spawn-from-env", PATHWAY_SPAWN_ARGS=arguments))
    assert (about["THREADS"], about["argv"]) == ("2", ["a b", "c", "-n", "7"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (None, "PATHWAY_SPAWN_ARGS is not set"),
        ("", "PATHWAY_SPAWN_ARGS is not set"),
        ("python 'main.py", "PATHWAY_SPAWN_ARGS: No closing quotation"),
        ("--threads 0 python", "0 is not in the range 1<=x<=1024"),
        ("--threads 2", "Missing argument 'PROGRAM'"),
    ],
)
def test_wrong_arguments_in_the_environment(arguments: str | None, message: str) -> None:
    done = pathway("spawn-from-env", **({} if arguments is None else {"PATHWAY_SPAWN_ARGS": arguments}))
    assert done.returncode == 2
    assert message in done.stderr
    assert "PATHWAY_SPAWN_ARGS" in done.stderr
    assert done.stdout == ""


def test_the_status_comes_through_spawn_from_env() -> None:
    assert pathway("spawn-from-env", PATHWAY_SPAWN_ARGS="sh -c 'exit 4'").returncode == 4


# What is refused. Nothing has started then.


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        (["-t", "0", "sh"], ["'--threads'", "0 is not in the range 1<=x<=1024"]),
        (["-n", "0", "sh"], ["'--processes'", "0 is not in the range x>=1"]),
        (["-n", "two", "sh"], ["'--processes'", "'two' is not a valid integer"]),
        (["-n", "2", "--first-port", "65535", "sh"], ["--first-port: 2 ports from 65535 on"]),
        (["--first-port", "0", "sh"], ["'--first-port'", "0 is not in the range"]),
        (["--workers", "2", "sh"], ["No such option", "--workers"]),
        (["no-such-program"], ["program not found: no-such-program"]),
        (["missing.py"], ["program not found: missing.py"]),
        (["/"], ["/ is not a program"]),
        (["--addresses", "a,b", "sh"], ["'--addresses'", "'a' is not an address of the form host:port"]),
        (["--addresses", "a:1,b:0", "sh"], ["'b:0': the port has to be a number from 1 to 65535"]),
        (["--addresses", "a:1,a:1", "sh"], ["a:1 is there twice"]),
        (["--addresses", "a:1,b:1", "-n", "3", "sh"], ["--processes 3 does not fit --addresses, which has 2"]),
        (["--process-id", "0", "sh"], ["--process-id needs --addresses"]),
        (["--addresses", "a:1,b:1", "--process-id", "2", "sh"], ["--process-id 2", "from 0 to 1"]),
        (["--addresses", "a:1,b:1", "--process-id", "0", "sh"], ["PATHWAY_CLUSTER_SECRET"]),
        (["--addresses", "192.0.2.1:1,192.0.2.2:1", "sh"], ["process 0 cannot listen at 192.0.2.1:1"]),
    ],
)
def test_usage_errors(options: list[str], messages: list[str]) -> None:
    done = pathway("spawn", *options, "-c", "echo started")
    check_usage_error(done, messages)


def test_a_program_is_needed() -> None:
    check_usage_error(pathway("spawn", "-t", 2), ["Missing argument 'PROGRAM'"])


def check_usage_error(done: subprocess.CompletedProcess[str], messages: list[str]) -> None:
    assert done.returncode == 2
    assert done.stdout == ""
    for message in messages:
        assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_named_before_anything_starts(show: pathlib.Path, port: int) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port + 1))
        other.listen()
        done = pathway("spawn", "-n", 3, "--first-port", port, show)
        assert done.returncode == 2
        assert f"process 1 cannot listen at 127.0.0.1:{port + 1}: Address already in use" in done.stderr
        assert done.stdout == ""
        # One process needs no port.
        assert len(shown(pathway("spawn", "--first-port", port + 1, show))) == 1


def test_a_program_of_a_wrong_format(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(b"\x00\x01")
    path.chmod(0o755)
    done = pathway("spawn", path)
    assert done.returncode == 1
    assert done.stderr == f"Error: cannot run {path}: Exec format error\n"


# How the processes end.


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
    wait_for(lambda: all(state(process) == "T" for process in program.ready))
    program.process.send_signal(signal.SIGCONT)
    assert program.end() == 0
    assert {"continued 0", "continued 1"} <= set(program.lines)


def test_a_second_ctrl_c_kills(spawned: Any) -> None:
    program = spawned(COUNTING)
    program.wait_for("ready 0", "ready 1")
    program.process.send_signal(signal.SIGINT)
    program.wait_for("got 0", "got 1")
    # Again and again: the first ones are taken for echoes, and some come when all has ended.
    wait_for(lambda: program.process.send_signal(signal.SIGINT) or program.process.poll() is not None)
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
    wait_for(lambda: not pathlib.Path(f"/proc/{other}").exists())
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


def wait_for(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.01)


# Real computations.

WORDS = """
import sys
import pathway as pw

class Words(pw.io.python.ConnectorSubject):
    def run(self):
        for number in range(1000):
            self.next(word=f"w{number % 7}")

words = pw.io.python.read(Words(), schema=pw.schema_from_types(word=str))
counted = words.groupby(words.word).reduce(words.word, count=pw.reducers.count())
pw.io.csv.write(counted, sys.argv[1])
pw.run()
"""


def test_a_computation_on_three_threads(tmp_path: pathlib.Path) -> None:
    (tmp_path / "main.py").write_text(WORDS)
    counts = []
    for threads in (1, 3):
        path = tmp_path / f"{threads}.csv"
        done = pathway("spawn", "-t", threads, tmp_path / "main.py", path)
        assert done.returncode == 0, done.stderr
        final = {}
        for line in path.read_text().splitlines()[1:]:
            word, count, _, diff = line.split(",")
            if diff.strip('"') == "1":
                final[word] = count
        counts.append(final)
    assert counts[0] == counts[1]
    assert len(counts[0]) == 7


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


def test_log_lines_of_other_processes_name_them(tmp_path: pathlib.Path) -> None:
    (tmp_path / "main.py").write_text(WORDS + "import logging\nlogging.info('written')\n")
    done = pathway("spawn", "-n", 2, "--first-port", free_ports(2), tmp_path / "main.py", tmp_path / "out.csv")
    assert done.returncode == 0, done.stderr
    lines = sorted(line for line in done.stderr.splitlines() if "INFO:written" in line)
    assert len(lines) == 2
    assert lines[0].startswith("[20")
    assert lines[1].startswith("[process 1] [20")
