"""A run in the background: `pw.start` and what its handle does."""

import asyncio
import csv
import logging
import os
import pathlib
import signal
import subprocess
import sys
import threading
from typing import Any

import pathway as pw
import pytest

from tests.waiting import when

QUIET = {"monitoring_level": pw.MonitoringLevel.NONE, "default_logging": False}


class Number(pw.Schema):
    number: int


class Endless(pw.io.python.ConnectorSubject):
    """Counts up until it is stopped, and then has sent `sent` rows."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped = threading.Event()
        self.sent = 0
        self.begun = threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(0.001):
            self.next(number=self.sent)
            self.sent += 1
            self.begun.set()

    def on_stop(self) -> None:
        self.stopped.set()


def endless(subject: Endless) -> pw.Table[Any]:
    return pw.io.python.read(subject, schema=Number, autocommit_duration_ms=5)


def test_everything_that_was_taken_in_is_in_the_file(tmp_path: pathlib.Path) -> None:
    subject = Endless()
    pw.io.csv.write(endless(subject), tmp_path / "numbers.csv")
    handle = pw.start(**QUIET)
    assert subject.begun.wait(60)
    assert handle.is_running
    assert repr(handle) == "<pathway.RunHandle: is running>"
    assert handle.stop()
    assert not handle.is_running
    with (tmp_path / "numbers.csv").open(newline="") as file:
        assert sorted(int(row["number"]) for row in csv.DictReader(file)) == list(range(subject.sent))


def test_a_run_that_ends_by_itself_is_waited_for() -> None:
    seen: list[int] = []
    table = pw.debug.table_from_rows(Number, [(1,), (2,)])
    pw.io.subscribe(table, lambda key, row, time, is_addition: seen.append(row["number"]))
    handle = pw.start(**QUIET)
    assert handle.wait()
    assert sorted(seen) == [1, 2]
    assert handle.error is None
    assert repr(handle) == "<pathway.RunHandle: has ended>"


def test_a_wait_may_be_too_short() -> None:
    subject = Endless()
    pw.io.null.write(endless(subject))
    with pw.start(**QUIET) as handle:
        assert not handle.wait(timeout=0.01)
        assert handle.is_running
    assert handle.wait(timeout=0)


def test_a_block_that_fails_stops_the_run_and_says_why_it_has_failed() -> None:
    subject = Endless()
    pw.io.null.write(endless(subject))
    handle = pw.start(**QUIET)
    with pytest.raises(KeyError, match="of the block"), handle:
        raise KeyError("of the block")
    assert not handle.is_running
    assert subject.stopped.is_set()


def test_stop_is_called_by_several_threads_and_again() -> None:
    pw.io.null.write(endless(Endless()))
    handle = pw.start(**QUIET)
    results: list[bool] = []
    threads = [threading.Thread(target=lambda: results.append(handle.stop())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [*results, handle.stop()] == [True] * 5


def failing(subject: Endless) -> threading.Event:
    """A run of it fails when the event is set."""
    fail = threading.Event()

    def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        if fail.is_set():
            raise LookupError("of the callback")

    pw.io.subscribe(endless(subject), on_change)
    return fail


@pytest.mark.one_process("the failure is raised by either")
def test_what_ends_the_run_is_raised_each_time_and_logged_if_nobody_waits(caplog: pytest.LogCaptureFixture) -> None:
    subject = Endless()
    fail = failing(subject)
    handle = pw.start(**QUIET)
    fail.set()
    when(lambda: not handle.is_running)
    when(lambda: "the run in the background has failed: LookupError: of the callback" in caplog.text)
    assert isinstance(handle.error, LookupError)
    assert repr(handle) == "<pathway.RunHandle: has failed with LookupError: of the callback>"
    for end in (handle.wait, handle.stop, handle.wait):
        with pytest.raises(LookupError, match="of the callback"):
            end()


@pytest.mark.one_process("the failure is raised by either")
def test_who_waits_has_no_need_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    subject = Endless()
    fail = failing(subject)
    handle = pw.start(**QUIET)
    threading.Thread(target=lambda: (when(lambda: handle._waiting > 0), fail.set())).start()
    with pytest.raises(LookupError, match="of the callback"):
        handle.wait()
    assert "in the background" not in caplog.text


@pytest.mark.one_process("the failure is raised by either")
def test_a_block_raises_what_ends_its_run_once() -> None:
    fail = failing(Endless())
    handle = pw.start(**QUIET)
    fail.set()
    when(lambda: not handle.is_running)
    with pytest.raises(LookupError, match="of the callback"), handle:
        pass
    fail = failing(Endless())
    with pw.start(**QUIET) as handle:
        fail.set()
        with pytest.raises(LookupError, match="of the callback"):
            handle.wait()


@pytest.mark.one_process("the failure is raised by either")
def test_a_block_that_fails_beside_its_run_tells_both(caplog: pytest.LogCaptureFixture) -> None:
    fail = failing(Endless())
    handle = pw.start(**QUIET)
    fail.set()
    when(lambda: not handle.is_running)
    with pytest.raises(KeyError), handle:
        raise KeyError("of the block")
    assert "has failed, too: LookupError: of the callback" in caplog.text


@pytest.mark.one_process("it hears of an exception in the other process only at the end")
def test_what_fails_while_the_run_is_being_stopped_is_raised() -> None:
    class Stubborn(Endless):
        def on_stop(self) -> None:
            super().on_stop()
            raise LookupError("of on_stop")

    pw.io.null.write(endless(Stubborn()))
    handle = pw.start(**QUIET)
    with pytest.raises(LookupError, match="of on_stop"):
        handle.stop()


@pytest.mark.one_process("the other process is left without its partner")
def test_a_run_is_aborted() -> None:
    pw.io.null.write(endless(Endless()))
    handle = pw.start(**QUIET)
    handle.abort()
    assert handle.wait()


@pytest.mark.one_process("both processes would refuse")
def test_what_keeps_a_run_from_beginning_is_raised_at_once(tmp_path: pathlib.Path) -> None:
    subject = Endless()
    table = endless(subject)
    pw.io.null.write(table)
    with pw.start(**QUIET):
        with pytest.raises(RuntimeError, match="has these outputs already") as caught:
            pw.start(**QUIET)
        (note,) = caught.value.__notes__
        assert note.startswith("A run goes on in the background that was started at ")
        assert "test_background.py:" in note
        pw.io.csv.write(table, tmp_path / "more.csv")
        with pytest.raises(RuntimeError, match="reads the connector that was declared at"):
            pw.start(**QUIET)
    # Then it can be read again.
    assert pw.start(**QUIET).stop()


@pytest.mark.parametrize("wrong", ["no folder", "a folder", "no permission", "a part", "a database", "a source"])
@pytest.mark.one_process("process 0 writes")
def test_an_output_that_cannot_be_made_is_raised_at_once(wrong: str, tmp_path: pathlib.Path) -> None:
    subject = Endless()
    table = endless(subject)
    path = tmp_path / "out.csv"
    match wrong:
        case "no folder":
            pw.io.csv.write(table, tmp_path / "none" / "out.csv")
            said = "cannot create the output file .*The directory .* does not exist: create it first"
        case "a folder":
            path.mkdir()
            pw.io.jsonlines.write(table, path)
            said = "cannot create the output file .*It is a directory: give the path of a file"
        case "no permission":
            if os.geteuid() == 0:
                pytest.skip("root may write everywhere")
            path.touch(mode=0o400)
            pw.io.csv.write(table, path)
            said = "cannot create the output file .*Change the permissions"
        case "a part":
            path.touch()
            pw.io.csv.write(table, path, partitioned=True)
            said = "cannot create the output folder .*A partitioned output is a folder"
        case "a database":
            path.write_text("not a database" * 100)
            pw.io.sqlite.write(table, path, "t")
            said = "file is not a database"
        case _:
            pw.io.null.write(pw.io.csv.read(path, schema=pw.schema_from_types(a=int), mode="static"))
            said = "there is no file or folder"
    with pytest.raises(OSError, match=f"(?s){said}"):
        pw.start(**QUIET)
    assert subject.stopped.is_set() or not subject.begun.is_set()
    pw.testing.reset()
    # Nothing goes on.
    pw.io.csv.write(endless(Endless()), tmp_path / "other.csv")
    with pw.start(**QUIET) as handle:
        assert handle.is_running


@pytest.mark.one_process("two runs at once, which would have to meet in the same order")
def test_two_runs_that_share_nothing_go_on_together() -> None:
    first, second = Endless(), Endless()
    pw.io.null.write(endless(first))
    with pw.start(**QUIET):
        pw.io.null.write(endless(second))
        with pw.start(**QUIET):
            assert first.begun.wait(60)
            assert second.begun.wait(60)


def test_without_outputs_it_ends_at_once() -> None:
    assert pw.start(**QUIET).wait(timeout=60)


@pytest.mark.one_process("the error of the callback is raised by either")
def test_a_function_of_the_run_cannot_wait_for_its_end_but_ask_for_it() -> None:
    handles: list[pw.RunHandle] = []
    refused: list[str] = []
    started = threading.Event()

    def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        started.wait(60)
        for end in (handles[0].stop, handles[0].wait):
            try:
                end()
            except RuntimeError as error:
                refused.append(str(error))
        assert not handles[0].stop(timeout=0)

    pw.io.subscribe(endless(Endless()), on_change)
    handles.append(pw.start(**QUIET))
    started.set()
    assert handles[0].wait()
    assert len(refused) >= 2
    assert "use handle.stop(timeout=0)" in refused[0]


def test_an_asynchronous_block() -> None:
    subject = Endless()
    seen: list[int] = []

    async def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        seen.append(row["number"])

    pw.io.subscribe(endless(subject), on_change)

    async def serve() -> None:
        async with pw.start(**QUIET) as handle:
            while not seen:
                await asyncio.sleep(0.005)
            assert handle.is_running
        assert not handle.is_running

    asyncio.run(serve())
    assert sorted(seen) == list(range(subject.sent))


@pytest.mark.one_process("the loop of another process runs nothing of the test")
def test_callbacks_run_in_the_loop_of_the_program() -> None:
    loops: set[asyncio.AbstractEventLoop] = set()

    async def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        loops.add(asyncio.get_running_loop())

    pw.io.subscribe(endless(Endless()), on_change)

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        async with pw.start(event_loop=loop, **QUIET) as handle:
            while not loops:
                await asyncio.sleep(0.005)
            with pytest.raises(RuntimeError, match=r"await asyncio\.to_thread"):
                handle.stop()
        assert loops == {loop}

    asyncio.run(serve())


@pytest.mark.one_process("it forks itself")
def test_a_forked_process_has_no_run() -> None:
    pw.io.null.write(endless(Endless()))
    with pw.start(**QUIET) as handle:
        child = os.fork()
        if child == 0:
            try:
                handle.stop()
            except RuntimeError as error:
                os._exit(7 if "forked" in str(error) and not handle.is_running else 1)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_the_arguments_are_those_of_a_run() -> None:
    import inspect

    assert inspect.signature(pw.start).parameters == inspect.signature(pw.run).parameters
    assert inspect.signature(pw.start).return_annotation is pw.RunHandle
    with pytest.raises(TypeError, match=r"pw.start\(\) got an unexpected keyword"):
        pw.start(monitor=True)  # type: ignore[call-arg]


PROGRAM = """
import threading, time
import pathway as pw

