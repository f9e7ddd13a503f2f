"""Callbacks: what is called with what, in which order, and what an exception in one does."""

import asyncio
from typing import Any

import pathway as pw
import pytest

SILENT = pw.MonitoringLevel.NONE

STREAM = """
  | n | __time__ | __diff__
1 | 1 | 2        | 1
2 | 2 | 2        | 1
1 | 1 | 4        | -1
1 | 5 | 4        | 1
"""


class Recorder(pw.io.python.ConnectorObserver):
    def __init__(self) -> None:
        self.events: list[Any] = []

    def on_change(self, key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        self.events.append((time, row["n"], is_addition))

    def on_time_end(self, time: int) -> None:
        self.events.append(time)

    def on_end(self) -> None:
        self.events.append("end")


def test_changes_come_by_time_and_removals_first() -> None:
    recorder = Recorder()
    table = pw.debug.table_from_markdown(STREAM)
    pw.io.python.write(table, recorder, sort_by=[table.n])
    pw.run(monitoring_level=SILENT)
    assert recorder.events == [(2, 1, True), (2, 2, True), 2, (4, 1, False), (4, 5, True), 4, "end"]


def test_the_key_is_that_of_the_row() -> None:
    keys: list[pw.Pointer] = []
    table = pw.debug.table_from_markdown("  | n\n7 | 1")
    pw.io.subscribe(table, lambda key, row, time, is_addition: keys.append(key))
    pw.run(monitoring_level=SILENT)
    (update,) = pw.testing.capture(table.select(same=table.pointer_from(7)))
    assert keys == [update.row["same"]]


def test_coroutines_of_one_time_run_together() -> None:
    events: list[str] = []
    started = 0

    class Observer(pw.io.python.AsyncConnectorObserver):
        async def on_change(self, key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
            nonlocal started
            started += 1
            events.append("start")
            while started < 2:
                await asyncio.sleep(0)
            events.append("done")

        def on_time_end(self, time: int) -> None:
            events.append(f"time {time}")

        def on_end(self) -> None:
            events.append("end")

    pw.io.python.write(pw.debug.table_from_markdown("n | __time__\n1 | 2\n2 | 2"), Observer())
    pw.run(monitoring_level=SILENT)
    assert events == ["start", "start", "done", "done", "time 2", "end"]


@pytest.mark.parametrize("failing", ["on_change", "on_time_end", "on_end"])
def test_an_exception_ends_the_run_unchanged(failing: str) -> None:
    error = KeyError("the callback")

    def fail(*_: object, **__: object) -> None:
        raise error

    callbacks: dict[str, Any] = {"on_change": lambda **_: None, failing: fail}
    pw.io.subscribe(pw.debug.table_from_markdown(STREAM), **callbacks)
    with pytest.raises(KeyError) as caught:
        pw.run(monitoring_level=SILENT)
    assert caught.value is error


def test_what_comes_after_the_end_of_one_output_does_not_spoil_another() -> None:
    """Everything had been committed when `on_end` was called; the other output may have been behind."""

    class Numbers(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            for number in range(500):
                self.next(n=number)
                self.commit()

    def fail() -> None:
        raise KeyError("the callback")

    table = pw.io.python.read(Numbers(), schema=pw.schema_from_types(n=int), autocommit_duration_ms=None)
    pw.io.subscribe(table, lambda **_: None, on_end=fail)
    total = table.reduce(total=pw.reducers.sum(table.n))
    totals: list[int] = []
    pw.io.subscribe(total, lambda key, row, time, is_addition: totals.append(row["total"]))
    with pytest.raises(KeyError, match="the callback"):
        pw.run(monitoring_level=SILENT)
    assert totals[-1] == sum(range(500))


def test_an_exception_in_a_coroutine_ends_the_run_unchanged() -> None:
    async def fail(**_: object) -> None:
        raise KeyError("the coroutine")

    pw.io.subscribe(pw.debug.table_from_markdown(STREAM), fail)
    with pytest.raises(KeyError, match="the coroutine"):
        pw.run(monitoring_level=SILENT)


def test_on_end_is_not_called_after_a_failure() -> None:
    recorder = Recorder()
    table = pw.debug.table_from_markdown("n | __time__\n1 | 2\n0 | 4")
    pw.io.python.write(table.select(n=1 // table.n), recorder)
    with pytest.raises(ZeroDivisionError):
        pw.run(monitoring_level=SILENT)
    assert "end" not in recorder.events


def test_rows_with_errors_are_skipped() -> None:
    recorder = Recorder()
    table = pw.debug.table_from_markdown("n\n1\n0")
    pw.io.python.write(table.select(n=1 // table.n), recorder)
    pw.run(monitoring_level=SILENT, terminate_on_error=False)
    assert recorder.events == [(0, 1, True), 0, "end"]


def test_what_is_refused() -> None:
    table = pw.debug.table_from_markdown(STREAM)
    other = pw.debug.table_from_markdown("m\n1")

    async def on_change(**_: object) -> None:
        pass

    with pytest.raises(ValueError, match="sort_by with async"):
        pw.io.subscribe(table, on_change, sort_by=[table.n])
    with pytest.raises(ValueError, match="doesn't belong"):
        pw.io.subscribe(table, lambda **_: None, sort_by=[other.m])
    with pytest.raises(TypeError, match="on_change"):
        pw.io.subscribe(table, None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="ConnectorObserver"):
        pw.io.python.write(table, object())  # type: ignore[arg-type]
