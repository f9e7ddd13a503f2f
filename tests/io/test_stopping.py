"""What becomes of rows when a run is told to stop: Ctrl-C and SIGTERM, with and without a timer that commits."""

from __future__ import annotations

import pathlib
import queue
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pathway as pw
import pytest

SILENT = pw.MonitoringLevel.NONE

PROGRAM = """
import sys, threading
import pathway as pw

sent = threading.Event()

class Ledger(pw.io.python.ConnectorSubject):
    def run(self):
        {hold}
        for number in range(3):
            self.next(number=number)
        self.commit()
        for number in range(3, 5):
            self.next(number=number)
        sent.set()
        {wait}
    stopped = threading.Event()
    def on_stop(self):
        {on_stop}
        self.stopped.set()

class Other(pw.io.python.ConnectorSubject):
    stopped = threading.Event()
    def run(self):
        sent.wait(30)
        self.next(number=100)
        self.commit()
        print("sent", flush=True)
        self.stopped.wait(30)
    def on_stop(self):
        self.stopped.set()

schema = pw.schema_from_types(number=int)
table = pw.io.python.read(Ledger(), schema=schema, autocommit_duration_ms={autocommit})
other = pw.io.python.read(Other(), schema=schema)
pw.universes.promise_are_pairwise_disjoint(table, other)
pw.io.csv.write(table.concat(other), sys.argv[1])
pw.run()
"""


def numbers_after(
    path: pathlib.Path, number: int, autocommit: int | None, hold: str = "pass", on_stop: str = "pass", wait: str = ""
) -> tuple[list[int], str]:
    """The numbers in the file after the signal, and what was logged."""
    program = PROGRAM.format(autocommit=autocommit, hold=hold, on_stop=on_stop, wait=wait or "self.stopped.wait(30)")
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "sent\n"
    process.send_signal(number)
    _output, errors = process.communicate(timeout=60)
    assert process.returncode == (143 if number == signal.SIGTERM else -signal.SIGINT), errors
    return sorted(int(line.split(",")[0].strip('"')) for line in path.read_text().splitlines()[1:]), errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("wait", ["self.stopped.wait(30)", "threading.Event().wait(30)"])
def test_only_what_was_committed_reaches_the_sinks_without_a_timer(
    tmp_path: pathlib.Path, number: int, wait: str
) -> None:
    # The other source commits later, which must not be lost with these rows.
    numbers, errors = numbers_after(tmp_path / "out.csv", number, None, wait=wait)
    assert numbers == [0, 1, 2, 100]
    assert "2 rows were not committed before the run was told to stop, and are lost" in errors


def test_what_a_timer_would_have_committed_reaches_the_sinks(tmp_path: pathlib.Path) -> None:
    numbers, errors = numbers_after(tmp_path / "out.csv", signal.SIGTERM, 60_000)
    assert numbers == [0, 1, 2, 3, 4, 100]
    assert "not committed" not in errors


def test_held_commits_are_like_no_timer(tmp_path: pathlib.Path) -> None:
    numbers, errors = numbers_after(tmp_path / "out.csv", signal.SIGTERM, 50, hold="self._disable_commits()")
    assert numbers == [0, 1, 2, 100]
    assert "2 rows were not committed" in errors


@pytest.mark.parametrize("on_stop", ["self.next(number=5); self.commit()", "self.next(number=5); self.close()"])
def test_on_stop_may_commit_the_rest(tmp_path: pathlib.Path, on_stop: str) -> None:
    numbers, errors = numbers_after(tmp_path / "out.csv", signal.SIGTERM, None, on_stop=on_stop)
    assert numbers == [0, 1, 2, 3, 4, 5, 100]
    assert "not committed" not in errors


def test_an_error_of_on_stop_is_logged_with_the_frames_of_the_program_alone(tmp_path: pathlib.Path) -> None:
    _numbers, errors = numbers_after(tmp_path / "out.csv", signal.SIGINT, None, on_stop="self.stopped.put(1)")
    _, _, error = errors.partition("an error while shutting down\n")
    assert error.splitlines()[0] == "Traceback (most recent call last):"
    assert [line.split()[1] for line in error.splitlines() if "File " in line] == ['"<string>",']
    assert "AttributeError: 'Event' object has no attribute 'put'" in error


