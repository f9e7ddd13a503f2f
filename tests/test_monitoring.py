"""What is shown of the progress: as log lines, and on a real terminal."""

import io
import logging
import pathlib
import re
import signal
import subprocess
import sys
from typing import Any

import pathway as pw
import pytest
from pathway._running.log_lines import LogMonitor
from pathway._running.monitor import Monitor
from pathway._running.panel import PanelMonitor
from pathway._running.progress import Ending
from rich.console import Console

from tests.counters import Clock, Entry
from tests.terminals import Terminal, cells, screen


def logged(caplog: pytest.LogCaptureFixture, looks: list[tuple[float, list[Entry]]], ending: Ending) -> list[str]:
    """What is logged of a run that is looked at at some seconds, and has ended at the last one."""
    caplog.set_level(logging.INFO)
    clock = Clock()
    monitor = LogMonitor(clock)
    for second, entries in looks:
        clock.now = second
        monitor.update(lambda entries=entries: entries)  # type: ignore[misc]
    last: Any = looks[-1][1]
    monitor.finish(last, ending)
    return [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]


def test_log_lines_come_every_five_seconds_while_something_changes(caplog: pytest.LogCaptureFixture) -> None:
    def entries(rows: int) -> list[Entry]:
        return [Entry("posts", "source", rows), Entry("map", "operator", rows), Entry("a.csv", "sink", 1)]

    looks = [(1, entries(10)), (5, entries(1500)), (6, entries(1600)), (10, entries(1600)), (15, entries(1600))]
    assert logged(caplog, looks, Ending.FINISHED) == [
        "1,500 rows from posts (300/s); 1 row to a.csv (0.2/s)",
        "1,600 rows from posts (267/s); 1 row to a.csv (0.1/s)",
        "finished after 15.0 s: 1,600 rows in (posts), 1 row out (a.csv)",
    ]


def test_log_lines_are_no_flood(caplog: pytest.LogCaptureFixture) -> None:
    # A day in which something changes ten times a second.
    looks = [(second / 2, [Entry("posts", "source", 5 * second)]) for second in range(2 * 24 * 3600)]
    lines = logged(caplog, looks, Ending.STOPPED)
    assert len(lines) < 24 * 60 + 20
    assert lines[0].startswith("50 rows from posts (10/s)")
    assert lines[-1].startswith("stopped after 23 h 59 min: ")


def test_rows_that_wait_and_rows_that_were_rejected_are_told(caplog: pytest.LogCaptureFixture) -> None:
    looks = [
        (second, [Entry("posts", "source", 9, rejected=rejected, backlog=waiting)])
        for second, waiting, rejected in [(5, 7, 0), (10, 7, 0), (15, 3, 0), (50, 3, 1), (55, 2, 1)]
    ]
    assert logged(caplog, looks, Ending.FAILED) == [
        "9 rows from posts (1.8/s) (7 rows waiting)",
        "9 rows from posts (1.8/s) (3 rows waiting)",
        "9 rows from posts (1 rejected) (3 rows waiting)",
        "9 rows from posts (1 rejected) (2 rows waiting)",
        "failed after 55.0 s: 9 rows in (posts), 1 rejected (2 rows not delivered)",
    ]


def test_the_last_line_sums_up_several_sources(caplog: pytest.LogCaptureFixture) -> None:
    entries = [Entry("a", "source", 2000, rejected=2), Entry("b", "source", 1, rejected=1), Entry("c", "sink", 1)]
    assert logged(caplog, [(0.1, entries)], Ending.FINISHED) == [
        "finished after 0.1 s: 2,001 rows in (a 2,000, b 1), 1 row out (c), 3 rejected"
    ]


def test_rejected_rows_are_summed_up_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    entries: Any = [Entry("posts", "source", 5, rejected=2), Entry("pings", "source", 5)]
    Monitor().finish(entries)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("posts: 2 rows were rejected")


def drawn(entries: list[Entry], *, operators: bool = False, width: int = 100) -> list[str]:
    """The lines of the panel after a second look, 2 seconds after the first."""
    output = io.StringIO()
    clock = Clock()
    console = Console(file=output, width=width, force_terminal=True, color_system=None)
    monitor = PanelMonitor(operators=operators, clock=clock, console=console)
    first: Any = [Entry(entry.name, entry.role, 0) for entry in entries]
    second: Any = entries
    with monitor:
        monitor.update(lambda: first)
        clock.now = 2.0
        monitor.update(lambda: second)
        return [line for line in screen(output.getvalue().replace("\n", "\r\n")) if line]


