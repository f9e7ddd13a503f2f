"""A process that has imported a program and runs it in children, each of which may be killed.

To fork takes a few milliseconds, to import everything a second. The process does one thing at a time: it is told what
to run, forks, waits, kills, and answers what became of it; so a child is killed before anybody else can have its
number. With the process that has started it, or when that asks for the end, it ends with all its children.
"""

from __future__ import annotations

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
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, NoReturn

from pathway._crashing import program, work

# What the process runs, with its input and output for orders and answers.
_COMMAND = "import sys; sys.path[:] = {path!r}; from pathway._crashing import nursery; nursery.serve()"

# A program that imports itself this way is the one that is being tried.
_MARK = "PATHWAY_NURSERY"

# The processes that share a computation; here there is one.
_OF_CLUSTERS = ("PATHWAY_PROCESSES", "PATHWAY_PROCESS_ID", "PATHWAY_ADDRESSES")


class Order(NamedTuple):
    """A run of the program."""

    folder: Path
    storage: Path
    log: Path
    environment: dict[str, str]
    # It is killed after so many seconds; the second number is when it counts as one that hangs.
    kill_after: float | None
    timeout: float


class Outcome(NamedTuple):
    """What has become of it."""

    # As that of subprocess: -9 if it was killed.
    status: int
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
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        orders.close()
        _work(order, functions, writer)
    os.close(writer)
    seconds = order.timeout if order.kill_after is None else min(order.kill_after, order.timeout)
    watched = os.pidfd_open(child)
    try:
        ready, _, _ = select.select([watched, orders.fileno()], [], [], max(0.0, started + seconds - time.monotonic()))
    finally:
        os.close(watched)
    if watched not in ready:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    ended = time.monotonic()
    if ready and watched not in ready:
        # Nobody waits for the answer: the one who has started this has gone.
        os._exit(1)
    stamp = os.read(reader, 8)
    os.close(reader)
    return Outcome(
        status=os.waitstatus_to_exitcode(status),
        has_hung=not ready and (order.kill_after is None or order.kill_after > order.timeout),
        seconds=ended - started,
        recovered=struct.unpack("d", stamp)[0] - started if len(stamp) == 8 else None,
    )


class _Recovered(logging.Handler):
    """Notes when a run has what was kept."""

    def __init__(self, writer: int) -> None:
        super().__init__(logging.INFO)
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith("recovered "):
            os.write(self._writer, struct.pack("d", time.monotonic()))


def _work(order: Order, functions: tuple[Callable[..., Any] | None, ...], writer: int) -> NoReturn:
    """What a child does."""
    status = 1
    try:
        _redirect(order.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 1, 2)
        os.environ.update(order.environment)
        logger = logging.getLogger("pathway")
        logger.setLevel(logging.INFO)
        logger.addHandler(_Recovered(writer))
        make_pipeline, until = functions
        assert make_pipeline is not None
        work.run(make_pipeline, until, order.folder, order.storage)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)
