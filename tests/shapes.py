"""The shape of the runs of a test: alone, or shared by two processes.

With PATHWAY_TEST_PROCESSES=2 every run forks. The child is process 1: it has the same tables, functions and patches as
the test itself, takes its share of the rows, and ends with the run. The test goes on in the parent, process 0, as if
nothing had happened: what the child has printed and logged, and the exception that ended the run there, are handed
over when the run is over, as a person would see them who had started both.

A test that is about something that another process cannot have says so: ``@pytest.mark.one_process("why")``. It is left
out in this shape.
"""

from __future__ import annotations

import io
import itertools
import logging
import multiprocessing
import os
import pickle
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from typing import Any

import pytest
from pathway._ground import environment, shown
from pathway._running import run, waiting

VARIABLE = "PATHWAY_TEST_PROCESSES"
PROCESSES = int(os.environ.get(VARIABLE, "1"))

# How long process 1 may take to end after process 0 has.
PATIENCE_SECONDS = 10.0

# The ports are below those that the system gives to whoever asks for any. Test programs that run at the same time use
# different addresses of the machine to itself, where it has many.
HOST = "127.0.0.1"
if sys.platform == "linux":
    HOST = f"127.{os.getpid() >> 16 & 255}.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
_ports = itertools.cycle(range(12000, 32000))

# The place of this process in the run that the thread is about to do.
_places = threading.local()


@dataclass
class Failure:
    """An exception of process 1. Its class need not be one that can be pickled: the parent has it, too."""

    module: str
    name: str
    arguments: tuple[Any, ...]
    notes: list[str]

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        try:
            arguments = pickle.loads(pickle.dumps(error.args))
        except Exception:
            arguments = (str(error),)
        return cls(type(error).__module__, type(error).__qualname__, arguments, getattr(error, "__notes__", []))

    def exception(self) -> BaseException:
        # The last one, as a function that was called again may have made another of the same name.
        *_, kind = (kind for kind in _subclasses(BaseException) if (kind.__module__, kind.__qualname__) == self._class)
        error = kind.__new__(kind, *self.arguments)
        error.args = self.arguments
        for note in self.notes:
            error.add_note(note)
        return error

    @property
    def _class(self) -> tuple[str, str]:
        return self.module, self.name


@dataclass
class Outcome:
    """What the parent hears of process 1."""

    printed: str = ""
    records: list[logging.LogRecord] = field(default_factory=list)
    failure: Failure | None = None


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "one_process(why): about what another process cannot have")
    if PROCESSES not in (1, 2):
        raise pytest.UsageError(f"{VARIABLE} has to be 1 or 2, found {PROCESSES}")
    if PROCESSES == 2:
        share_runs(pytest.MonkeyPatch())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if PROCESSES == 2:
        left_out = [item for item in items if item.get_closest_marker("one_process")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("one_process")]


def share_runs(patch: pytest.MonkeyPatch) -> None:
    """From now on, two processes share every run."""
    patch.setattr(run, "_execute", in_two_processes(run._execute))
    patch.setattr(environment, "cluster", with_places(environment.cluster))
    patch.setattr(waiting, "wait", noting_that_they_met(waiting.wait))


def in_two_processes(execute: Callable[..., None]) -> Callable[..., None]:
    """The function that does a run, in two processes."""

    def run(*args: Any, **kwargs: Any) -> None:
        addresses = [f"{HOST}:{free_port()}" for _ in range(2)]
        place = environment.Cluster(2, 0, addresses, os.urandom(16).hex(), timeout=20.0, silence=20.0, run_id=None)
        ours, theirs = multiprocessing.Pipe(duplex=False)
        child = fork()
        if child == 0:
            _places.here = replace(place, process_id=1)
            be_the_other(theirs, lambda: execute(*args, **kwargs))
        theirs.close()
        _places.__dict__.update(here=place, has_met=False)
        try:
            execute(*args, **kwargs)
        except BaseException as error:
            failure = heard_of(child, ours)
            if isinstance(error, SystemExit) and failure is not None and not isinstance(failure, SystemExit):
                # What has ended the run is the exception of process 1.
                raise failure from None
            if failure is not None and "was not found" in shown.of_error(error):
                error.add_note(f"process 1 has ended with {failure!r}")
            raise
        failure = heard_of(child, ours)
        if failure is not None:
            raise AssertionError("the run has failed in process 1 only") from failure

    return run


def heard_of(child: int, connection: Connection) -> BaseException | None:
    """Hands over what process 1 says in the end; its exception, if it has one."""
    has_met = _places.has_met
    _places.__dict__.clear()
    outcome = end_of(child, connection, PATIENCE_SECONDS if has_met else 0)
    sys.stdout.write(outcome.printed)
    for record in outcome.records:
        logging.getLogger(record.name).handle(record)
    return outcome.failure.exception() if outcome.failure else None


def with_places(cluster: Callable[[], environment.Cluster | None]) -> Callable[[], environment.Cluster | None]:
    """The function that looks up the place of this process: of a run that forks, the one that was made for it."""
    return lambda: _places.__dict__.pop("here", None) or cluster()


def noting_that_they_met(wait: Callable[..., None]) -> Callable[..., None]:
    """The function that waits for the end of a run. Whoever fails before that leaves the other one waiting for it."""

    def noted(*args: Any, **kwargs: Any) -> None:
        _places.has_met = True
        try:
            wait(*args, **kwargs)
        finally:
            # A traceback keeps what its frames hold.
            del args, kwargs

    return noted


def be_the_other(parent: Connection, execute: Callable[[], None]) -> None:
    """The run in process 1, to its end and that of the process."""
    outcome = Outcome()
    printed = io.StringIO()
    try:
        # Nothing of this process gets into what the test compares, except by way of its parent.
        with tempfile.TemporaryFile() as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        logging.getLogger().handlers[:] = [Collecting(outcome.records)]
        os.environ["PATHWAY_PROCESS_ID"] = "1"
        with redirect_stdout(printed):
            execute()
    except BaseException as error:
        outcome.failure = Failure.of(error)
    finally:
        outcome.printed = printed.getvalue()
        parent.send(outcome)
        os._exit(0)


class Collecting(logging.Handler):
    """Keeps what is logged, as something that can be sent to another process."""

    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__()
        self.records = records

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().endswith("; this process ends with it"):
            # It has heard of the failure from process 0.
            return
        record.msg, record.args, record.exc_info = record.getMessage(), None, None
        self.records.append(record)


def end_of(child: int, connection: Connection, patience: float) -> Outcome:
    """Waits for the end of process 1, and hears what it says. Without patience it is ended, and says nothing."""
    try:
        if not connection.poll(patience):
            if not patience:
                return Outcome()
            raise AssertionError(f"process 1 has not ended within {PATIENCE_SECONDS} s after process 0")
        outcome = connection.recv()
        assert isinstance(outcome, Outcome)
        return outcome
    except EOFError:
        raise AssertionError("process 1 has ended without a word") from None
    finally:
        connection.close()
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def fork() -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        # From Python 3.12 on: there may be other threads. Those of the package have ended with the run before.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def free_port() -> int:
    """A port that nobody uses."""
    deadline = time.monotonic() + 10
    for port in _ports:
        with socket.socket() as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                attempt.bind((HOST, port))
                return port
            except OSError:
                assert time.monotonic() < deadline, "no free ports"
    raise AssertionError("ports never end")


def _subclasses(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    yield kind
    for subclass in type.__subclasses__(kind):
        yield from _subclasses(subclass)
