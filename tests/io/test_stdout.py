"""`pw.io.stdout.write`: the changes of a table, a line each."""

import io
import os
import re
import subprocess
import sys
from typing import Any

import pathway as pw
import pytest
from pathway._values import texts
from pathway.io import stdout

from tests.terminals import Written


@pytest.fixture
def traffic() -> pw.Table[Any]:
    passages = pw.debug.table_from_markdown("""
    lock   | boats | __time__
    Marple | 2     | 2
    Bosley | 100   | 4
    Marple | 3     | 4
    """)
    return passages.groupby(pw.this.lock).reduce(pw.this.lock, boats=pw.reducers.sum(pw.this.boats))


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    return capsys.readouterr().out.splitlines()


def test_every_change_is_a_line(traffic: pw.Table[Any], capsys: pytest.CaptureFixture[str]) -> None:
    pw.io.stdout.write(traffic, sort_by=[traffic.lock])
    assert printed(capsys) == [
        "  time | lock   | boats",
        "+ 2    | Marple | 2",
        "- 4    | Marple | 2",
        "+ 4    | Bosley | 100",
        "+ 4    | Marple | 5",
    ]


def test_keys_are_printed_if_asked_for(traffic: pw.Table[Any], capsys: pytest.CaptureFixture[str]) -> None:
    pw.io.stdout.write(traffic, include_id=True)
    header, first, *_ = printed(capsys)
    assert re.fullmatch(r"  time \| id {25} \| lock   \| boats", header)
    assert re.fullmatch(r"\+ 2    \| \^[0-9A-Z]{26} \| Marple \| 2", first)


def test_a_change_is_one_line_whatever_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    table = pw.debug.table_from_rows(pw.schema_from_dict({"a\nb": str}), [("x\ny\x1b[31m",)])
    pw.io.stdout.write(table)
    assert printed(capsys) == ["  time | a\\nb", "+ 0    | x\\ny\\x1b[31m"]


def test_long_values_are_complete_in_a_pipe_and_others_stay_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    table = pw.debug.table_from_rows(pw.schema_from_types(a=str, b=int), [("x" * 200, 1), ("y", 2)])
    pw.io.stdout.write(table, sort_by=[table.a])
    assert printed(capsys) == [
        f"  time | a{' ' * 39} | b",
        f"+ 0    | {'x' * 200} | 1",
        f"+ 0    | y{' ' * 39} | 2",
    ]


def test_errors_and_none_are_seen(traffic: pw.Table[Any], capsys: pytest.CaptureFixture[str]) -> None:
    table = pw.debug.table_from_rows(pw.schema_from_types(a=int, b=int | None), [(0, None)])
    pw.io.stdout.write(table.select(x=1 // pw.this.a, b=pw.this.b))
    pw.run(monitoring_level=pw.MonitoringLevel.NONE, terminate_on_error=False)
    assert capsys.readouterr().out.splitlines() == ["  time | x     | b", "+ 0    | Error |"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("variable", "sign"), [("", "\x1b[32m+\x1b[0m"), ("1", "+")])
@pytest.mark.one_process("what the first process has printed there is not handed over")
def test_a_terminal_has_colours_and_short_lines(monkeypatch: pytest.MonkeyPatch, variable: str, sign: str) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("NO_COLOR", variable)
    pw.io.stdout.write(pw.debug.table_from_rows(pw.schema_from_types(a=str), [("x" * 200,)]))
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert terminal.getvalue().splitlines()[1] == f"{sign} 0    | {'x' * 79}…"


@pytest.mark.parametrize(
    ("columns", "lines"),
    [
        (
            60,
            [
                "  time | lock      | text                               | n",
                "+ 0    | 水门      | xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx… | 1",
                "+ 0    | Bo\u0308sley 🚤 | y                                  | 22",
            ],
        ),
        (
            36,
            [
                "  time | lock      | text       | n",
                "+ 0    | 水门      | xxxxxxxxx… | 1",
                "+ 0    | Bo\u0308sley 🚤 | y          | 22",
            ],
        ),
        (20, ["  time | lock     |…", "+ 0    | 水门     |…", "+ 0    | Bo\u0308sley … |…"]),
    ],
)
@pytest.mark.one_process("what the first process has printed there is not handed over")
def test_lines_fit_into_a_terminal(columns: int, lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    rows = [("水门", "x" * 200, 1), ("Bo\u0308sley 🚤", "y", 22)]
    table = pw.debug.table_from_rows(pw.schema_from_types(lock=str, text=str, n=int), rows)
    pw.io.stdout.write(table, sort_by=[table.n])
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert terminal.getvalue().splitlines() == lines
    assert all(texts.width(line) <= columns for line in lines)


@pytest.mark.one_process("what the first process has printed there is not handed over")
def test_whatever_can_be_written_to_is_printed_to(traffic: pw.Table[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    written = Written()
    monkeypatch.setattr(sys, "stdout", written)
    pw.io.stdout.write(traffic.filter(traffic.lock == "Bosley"))
    pw.run()
    assert written.text == "  time | lock   | boats\n+ 4    | Bosley | 100\n"
    pw.start().wait()


def test_the_time_of_a_live_source_is_that_of_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    class Zone(stdout.datetime.datetime):  # type: ignore[name-defined,misc]
        @classmethod
        def fromtimestamp(cls, seconds: float, tz: Any = None) -> Any:
            return super().fromtimestamp(seconds, stdout.datetime.UTC)

    monkeypatch.setattr(stdout.datetime, "datetime", Zone)
    assert stdout._time(1_796_055_513_070) == "16:18:33.070"


def test_arguments_are_checked(traffic: pw.Table[Any]) -> None:
    with pytest.raises(TypeError, match="parameter include_id has to be True or False"):
        pw.io.stdout.write(traffic, include_id=1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"parameter table has to be a pw\.Table"):
        pw.io.stdout.write(5)  # type: ignore[arg-type]


PROGRAM = """
import threading
import pathway as pw

class Endless(pw.io.python.ConnectorSubject):
    stopped = threading.Event()
    def run(self):
        number = 0
        while not self.stopped.wait(0.001):
            self.next(number=number)
            number += 1
    def on_stop(self):
        self.stopped.set()

table = pw.io.python.read(Endless(), schema=pw.schema_from_types(number=int), autocommit_duration_ms=5)
pw.io.stdout.write(table)
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
"""


def test_a_pipe_that_nobody_reads_is_the_end_without_a_word() -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ
    )
    assert program.stdout is not None
    assert program.stderr is not None
    assert program.stdout.readline() == b"  time         | number\n"
    assert re.fullmatch(rb"\+ \d\d:\d\d:\d\d\.\d{3} \| 0\n", program.stdout.readline())
    program.stdout.close()
    assert program.stderr.read() == b""
    program.stderr.close()
    assert program.wait(60) == 141
