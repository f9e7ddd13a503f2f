"""What people see of tables: `repr`, HTML, previews, `show` and `plot`."""

import base64
import pathlib
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pathway as pw
import polars as pl
import pyarrow as pa
import pytest
from pathway._looking import previews, refreshing, views
from pathway._looking.refreshing import Refresher

from tests.waiting import when


class Reading(pw.Schema):
    place: str
    level: int


class Steps(pw.io.python.ConnectorSubject):
    """Sends rows, a commit each, and waits for a word between them."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        super().__init__()
        self.rows = rows
        self.go = threading.Semaphore(0)
        self.has_run = False

    def run(self) -> None:
        self.has_run = True
        for row in self.rows:
            self.go.acquire(timeout=60)
            self.next(**row)
            self.commit()
        self.go.acquire(timeout=60)

    def on_stop(self) -> None:
        self.go.release(len(self.rows) + 1)


def stream(subject: Steps) -> pw.Table[Any]:
    return pw.io.python.read(subject, schema=Reading, autocommit_duration_ms=None)


@pytest.fixture
def rivers() -> pw.Table[Any]:
    return pw.debug.table_from_markdown("""
    river | km
    Ob    | 3650
    Po    | 652
    Don   | 1870
    """)


def text_of(html: str) -> str:
    """What one sees of HTML."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).strip()


# Tables as they are.


def test_the_repr_has_the_columns_and_is_short(rivers: pw.Table[Any]) -> None:
    assert repr(rivers) == "<pathway.Table river: str, km: int>"
    assert repr(pw.Table.empty()) == "<pathway.Table without columns>"
    types = {"a": np.ndarray, "b": np.ndarray[2, float], "c": pw.DateTimeUtc | None, "d": tuple[int, list[str]]}  # type: ignore[misc]
    assert repr(pw.Table.empty(**types)) == (
        "<pathway.Table a: np.ndarray, b: np.ndarray[2, float], c: pw.DateTimeUtc | None, d: tuple[int, list[str]]>"
    )
    wide = pw.Table.empty(**{f"c{number}": int | None for number in range(40)})
    assert repr(wide).startswith("<pathway.Table c0: int | None, c1: int | None, ")
    assert repr(wide).endswith(", c19: int | None, and 20 more columns>")


def test_a_notebook_shows_a_table_at_rest_with_its_rows(rivers: pw.Table[Any]) -> None:
    bundle = rivers.filter(pw.this.km > 1000)._repr_mimebundle_()
    assert text_of(bundle["text/html"]) == "river str km int Don 1870 Ob 3650 2 rows · key: pw.Pointer"
    assert bundle["text/plain"].splitlines() == [
        "<pathway.Table river: str, km: int>",
        "river | km",
        "Don   | 1870",
        "Ob    | 3650",
    ]
    assert rivers._repr_html_() == rivers._repr_mimebundle_()["text/html"]


def test_what_comes_from_outside_is_escaped_and_cut() -> None:
    table = pw.debug.table_from_rows(
        pw.schema_from_dict({"<b>&": str}), [("<script>alert(1)</script>",), ("x" * 5000 + "\n",)]
    )
    html = table._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "&lt;b&gt;&amp;" in html
    assert "x" * 79 + "…" in html
    assert "x" * 1001 not in html


def test_the_first_of_many_rows_are_shown() -> None:
    table = pw.debug.table_from_rows(pw.schema_from_types(n=int), [(number,) for number in range(1000, 1100)])
    shown = text_of(table._repr_html_())
    assert shown.startswith("n int 1000 1001 ")
    assert shown.endswith("1009 100 rows, of which the first 10 are shown · key: pw.Pointer")
    assert table._repr_mimebundle_()["text/plain"].endswith("\n... 90 more rows")


