"""`Table.live`: rows that are asked for while a run goes on in the background."""

import contextlib
import gc
import os
import re
import subprocess
import sys
import threading
from typing import Any

import duckdb
import pathway as pw
import polars as pl
import pyarrow as pa
import pytest
from pathway._looking import computations
from pathway._looking import live as live_tables
from pathway._running import background


class Passage(pw.Schema):
    lock: str
    boats: int


class Boats(pw.io.python.ConnectorSubject):
    """Sends what it is told, a commit each."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[dict[str, Any] | None] = []
        self.changed = threading.Condition()
        self.is_stopped = False

    def tell(self, **row: Any) -> None:
        with self.changed:
            self.told.append(row)
            self.changed.notify_all()

    def no_more(self) -> None:
        with self.changed:
            self.told.append(None)
            self.changed.notify_all()

    def run(self) -> None:
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.told)
                row = self.told.pop(0)
            if row is None:
                return
            self.next(**row)
            self.commit()

    def on_stop(self) -> None:
        self.is_stopped = True
        self.no_more()


def totals(subject: Boats) -> pw.Table[Any]:
    passages = pw.io.python.read(subject, schema=Passage, autocommit_duration_ms=None)
    return passages.groupby(passages.lock).reduce(passages.lock, boats=pw.reducers.sum(passages.boats))


def test_rows_are_there_while_the_run_goes_on() -> None:
    subject = Boats()
    with totals(subject).live() as live:
        assert (len(live), live.frontier(), list(live)) == (0, 0, [])
        subject.tell(lock="Marple", boats=2)
        first = live.wait_for(lambda rows: len(rows) == 1)
        assert first.to_dicts() == live.to_dicts() == [{"lock": "Marple", "boats": 2}]
        subject.tell(lock="Marple", boats=3)
        second = live.wait_for(lambda rows: any(row["boats"] == 5 for row in rows))
        # What was asked for stays as it was.
        assert (first.to_dicts(), len(second)) == ([{"lock": "Marple", "boats": 2}], 1)
        assert first.frontier is not None
        assert second.frontier is not None
        assert first.frontier < second.frontier
        assert live.frontier() == second.frontier
        assert live.snapshot() is second
        assert live.is_running
    assert (live.is_running, live.frontier(), live.failed(), live.error) == (False, None, False, None)
    assert live.to_dicts() == [{"lock": "Marple", "boats": 5}]
    assert live.snapshot().frontier is None
    assert subject.is_stopped


def test_others_take_it_as_it_is() -> None:
    subject = Boats()
    with totals(subject).live() as live:
        subject.tell(lock="Marple", boats=2)
        live.wait_for(len)
        assert live.to_pandas(include_id=False).to_dict("records") == [{"lock": "Marple", "boats": 2}]
        assert live.to_polars().equals(pl.DataFrame(live))
        assert live.to_arrow().equals(pa.table(live))
        assert duckdb.sql("select boats from live").fetchall() == [(2,)]


def test_it_shows_what_it_has() -> None:
    subject = Boats()
    with totals(subject).live() as live:
        subject.tell(lock="<Marple>", boats=2)
        live.wait_for(len)
        assert repr(live) == "lock     | boats\n<Marple> | 2\n[1 row, kept up to date]"
        assert "&lt;Marple&gt;" in live._repr_html_()
        assert "1 row, kept up to date, as it was when the cell was run" in live._repr_html_()
    assert repr(live).endswith("[1 row, the run has ended]")


def test_what_is_waited_for_may_not_come() -> None:
    subject = Boats()
    with totals(subject).live() as live:
        with pytest.raises(TimeoutError, match=r"not true after 0.02 s; there are 0 rows"):
            live.wait_for(len, timeout=0.02)
        subject.no_more()
        with pytest.raises(RuntimeError, match="the run has ended, and what was waited for is not true of its 0 rows"):
            live.wait_for(len)
    assert live.wait(timeout=60)


def test_what_ends_the_run_is_raised_by_who_waits(caplog: pytest.LogCaptureFixture) -> None:
    subject = Boats()
    table = totals(subject).select(x=10 // pw.this.boats)
    live = table.live()
    subject.tell(lock="Marple", boats=0)
    with pytest.raises(ZeroDivisionError):
        live.wait_for(len)
    assert live.failed()
    assert isinstance(live.error, ZeroDivisionError)
    assert "[0 rows, the run has failed: ZeroDivisionError: division by zero, in 10 // 0" in repr(live)
    with pytest.raises(ZeroDivisionError):
        live.stop()


def test_a_cell_that_is_run_again_has_the_same_run() -> None:
    subject = Boats()
    table = totals(subject)
    with table.live() as live:
        assert table.live() is live
        subject.tell(lock="Bosley", boats=1)
        live.wait_for(len)
    # When it has ended, the next one begins anew.
    with table.live() as again:
        assert again is not live
        subject.tell(lock="Marple", boats=1)
        assert again.wait_for(len).to_dicts() == [{"lock": "Marple", "boats": 1}]


@pytest.mark.one_process("the second process is forked while a run goes on")
def test_a_live_table_that_nobody_keeps_can_be_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_tables, "LEFT_SECONDS", 3600.0)
    subject = Boats()
    table = totals(subject)
    subject.tell(lock="Marple", boats=2)
    for _ in range(3):
        # Each is left at once, and the run goes on nevertheless.
        assert table.live().wait_for(len).to_dicts() == [{"lock": "Marple", "boats": 2}]
    assert not subject.is_stopped
    # Another run of the same source waits for its end.
    subject.no_more()
    assert pw.debug.table_to_dicts(table) == ([], {"lock": {}, "boats": {}})
    assert subject.is_stopped


@pytest.mark.one_process("the second process is forked while a run goes on")
def test_what_is_being_stopped_is_waited_for() -> None:
    subject = Boats()
    table = totals(subject)
    live = table.live()
    live.stop(timeout=0)
    with table.live() as again:
        assert again is not live
        subject.tell(lock="Marple", boats=2)
        assert again.wait_for(len).to_dicts() == [{"lock": "Marple", "boats": 2}]


def test_it_ends_when_nobody_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_tables, "LEFT_SECONDS", 0.05)
    subject = Boats()
    live = totals(subject).live()
    handle = live._handle
    assert handle.is_running
    del live
    gc.collect()
    assert handle.wait(timeout=60)
    assert subject.is_stopped
    assert computations._going_on == {}


def test_its_rows_are_forgotten_with_it() -> None:
    def keys() -> int:
        gc.collect()
        return sum(isinstance(each, pw.Pointer) for each in gc.get_objects())

    table = pw.debug.table_from_rows(pw.schema_from_types(boats=int), [(boats,) for boats in range(100)])
    before = keys()
    live = table.live()
    live.wait(60)
    assert keys() - before == len(live)
    # A run that does the last one again has nobody who would look.
    del live
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert keys() == before


@pytest.mark.parametrize("first_to_go", [0, 1])
def test_it_goes_on_while_anybody_has_it(first_to_go: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_tables, "LEFT_SECONDS", 0.0)
    subject = Boats()
    computation = computations.of(totals(subject))
    views = [pw.LiveTable(computation), pw.LiveTable(computation)]
    del views[first_to_go]
    gc.collect()
    assert not computation.handle._control.signals.noted
    subject.tell(lock="Marple", boats=2)
    assert views[0].wait_for(len).to_dicts() == [{"lock": "Marple", "boats": 2}]
    assert views[0].is_running
    views.clear()
    gc.collect()
    assert computation.handle.wait(timeout=60)


def test_who_comes_while_the_last_one_leaves_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_tables, "LEFT_SECONDS", 0.0)
    computation = computations.of(totals(Boats()))
    with pw.LiveTable(computation) as live:
        # What another thread has found, which asks for the end only now.
        computation.handle._control.signals.ask_in(0.0, unless=computation._views.__len__)
        assert not computation.handle._control.signals.noted
        assert not computation.handle._control.signals.is_left
        assert live.is_running


def test_two_threads_that_ask_for_it_have_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    table = totals(Boats())
    found: list[pw.LiveTable] = []
    second = threading.Thread(target=lambda: found.append(table.live()))
    viewed = computations.Computation.viewed

    def interrupted(computation: computations.Computation) -> int:
        if second.ident is None:
            second.start()
            # It cannot come to its end before this one has.
            second.join(0.2)
        return viewed(computation)

    monkeypatch.setattr(computations.Computation, "viewed", interrupted)
    with table.live() as live:
        second.join(60)
        assert len(found) == 1
        assert found[0] is live


def test_what_cannot_begin_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = Boats()
    table = totals(subject)
    start = threading.Thread.start

    def refused(thread: threading.Thread) -> None:
        if thread.name == "pathway:run":
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        for _ in range(2):
            with pytest.raises(RuntimeError, match="can't start new thread"):
                table.live()
    subject.tell(lock="Marple", boats=2)
    with table.live() as live:
        assert live.wait_for(len, timeout=60).to_dicts() == [{"lock": "Marple", "boats": 2}]


@pytest.mark.one_process("it forks itself")
def test_a_forked_process_begins_anew() -> None:
    """Also where a thread of its parent had the locks, which nobody would give back."""
    boats = pw.debug.table_from_rows(Passage, [("Marple", 1)])
    found: list[object] = []

    def look() -> None:
        with contextlib.suppress(RuntimeError):
            live.wait_for(len)
        found.append((len(live), live.is_running))
        found.append(boats.live().wait_for(len).to_dicts())

    with totals(Boats()).live() as live:
        with computations._lock, background._lock, live._handle._lock, live._content.changed:
            child = os.fork()
            if child == 0:
                # This thread has them, and no other can get them.
                thread = threading.Thread(target=look, daemon=True)
                thread.start()
                thread.join(30)
                os._exit(7 if found == [(0, False), [{"lock": "Marple", "boats": 1}]] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert live.is_running


def test_a_source_that_another_run_reads_is_named() -> None:
    subject = Boats()
    table = totals(subject)
    pw.io.null.write(table)
    with pw.start(monitoring_level=pw.MonitoringLevel.NONE):
        with pytest.raises(
            RuntimeError, match=r"reads the connector that was declared at .*test_live.py:\d+"
        ) as raised:
            table.live()
        assert re.search(r"started at .*test_live.py:\d+; its stop\(\) ends it", "".join(raised.value.__notes__))


class Once(pw.io.python.ConnectorSubject):
    """As many are written: what has told it to stop stays as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(0.001):
            self.next(lock="Marple", boats=1)

    def on_stop(self) -> None:
        self.stopped.set()


