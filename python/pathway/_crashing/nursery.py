"""A process that has imported a program and runs it in children, each of which may be killed.

To fork takes a few milliseconds, to import everything a second. The process does one thing at a time: it is told what
to run, forks, waits, kills, and answers what became of it; so a child is killed before anybody else can have its
number. With the process that has started it, or when that asks for the end, it ends with all its children.
"""

from __future__ import annotations

import itertools
import logging
import os
import pickle
import select
import signal
import struct
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, NoReturn

from pathway._crashing import program, work
from pathway._running.backends import Backend
from pathway._running.persisting import Config

# What the process runs, with its input and output for orders and answers.
_COMMAND = "import sys; sys.path[:] = {path!r}; from pathway._crashing import nursery; nursery.serve()"

# A program that imports itself this way is the one that is being tried.
_MARK = "PATHWAY_NURSERY"

_KILLED = -signal.SIGKILL

_CLUSTER_SECONDS = "5"

_ports = itertools.count()

# The processes that share a computation; here there is one.
_OF_CLUSTERS = ("PATHWAY_PROCESSES", "PATHWAY_PROCESS_ID", "PATHWAY_ADDRESSES")


class Order(NamedTuple):
    """A run of the program."""

    folder: Path
    storage: Path
    log: Path
    # What is added to the environment of the victim.
    environment: dict[str, str]
    # It is killed after so many seconds; the second number is when it counts as one that hangs.
    kill_after: float | None
    timeout: float
    processes: int = 1
    # The process that is killed, if not all are.
    victim: int | None = None
    # Arguments of `pw.persistence.Config`.
    config: dict[str, Any] | None = None


class Outcome(NamedTuple):
    """What has become of it."""

    # As that of subprocess, of the first of its processes that has failed.
    status: int
    # Whether one of them was killed as it should be; whether one of them has hung.
    was_killed: bool
    has_hung: bool
    seconds: float
    # After how many seconds it had what was kept.
    recovered: float | None


class Nursery:
    """The process, for the one who has started it.

    Raises:
        RuntimeError: the program cannot be imported there.
    """

    def __init__(self, found_there: program.Program) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in _OF_CLUSTERS}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND.format(path=sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**environment, _MARK: "1"},
            # A Ctrl-C is for us, and all of them can be ended together.
            start_new_session=True,
        )
        try:
            self._ask(found_there)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Nursery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, order: Order) -> Outcome:
        """Runs the program to its end, or until it is killed."""
        answer = self._ask(order)
        assert isinstance(answer, Outcome)
        return answer

    def close(self) -> None:
        """Ends the process and its children."""
        if self._process.returncode is None:
            # Nobody else has its number before it is waited for.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _ask(self, question: object) -> object:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            pickle.dump(question, stdin)
            stdin.flush()
            answer = pickle.load(stdout)
        except (EOFError, BrokenPipeError):
            raise RuntimeError("the process that runs the program has ended; see what it has printed") from None
        if isinstance(answer, str):
            raise RuntimeError(f"the program cannot be imported in a process of its own:\n{answer}")
        return answer


def is_one() -> bool:
    """Whether this process is one, or a child of one."""
    return _MARK in os.environ


def serve() -> None:
    """What the process does."""
    orders = os.fdopen(os.dup(0), "rb", buffering=0)
    answers = os.fdopen(os.dup(1), "wb")
    # What the program reads and prints is no order and no answer.
    _redirect(os.devnull, os.O_RDONLY, 0)
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        functions = program.found(pickle.load(orders))
    except BaseException:
        _answer(answers, traceback.format_exc())
        return
    _answer(answers, True)
    while True:
        try:
            order = pickle.load(orders)
        except EOFError:
            return
        _answer(answers, _run(order, functions, orders))


def _answer(answers: IO[bytes], answer: object) -> None:
    pickle.dump(answer, answers)
    answers.flush()


def _redirect(path: str | Path, flags: int, *descriptors: int) -> None:
    opened = os.open(path, flags, 0o666)
    for descriptor in descriptors:
        os.dup2(opened, descriptor)
    os.close(opened)