def test_a_stream_is_never_run_to_be_looked_at(rivers: pw.Table[Any]) -> None:
    subject = Steps({"place": "a", "level": 1})
    table = stream(subject)
    joined = rivers.join(table, rivers.river == table.place).select(rivers.river, table.level)
    for looked_at in (table, joined, table.concat_reindex(table), pw.global_error_log()):
        assert "its rows come while a run goes on" in looked_at._repr_html_()
    assert text_of(joined._repr_html_()).startswith("pathway.Table · key: pw.Pointer column type river str level int")
    assert not subject.has_run


@pytest.mark.parametrize("mode", ["static", "streaming"])
def test_files_are_read_if_they_are_read_once(mode: Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "in.csv").write_text("place,level\nhere,3\n")
    table = pw.io.csv.read(tmp_path, schema=Reading, mode=mode)
    assert ("here 3 1 row" in text_of(table._repr_html_())) == (mode == "static")


def test_much_data_is_not_computed_for_a_look(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "MOST_ROWS", 2)
    monkeypatch.setattr(previews, "MOST_BYTES", 20)
    rows = pw.debug.table_from_rows(Reading, [("a", 1), ("b", 2), ("c", 3)])
    (tmp_path / "in.csv").write_text("place,level\nhere,3\nthere,4\n")
    for path in (tmp_path, tmp_path / "in.csv", tmp_path / "*.csv"):
        file = pw.io.csv.read(path, schema=Reading, mode="static")
        assert "it comes of much data: show() computes it" in file._repr_html_()
    assert "it comes of much data: show() computes it" in rows._repr_html_()


@pytest.mark.one_process("a function of the other process would go on")
def test_what_takes_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "SECONDS", 0.05)
    done = threading.Event()

    def slow(level: int) -> int:
        done.wait(60)
        return level

    table = pw.debug.table_from_rows(Reading, [("a", 1)]).select(x=pw.apply(slow, pw.this.level))
    try:
        assert "it takes longer than" in table._repr_html_()
    finally:
        done.set()


