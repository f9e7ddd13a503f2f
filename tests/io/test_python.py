"""The life of a subject: what is called when, in which order, and what happens when something fails."""

import asyncio
import re
import sys
import threading
from typing import Any

import pathway as pw
import pytest
from pathway.io._subject_run import SubjectRun

from tests.waiting import when

SILENT = pw.MonitoringLevel.NONE


class Numbers(pw.Schema):
    n: int


class Keyed(pw.Schema):
    k: int = pw.column_definition(primary_key=True)
    n: int


def read(subject: Any, **keywords: Any) -> Any:
    return pw.io.python.read(subject, schema=Numbers, **keywords)


def values(table: Any) -> list[int]:
    return [update.row["n"] for update in pw.testing.capture(table)]


class Recording(pw.io.python.ConnectorSubject):
    """Writes down what is called."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def run(self) -> None:
        self.calls.append("run")
        self.next(n=1)

    def on_stop(self) -> None:
        self.calls.append("on_stop")

    def end(self) -> None:
        self.calls.append("end")


def test_the_order_of_calls() -> None:
    subject = Recording()
    assert values(read(subject)) == [1]
    assert subject.calls == ["start", "run", "on_stop", "end"]


def test_run_is_called_in_a_daemon_thread_of_its_own() -> None:
    threads: list[threading.Thread] = []

    class Subject(Recording):
        def run(self) -> None:
            threads.append(threading.current_thread())

    assert values(read(Subject())) == []
    assert threads[0] is not threading.main_thread()
    assert threads[0].daemon


def test_a_second_run_starts_from_scratch() -> None:
    subject = Recording()
    table = read(subject)
    assert values(table) == [1]
    assert values(table) == [1]
    assert subject.calls == 2 * ["start", "run", "on_stop", "end"]


def test_without_an_output_nothing_is_started() -> None:
    subject = Recording()
    read(subject)
    pw.run(monitoring_level=SILENT)
    assert subject.calls == []
    pw.run_all(monitoring_level=SILENT)
    assert subject.calls == ["start", "run", "on_stop", "end"]


def test_on_stop_may_still_send_rows() -> None:
    class Subject(Recording):
        def on_stop(self) -> None:
            self.next(n=2)

    assert sorted(values(read(Subject()))) == [1, 2]


def test_rows_after_close_are_ignored_and_those_before_are_committed() -> None:
    class Subject(Recording):
        def run(self) -> None:
            self.next(n=1)
            self.close()
            self.next(n=2)

    assert values(read(Subject(), autocommit_duration_ms=None)) == [1]


def test_an_infinite_subject_stays_open_when_run_returns() -> None:
    class Subject(Recording):
        def _is_finite(self) -> bool:
            return False

        def run(self) -> None:
            thread = threading.Thread(target=self.later)
            thread.start()

        def later(self) -> None:
            # The run is over when on_stop was called; only then send.
            stopped.wait(10)
            self.next(n=7)
            self.close()

        def end(self) -> None:
            stopped.set()

    stopped = threading.Event()
    assert values(read(Subject())) == [7]


@pytest.mark.parametrize("failing", ["run", "on_stop", "start", "end"])
def test_an_exception_ends_the_run_with_it(failing: str) -> None:
    error = RuntimeError("the pipe is blocked")
    subject = Recording()

    def fail() -> None:
        raise error

    setattr(subject, failing, fail)
    with pytest.raises(RuntimeError) as caught:
        values(read(subject))
    assert caught.value is error
    if failing != "on_stop":
        assert subject.calls.count("on_stop") == 1


def test_the_exception_of_run_is_kept_if_on_stop_fails_too() -> None:
    class Subject(Recording):
        def run(self) -> None:
            raise ValueError("first")

        def on_stop(self) -> None:
            raise TypeError("second")

    with pytest.raises(ValueError, match="first"):
        values(read(Subject()))


def test_sys_exit_in_run_is_a_system_exit_of_the_run(caplog: pytest.LogCaptureFixture) -> None:
    class Subject(Recording):
        def run(self) -> None:
            sys.exit(3)

    with pytest.raises(SystemExit) as caught, caplog.at_level("ERROR", "pathway"):
        values(read(Subject()))
    assert caught.value.code == 3
    # Python prints no traceback for it.
    assert re.search(r"the connector failed: SystemExit: 3 \(.*test_python.py:\d+\)$", caplog.messages[0])


def test_a_failure_stops_the_other_subjects() -> None:
    class Waiting(Recording):
        def run(self) -> None:
            self.calls.append("run")
            released.wait(30)

        def on_stop(self) -> None:
            self.calls.append("on_stop")
            released.set()

    class Failing(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            raise ValueError("broken")

    released = threading.Event()
    waiting = Waiting()
    tables = read(waiting), read(Failing())
    with pytest.raises(ValueError, match="broken"):
        pw.testing.capture(*tables)
    assert released.is_set()
    assert waiting.calls.count("on_stop") == 1


def test_next_unwinds_run_after_a_stop() -> None:
    unwound = threading.Event()

    class Endless(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            try:
                while True:
                    self.next(n=1)
            finally:
                unwound.set()

    class Failing(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        pw.testing.capture(read(Endless()), read(Failing()))
    assert unwound.wait(10)


def test_an_asynchronous_run_is_cancelled_by_a_stop() -> None:
    events: list[str] = []
    over = threading.Event()

    class Waiting(pw.io.python.ConnectorSubject):
        async def run(self) -> None:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                events.append("cancelled")
                raise

        async def on_stop(self) -> None:
            events.append("on_stop")

        def end(self) -> None:
            over.set()

    class Failing(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        pw.testing.capture(read(Waiting()), read(Failing()))
    assert over.wait(10)
    # If the stop comes before the loop runs, `run` does not begin.
    assert events in (["cancelled", "on_stop"], ["on_stop"])


@pytest.mark.parametrize("moment", ["before", "during"])
def test_an_asynchronous_run_does_not_begin_after_a_stop(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the request to stop, in a thread of its own, meets the loop of `run` that is just starting."""
    events: list[str] = []
    stopping, stopped, over = threading.Event(), threading.Event(), threading.Event()

    class Late(pw.io.python.ConnectorSubject):
        def start(self) -> None:
            assert (stopping if moment == "during" else stopped).wait(30)

        async def run(self) -> None:
            events.append("run")
            await asyncio.sleep(3600)

        def on_stop(self) -> None:
            events.append("on_stop")
            stopped.set()

        def end(self) -> None:
            over.set()

    class Failing(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            raise ValueError("broken")

    def call_on_stop(run: SubjectRun) -> None:
        if run.name == "late":
            stopping.set()
            if moment == "during":
                # The loop looks whether there was a stop before `on_stop` is called.
                when(lambda: run._coroutines)
        original(run)

    original = SubjectRun.call_on_stop
    monkeypatch.setattr(SubjectRun, "call_on_stop", call_on_stop)
    with pytest.raises(ValueError, match="broken"):
        pw.testing.capture(read(Late("late")), read(Failing()))
    assert over.wait(10)
    assert events == ["on_stop"]


def test_a_stop_does_not_cancel_an_on_stop_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    stopping, over = threading.Event(), threading.Event()

    class Ending(pw.io.python.ConnectorSubject):
        async def run(self) -> None:
            pass

        async def on_stop(self) -> None:
            stopping.set()
            try:
                await asyncio.to_thread(cancel_asked.wait, 30)
                # The loop takes turns: a cancellation that was asked for would come here.
                await asyncio.sleep(0)
                events.append("on_stop")
            except asyncio.CancelledError:
                events.append("cancelled")
                raise

        def end(self) -> None:
            over.set()

    class Failing(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            assert stopping.wait(30)
            raise ValueError("broken")

    def request_stop(run: SubjectRun) -> None:
        original(run)
        if run.name == "ending":
            cancel_asked.set()

    original = SubjectRun.request_stop
    monkeypatch.setattr(SubjectRun, "request_stop", request_stop)
    cancel_asked = threading.Event()
    with pytest.raises(ValueError, match="broken"):
        pw.testing.capture(read(Ending("ending")), read(Failing()))
    assert over.wait(10)
    assert events == ["on_stop"]


def test_many_threads_lose_nothing() -> None:
    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            threads = [threading.Thread(target=self.send, args=(start,)) for start in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        def send(self, start: int) -> None:
            for number in range(start, 4000, 4):
                self.next(n=number)

    assert sorted(values(read(Subject()))) == list(range(4000))


def test_commits_separate_times() -> None:
    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            for number in range(6):
                self.next(n=number)
                if number % 2:
                    self.commit()
                    self.commit()

    updates = pw.testing.capture(read(Subject(), autocommit_duration_ms=None))
    times = sorted({update.time for update in updates})
    assert len(times) == 3
    assert all(time % 2 == 0 for time in times)
    assert [sorted(u.row["n"] for u in updates if u.time == time) for time in times] == [[0, 1], [2, 3], [4, 5]]


def test_disabled_commits_hold_the_rows_together() -> None:
    seen = threading.Event()

    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self._disable_commits()
            for number in range(5):
                self.next(n=number)
                # Longer than the autocommit, and nothing must come.
                assert not seen.wait(0.02)
            self._enable_commits()
            assert seen.wait(10)

    times: list[int] = []
    pw.io.subscribe(
        read(Subject(), autocommit_duration_ms=2),
        lambda key, row, time, is_addition: times.append(time),
        on_time_end=lambda time: seen.set(),
    )
    pw.run(monitoring_level=SILENT)
    assert len(times) == 5
    assert len(set(times)) == 1


def test_autocommit_makes_rows_visible_while_run_goes_on() -> None:
    seen = threading.Event()

    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next(n=1)
            assert seen.wait(10)

    pw.io.subscribe(read(Subject(), autocommit_duration_ms=5), lambda key, row, time, is_addition: seen.set())
    pw.run(monitoring_level=SILENT)
    assert seen.is_set()


def test_a_bounded_backlog_loses_nothing() -> None:
    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            for number in range(1000):
                self.next(n=number)

    assert sorted(values(read(Subject(), max_backlog_size=3))) == list(range(1000))


def test_rows_without_primary_key_have_keys_of_their_own_source() -> None:
    first, second = read(Recording()), read(Recording())
    pw.universes.promise_are_pairwise_disjoint(first, second)
    updates = pw.testing.capture(first.concat(second))
    assert len({update.key for update in updates}) == 2


def test_a_primary_key_is_the_pointer_from_its_values() -> None:
    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next(k=5, n=1)

    table = pw.io.python.read(Subject(), schema=Keyed)
    (update,) = pw.testing.capture(table.select(same=table.id == table.pointer_from(table.k)))
    assert update.row == {"same": True}


def test_no_value_is_a_control_message() -> None:
    class Text(pw.Schema):
        _pw_special: str

    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            for word in ("*FINISH*", "*COMMIT*"):
                self.next(_pw_special=word)

    table = pw.io.python.read(Subject(), schema=Text, autocommit_duration_ms=None)
    updates = pw.testing.capture(table)
    assert sorted(update.row["_pw_special"] for update in updates) == ["*COMMIT*", "*FINISH*"]
    assert len({update.time for update in updates}) == 1
