"""What one sees in a notebook, in notebooks that are really run."""

import ast
import pathlib
import re

import pytest

from tests import notebooks
from tests.notebooks import printed, shown

pytestmark = pytest.mark.one_process("a kernel is a process of its own")

BEGINNING = """
import threading
import pathway as pw

class Reading(pw.Schema):
    place: str = pw.column_definition(primary_key=True)
    level: int

class Levels(pw.io.python.ConnectorSubject):
    "Three rows, and then nothing until it is stopped."
    def __init__(self):
        super().__init__()
        self.stopped = threading.Event()
    def run(self):
        for number in range(3):
            self.next(place=f"p{number}", level=number)
            self.commit()
        self.stopped.wait()
    def on_stop(self):
        self.stopped.set()
"""


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).strip()


def test_tables_and_schemas_show_themselves(tmp_path: pathlib.Path) -> None:
    first, table, schema, groups, stream = notebooks.run(
        BEGINNING,
        "table = pw.debug.table_from_markdown('''\nriver | km\nOb | 3650\nPo | 652\n''')\ntable",
        "Reading",
        "table.groupby(table.river)",
        "pw.io.python.read(Levels(), schema=Reading)",
        folder=tmp_path,
    )
    assert first == []
    assert text_of(*shown(table, "text/html")) == "river str km int Ob 3650 Po 652 2 rows · key: pw.Pointer"
    assert shown(table, "text/plain") == ["<pathway.Table river: str, km: int>\nriver | km\nOb    | 3650\nPo    | 652"]
    assert text_of(*shown(schema, "text/html")) == (
        "Reading · key: pw.Pointer[str] column type place str primary key level int"
    )
    assert "pathway.GroupedTable by river" in text_of(*shown(groups, "text/html"))
    assert "its rows come while a run goes on" in text_of(*shown(stream, "text/html"))
    assert "Reading" in shown(schema, "text/plain")[0] or "pathway.Schema" in shown(schema, "text/plain")[0]


def test_show_is_seen_once_and_kept_up_to_date_in_place(tmp_path: pathlib.Path) -> None:
    _, at_rest, view, twice, start, stop, again = notebooks.run(
        BEGINNING,
        "pw.debug.table_from_markdown('''\na\n1\n''').show(include_id=False)",
        "levels = pw.io.python.read(Levels(), schema=Reading, autocommit_duration_ms=None)\n"
        "view = levels.show(include_id=False, sorters=[{'field': 'level', 'dir': 'desc'}], page_size=2)\n"
        "view",
        "view",
        "import time\nhandle = pw.start()\nwhile len(view._content) < 3:\n    time.sleep(0.01)",
        "handle.stop()",
        "view",
        folder=tmp_path,
    )
    assert [text_of(html) for html in shown(at_rest, "text/html")] == ["a int 1 1 row"]
    # What was shown before the run has the rows now.
    expected = ["place str level int p2 2 p1 1 3 rows, of which 2 are shown"]
    for outputs in (view, twice, again):
        assert [text_of(html) for html in shown(outputs, "text/html")] == expected
    # The progress of the run is shown as that of any other.
    (progress,) = shown(start, "text/html")
    assert "3 rows in" in text_of(progress)
    assert (printed(start), printed(stop)) == ("", "")


def test_live_rows_and_cells_that_are_run_again(tmp_path: pathlib.Path) -> None:
    declared = "levels = pw.io.python.read(Levels(), schema=Reading, autocommit_duration_ms=None)"
    started = "live = levels.live()\nrows = live.wait_for(lambda rows: len(rows) == 3, timeout=30)"
    _, _, _, first, _, same, end, *_, second = notebooks.run(
        BEGINNING,
        declared,
        started,
        "live",
        "before = live\n" + started,
        "print(live is before)",
        "live.stop()\nprint(live)",
        # The whole from the beginning, as by "Run all above".
        declared,
        started,
        "print(live is before, len(live), live.to_pandas()['level'].sum())",
        folder=tmp_path,
    )
    assert text_of(*shown(first, "text/html")) == (
        "place str level int p0 0 p1 1 p2 2 3 rows, kept up to date, as it was when the cell was run"
    )
    assert printed(same) == "True\n"
    assert printed(end) == "place | level\np0    | 0\np1    | 1\np2    | 2\n[3 rows, the run has ended]\n"
    assert printed(second) == "False 3 3\n"


