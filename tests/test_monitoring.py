"""What is shown of the progress: counted and timed with a clock of our own, and on a real terminal."""

import codecs
import fcntl
import logging
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from typing import Any

import pathway as pw
import pytest
from pathway._running import monitoring


class Entry:
    """What `_native.Statistics` looks like."""

    def __init__(self, name: str, role: str, rows: int, rejected: int = 0, backlog: int = 0, time: int = 0) -> None:
        self.name, self.role, self.rows_in, self.rows_out = name, role, rows, rows
        self.rejected, self.backlog, self.time = rejected, backlog, time


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_log_lines_come_every_five_seconds_while_something_changes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = Clock()
    monitor = monitoring.LogMonitor(clock)
    rows = 0
    for second, rows in [(1, 10), (5, 1500), (6, 1600), (10, 1600), (15, 1600)]:
        clock.now = second
        entries: Any = [Entry("posts", "source", rows), Entry("map", "operator", rows), Entry("a.csv", "sink", 1)]
        monitor.update(lambda entries=entries: entries)
    monitor.finish(entries)
    assert [record.getMessage() for record in caplog.records] == [
        "1,500 rows from posts; 1 row to a.csv",
        "1,600 rows from posts; 1 row to a.csv",
    ]


def test_rows_that_wait_are_shown_until_they_are_delivered(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = Clock()
    monitor = monitoring.LogMonitor(clock)
    for second, waiting in [(5, 7), (10, 7), (15, 3)]:
        clock.now = second
        entries: Any = [Entry("posts", "source", 9, backlog=waiting)]
        monitor.update(lambda entries=entries: entries)
    done: Any = [Entry("posts", "source", 9)]
    monitor.finish(done)
    assert [record.getMessage() for record in caplog.records] == [
        "9 rows from posts (7 rows waiting)",
        "9 rows from posts (3 rows waiting)",
        "9 rows from posts",
    ]


def test_rejected_rows_are_summed_up_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    entries: Any = [Entry("posts", "source", 5, rejected=2), Entry("pings", "source", 5)]
    monitoring.Monitor().finish(entries)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("posts: 2 rows were rejected")


@pytest.mark.parametrize("operators", [False, True])
def test_the_panel(operators: bool) -> None:
    import io

    from rich.console import Console

    output = io.StringIO()
    clock = Clock()
    monitor = monitoring.PanelMonitor(
        operators=operators, clock=clock, console=Console(file=output, width=100, force_terminal=True)
    )
    entries: Any = [Entry("posts", "source", 0, backlog=7), Entry("map", "operator", 0)]
    with monitor:
        monitor.update(lambda: entries)
        clock.now = 2.0
        entries[0].rows_out = 3000
        monitor.update(lambda: entries)
        monitor.finish(entries)
    shown = output.getvalue()
    assert "3,000" in shown
    assert "1,500" in shown
    assert ("map" in shown) == operators


def test_logging_where_there_is_no_terminal(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    pw.io.null.write(pw.debug.table_from_markdown("a\n1\n2"), name="nowhere")
    pw.run(default_logging=False)
    assert any("2 rows to nowhere" in record.getMessage() for record in caplog.records)


def test_the_lag_is_the_age_of_what_is_done_while_there_is_more_to_do() -> None:
    now = int(time.time() * 1000)

    def lags(*entries: Any) -> list[Any]:
        lines = monitoring.Rates(Clock()).lines(entries)
        return [None if line.lag_seconds is None else round(line.lag_seconds) for line in lines]

    ended = monitoring.END_OF_TIME
    idle = Entry("a", "source", 1, time=now - 10_000)
    behind = Entry("b", "source", 1, backlog=3, time=now - 20_000)
    assert lags(idle, Entry("up to date", "sink", 1, time=now - 10_000)) == [0, 0]
    assert lags(idle, behind, Entry("late", "sink", 1, time=now - 30_000)) == [0, 20, 30]
    # A sink may still be at work when all sources have ended.
    assert lags(Entry("a", "source", 1, time=ended), Entry("s", "sink", 1, time=now - 30_000)) == [None, 30]
    assert lags(Entry("a", "source", 1, time=ended), Entry("s", "sink", 1, time=ended)) == [None, None]
    # Tables in a program have no times of the day.
    assert lags(Entry("a", "source", 1, backlog=1, time=4), Entry("s", "sink", 1, time=2)) == [None, None]


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


class Terminal:
    """A program in a terminal of 100 columns."""

    def __init__(self, program: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color"}
        for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
            environment.pop(name, None)
        self.process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=slave, stdout=slave, stderr=slave, env=environment
        )
        os.close(slave)
        self.written = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def read_until(self, pattern: str) -> None:
        """Reads until something on the way there looked like this."""
        until = time.monotonic() + 60
        while not re.search(pattern, self.written):
            assert self._read(until), f"never saw {pattern!r} in {self.written!r}"

    def read_to_the_end(self) -> int:
        """Reads until the program has ended; its exit status."""
        until = time.monotonic() + 60
        while self._read(until):
            pass
        os.close(self._master)
        return self.process.wait(timeout=60)

    def _read(self, until: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            self.process.kill()
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:
            # What Linux says when the program has ended.
            return False
        self.written += self._decoder.decode(data)
        return bool(data)

    @property
    def screen(self) -> list[str]:
        """The lines that a person sees in the end."""
        return screen(self.written)


_SEQUENCE = re.compile(r"\x1b\[(?P<arguments>[?0-9;]*)(?P<command>[A-Za-z])|\r|\n|[^\x1b\r\n]+")


def screen(written: str) -> list[str]:
    """The few control sequences that a panel needs, carried out: up, erase the line, colours, the cursor."""
    lines: list[list[str]] = [[]]
    row = column = 0
    for found in _SEQUENCE.finditer(written):
        text, command = found[0], found["command"]
        if text == "\r":
            column = 0
        elif text == "\n":
            row += 1
            lines += [[] for _ in range(row + 1 - len(lines))]
        elif command == "A":
            row -= int(found["arguments"] or 1)
        elif command == "K":
            assert found["arguments"] == "2"
            lines[row] = []
        elif command is None:
            lines[row] += [" "] * (column - len(lines[row]))
            lines[row][column : column + len(text)] = text
            column += len(text)
        else:
            assert command in "mhl", text
    return ["".join(line).rstrip() for line in lines]


def test_the_screen_carries_out_what_is_written() -> None:
    written = "\x1b[?25lone\r\ntwo\r\x1b[2K\x1b[1A\x1b[2K\x1b[1;32m1\x1b[0m\r\n2\r\n\x1b[?25h"
    assert screen(written) == ["1", "2", ""]


def cells(lines: list[str], name: str) -> list[str]:
    """The cells of the line of a source or sink in the panel: role, name, rows, rows/s, waiting, lag."""
    (line,) = [line for line in lines if f" {name} " in line]
    return [cell.strip() for cell in re.split("[│┃]", line)[1:-1]]


def test_the_panel_on_a_terminal() -> None:
    terminal = Terminal(TICKS.format(rows=400, then="", arguments=""))
    terminal.read_until(r"source[^\n]*ticks[^\n]*│ +[1-9]\d* │[^\n]*[0-9]\.\d s │")
    during = terminal.screen
    role, _, rows, rate, waiting, lag = cells(during, "ticks")
    assert role == "source"
    assert 0 < int(rows) < 400
    assert int(rate.replace(",", "")) > 0
    assert int(waiting) >= 0
    assert re.fullmatch(r"\d+\.\d s", lag)
    assert cells(during, "slow")[0] == "sink"
    assert terminal.read_to_the_end() == 0
    # The sink takes longer than the source: at some time rows were waiting.
    assert re.search(r"source[^\n]*ticks[^\n]*│ +[\d,]+ │ +[\d,]+ │ +[1-9]\d* │", terminal.written)
    # In the end there is one panel, with the last numbers, and the cursor is back, below it.
    after = terminal.screen
    assert sum("rows/s" in line for line in after) == 1
    for name in ("ticks", "slow"):
        _, _, rows, _, waiting, lag = cells(after, name)
        assert (rows, waiting, lag) == ("400", "0", "")
    assert after[-1] == ""
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
    assert any("shutting down the computation gracefully" in line for line in after)
    assert any("KeyboardInterrupt" in line for line in after[-3:])
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
    assert sum("WARNING:logged" in line for line in head) == 4
    assert sum(line == "pathway" for line in after) == 1


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


def test_plain_lines_in_a_pipe() -> None:
    program = TICKS.format(rows=3, then="", arguments="")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == ""
    assert "\x1b" not in done.stderr
    assert done.stderr.endswith("INFO:3 rows from ticks; 3 rows to slow\n")


NOTEBOOK = """
import sys, types
class ZMQInteractiveShell: pass
shell = ZMQInteractiveShell()
sys.modules["IPython"] = types.SimpleNamespace(get_ipython=lambda: shell)
"""


def test_a_notebook_is_left_alone_unless_it_asks() -> None:
    def written(arguments: str) -> str:
        program = NOTEBOOK + TICKS.format(rows=3, then="", arguments=arguments)
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
        return done.stdout + done.stderr

    assert written("") == ""
    assert "3 rows from ticks" in written("monitoring_level=pw.MonitoringLevel.IN_OUT")


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
    # Rows are counted by the thousand while a time is under way.
    assert caplog.records[-1].getMessage() == "3,000 rows from in; 2,048 rows to out (3,000 rows not delivered)"