class Ticks(pw.io.python.ConnectorSubject):
    stopped = threading.Event()
    begun = threading.Event()
    def run(self):
        number = 0
        while not self.stopped.wait(0.001):
            self.next(number=number)
            number += 1
            self.begun.set()
    def on_stop(self):
        self.stopped.set()
        print("stopped", flush=True)

pw.io.csv.write(
    pw.io.python.read(Ticks(), schema=pw.schema_from_types(number=int), autocommit_duration_ms=5), "out.csv"
)
handle = pw.start(monitoring_level=pw.MonitoringLevel.NONE)
assert Ticks.begun.wait(60)
"""

ENDINGS = {
    "pass": 0,
    "raise SystemExit(3)": 3,
    "raise KeyError('of the program')": 1,
    "raise KeyboardInterrupt": -2,
    "handle.stop()": 0,
    "with handle: pass": 0,
    "threading.Thread(target=handle.wait, daemon=True).start()": 0,
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_end_of_the_program_is_the_end_of_the_run(ending: str, tmp_path: pathlib.Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", PROGRAM + ending],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    bad = [word for word in ("Fatal", "panicked", "Segmentation", "has failed") if word in done.stderr]
    assert (done.returncode, bad) == (ENDINGS[ending], []), done.stderr
    assert done.stdout == "stopped\n"
    lines = (tmp_path / "out.csv").read_text().splitlines(keepends=True)
    assert len(lines) > 1
    assert lines[-1].endswith("\n")


def test_logging_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    pw.io.null.write(endless(Endless()))
    with caplog.at_level(logging.WARNING), pw.start(**QUIET):
        pass
    assert caplog.records == []


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_who_waits_in_the_main_thread_is_interrupted_as_a_run_is(
    number: signal.Signals, status: int, tmp_path: pathlib.Path
) -> None:
    ending = f"""
import os, signal, time
def kill():
    while signal.getsignal({int(number)}) in (signal.SIG_DFL, signal.default_int_handler):
        time.sleep(0.01)
    os.kill(os.getpid(), {int(number)})
threading.Thread(target=kill).start()
try:
    handle.wait()
except BaseException as error:
    print(type(error).__name__, handle)
    # It is raised once.
    assert handle.stop()
    raise
"""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + ending], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    name = "KeyboardInterrupt" if number == signal.SIGINT else "SystemExit"
    assert done.stdout == f"stopped\n{name} <pathway.RunHandle: has ended>\n", done.stderr
    assert done.returncode == status