THREADS = """
import os, signal, sys, threading
import pathway as pw

class Threads(pw.io.python.ConnectorSubject):
    def run(self):
        threads = [threading.Thread(target=self.send, args=[number]) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    def send(self, number):
        while True:
            self.next(number=number)
            if {fails}:
                raise ValueError("the line is dead")

def stop(key, row, time, is_addition):
    os.kill(os.getpid(), signal.SIGTERM)

table = pw.io.python.read(Threads(), schema=pw.schema_from_types(number=int), autocommit_duration_ms=10)
pw.io.subscribe(table.reduce(n=pw.reducers.count()), stop)
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
"""


@pytest.mark.parametrize("fails", [False, True])
def test_threads_that_send_rows_end_quietly_when_the_run_is_stopped(fails: bool) -> None:
    program = THREADS.format(fails="number == 0" if fails else "False")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 143
    assert "StopSubject" not in done.stderr
    # What goes wrong in a thread is still told.
    assert ("ValueError: the line is dead" in done.stderr) == fails


def test_a_normal_end_commits_the_rest() -> None:
    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next(number=1)

        def on_stop(self) -> None:
            self.next(number=2)

    table = pw.io.python.read(Subject(), schema=pw.schema_from_types(number=int), autocommit_duration_ms=None)
    assert [update.row["number"] for update in pw.testing.capture(table)] == [1, 2]


def test_rows_that_only_the_source_commits_are_seen_at_its_commits() -> None:
    seen: list[int] = []
    sent, worked, committed = threading.Event(), threading.Event(), threading.Event()
    turns = queue.SimpleQueue[int]()

    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next_columns({"number": list(range(50_000))})
            sent.set()
            assert worked.wait(30)
            assert seen == []
            self.commit()
            assert committed.wait(30)

    class Other(pw.io.python.ConnectorSubject):
        """Its rows show that the engine is at work, while those of the first source wait."""

        def run(self) -> None:
            assert sent.wait(30)
            for number in range(5):
                self.next(number=number)
                self.commit()
                assert turns.get(timeout=30) == number
            worked.set()

    schema = pw.schema_from_types(number=int)
    other = pw.io.python.read(Other(), schema=schema)
    pw.io.null.write(
        other.select(number=pw.apply_with_type(lambda number: turns.put(number) or number, int, other.number))
    )
    table = pw.io.python.read(Subject(), schema=schema, autocommit_duration_ms=None)
    # A function of the user is called when the rows are committed, and not before.
    table = table.select(number=pw.apply_with_type(lambda number: seen.append(number) or number, int, table.number))
    pw.io.subscribe(table, lambda key, row, time, is_addition: None, on_time_end=lambda time: committed.set())
    pw.run(monitoring_level=SILENT)
    assert len(seen) == 50_000


