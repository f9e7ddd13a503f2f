"""Who asks for all rows of what never ends is told so, whatever the source is."""

import logging
import pathlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pathway as pw
import pytest
from pathway._debugging import captures, endings


class Passage(pw.Schema):
    lock: str


def files(folder: pathlib.Path) -> pw.Table[Any]:
    (folder / "in.csv").write_text("lock\nMarple\n")
    return pw.io.csv.read(folder, schema=Passage)


def database(folder: pathlib.Path) -> pw.Table[Any]:
    connection = sqlite3.connect(folder / "locks.db")
    connection.execute("CREATE TABLE locks (lock TEXT)")
    connection.close()
    return pw.io.sqlite.read(folder / "locks.db", "locks", Passage)


def stream(folder: pathlib.Path) -> pw.Table[Any]:
    return pw.demo.range_stream(nb_rows=None, input_rate=1000)


class Nothing(pw.io.python.ConnectorSubject):
    def run(self) -> None:
        pass

    def _is_finite(self) -> bool:
        return False


def subject(folder: pathlib.Path) -> pw.Table[Any]:
    return pw.io.python.read(Nothing(), schema=Passage)


CALLS: dict[str, Callable[[pw.Table[Any]], object]] = {
    "pw.debug.compute_and_print": pw.debug.compute_and_print,
    "pw.debug.compute_and_print_update_stream": pw.debug.compute_and_print_update_stream,
    "pw.debug.compute": pw.debug.compute,
    "pw.debug.table_to_dicts": pw.debug.table_to_dicts,
    "pw.debug.table_to_pandas": pw.debug.table_to_pandas,
    "pw.debug.table_to_polars": pw.debug.table_to_polars,
    "pw.debug.table_to_arrow": pw.debug.table_to_arrow,
    "pw.testing.capture": pw.testing.capture,
}


@pytest.mark.parametrize(
    ("made", "name", "is_static"),
    [
        (files, "csv", True),
        (database, "sqlite locks", True),
        (stream, "demo.custom-stream", False),
        (subject, "Nothing", False),
    ],
)
@pytest.mark.parametrize("call", ["pw.debug.compute_and_print", "pw.debug.table_to_pandas"])
@pytest.mark.one_process("the first process tells")
def test_what_never_ends_is_told_at_once(
    made: Callable[[pathlib.Path], pw.Table[Any]],
    name: str,
    is_static: bool,
    call: str,
    tmp_path: pathlib.Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(captures, "run_captures", lambda *arguments: None)
    table = made(tmp_path)
    CALLS[call](table.join(table.copy(), pw.left.id == pw.right.id).select(n=1))
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith(f"{name} ({__file__}:")
    assert f"goes on for ever, and so does {call}(), which waits for all of it: " in message
    assert ('read it with mode="static"' in message) == is_static
    assert "look at its rows with table.live() or table.show(), or write it to an output and use pw.run()" in message


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.one_process("the first process tells")
def test_every_call_is_called_by_its_name(
    call: str, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(captures, "run_captures", lambda *arguments: None)
    CALLS[call](files(tmp_path))
    assert f"so does {call}()," in caplog.text


def test_what_ends_is_computed_without_a_word(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    files(tmp_path)
    pw.debug.compute(pw.io.csv.read(tmp_path, schema=Passage, mode="static"))
    database(tmp_path)
    pw.debug.compute(pw.io.sqlite.read(tmp_path / "locks.db", "locks", Passage, mode="static"))
    pw.debug.compute(pw.demo.range_stream(nb_rows=2, input_rate=1000))
    assert caplog.records == []


class Patient(pw.io.python.ConnectorSubject):
    """Goes on until something was said of it."""

    def __init__(self) -> None:
        super().__init__()
        self.is_told = threading.Event()

    def run(self) -> None:
        assert self.is_told.wait(60)
        self.next(lock="Marple")


@pytest.fixture
def messages() -> Iterator[list[str]]:
    """What is logged, as it comes."""
    found: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage())
            for each in patient:
                each.is_told.set()

    handler = Handler()
    logger = logging.getLogger("pathway")
    logger.addHandler(handler)
    yield found
    logger.removeHandler(handler)
    patient.clear()


patient: list[Patient] = []


@pytest.mark.one_process("the first process has the subject")
def test_what_takes_long_is_named(messages: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings, "PATIENCE_SECONDS", 0.01)
    patient.append(Patient())
    table = pw.io.python.read(patient[0], schema=Passage, name="locks")
    assert pw.debug.compute(table).to_dicts() == [{"lock": "Marple"}]
    (message,) = messages
    assert message.startswith(f"pw.debug.compute() still waits for the end of locks ({__file__}:")
    assert message.endswith(
        "rows of what never ends are seen with table.live() or table.show(), or in an output with pw.run()"
    )