def test_errors_are_seen_and_do_not_break_a_notebook(rivers: pw.Table[Any], tmp_path: pathlib.Path) -> None:
    ratios = rivers.select(x=10 // (pw.this.km - 652))
    assert "Error" in text_of(ratios._repr_html_())
    wrong = rivers.with_id(pw.this.pointer_from(1))
    assert "it cannot be computed: " in wrong._repr_html_()


def test_a_table_of_before_a_reset_has_no_rows(rivers: pw.Table[Any]) -> None:
    pw.testing.reset()
    assert text_of(rivers._repr_html_()) == "pathway.Table · key: pw.Pointer column type river str km int"


def test_a_look_is_no_run_of_the_outputs(rivers: pw.Table[Any]) -> None:
    seen: list[str] = []
    pw.io.subscribe(rivers, lambda key, row, time, is_addition: seen.append(row["river"]))
    rivers._repr_html_()
    assert seen == []
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert sorted(seen) == ["Don", "Ob", "Po"]


def test_what_tables_are_made_of_says_what_it_is(rivers: pw.Table[Any]) -> None:
    assert text_of(rivers.groupby(rivers.river)._repr_html_()) == (
        "pathway.GroupedTable by river a table is made of it with reduce"
    )
    join = rivers.join(pw.Table.empty(x=int), pw.left.km == pw.right.x)
    assert text_of(join._repr_html_()).startswith("pathway.JoinResult column side river left km left x right")


# show().


def test_a_table_at_rest_is_printed_at_once(rivers: pw.Table[Any], capsys: pytest.CaptureFixture[str]) -> None:
    view = rivers.show(include_id=False)
    assert capsys.readouterr().out.splitlines() == ["river | km", "Don   | 1870", "Ob    | 3650", "Po    | 652"]
    assert repr(view).startswith("<pathway.TableView of test_looking.py:")
    assert repr(view).endswith(", 3 rows>")


def test_rows_are_sorted_and_cut_as_asked_for(rivers: pw.Table[Any], capsys: pytest.CaptureFixture[str]) -> None:
    rivers.show(include_id=False, page_size=2, sorters=[{"field": "km", "dir": "desc"}])
    assert capsys.readouterr().out.splitlines() == ["river | km", "Ob    | 3650", "Don   | 1870", "... 1 more row"]
    rivers.show(sorters=[{"field": "id"}], short_pointers=False)
    keys = [line.split(" | ")[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert keys == sorted(keys)
    assert len(keys[0]) == 27


def test_changes_are_shown_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    table = pw.debug.table_from_markdown("""
      | a | __time__ | __diff__
    1 | 1 | 2        | 1
    1 | 1 | 4        | -1
    1 | 3 | 4        | 1
    """)
    table.show(snapshot=False, include_id=False, page_size=2)
    assert capsys.readouterr().out.splitlines() == [
        "a | time | diff",
        "1 | 4    | -1",
        "3 | 4    | 1",
        "... 1 more earlier change",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"page_size": 0}, "argument page_size of show"),
        ({"table_height": True}, "argument table_height of show"),
        ({"sorters": [{"field": "depth"}]}, "names the column 'depth', which is not shown; there are id, river, km"),
        ({"sorters": ["km"]}, "each of the sorters is a dict"),
        ({"sorters": [{"field": "km", "dir": "up"}]}, "'asc' or 'desc', found 'up'"),
    ],
)
def test_arguments_that_make_no_sense(rivers: pw.Table[Any], arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rivers.show(**arguments)


def test_a_stream_is_printed_while_it_changes_and_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(views, "TERMINAL_SECONDS", 0.0)
    subject = Steps({"place": "a", "level": 1}, {"place": "b", "level": 2})
    stream(subject).show(include_id=False)
    assert capsys.readouterr().out == ""
    printed = ""
    with pw.start(monitoring_level=pw.MonitoringLevel.NONE):
        for number in (1, 2):
            subject.go.release()
            while f"{number} row" not in printed:
                printed += capsys.readouterr().out
                time.sleep(0.002)
    printed += capsys.readouterr().out
    *_, header, first, second, state = printed.splitlines()
    assert "2 rows, at the end" in state
    assert state.startswith("[test_looking.py:")
    # What is there already is not repeated.
    assert [header, first, second] == ["place | level", "a     | 1", "b     | 2"]


def test_a_run_from_the_beginning_shows_its_own_rows(capsys: pytest.CaptureFixture[str]) -> None:
    class Once(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next(place="a", level=1)

    pw.io.python.read(Once(), schema=Reading).show(include_id=False)
    for _ in range(2):
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
        state, *rows = capsys.readouterr().out.splitlines()
        assert state.endswith("1 row, at the end")
        assert rows == ["place | level", "a     | 1"]


PROGRAM = """
import threading
import pathway as pw
from pathway._looking import views

views.TERMINAL_SECONDS = 0.0

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
table.reduce(n=pw.reducers.count()).show(include_id=False)
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
"""


def test_a_pipe_that_nobody_reads_is_the_end_without_a_word() -> None:
    program = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert program.stdout is not None
    assert program.stderr is not None
    assert b"1 row" in program.stdout.readline()
    program.stdout.close()
    assert program.stderr.read() == b""
    program.stderr.close()
    assert program.wait(60) == 141


# plot().


def test_a_figure_is_made_of_the_frame_that_is_wanted(rivers: pw.Table[Any]) -> None:
    def of_pandas(frame: pd.DataFrame) -> object:
        return frame

    def of_polars(frame: pl.DataFrame) -> object:
        return frame

    def of_arrow(frame: pa.Table) -> object:
        return frame

    assert rivers.plot(of_pandas, "km").figure["river"].tolist() == ["Po", "Don", "Ob"]
    assert rivers.plot(of_polars, rivers.km).figure["river"].to_list() == ["Po", "Don", "Ob"]
    assert rivers.plot(of_arrow, rivers.km).figure["km"].to_pylist() == [652, 1870, 3650]
    assert isinstance(rivers.plot(lambda frame: frame).figure, pd.DataFrame)
    assert isinstance(rivers.plot(lambda frame: frame, frame="polars").figure, pl.DataFrame)


def test_a_plot_says_what_it_cannot_take(rivers: pw.Table[Any]) -> None:
    with pytest.raises(TypeError, match=r"plotting_function of plot\(\) has to be a function, found 5"):
        rivers.plot(5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"argument frame of plot\(\) is one of pandas, polars, arrow, bokeh"):
        rivers.plot(print, frame="numpy")  # type: ignore[arg-type]
    with pytest.raises(KeyError, match="depth"):
        rivers.plot(print, "depth")
    with pytest.raises(LookupError, match="of the function"):
        rivers.plot(raising)


def raising(frame: Any) -> None:
    raise LookupError("of the function")


def test_a_figure_of_matplotlib_is_an_image(rivers: pw.Table[Any]) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    pyplot = pytest.importorskip("matplotlib.pyplot")

    def bars(frame: pd.DataFrame) -> object:
        figure, axes = pyplot.subplots()
        axes.bar(frame["river"], frame["km"])
        return figure

    before = pyplot.get_fignums()
    for function in (bars, lambda frame: frame.plot.bar(x="river")):
        image = rivers.plot(function)._bundle()["image/png"]
        assert base64.b64decode(image).startswith(b"\x89PNG")
    # A script may show them as it likes to.
    assert len(pyplot.get_fignums()) == len(before) + 2
    pyplot.close("all")


def test_figures_of_matplotlib_that_follow_a_stream_are_not_piled_up() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.close("all")
    subject = Steps({"place": "a", "level": 1}, {"place": "b", "level": 2})
    plot = stream(subject).plot(lambda frame: frame.plot.bar(x="place"))
    subject.go.release(2)
    with pw.start(monitoring_level=pw.MonitoringLevel.NONE):
        when(lambda: plot.figure is not None and len(plot.figure.patches) == 2)
    assert pyplot.get_fignums() == []
    assert base64.b64decode(plot._bundle()["image/png"]).startswith(b"\x89PNG")


def test_figures_of_other_libraries_show_themselves(rivers: pw.Table[Any]) -> None:
    class Figure:
        def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
            return {"application/vnd.figure": "{}"}

    class Drawing:
        def _repr_svg_(self) -> str:
            return "<svg/>"

    assert rivers.plot(lambda frame: Figure())._bundle()["application/vnd.figure"] == "{}"
    assert rivers.plot(lambda frame: Drawing())._bundle()["image/svg+xml"] == "<svg/>"
    assert rivers.plot(lambda frame: 5)._bundle() == {"text/plain": "5"}


def test_a_figure_follows_a_stream_and_its_errors_do_not_end_the_run(caplog: pytest.LogCaptureFixture) -> None:
    subject = Steps({"place": "a", "level": 1}, {"place": "b", "level": 2})

    def largest(frame: pd.DataFrame) -> int:
        if len(frame) < 2:
            raise LookupError("too few")
        return int(frame["level"].max())

    plot = stream(subject).plot(largest)
    assert repr(plot) == "<pathway.Plot without a figure yet>"
    assert "comes with pw.run()" in plot._bundle()["text/html"]
    with pw.start(monitoring_level=pw.MonitoringLevel.NONE):
        subject.go.release()
        when(lambda: plot.error)
        problem = f"largest() has raised LookupError: too few (test_looking.py:{largest.__code__.co_firstlineno + 2})"
        assert plot._bundle()["text/plain"] == f"the figure cannot be made: {problem}"
        subject.go.release()
        when(lambda: plot.figure == 2)
    assert plot.error is None
    (message,) = [record.getMessage() for record in caplog.records]
    assert re.fullmatch(rf"the figure of plot\(\) at test_looking.py:\d+ cannot be made: {re.escape(problem)}", message)


# How often something is drawn.


def test_what_changes_often_is_drawn_now_and_then_and_at_the_end() -> None:
    rows: list[int] = []
    drawn: list[int] = []
    refresher = Refresher(lambda: drawn.append(len(rows)), seconds=3600.0)
    for _ in range(5):
        rows.append(1)
        refresher.poke()
        when(lambda: drawn)
    assert drawn == [1]
    refresher.finish()
    assert drawn == [1, 5]


def test_who_draws_for_long_rests_for_longer() -> None:
    now = 0.0
    drawn: list[float] = []

    def clock() -> float:
        return now

    def draw() -> None:
        nonlocal now
        drawn.append(now)
        now += 2.0

    refresher = Refresher(draw, seconds=1.0, clock=clock)
    refresher.poke()
    when(lambda: refresher._earliest == 2.0 + 9 * 2.0)
    refresher.finish()
    assert drawn == [0.0, 2.0]


def test_the_thread_ends_where_there_is_nothing_to_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refreshing, "_IDLE_SECONDS", 0.0)
    drawn: list[int] = []
    refresher = Refresher(lambda: drawn.append(1), seconds=0.0)
    for times in (1, 2):
        refresher.poke()
        when(lambda times=times: len(drawn) == times and refresher._thread is None)


def test_a_preview_that_fails_says_why_and_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    table = pw.debug.table_from_markdown("a\n1\n2\n0")
    shown = table.select(b=pw.apply_with_type(lambda a: 1 // a, int, table.a))._repr_html_()
    assert "it cannot be computed: ZeroDivisionError" in shown
    assert caplog.records == []


def test_what_fails_in_a_library_is_told_by_the_line_that_has_called_it(caplog: pytest.LogCaptureFixture) -> None:
    subject = Steps({"place": "a", "level": 1})

    def deepest(frame: pd.DataFrame) -> object:
        return frame["depth"].max()

    plot = stream(subject).plot(deepest)
    with pw.start(monitoring_level=pw.MonitoringLevel.NONE):
        subject.go.release()
        when(lambda: plot.error)
    line = deepest.__code__.co_firstlineno + 1
    assert f"deepest() has raised KeyError: 'depth' (test_looking.py:{line})" in caplog.text


@pytest.mark.parametrize("name", ["show", "plot"])
@pytest.mark.one_process("the first process has the subject")
def test_a_view_that_comes_too_late_says_so(name: str, caplog: pytest.LogCaptureFixture) -> None:
    subject = Steps({"place": "a", "level": 1})
    table = stream(subject)
    pw.io.null.write(table)
    with pw.start(monitoring_level=pw.MonitoringLevel.NONE):
        when(lambda: subject.has_run)
        counted = table.reduce(n=pw.reducers.count())
        _ = counted.show() if name == "show" else counted.plot(len)
    (message,) = [record.getMessage() for record in caplog.records]
    source = r"Steps \(.*test_looking.py:\d+\)"
    assert re.fullmatch(
        rf"{name}\(\) at test_looking.py:\d+ shows nothing yet: a run that goes on reads {source}, and began before; "
        "stop that run and start it again",
        message,
    )


def test_what_show_and_plot_give_back_has_a_name() -> None:
    rivers = pw.Table.empty(km=int)
    assert type(rivers.plot(len)) is pw.Plot
    assert type(rivers.show()) is pw.TableView
    for method, name in (("live", "LiveTable"), ("plot", "Plot"), ("show", "TableView")):
        assert name in pw.__all__
        assert f"``pw.{name}``" in getattr(pw.Table, method).__doc__


def test_wrong_arguments_lead_to_the_right_ones(rivers: pw.Table[Any]) -> None:
    with pytest.raises(TypeError, match=r"Table\.show\(\) .*'page_sise'\. Did you mean 'page_size'\?"):
        rivers.show(page_sise=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"Table\.plot\(\) .*'sort_col'\. Did you mean 'sorting_col'\?"):
        rivers.plot(len, sort_col="km")  # type: ignore[call-arg]


def test_a_figure_has_to_be_given_back(rivers: pw.Table[Any], caplog: pytest.LogCaptureFixture) -> None:
    def forgets(frame: pd.DataFrame) -> None:
        frame.sum()

    message = "forgets() has given nothing back: it has to return the figure"
    with pytest.raises(TypeError, match=re.escape(message)):
        rivers.plot(forgets)
    subject = Steps({"place": "a", "level": 1})
    plot = stream(subject).plot(forgets)
    with pw.start(monitoring_level=pw.MonitoringLevel.NONE):
        subject.go.release()
        when(lambda: plot.error)
    assert plot._bundle()["text/plain"] == f"the figure cannot be made: {message}"
    assert message in caplog.text


def test_a_figure_may_be_left_to_pyplot(rivers: pw.Table[Any]) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.close("all")
    other = pyplot.figure()

    def bars(frame: pd.DataFrame) -> None:
        pyplot.figure()
        pyplot.bar(frame["river"], frame["km"])

    plot = rivers.plot(bars)
    assert plot.figure is not other
    assert len(plot.figure.axes[0].patches) == 3
    pyplot.close("all")


@pytest.fixture
def pyplot() -> Iterator[Any]:
    pytest.importorskip("matplotlib").use("agg")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.close("all")
    yield pyplot
    pyplot.close("all")


def elsewhere(function: Callable[[], Any]) -> Any:
    """Called in another thread."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_a_figure_that_cannot_be_finished_is_not_left_behind(rivers: pw.Table[Any], pyplot: Any) -> None:
    figures = [pyplot.figure()]

    def fails(frame: pd.DataFrame) -> object:
        figures.append(elsewhere(pyplot.figure))
        figure, axes = pyplot.subplots()
        axes.plot(frame["missing"])
        return figure

    with pytest.raises(KeyError, match="missing"):
        rivers.plot(fails)
    subject = Steps({"place": "a", "level": 1}, {"place": "b", "level": 2})
    plot = stream(subject).plot(fails)
    subject.go.release(2)
    with pw.start(monitoring_level=pw.MonitoringLevel.NONE):
        when(lambda: plot.error)
    # Those of other threads, and from before, stay.
    assert len(figures) > 2
    assert pyplot.get_fignums() == [figure.number for figure in figures]


def test_what_else_was_drawn_beside_a_figure_is_not_left_behind(pyplot: Any) -> None:
    mine = pyplot.figure()

    def two(frame: pd.DataFrame) -> object:
        pyplot.figure()
        return pyplot.figure()

    def one_of_two(frame: pd.DataFrame) -> None:
        pyplot.figure()
        pyplot.plot(frame["level"])
        pyplot.figure(pyplot.gcf().number)

    def no_figure(frame: pd.DataFrame) -> str:
        pyplot.figure()
        return "a text"

    subject = Steps({"place": "a", "level": 1})
    table = stream(subject)
    plots = [table.plot(function) for function in (two, one_of_two, no_figure)]
    subject.go.release()
    with pw.start(monitoring_level=pw.MonitoringLevel.NONE):
        when(lambda: all(plot.figure is not None for plot in plots))
    assert pyplot.get_fignums() == [mine.number]
    assert len(plots[1].figure.axes[0].lines) == 1
    assert plots[2].figure == "a text"


def test_the_figure_of_another_thread_is_not_taken_for_that_of_a_plot(rivers: pw.Table[Any], pyplot: Any) -> None:
    def forgets(frame: pd.DataFrame) -> None:
        elsewhere(pyplot.figure)

    with pytest.raises(TypeError, match=r"forgets\(\) has given nothing back"):
        rivers.plot(forgets)
    assert len(pyplot.get_fignums()) == 1


def test_a_figure_is_found_where_the_settings_of_pyplot_were_set_back(rivers: pw.Table[Any], pyplot: Any) -> None:
    def bars(frame: pd.DataFrame) -> None:
        with pyplot.style.context("default"):
            pyplot.bar(frame["river"], frame["km"])

    assert len(rivers.plot(bars).figure.axes[0].patches) == 3
