"""Runs the processes of one program until all have ended.

Every process leads a session of its own. So a Ctrl-C in the terminal reaches only the supervisor, which passes it on
exactly once: a process takes a second signal for impatience and drops rows. What a terminal sends to the processes in
its foreground is passed on for the same reason. Without a terminal to control them the processes can still read from
it, write to it and ask for its size.

A process that ends with an error is followed by the others: they notice by themselves that they lost it, and if they
do not, they are told to end and then killed. Processes that were asked to end may take the time they need to
write what they have; a second Ctrl-C kills them.

Everything happens in one thread, which sleeps until a signal comes (the end of a process is one, SIGCHLD).
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import FrameType
from typing import Self

import click

from pathway._ground.signals import ECHO_SECONDS

# What asks a program to end. The first is passed on, another one kills.
_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

# What is passed on whenever it comes.
_PASSED_ON = (signal.SIGCONT, signal.SIGWINCH, signal.SIGUSR1, signal.SIGUSR2)

# After one process has failed: how long the others may run until they are told to end, and from then until they are
# killed. Together less than the 5 seconds after which everything has ended.
_GRACE_SECONDS = 2.5
_TERMINATION_SECONDS = 2.0

_PR_SET_PDEATHSIG = 1


Environments = Mapping[int, Mapping[str, str]]


def run(
    command: Sequence[str],
    environments: Environments,
    again: Callable[[Mapping[int, int]], Environments | None] = lambda statuses: None,
) -> int:
    """Runs one process for each environment, whose key is its number; gives back the largest exit status.

    If they were not asked to end, `again` is told the status of each, and may have others run after them.
    An OSError says that a process could not be started; then none is left.
    """
    with _Signals() as signals:
        while True:
            supervisor = _Supervisor(signals)
            try:
                for number, environment in environments.items():
                    supervisor.start(number, command, environment)
            except BaseException:
                supervisor.kill()
                raise
            supervisor.wait()
            statuses = {number: _status(process) for number, process in supervisor.processes.items()}
            following = None if supervisor.was_asked else again(statuses)
            if following is None:
                return max(statuses.values())
            environments = following


class _Supervisor:
    def __init__(self, signals: _Signals) -> None:
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self._signals = signals
        # When the processes were asked to end.
        self._asked: float | None = None
        self._failed = False
        # What is sent to the processes that are left, and when, earliest first.
        self._escalation: list[tuple[float, signal.Signals]] = []

    def start(self, number: int, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.processes[number] = subprocess.Popen(
            command,
            env=environment,
            # Several processes would tear apart what is typed or piped.
            stdin=None if not self.processes else subprocess.DEVNULL,
            # What the shell has opened for the program, as in `program <(zcat rows.gz)`. Ours are not inherited.
            close_fds=False,
            start_new_session=True,
            preexec_fn=_end_with_parent(),
        )

    def wait(self) -> None:
        """Returns when all processes have ended."""
        while self._look():
            now = time.monotonic()
            seconds = max(0.0, self._escalation[0][0] - now) if self._escalation else None
            for number in self._signals.wait(seconds):
                self._receive(number)
            while self._escalation and self._escalation[0][0] <= time.monotonic():
                _, number = self._escalation.pop(0)
                running = [process for process, handle in self.processes.items() if handle.returncode is None]
                _tell(f"{_named(running)} still there: sending {number.name}")
                self._send(number)

    @property
    def was_asked(self) -> bool:
        """Whether the processes were asked to end."""
        return self._asked is not None

    def kill(self) -> None:
        """Kills all processes and waits for their ends."""
        self._send(signal.SIGKILL)
        for process in self.processes.values():
            process.wait()

    def _look(self) -> bool:
        """Whether processes are left. What the others have left with is judged."""
        running = [number for number, process in self.processes.items() if process.poll() is None]
        failed = [number for number, process in self.processes.items() if self._has_failed(process)]
        if failed and not self._failed:
            self._failed = True
            for number in failed:
                code = self.processes[number].returncode
                # A program that runs alone has said itself why it ended, if it could.
                if len(self.processes) > 1 or code < 0:
                    _tell(f"process {number} {_end(code)}")
            for number, process in self.processes.items():
                if process.returncode == 0:
                    # The others may have waited for it.
                    _tell(f"process {number} had ended before, with status 0")
            if running:
                now = time.monotonic()
                self._escalation = [
                    (now + _GRACE_SECONDS, signal.SIGTERM),
                    (now + _GRACE_SECONDS + _TERMINATION_SECONDS, signal.SIGKILL),
                ]
        return bool(running)

    def _has_failed(self, process: subprocess.Popen[bytes]) -> bool:
        code = process.returncode
        if code is None or self._asked is None:
            return bool(code)
        # Programs that were asked to end do so with all kinds of statuses. A crash is another thing.
        return code < 0 and -code not in (*_STOP, signal.SIGKILL)

    def _receive(self, number: int) -> None:
        if number in _STOP:
            now = time.monotonic()
            if self._asked is None:
                self._asked = now
                self._send(number)
            elif now - self._asked > ECHO_SECONDS:
                self._send(signal.SIGKILL)
        elif number == signal.SIGTSTP:
            # Ctrl-Z. SIGTSTP itself has no effect on a session that nothing controls.
            self._send(signal.SIGSTOP)
            os.kill(os.getpid(), signal.SIGSTOP)
        elif number in _PASSED_ON:
            self._send(number)

    def _send(self, number: int) -> None:
        """To the processes and what they have started in turn, as a terminal does it."""
        for process in self.processes.values():
            # A process that was not waited for still has its number: it cannot be somebody else's.
            if process.returncode is None:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, number)


class _Signals:
    """Notes the signals that come in, in their order, for one thread that waits for them."""

    def __enter__(self) -> Self:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        # Python writes the number of every signal that has a handler.
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in (*_STOP, *_PASSED_ON, signal.SIGTSTP, signal.SIGCHLD):
            # nohup, and shells that start something in the background, mean it. Without SIGCHLD we would miss ends.
            if number == signal.SIGCHLD or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _noted)
        return self

    def __exit__(self, *_: object) -> None:
        """The command is about to end, and an impatient Ctrl-C must not change the exit status any more."""
        for number in _STOP:
            signal.signal(number, signal.SIG_IGN)
        signal.set_wakeup_fd(-1)
        self._reader.close()
        self._writer.close()

    def wait(self, seconds: float | None) -> bytes:
        """The numbers of the signals that have come, at least one unless the seconds are over."""
        ready, _, _ = select.select([self._reader], [], [], seconds)
        return self._reader.recv(4096) if ready else b""


def _noted(_number: int, _frame: FrameType | None) -> None:
    """A signal with a handler is written to the wakeup file; there is nothing else to do."""


def _end_with_parent() -> Callable[[], None] | None:
    """Runs in the new process, which will get SIGTERM when the supervisor dies, even of `kill -9`. Linux only."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    supervisor = os.getpid()

    def before_the_program() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != supervisor:
            os._exit(128 + signal.SIGTERM)

    return before_the_program


def _status(process: subprocess.Popen[bytes]) -> int:
    code = process.returncode
    return code if code >= 0 else 128 - code


def _end(code: int) -> str:
    if code >= 0:
        return f"ended with status {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _named(processes: Sequence[int]) -> str:
    if len(processes) == 1:
        return f"process {processes[0]} is"
    return f"processes {', '.join(map(str, processes))} are"


def _tell(message: str) -> None:
    # The terminal may be gone; the processes have to be looked after all the same.
    with suppress(OSError):
        click.echo(f"pathway spawn: {message}", err=True)