def test_a_failure_while_a_function_runs_waits_for_it() -> None:
    """A run that is cancelled during a long function ends when the function returns, and not before."""
    entered, failed = threading.Event(), threading.Event()
    entries: list[int] = []
    returns: list[int] = []

    class Slow(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            for number in range(100):
                self.next(number=number)
            self.commit()

    class Failing(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            assert entered.wait(30)
            failed.set()
            raise ValueError("the lock keeper has gone home")

    def slow(number: int) -> int:
        entries.append(number)
        entered.set()
        assert failed.wait(30)
        # So long that a worker that is left running is found here.
        time.sleep(0.005)
        returns.append(number)
        return number

    schema = pw.schema_from_types(number=int)
    slow_table = pw.io.python.read(Slow(), schema=schema)
    results = slow_table.select(number=pw.apply_with_type(slow, int, slow_table.number))
    pw.io.null.write(results)
    pw.io.null.write(pw.io.python.read(Failing(), schema=schema))
    with pytest.raises(ValueError, match="lock keeper"):
        pw.run(monitoring_level=SILENT)
    assert returns == entries, "no function is running once the run has ended"


ABORTED = """
import threading, time
import pathway as pw

class Many(pw.io.python.ConnectorSubject):
    stopped = threading.Event()
    def run(self):
        for number in range(2000):
            self.next(number=number)
        self.commit()
        self.stopped.wait(60)
    def on_stop(self):
        self.stopped.set()

def slow(number):
    if number == 0:
        print("begun", flush=True)
    time.sleep(0.05)
    return number

table = pw.io.python.read(Many(), schema=pw.schema_from_types(number=int))
pw.io.null.write(table.select(number=pw.apply_with_type(slow, int, table.number)))
try:
    pw.run()
finally:
    print("ended", flush=True)
"""


def test_a_second_interrupt_during_a_long_function_ends_between_two_calls() -> None:
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", ABORTED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    for line in process.stderr:
        if "Ctrl-C again" in line:
            break
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    # All 2000 calls would take 100 seconds.
    assert time.monotonic() - start < 30
    assert process.returncode == -signal.SIGINT
    assert output == "ended\n"
    assert "Fatal" not in errors


def test_threads_with_call_sites_of_all_kinds_lose_and_mix_nothing() -> None:
    class Four(pw.Schema):
        thread: int
        number: int
        text: str
        level: float | None

    def sends(subject: Any, thread: int) -> None:
        for number in range(1000):
            text, level = f"{thread}/{number}", number / 4
            match number % 8:
                case 0:
                    subject.next(thread=thread, number=number, text=text, level=level)
                case 1:
                    subject.next(level=level, text=text, number=number, thread=thread)
                case 2:
                    subject.next(**{"text": text, "thread": thread, "level": level, "number": number})
                case 3:
                    subject.next(**{"number": number, "level": level, "thread": thread, "text": text})
                case 4:
                    subject.next_json({"level": level, "thread": thread, "text": text, "number": number})
                case 5:
                    subject.next_str(f'{{"text":"{text}","number":{number},"level":{level},"thread":{thread}}}')
                case 6:
                    subject.next_batch([{"number": number, "text": text, "thread": thread, "level": level}])
                case 7:
                    subject.next_columns({"text": [text], "level": [level], "thread": [thread], "number": [number]})
            if number % 100 == thread:
                subject.commit()

    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            threads = [threading.Thread(target=sends, args=(self, thread)) for thread in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    updates = pw.testing.capture(pw.io.python.read(Subject(), schema=Four, max_backlog_size=500))
    assert len(updates) == 4000
    assert len({update.key for update in updates}) == 4000
    order: dict[int, list[int]] = {}
    for update in updates:
        row = update.row
        assert row["text"] == f"{row['thread']}/{row['number']}"
        assert row["level"] == row["number"] / 4
        order.setdefault(row["thread"], []).append(row["number"])
    # The rows of one thread keep their order.
    assert order == {thread: list(range(1000)) for thread in range(4)}


def test_a_subject_that_does_not_end_is_named(caplog: pytest.LogCaptureFixture) -> None:
    over = threading.Event()

    class Endless(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            over.wait(60)

    class Failing(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            raise RuntimeError("enough")

    schema = pw.schema_from_types(number=int)
    pw.io.null.write(pw.io.python.read(Endless(), schema=schema, name="endless"))
    pw.io.null.write(pw.io.python.read(Failing(), schema=schema))
    with pytest.raises(RuntimeError, match="enough"), caplog.at_level("WARNING", "pathway"):
        pw.run(monitoring_level=SILENT)
    over.set()
    left = 'connector "endless": run() has not returned within 2 seconds and is left behind in its thread'
    assert any(message.startswith(left) for message in caplog.messages), caplog.messages


PARTED = """
import threading
import pathway as pw

class Parted(pw.io.python.ConnectorSubject):
    def partitions(self):
        print("asked", flush=True)
        threading.Event().wait()

    def run(self, partition):
        raise AssertionError(partition)

pw.io.null.write(pw.io.python.read(Parted(), schema=pw.schema_from_types(number=int)))
pw.run()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_partitions_that_nobody_can_name_do_not_keep_the_program(number: int) -> None:
    """They are asked for before anything runs that could be told to stop."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARTED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "asked\n"
    process.send_signal(number)
    try:
        _output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == (143 if number == signal.SIGTERM else -signal.SIGINT), errors
    assert "the computation had not begun" in errors
    assert "Traceback" not in errors


HANGING = """
import threading
import pathway as pw

class Hanging(pw.io.python.ConnectorSubject):
    def run(self):
        print("runs", flush=True)
        threading.Event().wait()

    def on_stop(self):
        threading.Event().wait()

pw.io.null.write(pw.io.python.read(Hanging(), schema=pw.schema_from_types(number=int)))
pw.run()
"""


def test_a_hook_that_hangs_is_waited_for_once() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HANGING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "runs\n"
    process.send_signal(signal.SIGTERM)
    try:
        _output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 143, errors
    assert "its on_stop() has not returned within 2 seconds: the run goes on without it" in errors
    # It would be said if it had been waited for again.
    assert "has not ended within" not in errors