@pytest.mark.parametrize("operators", [False, True])
def test_the_panel(operators: bool) -> None:
    lines = drawn([Entry("posts", "source", 3000, backlog=7), Entry("map", "operator", 5)], operators=operators)
    assert cells(lines, "posts") == ["source", "posts", "3,000", "1,500", "7", "", "0 s ago"]
    assert any(" map " in line for line in lines) == operators
    assert not any("rejected" in line for line in lines)
    assert lines[-1] == "running for 2.0 s"


def test_rejected_rows_are_in_the_panel_as_soon_as_there_are_some() -> None:
    lines = drawn([Entry("posts", "source", 10, rejected=4), Entry("a", "sink", 1)])
    assert cells(lines, "rows/s")[4] == "rejected"
    assert cells(lines, "posts")[4] == "4"
    assert cells(lines, "a")[4] == ""


@pytest.mark.parametrize("width", [20, 30, 36, 50, 60, 68, 79, 200])
def test_a_narrow_terminal_has_names_and_rows(width: int) -> None:
    entries = [Entry("posts", "source", 3000, rejected=1), Entry("/a/long/path/to/a/file.csv", "sink", 12345)]
    lines = drawn(entries, width=width)
    assert all(len(line) <= width for line in lines)
    # No line of the table is broken: title, head, rows and frame.
    assert len(lines) == 1 + 3 + 2 + 1 + 1
    assert "3,000" in next(line for line in lines if "posts" in line)
    assert "12,345" in next(line for line in lines if "csv" in line)