def _run(order: Order, functions: tuple[Callable[..., Any] | None, ...], orders: IO[bytes]) -> Outcome:
    started = time.monotonic()
    addresses = _addresses(order.processes)
    reader, writer = os.pipe()
    children = []
    for number in range(order.processes):
        child = os.fork()
        if child == 0:
            os.close(reader)
            orders.close()
            _work(order, number, addresses, functions, writer)
        children.append(child)
    os.close(writer)
    statuses, was_killed, has_hung = _wait(order, started, children, orders)
    ended = time.monotonic()
    stamps = os.read(reader, 8 * order.processes)
    os.close(reader)
    recovered = [stamp for (stamp,) in struct.iter_unpack("d", stamps[: len(stamps) // 8 * 8])]
    return Outcome(
        status=next((status for status in statuses if status), 0),
        was_killed=was_killed,
        has_hung=has_hung,
        seconds=ended - started,
        # A process that has nothing to recover does not say so.
        recovered=max(recovered) - started if recovered else None,
    )


def _addresses(processes: int) -> list[str]:
    """Where the processes of a run listen: nobody else uses this host."""
    number = os.getpid()
    host = f"127.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return [f"{host}:{12000 + next(_ports) % 20000}" for _ in range(processes)]


def _wait(order: Order, started: float, children: list[int], orders: IO[bytes]) -> tuple[list[int], bool, bool]:
    """Waits for the end of all children and kills those that are to be: their statuses, whether any was killed, and
    whether any has hung."""
    statuses: dict[int, int] = {}
    watched = {os.pidfd_open(child): child for child in children}
    kill_at = None if order.kill_after is None else started + order.kill_after
    hangs_at = started + order.timeout
    was_killed = has_hung = False
    while watched:
        until = hangs_at if kill_at is None else min(kill_at, hangs_at)
        ready, _, _ = select.select([*watched, orders.fileno()], [], [], max(0.0, until - time.monotonic()))
        for descriptor in set(ready) & watched.keys():
            child = watched.pop(descriptor)
            os.close(descriptor)
            statuses[child] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            was_killed |= statuses[child] == _KILLED and not has_hung
        if orders.fileno() in ready:
            # The one who waits for the answer has gone.
            _kill(watched.values())
            os._exit(1)
        if not ready and until == kill_at:
            kill_at = None
            victims = children if order.victim is None else [children[order.victim]]
            _kill(child for child in victims if child in watched.values())
        elif not ready:
            has_hung = True
            hangs_at += order.timeout
            _kill(watched.values())
    return [statuses[child] for child in children], was_killed, has_hung


def _kill(children: Iterable[int]) -> None:
    for child in children:
        os.kill(child, signal.SIGKILL)


class _Recovered(logging.Handler):
    """Notes when a run has what was kept."""

    def __init__(self, writer: int) -> None:
        super().__init__(logging.INFO)
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith("recovered "):
            os.write(self._writer, struct.pack("d", time.monotonic()))


def _work(
    order: Order, number: int, addresses: list[str], functions: tuple[Callable[..., Any] | None, ...], writer: int
) -> NoReturn:
    """What a child does."""
    status = 1
    try:
        _redirect(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 1, 2)
        if order.victim in (None, number):
            os.environ.update(order.environment)
        if order.processes > 1:
            os.environ["PATHWAY_ADDRESSES"] = ",".join(addresses)
            os.environ["PATHWAY_PROCESS_ID"] = str(number)
            # One that waits for another that was killed before it was there need not wait long.
            os.environ.setdefault("PATHWAY_CLUSTER_TIMEOUT", _CLUSTER_SECONDS)
        logger = logging.getLogger("pathway")
        logger.setLevel(logging.INFO)
        logger.addHandler(_Recovered(writer))
        make_pipeline, until = functions
        assert make_pipeline is not None
        work.run(make_pipeline, until, order.folder, Config(Backend.filesystem(order.storage), **(order.config or {})))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)