def test_a_cell_that_makes_a_table_and_looks_at_it_is_run_again(tmp_path: pathlib.Path) -> None:
    again = BEGINNING.replace(
        "    def run(self)", "    def start(self):\n        self.stopped.clear()\n    def run(self)"
    )
    looking = (
        "high = levels.filter(levels.level > 0)\n"
        "live = high.live()\n"
        "print(len(live.wait_for(lambda rows: len(rows) == 2, timeout=30)))\n"
        "live"
    )
    _, _, *looked, left, _, kept = notebooks.run(
        again,
        "levels = pw.io.python.read(Levels(), schema=Reading, autocommit_duration_ms=None)",
        looking,
        looking,
        looking,
        # Nobody keeps it.
        "for _ in range(3):\n    print(len(levels.select(levels.level).live().wait_for(len)) > 0)",
        "live.stop()",
        "levels.live();\nlevels.live();\nprint(len(levels.live().wait_for(lambda rows: len(rows) == 3, timeout=30)))",
        folder=tmp_path,
        allow_errors=True,
    )
    assert [printed(outputs) for outputs in looked] == ["2\n"] * 3
    # Another cell does not end what the program has still.
    (error,) = [output for output in left if output.output_type == "error"]
    assert (error.ename, "its stop() ends it" in "".join(error.traceback)) == ("RuntimeError", True)
    assert printed(kept) == "3\n"


def test_a_figure_is_seen_once_and_follows_the_rows(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("matplotlib")
    _, at_rest, stream, _, figure = notebooks.run(
        BEGINNING + "\nimport matplotlib.pyplot as plt\n"
        "def bars(frame):\n    figure, axes = plt.subplots()\n    axes.bar(frame['place'], frame['level'])\n"
        "    return figure\n",
        "pw.debug.table_from_rows(Reading, [('a', 1)]).plot(bars)",
        "plot = pw.io.python.read(Levels(), schema=Reading, autocommit_duration_ms=None).plot(bars)\nplot",
        "import time\nwith pw.start():\n    while len(plot._content) < 3:\n        time.sleep(0.01)",
        "print(len(plot.figure.axes[0].patches))",
        folder=tmp_path,
    )
    assert [len(shown(outputs, "image/png")) for outputs in (at_rest, stream)] == [1, 1]
    assert len(at_rest) == len(stream) == 1
    assert printed(figure) == "3\n"


def test_an_interrupt_ends_the_run_and_not_the_notebook(tmp_path: pathlib.Path) -> None:
    _, run, after = notebooks.run(
        BEGINNING,
        "pw.io.csv.write(pw.io.python.read(Levels(), schema=Reading, autocommit_duration_ms=None), 'levels.csv')\n"
        "pw.run()",
        "print(open('levels.csv').read().count('\\n'))",
        folder=tmp_path,
        # The kernel is interrupted when a cell takes longer.
        timeout=3,
        interrupt_on_timeout=True,
        allow_errors=True,
    )
    assert [output.ename for output in run if output.output_type == "error"] == ["KeyboardInterrupt"]
    assert printed(after) == "4\n"


def test_a_kernel_ends_with_a_run_in_the_background(tmp_path: pathlib.Path) -> None:
    notebooks.run(
        BEGINNING,
        "pw.io.csv.write(pw.io.python.read(Levels(), schema=Reading, autocommit_duration_ms=None), 'levels.csv')\n"
        "handle = pw.start()\n"
        "import time\n"
        "while open('levels.csv').read().count('\\n') < 4:\n    time.sleep(0.01)",
        folder=tmp_path,
    )
    assert (tmp_path / "levels.csv").read_text().endswith("\n")


EXAMPLE = pathlib.Path(__file__).parent.parent / "examples" / "07_notebook" / "notebook.ipynb"


def test_the_example(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("matplotlib")
    book = notebooks.read(EXAMPLE)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    # It is kept as it was written.
    assert [cell for cell in code if cell.outputs or cell.execution_count] == []
    outputs = {cell.id: cell.outputs for cell in notebooks.executed(book, tmp_path).cells if cell.cell_type == "code"}
    assert "probe str limit float" in text_of(*shown(outputs["limits"], "text/html"))
    (levels,) = shown(outputs["show"], "text/html")
    assert re.search(r"load [\d.]+ [\d.]+", text_of(levels)), levels
    assert len(shown(outputs["plot"], "image/png")) == 1
    assert len(shown(outputs["alerts"], "text/html")) == 1
    assert ast.literal_eval(printed(outputs["stop"])) is False
    assert "highest" in shown(outputs["polars"], "text/plain")[0]