def test_logging_where_there_is_no_terminal(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    pw.io.null.write(pw.debug.table_from_markdown("a\n1\n2"), name="nowhere")
    pw.run(default_logging=False)
    assert any("2 rows out (nowhere)" in record.getMessage() for record in caplog.records)


# On a terminal. The program runs in a pseudo-terminal, and what it writes is put onto a screen of characters.

TICKS = """
import threading, time
import pathway as pw

class Ticks(pw.io.python.ConnectorSubject):
    stopped = threading.Event()
    def run(self):
        for number in range({rows}):
            self.next(number=number)
            if number % 10 == 0:
                self.commit()
            if self.stopped.wait(0.002):
                return
        {then}
    def on_stop(self):
        self.stopped.set()

table = pw.io.python.read(Ticks(), schema=pw.schema_from_types(number=int), name="ticks")
def slow(key, row, time, is_addition):
    __import__("time").sleep(0.003)
pw.io.subscribe(table, slow, name="slow")
pw.run({arguments})
"""


def test_the_screen_carries_out_what_is_written() -> None:
    written = "\x1b[?25lone\r\ntwo\r\x1b[2K\x1b[1A\x1b[2K\x1b[1;32m1\x1b[0m\r\n2\r\n\x1b[?25h"
    assert screen(written) == ["1", "2", ""]


def test_the_panel_on_a_terminal() -> None:
    terminal = Terminal(TICKS.format(rows=400, then="", arguments=""))
    terminal.read_until(r"source[^\n]*ticks[^\n]*│ +[1-9]\d* │[^\n]*[0-9]\.\d s │")
    during = terminal.screen
    role, _, rows, rate, waiting, lag, age = cells(during, "ticks")
    assert role == "source"
    assert 0 < int(rows) < 400
    assert float(rate.replace(",", "")) > 0
    assert int(waiting) >= 0
    assert re.fullmatch(r"\d+\.\d s", lag)
    assert re.fullmatch(r"\d+ s ago", age)
    assert cells(during, "slow")[0] == "sink"
    assert any(re.fullmatch(r"running for \d+\.\d s", line) for line in during)
    assert terminal.read_to_the_end() == 0
    # The sink takes longer than the source: at some time rows were waiting.
    assert re.search(r"source[^\n]*ticks[^\n]*│ +[\d,]+ │ +[\d,.]+ │ +[1-9]\d* │", terminal.written)
    # In the end there is one panel, with the last numbers, and the cursor is back, below it.
    after = terminal.screen
    assert sum("rows/s" in line for line in after) == 1
    for name in ("ticks", "slow"):
        _, _, rows, _, waiting, lag, age = cells(after, name)
        assert (rows, waiting, lag, age) == ("400", "0", "", "")
    assert re.fullmatch(r"finished after \d+\.\d s: 400 rows in, 400 rows out", after[-2])
    assert after[-1] == ""
    assert not any("running" in line for line in after)
    assert terminal.written.rindex("\x1b[?25h") > terminal.written.rindex("\x1b[?25l")


def test_ctrl_c_leaves_the_terminal_clean() -> None:
    terminal = Terminal(TICKS.format(rows=1_000_000, then="", arguments=""))
    terminal.read_until(r"source[^\n]*ticks[^\n]*│ +[1-9]\d* │")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.read_to_the_end() == -signal.SIGINT
    after = terminal.screen
    assert sum("rows/s" in line for line in after) == 1
    rows = cells(after, "ticks")[2]
    assert cells(after, "slow")[2] == rows
    assert sum("shutting down the computation gracefully" in line for line in after) == 1
    assert re.fullmatch(rf"stopped after \d+\.\d s: {rows} rows in, {rows} rows out", after[-2])
    assert not any("Traceback" in line or "KeyboardInterrupt" in line for line in after)
    assert terminal.written.rindex("\x1b[?25h") > terminal.written.rindex("\x1b[?25l")


def test_what_is_printed_and_logged_is_above_the_panel() -> None:
    program = TICKS.format(rows=200, then="", arguments="").replace(
        "def slow(key, row, time, is_addition):",
        "import logging\ndef slow(key, row, time, is_addition):\n"
        "    if row['number'] % 50 == 0: print('printed', row['number']); logging.warning('logged')",
    )
    terminal = Terminal(program)
    assert terminal.read_to_the_end() == 0
    after = terminal.screen
    head = after[: next(number for number, line in enumerate(after) if "rows/s" in line)]
    assert [line for line in head if "printed" in line] == [f"printed {number}" for number in range(0, 200, 50)]
    assert head.count("WARNING:root:logged") == 4
    assert sum(line == "pathway" for line in after) == 1


def test_rejected_rows_are_told_above_the_panel_and_below() -> None:
    program = TICKS.format(rows=3, then="self.next(number='x')", arguments="")
    terminal = Terminal(program)
    assert terminal.read_to_the_end() == 0
    after = terminal.screen
    first = next(number for number, line in enumerate(after) if "did not accept row 4" in line)
    assert first < next(number for number, line in enumerate(after) if "rows/s" in line)
    assert re.fullmatch(r"finished after \d+\.\d s: 3 rows in, 3 rows out, 1 rejected", after[-2])


def test_operators_are_shown_if_asked_for() -> None:
    program = TICKS.format(rows=1, then="", arguments="monitoring_level=pw.MonitoringLevel.ALL")
    program = program.replace("pw.io.subscribe(", "table = table.reduce(n=pw.reducers.count())\npw.io.subscribe(")
    terminal = Terminal(program)
    assert terminal.read_to_the_end() == 0
    assert sum("operator" in line for line in terminal.screen) >= 1


def test_nothing_is_shown_on_a_terminal_if_not_wanted() -> None:
    terminal = Terminal(TICKS.format(rows=1, then="", arguments="monitoring_level=pw.MonitoringLevel.NONE"))
    assert terminal.read_to_the_end() == 0
    assert terminal.written == ""


def test_a_narrow_terminal() -> None:
    terminal = Terminal(TICKS.format(rows=30, then="", arguments=""), columns=40)
    assert terminal.read_to_the_end() == 0
    after = terminal.screen
    assert cells(after, "ticks")[:3] == ["source", "ticks", "30"]
    assert all(len(line) <= 40 for line in after)
    assert sum("rows/s" in line for line in after) == 1


def test_no_colour_if_none_is_wanted() -> None:
    terminal = Terminal(TICKS.format(rows=30, then="", arguments=""), NO_COLOR="1")
    assert terminal.read_to_the_end() == 0
    assert cells(terminal.screen, "ticks")[2] == "30"
    # Bold and italics are no colours.
    styles = {style for found in re.findall(r"\x1b\[([0-9;]*)m", terminal.written) for style in found.split(";")}
    assert styles <= {"", "0", "1", "2", "3"}


@pytest.mark.parametrize("kind", ["dumb", "unknown"])
def test_plain_lines_on_a_terminal_that_cannot_draw(kind: str) -> None:
    terminal = Terminal(TICKS.format(rows=30, then="", arguments=""), TERM=kind)
    assert terminal.read_to_the_end() == 0
    assert "\x1b" not in terminal.written
    (line,) = terminal.written.splitlines()
    assert line.endswith("30 rows in (ticks), 30 rows out (slow)")


def test_plain_lines_in_a_pipe() -> None:
    program = TICKS.format(rows=3, then="", arguments="")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    expected = r"\[[-\d]+ [:,\d]+\]:INFO:finished after \d+\.\d s: 3 rows in \(ticks\), 3 rows out \(slow\)"
    assert re.fullmatch(expected, line)


def test_rows_of_a_sink_are_those_it_has_delivered(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    class Rows(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            for number in range(3000):
                self.next(number=number)

    calls = 0

    def fail_at_the_last(**_update: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 3000:
            raise ValueError("the last row")

    table = pw.io.python.read(Rows(), schema=pw.schema_from_types(number=int), autocommit_duration_ms=None, name="in")
    pw.io.subscribe(table, on_change=fail_at_the_last, name="out")
    with pytest.raises(ValueError, match="the last row"):
        pw.run(monitoring_level=pw.MonitoringLevel.IN_OUT)
    last = caplog.records[-1].getMessage()
    assert last.startswith("failed after ")
    assert last.endswith(": 3,000 rows in (in), 2,999 rows out (out) (3,000 rows not delivered)")


def test_more_sources_than_fit_on_the_terminal() -> None:
    program = TICKS.format(rows=300, then="", arguments="").replace(
        "pw.run(", "for number in range(40):\n    pw.io.null.write(table, name=f'out{number}')\npw.run("
    )
    terminal = Terminal(program)
    terminal.read_until(r"and \d+ more; running for 0\.[2-9]")
    during = terminal.screen
    # The terminal has 30 lines, and the cursor is on the last one.
    assert len(during) <= 30
    assert cells(during, "ticks")[0] == "source"
    assert terminal.read_to_the_end() == 0
    after = terminal.screen
    assert sum(bool(re.search(r" out\d+ ", line)) for line in after) == 40
    assert sum("rows/s" in line for line in after) == 1


def test_two_runs_at_the_same_time_share_a_terminal() -> None:
    program = TICKS.format(rows=300, then="", arguments="").replace(
        "pw.run(",
        """class Second(pw.io.python.ConnectorSubject):
    def run(self):
        self.next(number=1)
        Ticks.stopped.wait(0.3)
running = threading.Thread(target=pw.run)
running.start()
Ticks.stopped.wait(0.3)
pw.testing.reset()
pw.io.null.write(pw.io.python.read(Second(), schema=pw.schema_from_types(number=int), name="second"), name="out")
pw.run(""",
    )
    terminal = Terminal(program)
    assert terminal.read_to_the_end() == 0
    after = terminal.screen
    # One has the panel, the other one tells of it in lines above.
    assert sum("rows/s" in line for line in after) == 1
    assert cells(after, "ticks")[2] == "300"
    assert sum("1 row in (second), 1 row out (out)" in line for line in after) == 1
    assert after[-2].endswith("300 rows in, 300 rows out")


def test_a_terminal_that_knows_no_letters_but_ours(tmp_path: pathlib.Path) -> None:
    program = TICKS.format(rows=3, then="", arguments="").replace('"ticks"', '"船"').replace('"slow"', '"s" * 90')
    (tmp_path / "main.py").write_text(program, encoding="utf-8")
    terminal = Terminal(f"import runpy; runpy.run_path({str(tmp_path / 'main.py')!r})", PYTHONIOENCODING="ascii")
    assert terminal.read_to_the_end() == 0
    after = terminal.screen
    assert any(r" \u8239 " in line for line in after)
    assert any(" ...sss" in line for line in after)
    assert after[-2].endswith("3 rows in, 3 rows out")


@pytest.mark.parametrize("twice", ["", "pw.io.null.write(table, name='ticks')\n"])
def test_a_run_of_nothing_draws_nothing(twice: str) -> None:
    declared = "table = pw.io.csv.read('x', schema=pw.schema_from_types(a=int), name='ticks')\n" if twice else ""
    terminal = Terminal(f"import pathway as pw\n{declared}{twice}pw.run()")
    assert terminal.read_to_the_end() == (1 if twice else 0)
    after = terminal.screen
    assert after[0].startswith("Traceback" if twice else "[20")
    assert all("\n".join(after).rstrip().splitlines())
    assert not any("rows/s" in line for line in after)
