"""What a run shows in a notebook: with a real kernel, whose outputs are put together as a notebook does it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from pathway._running import notebook
from pathway._running.progress import Line

from tests.counters import Clock, Entry

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")

SOURCE = """
import threading
import pathway as pw

class Rows(pw.io.python.ConnectorSubject):
    def __init__(self, rows=7):
        super().__init__()
        self.rows = rows
        self.stopped = threading.Event()
    def run(self):
        for number in range(self.rows):
            self.next(a="x" if number == 4 else number)
            if self.stopped.wait(0.01):
                return
    def on_stop(self):
        self.stopped.set()

def declare(rows=7, name="<i>rows", on_change=lambda **_: None):
    pw.testing.reset()
    table = pw.io.python.read(Rows(rows), schema=pw.schema_from_types(a=int), autocommit_duration_ms=50, name=name)
    pw.io.subscribe(table, on_change, name="taker")
"""


class Kernel:
    """A notebook with a kernel of its own, in which cells are run one by one."""

    def __init__(self) -> None:
        self._notebook = nbformat.v4.new_notebook()
        self._client = nbclient.NotebookClient(self._notebook, timeout=60, allow_errors=True)

    def run(self, code: str) -> list[Any]:
        """A new cell; its outputs."""
        cell = nbformat.v4.new_code_cell(code)
        self._notebook.cells.append(cell)
        self._execute(cell)
        return list(cell.outputs)

    def again(self) -> list[Any]:
        """The last cell once more, whose outputs are replaced."""
        cell = self._notebook.cells[-1]
        self._execute(cell)
        return list(cell.outputs)

    def outputs(self, number: int) -> list[Any]:
        """What a cell shows now."""
        return list(self._notebook.cells[number].outputs)

    def _execute(self, cell: Any) -> None:
        self._client.execute_cell(cell, self._notebook.cells.index(cell))


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    made = Kernel()
    with made._client.setup_kernel():
        yield made


def shown(outputs: list[Any]) -> tuple[str, str]:
    """The one display among some outputs, as text and as HTML."""
    (display,) = [output for output in outputs if output.output_type == "display_data"]
    return display.data["text/plain"], display.data["text/html"]


def logged(outputs: list[Any]) -> str:
    return "".join(output.text for output in outputs if output.output_type == "stream")


def error(outputs: list[Any]) -> str:
    """What is shown of the exception of a cell, without colours."""
    (found,) = [output for output in outputs if output.output_type == "error"]
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(found.traceback))


def test_a_run_has_one_display_which_is_right_in_the_end(kernel: Kernel) -> None:
    kernel.run(SOURCE)
    outputs = kernel.run("declare()\npw.run()")
    text, html = shown(outputs)
    header, source, sink, last = text.splitlines()
    assert header.split() == ["name", "rows", "rows/s", "rejected", "waiting", "lag", "last", "row"]
    assert source.split()[:3] + source.split()[4:] == ["source", "<i>rows", "6", "1", "0"]
    assert sink.split()[:3] == ["sink", "taker", "6"]
    assert re.fullmatch(r"finished after \d+\.\d s: 6 rows in, 6 rows out, 1 rejected", last)
    assert "&lt;i&gt;rows" in html
    assert "<i>" not in html
    assert html.endswith(f"<div>{last}</div></div>")
    # The rows that were rejected are told as everywhere, and nothing else.
    assert [line.rpartition("]:")[2].split(":")[0] for line in logged(outputs).split("\n") if line] == [
        "ERROR",
        "WARNING",
    ]


def test_a_cell_that_is_run_again_has_one_display(kernel: Kernel) -> None:
    kernel.run(SOURCE)
    first = shown(kernel.run("declare(3)\npw.run()"))[0]
    second = shown(kernel.again())[0]
    assert "finished after" in first
    assert re.search(r"finished after \d+\.\d s: 3 rows in, 3 rows out$", second)


def test_it_is_shown_while_the_run_goes_on(kernel: Kernel) -> None:
    kernel.run(SOURCE)
    kernel.run("views = []\nfrom pathway._running.notebook import View\nbefore = View.__init__")
    kernel.run(
        "def noting(view, lines, state):\n    views.append((state, sum(line.rows for line in lines)))\n"
        "    before(view, lines, state)\nView.__init__ = noting\n"
    )
    kernel.run("declare(100)\npw.run()\nView.__init__ = before")
    views = logged(kernel.run("for state, rows in views: print(state, rows)")).splitlines()
    assert views[0] == "starting 0"
    assert views[-1].startswith("finished after")
    assert any(re.fullmatch(r"running for \d\.\d s \d+", view) for view in views[1:-1])
    assert len(views) < 20


def test_an_interrupted_cell_says_so_in_one_line(kernel: Kernel) -> None:
    kernel.run(SOURCE)
    interrupt = (
        "import os, signal\nsent = []\n"
        "def interrupt(**_):\n    sent or os.kill(os.getpid(), signal.SIGINT)\n    sent.append(1)\n"
    )
    outputs = kernel.run(interrupt + "declare(1_000_000, on_change=interrupt)\npw.run()")
    assert re.search(r"stopped after \d+\.\d s: ", shown(outputs)[0])
    assert error(outputs) == "KeyboardInterrupt: the run was stopped"
    assert logged(outputs).count("Interrupted: shutting down the computation gracefully") == 1
    # The kernel is there for the next cell.
    assert "finished after" in shown(kernel.run("declare(3)\npw.run()"))[0]


def test_a_run_in_a_thread_is_shown_where_it_was_started(kernel: Kernel) -> None:
    kernel.run(SOURCE)
    begin = "go_on = threading.Event()\ndeclare(3, on_change=lambda **_: go_on.wait(30))\n"
    started = kernel.run(begin + "thread = threading.Thread(target=pw.run)\nthread.start()")
    number = len(kernel._notebook.cells) - 1
    assert "finished" not in str(started)
    later = kernel.run("go_on.set()\nthread.join()")
    displays = [output for output in kernel.outputs(number) + later if output.output_type == "display_data"]
    assert len(displays) == 1
    assert re.search(r"finished after \d+\.\d s: 3 rows in, 3 rows out$", displays[0].data["text/plain"])


def test_errors_have_no_frames_of_ours(kernel: Kernel) -> None:
    kernel.run(SOURCE)
    function = "def invert(a):\n    return 1 / a\n@pw.udf\ndef inverted(a: int) -> float:\n    return invert(a)\n"
    outputs = kernel.run(
        function + "pw.testing.reset()\nt = pw.debug.table_from_rows(pw.schema_from_types(a=int), [(0,)])\n"
        "pw.io.null.write(t.select(b=inverted(t.a)))\npw.run()"
    )
    text = error(outputs)
    assert re.findall(r"line (\d+)(?:, in (\w+))?", text)[:3] == [("9", ""), ("5", "inverted"), ("2", "invert")]
    assert "pathway/_" not in text
    assert "hidden" not in text
    assert text.count("ZeroDivisionError: division by zero") == 1
    assert "failed after" in shown(outputs)[0]


def test_a_run_that_does_not_begin_leaves_nothing_that_looks_like_one(kernel: Kernel) -> None:
    kernel.run(SOURCE)
    outputs = kernel.run("pw.testing.reset()\npw.run()")
    assert shown(outputs)[0] == "not run"
    assert "nothing to run" in logged(outputs)
    outputs = kernel.run("pw.run(debug=3)")
    assert [output.output_type for output in outputs] == ["error"]


def test_nothing_is_shown_if_it_is_not_wanted(kernel: Kernel) -> None:
    kernel.run(SOURCE)
    assert kernel.run("declare(3)\npw.run(monitoring_level=pw.MonitoringLevel.NONE)") == []


def test_operators_are_shown_if_asked_for(kernel: Kernel) -> None:
    kernel.run(SOURCE)
    counted = "t = pw.debug.table_from_rows(pw.schema_from_types(a=int), [(1,)]).reduce(n=pw.reducers.count())\n"
    outputs = kernel.run(
        "pw.testing.reset()\n" + counted + "pw.io.null.write(t)\npw.run(monitoring_level=pw.MonitoringLevel.ALL)"
    )
    assert re.search(r"^operator ", shown(outputs)[0], re.MULTILINE)


def test_a_notebook_that_is_gone_does_not_end_the_run(caplog: pytest.LogCaptureFixture) -> None:
    class Gone:
        def update(self, view: Any) -> None:
            raise OSError("no connection")

    clock = Clock()
    monitor = notebook.NotebookMonitor(operators=False, clock=clock)
    monitor._handle = Gone()
    entries: Any = [Entry("a", "source", 1)]
    for clock.now in (1.0, 2.0, 3.0):
        monitor.update(lambda: entries)
    monitor.finish(entries)
    assert [record.getMessage() for record in caplog.records] == ["the progress is not shown any more: no connection"]


def test_the_text_has_columns() -> None:
    lines = [
        Line("a", "source", 1_000, 0.5, 2, 1.25, 75.0, 3),
        Line("a long name\n", "sink", 1, 0.0, 0, None, None, 0),
    ]
    assert repr(notebook.View(lines, "running for 2.0 s")).splitlines() == [
        "        name            rows  rows/s  rejected  waiting    lag        last row",
        "source  a              1,000     0.5         3        2  1.2 s  1 min 15 s ago",
        "sink    a long name\\n      1       0         0        0",
        "running for 2.0 s",
    ]
    lines[0] = lines[0]._replace(share=0.456)
    assert repr(notebook.View(lines, "running for 2.0 s")).splitlines()[:2] == [
        "        name            rows  read  rows/s  rejected  waiting    lag        last row",
        "source  a              1,000  45 %     0.5         3        2  1.2 s  1 min 15 s ago",
    ]


def test_nothing_of_ipython_is_imported_elsewhere() -> None:
    program = SOURCE + "declare(3)\npw.run()\nimport sys\nprint('IPython' in sys.modules)\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"
