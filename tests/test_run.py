"""Running: what a run does, and how signals end it. Signals are tried on programs of their own."""

import pathlib
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pathway as pw
import pytest
from pathway._ground.signals import ECHO_SECONDS
from pathway._running import monitoring


def test_without_outputs_nothing_happens() -> None:
    pw.debug.table_from_markdown("a\n1")
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)


def test_terminate_on_error(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pw.debug.table_from_markdown("a\n0")
    wrong = table.select(b=1 // table.a)
    with pytest.raises(ZeroDivisionError, match="division by zero"):
        pw.testing.capture(wrong)
    monkeypatch.setenv("PATHWAY_TERMINATE_ON_ERROR", "false")
    assert len(pw.testing.capture(wrong)) == 1
    with pytest.raises(ZeroDivisionError):
        pw.testing.capture(wrong, terminate_on_error=True)
    monkeypatch.setenv("PATHWAY_TERMINATE_ON_ERROR", "perhaps")
    with pytest.raises(ValueError, match="PATHWAY_TERMINATE_ON_ERROR"):
        pw.testing.capture(wrong)


def test_the_start_time_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    class One(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next(a=1)

    monkeypatch.setenv("PATHWAY_START_TIMESTAMP_MS", "1000")
    table = pw.io.python.read(One(), schema=pw.schema_from_types(a=int))
    assert [update.time for update in pw.testing.capture(table)] == [1000]


def test_workers_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "\n".join(str(number % 7) for number in range(100))
    table = pw.debug.table_from_markdown("a\n" + rows)
    counted = table.groupby(table.a).reduce(table.a, n=pw.reducers.count())
    alone = sorted(pw.testing.capture(counted), key=lambda update: update.key)
    monkeypatch.setenv("PATHWAY_THREADS", "3")
    assert sorted(pw.testing.capture(counted), key=lambda update: update.key) == alone


PROGRAM = """
import sys, threading
import pathway as pw

class Ticks(pw.io.python.ConnectorSubject):
    stopped = threading.Event()
    def run(self):
        number = 0
        while not self.stopped.wait(0.001):
            number += 1
            self.next(number=number)
            self.commit()
    def on_stop(self):
        print("on_stop", flush=True)
        self.stopped.set()

class Stuck(Ticks):
    def on_stop(self):
        print("on_stop", flush=True)
        threading.Event().wait()

table = pw.io.python.read({subject}(), schema=pw.schema_from_types(number=int))
pw.io.csv.write(table, sys.argv[1])
def started(key, row, time, is_addition):
    if row["number"] == 3:
        print("started", flush=True)
pw.io.subscribe(table, started)
pw.run()
"""


def start(path: pathlib.Path, subject: str = "Ticks") -> subprocess.Popen[str]:
    """Starts the program and waits until it has written some rows."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.replace("{subject}", subject), str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def complete_numbers(path: pathlib.Path) -> list[int]:
    """The numbers in the file, all of whose lines must be complete."""
    text = path.read_text()
    assert text.endswith("\n")
    header, *lines = text.splitlines()
    assert header == '"number","time","diff"'
    assert all(line.count('"') == 6 for line in lines)
    return [int(line.split(",")[0].strip('"')) for line in lines]


@pytest.mark.parametrize(
    ("number", "status", "word"),
    [(signal.SIGTERM, 143, "Received SIGTERM: "), (signal.SIGINT, -signal.SIGINT, "Interrupted: ")],
)
def test_a_signal_ends_the_run_in_order(tmp_path: pathlib.Path, number: int, status: int, word: str) -> None:
    path = tmp_path / "out.csv"
    process = start(path)
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == status, errors
    assert output == "on_stop\n"
    assert errors.count(word) == 1
    assert "Traceback" not in errors
    numbers = complete_numbers(path)
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 3


def test_an_interrupt_while_a_subject_is_being_started_stops_it() -> None:
    class Hasty(pw.io.python.ConnectorSubject):
        def __init__(self) -> None:
            super().__init__()
            self.calls: list[str] = []
            self.stopped = threading.Event()

        def run(self) -> None:
            self.next(number=1)
            self.commit()
            # The main thread is perhaps still waiting for this one to start.
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            self.stopped.wait(30)

        def on_stop(self) -> None:
            self.calls.append("on_stop")
            self.stopped.set()

    rows: list[Any] = []
    subject = Hasty()
    table = pw.io.python.read(subject, schema=pw.schema_from_types(number=int))
    pw.io.subscribe(table, lambda key, row, time, is_addition: rows.append(row))
    with pytest.raises(KeyboardInterrupt):
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert subject.calls == ["on_stop"]
    assert rows == [{"number": 1}]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_interrupt_ends_it_at_once(tmp_path: pathlib.Path) -> None:
    process = start(tmp_path / "out.csv", "Stuck")
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert process.stdout.readline() == "on_stop\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT


SLOW = """
import time
import pathway as pw

class Many(pw.io.python.ConnectorSubject):
    def run(self):
        for number in range(50):
            self.next(number=number)
        self.commit()
        {waits}

table = pw.io.python.read(Many(), schema=pw.schema_from_types(number=int))
delivered = []
def slow(key, row, time, is_addition):
    delivered.append(row)
    print("delivered", len(delivered), flush=True)
    __import__("time").sleep({seconds})
pw.io.subscribe(table, slow)
try:
    pw.run()
finally:
    print("ended", len(delivered), flush=True)
"""


def start_slow(seconds: float, waits: str = "time.sleep(100)") -> subprocess.Popen[str]:
    """Starts a program with a slow sink, and waits until the sink has begun."""
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", SLOW.format(seconds=seconds, waits=waits)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "delivered 1\n"
    return process


def errors_until(process: subprocess.Popen[str], word: str) -> str:
    assert process.stderr is not None
    lines: list[str] = []
    for line in process.stderr:
        lines.append(line)
        if word in line:
            return "".join(lines)
    pytest.fail(f"never said {word!r}: {''.join(lines)}")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)])
def test_what_was_committed_reaches_a_slow_sink_and_the_user_is_told(number: int, status: int) -> None:
    process = start_slow(0.02)
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == status, errors
    assert output.endswith("delivered 50\nended 50\n")
    assert errors.count("on the way to the sinks; press Ctrl-C again") == 1
    assert errors.index("on the way to the sinks") < errors.index("50 rows in (python), 50 rows out (subscribe)\n")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)])
def test_a_second_signal_while_rows_are_queued_does_not_crash(number: int, status: int) -> None:
    process = start_slow(0.05)
    process.send_signal(number)
    errors = errors_until(process, "on the way to the sinks")
    # Sooner, a second SIGTERM is the echo of the first.
    time.sleep(ECHO_SECONDS)
    process.send_signal(number)
    output, rest = process.communicate(timeout=60)
    errors += rest
    assert process.returncode == status, errors
    assert "Fatal" not in errors
    # No callback runs once pw.run() has ended.
    assert output.splitlines()[-1].startswith("ended ")


def test_a_function_that_never_returns_leaves_a_way_out() -> None:
    process = start_slow(1000)
    process.send_signal(signal.SIGINT)
    errors_until(process, "on the way to the sinks")
    process.send_signal(signal.SIGINT)
    errors_until(process, "it ends without them")
    _output, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert "Fatal" not in errors


def test_an_exception_of_a_handler_of_the_user_ends_the_run_first(monkeypatch: pytest.MonkeyPatch) -> None:
    class Leave(Exception):
        pass

    def handler(number: int, frame: object) -> None:
        raise Leave

    class Signalled(monitoring.Monitor):
        def update(self, statistics: object) -> None:
            signal.raise_signal(signal.SIGUSR1)

    class Endless(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            ended.clear()
            while True:
                self.next(number=1)

        def end(self) -> None:
            ended.set()

    ended = threading.Event()
    monkeypatch.setattr(monitoring, "choose", lambda level: Signalled())
    pw.io.null.write(pw.io.python.read(Endless(), schema=pw.schema_from_types(number=int)))
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with pytest.raises(Leave):
            pw.run()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert ended.is_set()


def test_outputs_that_are_running_are_not_run_again() -> None:
    refused: list[BaseException] = []

    class One(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            try:
                pw.run(monitoring_level=pw.MonitoringLevel.NONE)
            except RuntimeError as error:
                refused.append(error)
            self.next(number=1)

    rows: list[Any] = []
    table = pw.io.python.read(One(), schema=pw.schema_from_types(number=int))
    pw.io.subscribe(table, lambda key, row, time, is_addition: rows.append(row))
    for _ in range(2):
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert [str(error) for error in refused] == [
        "a run that is going on has these outputs already: call pw.run() once, or after that run has ended"
    ] * 2
    assert rows == [{"number": 1}] * 2


def test_a_handler_of_the_user_is_left_alone() -> None:
    def handler(number: int, frame: object) -> None:
        pass

    seen: list[Any] = []
    before = signal.signal(signal.SIGTERM, handler)
    try:
        pw.io.subscribe(pw.debug.table_from_markdown("a\n1"), lambda **_: seen.append(signal.getsignal(signal.SIGTERM)))
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [handler]
    assert signal.getsignal(signal.SIGTERM) is before