@pytest.mark.one_process("the first process has the subject")
def test_a_subject_that_was_stopped_for_good_says_so(caplog: pytest.LogCaptureFixture) -> None:
    table = pw.io.python.read(Once(), schema=Passage, autocommit_duration_ms=10)
    with table.live() as live:
        live.wait_for(len)
    assert caplog.records == []
    with table.live() as live:
        live.wait()
    (message,) = [record.getMessage() for record in caplog.records]
    assert (
        "run() of Once has ended without a row, unlike in the run before, at whose end on_stop() was called" in message
    )
    assert "has to be cleared in a method start()" in message


class Again(Once):
    def start(self) -> None:
        self.stopped.clear()


@pytest.mark.one_process("the first process has the subject")
def test_a_subject_whose_start_makes_it_ready_is_run_again_and_again(caplog: pytest.LogCaptureFixture) -> None:
    table = pw.io.python.read(Again(), schema=Passage, autocommit_duration_ms=10)
    for number in range(20):
        with table.live() as live:
            # A stop that comes before anything has begun is not lost.
            if number % 2:
                live.wait_for(len)
    assert caplog.records == []


def test_names_of_others_lead_to_what_is_there() -> None:
    with pw.debug.table_from_rows(Passage, [("Marple", 1)]).live() as live:
        live.wait()
        for rows in (live, live.snapshot()):
            for name, message in {
                "to_panda": f"'{type(rows).__name__}' object has no attribute 'to_panda'. Did you mean 'to_pandas'?",
                "head": "It has rows for others: to_pandas(), to_polars(), to_arrow()",
                "filter": "has rows, and no filter to compute with: use that of the table it was made of",
            }.items():
                with pytest.raises(AttributeError, match=re.escape(message)):
                    getattr(rows, name)


def test_a_table_at_rest_is_live_as_well() -> None:
    table = pw.debug.table_from_rows(Passage, [("Marple", 1)])
    live = table.live()
    assert live.wait()
    assert live.to_dicts() == [{"lock": "Marple", "boats": 1}]


def test_many_threads_look_at_it() -> None:
    """Both sides of a transfer are seen together, or neither."""
    accounts = 5
    subject = Boats()
    passages = pw.io.python.read(subject, schema=Passage, autocommit_duration_ms=None)
    doubled = passages.concat_reindex(passages.with_columns(boats=-pw.this.boats))
    sums: list[int] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            sums.append(sum(row["boats"] for row in live))

    with doubled.live() as live:
        threads = [threading.Thread(target=look) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(1, accounts + 1):
            subject.tell(lock="Marple", boats=number)
            assert len(live.wait_for(lambda rows, number=number: len(rows) == 2 * number)) == 2 * number
        done.set()
        for thread in threads:
            thread.join()
    assert set(sums) == {0}


def test_it_is_no_table_to_compute_with() -> None:
    with pw.debug.table_from_rows(Passage, [("Marple", 1)]).live() as live:
        for name in ("select", "lock"):
            with pytest.raises(AttributeError, match=f"has rows, and no {name} to compute with: use that of the table"):
                getattr(live, name)
        with pytest.raises(AttributeError, match="'LiveTable' object has no attribute 'rows'"):
            live.rows  # noqa: B018


def test_what_cannot_be_done_with_it_says_what_can() -> None:
    table = pw.debug.table_from_rows(Passage, [("Marple", 1)])
    with table.live() as live:
        live.wait()
        with pytest.raises(TypeError, match=r"wait_for\(\) takes a function of the rows, such as .*, found True"):
            live.wait_for(True)  # type: ignore[arg-type]
        for rows in (live, live.snapshot()):
            with pytest.raises(
                TypeError, match=r"is no frame; to_pandas\(\) and to_polars\(\) make one: to_pandas\(\)\['lock'\]"
            ):
                rows["lock"]  # type: ignore[index]
    with pytest.raises(TypeError, match=r"a live table is made by the method live\(\) of a table"):
        pw.LiveTable(table)  # type: ignore[arg-type]


def test_a_run_that_cannot_begin_names_the_one_that_goes_on() -> None:
    table = totals(Boats())
    with table.live():
        with pytest.raises(RuntimeError) as raised:
            pw.debug.compute(table)
        assert re.search(r"started at .*test_live.py:\d+; its stop\(\) ends it", "".join(raised.value.__notes__))


@pytest.mark.one_process("the first process has the subject")
def test_a_subject_that_has_ended_by_itself_may_be_over_for_good(caplog: pytest.LogCaptureFixture) -> None:
    class Ends(Once):
        def run(self) -> None:
            if not self.stopped.is_set():
                self.next(lock="Marple", boats=1)

    table = pw.io.python.read(Ends(), schema=Passage)
    assert len(pw.debug.compute(table)) == 1
    assert caplog.records == []
    assert len(pw.debug.compute(table)) == 0
    assert "run() of Ends has ended without a row, unlike in the run before" in caplog.text


LEFT_AT_THE_END = """
import threading
import pathway as pw

class Endless(pw.io.python.ConnectorSubject):
    stopped = threading.Event()
    def run(self):
        while not self.stopped.wait(0.01):
            self.next(lock="Marple")
    def on_stop(self):
        self.stopped.set()

table = pw.io.python.read(Endless(), schema=pw.schema_from_types(lock=str), autocommit_duration_ms=10)
live = table.live()
live.wait_for(len)
"""


@pytest.mark.parametrize(("last", "is_told"), [("", True), ("del live", False), ("live.stop()", False)])
@pytest.mark.one_process("it is a process of its own")
def test_the_end_of_a_program_tells_of_what_it_has_not_left(last: str, is_told: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEFT_AT_THE_END + last], capture_output=True, text=True, timeout=60, check=True
    )
    assert ("the program has ended while a computation goes on" in done.stderr) == is_told
    assert is_told or done.stderr == ""
