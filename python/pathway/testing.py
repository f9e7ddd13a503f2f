"""For people who test pipelines: run a graph and look at every update.

A test has two steps. ``capture`` runs what some tables need, and nothing else, and gives back what happened to
them. ``reset`` forgets all tables and outputs, so that the next test begins with an empty graph:

    @pytest.fixture(autouse=True)
    def empty_graph():
        yield
        pw.testing.reset()
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from pathway._crashing.report import ConnectorReport, CrashReport
from pathway._debugging import differences
from pathway._debugging.captures import Update, capture_updates, quiet
from pathway._ground import arguments, missing_names, tracebacks
from pathway._schemas.schema import Schema
from pathway._tables import connecting
from pathway._tables.graph import reset_graph
from pathway._tables.table import Table
from pathway.io._subject import ConnectorSubject

__all__ = [
    "ConnectorReport",
    "CrashReport",
    "Update",
    "assert_equal_tables",
    "capture",
    "check_connector",
    "crash_test",
    "reset",
]

if not TYPE_CHECKING:
    # Type checkers know the names that are there.
    __getattr__ = missing_names.of(__name__)


@overload
def capture(table: Table[Any], /, *, terminate_on_error: bool | None = None) -> list[Update]: ...


@overload
def capture(
    first: Table[Any], second: Table[Any], /, *more: Table[Any], terminate_on_error: bool | None = None
) -> tuple[list[Update], ...]: ...


@tracebacks.shortened
def capture(*tables: Table[Any], terminate_on_error: bool | None = None) -> list[Update] | tuple[list[Update], ...]:
    """Runs what the tables need, and gives back every update: a list for one table, a tuple of lists for several.

    Outputs declared elsewhere are not run. The updates are in the order of their times, removals first, and
    consolidated: what comes and goes at the same time is not there.

    Args:
        tables: the tables, all from one graph; they are run together, once.
        terminate_on_error: whether the first error in the data is raised. Otherwise the cell is an error value.

    Example:

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ...   | level | __time__ | __diff__
    ... 1 | 3     | 2        | 1
    ... 1 | 3     | 4        | -1
    ... 1 | 5     | 4        | 1
    ... ''')
    >>> for update in pw.testing.capture(table.select(twice=2 * table.level)):
    ...     print(update.row, update.time, update.diff)
    {'twice': 6} 2 1
    {'twice': 6} 4 -1
    {'twice': 10} 4 1
    """
    __tracebackhide__ = True
    if not tables:
        raise TypeError("capture() takes at least one table")
    call = "pw.testing.capture"
    updates = capture_updates(tables, quiet(call, terminate_on_error=terminate_on_error), call)
    return updates[0] if len(updates) == 1 else tuple(updates)


@arguments.explained
def assert_equal_tables(actual: Table[Any], expected: Table[Any], *, ids: bool = False, types: bool = False) -> None:
    """Checks that two tables end with the same rows, however they got there.

    Args:
        actual: the table to check.
        expected: what it should be. The order of the columns does not matter.
        ids: whether the keys of the rows have to be the same, too.
        types: whether the types of the columns have to be the same, too. If the rows differ, types that do are named
            in any case.

    Raises:
        AssertionError: they differ. It shows rows that are missing (``-``) and rows that were not expected (``+``).

    Example:

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... side
    ... 3
    ... ''')
    >>> expected = pw.debug.table_from_markdown('''
    ... area
    ... 9
    ... ''')
    >>> pw.testing.assert_equal_tables(table.select(area=table.side * table.side), expected)
    """
    # pytest shows the line of the test, and not those here.
    __tracebackhide__ = True
    call = "pw.testing.assert_equal_tables"
    for table in (actual, expected):
        connecting.check_table(table, call)
    names = differences.of_names(actual, expected)
    if names:
        raise AssertionError("the tables have other columns (- missing, + not expected):\n" + "\n".join(names))
    columns = sorted(expected.column_names())
    found, wanted = (
        differences.rows(updates, columns, ids) for updates in capture_updates([actual, expected], quiet(call), call)
    )
    rows = differences.of_rows(found, wanted, ["id", *columns] if ids else columns)
    other_types = differences.of_types(actual, expected) if rows or types else []
    if rows:
        kinds = "".join(f"{line}\n" for line in other_types)
        raise AssertionError(f"the tables differ (- missing, + not expected):\n{kinds}" + "\n".join(rows))
    if other_types:
        raise AssertionError("the rows are the same, but the types differ:\n" + "\n".join(other_types))


def reset() -> None:
    """Forgets all tables and outputs declared so far, as a test or a notebook needs it.

    Example:

    >>> import pathway as pw
    >>> pw.testing.reset()
    """
    reset_graph()


@arguments.explained
def crash_test(
    make_pipeline: Callable[[Path], Any],
    *,
    kills: int = 100,
    seed: int | None = None,
    until: Callable[[Path], bool] | None = None,
    compare: Callable[[Path, Path], Any] | None = None,
    ignore: Collection[str] = (),
    same_commits: bool = False,
    timeout: float = 60.0,
    processes: int = 1,
    **config: Any,
) -> CrashReport:
    """Kills a pipeline again and again, restarts it, and compares what it writes with what it writes in peace.

    The pipeline runs with persistence in processes of its own. They are killed, as by SIGKILL, at random instants,
    which are spread over the length of a run that is not killed, and at named points of the engine's, such as before
    the journal is on disk. Some kills make a round, in a folder of its own; then a run is left to end, and the files
    are compared. Those that ``pw.io.csv.write`` and ``pw.io.jsonlines.write`` have written have to amount to the same
    changes, with no change of a row at a time twice and no line half-written; others have to be equal to the byte.
    How many worker threads there are is up to PATHWAY_THREADS, as ever. Outputs note once a second how far they are, so
    let the pipeline run for some seconds to see how they go on from there.

    Args:
        make_pipeline: declares sources and outputs; it gets the folder below which outputs write. It has to be defined
            at the top of a module, since other processes import it.
        kills: how many there are to be in all.
        seed: of what is drawn at random; the report and every failure name it. Kills at named points are repeated
            exactly, those at instants as exactly as the machine is fast.
        until: for a pipeline that has no end: whether the folder has all that should be there, whereupon the run is
            stopped as by Ctrl-C.
        compare: a further check of yours, with the folder of a run that was not killed and that of one that was; it
            raises an AssertionError.
        ignore: patterns of files that are not compared, such as ``["received/*", "*.log"]``.
        same_commits: whether the commits of each output have to be the same, too, whatever their times. That is so for
            one source that commits everything itself.
        timeout: after how many seconds a run counts as one that hangs.
        processes: how many processes share the computation, as ``pathway spawn`` has it. One of them is killed, or all
            at once.
        config: other arguments of ``pw.persistence.Config``, such as ``persistence_mode``.

    Raises:
        AssertionError: something was lost or doubled, or a restarted run has failed or hung. It says how the run was
            killed and what differs first, and the files are kept.
        RuntimeError: the pipeline fails without being killed.
        ValueError: ``make_pipeline`` cannot be found by other processes, as it is defined in a function or a notebook.

    Example, with the pipeline in a module ``visits.py``:

    >>> import pathlib, sys, tempfile
    >>> import pathway as pw
    >>> folder = tempfile.TemporaryDirectory()
    >>> _ = pathlib.Path(folder.name, "visits.py").write_text('''
    ... import pathway as pw
    ... class Visits(pw.io.python.ConnectorSubject):
    ...     after = 0
    ...     def seek(self, offset):
    ...         self.after = offset
    ...     def run(self):
    ...         for number in range(self.after, 100):
    ...             self.next(number=number)
    ...             self.commit(offset=number + 1)
    ... class VisitSchema(pw.Schema):
    ...     number: int
    ... def make_pipeline(folder):
    ...     visits = pw.io.python.read(Visits(), schema=VisitSchema, name="visits")
    ...     pw.io.csv.write(visits, folder / "visits.csv", name="written")
    ... ''')
    >>> sys.path.append(folder.name)
    >>> import visits
    >>> report = pw.testing.crash_test(visits.make_pipeline, kills=3, seed=1)
    >>> report.kills
    3
    >>> sys.path.remove(folder.name)
    >>> folder.cleanup()
    """
    __tracebackhide__ = True
    # Few programs need it.
    from pathway._crashing.crashes import Settings, crash

    settings: dict[str, Any] = {} if seed is None else {"seed": seed}
    return crash(
        make_pipeline,
        Settings(
            kills=kills,
            until=until,
            compare=compare,
            ignore=ignore,
            same_commits=same_commits,
            timeout=timeout,
            processes=processes,
            config=config,
            **settings,
        ),
    )


@arguments.explained
def check_connector(
    make_subject: Callable[[], ConnectorSubject],
    *,
    schema: type[Schema],
    resume: Literal["new", "seek", "replay"] | None = None,
    rows: int = 1000,
    seconds: float = 5.0,
    patience: float = 5.0,
) -> ConnectorReport:
    """Tries out a connector of yours in all that can happen to it, and says what to change.

    The connector runs in this process, a few dozen times and without your tables and outputs. What is tried:

    - *rows*: rows come, and fit the schema;
    - *commits*: what is between two calls of ``commit()`` comes at one time;
    - *offsets*: stopped after a commit and started again with ``seek(offset)``, it sends all rows once;
    - *replay*: with ``resume="replay"``, it sends the same rows whenever it starts;
    - *stop*: told to stop, it ends in time, and sends nothing more;
    - *exceptions*: what is raised in ``run()`` reaches ``pw.run``;
    - *back-pressure*: nothing is lost when ``next()`` has to wait;
    - *threads*: no thread goes on after the end of the run.

    What cannot be tried with this connector is skipped, and the report says why. ``pw.testing.crash_test`` shows what
    no single process can: that nothing is lost when it is killed.

    Args:
        make_subject: makes a new subject for each run. Most can be tried if it ends by itself, so let it read something
            small: a recording, a table of a test.
        schema: the columns, as for ``pw.io.python.read``.
        resume: how it goes on after a restart, as for ``pw.io.python.read``.
        rows: one that does not end by itself is stopped after so many rows,
        seconds: or after so many seconds.
        patience: how many seconds it may take to end when it is told to.

    Raises:
        AssertionError: something is to be changed; it says what, and has the whole report.

    Example:

    >>> import pathway as pw
    >>> class Pages(pw.io.python.ConnectorSubject):
    ...     first = 0
    ...     def seek(self, offset):
    ...         self.first = offset
    ...     def run(self):
    ...         for page in range(self.first, 3):
    ...             self.next_batch([{"page": page, "line": line} for line in range(2)])
    ...             self.commit(offset=page + 1)
    >>> class PageSchema(pw.Schema):
    ...     page: int
    ...     line: int
    >>> report = pw.testing.check_connector(Pages, schema=PageSchema)
    >>> for finding in report.findings:
    ...     print(finding.name, finding.verdict)
    rows passed
    commits passed
    offsets passed
    replay skipped
    stop passed
    exceptions passed
    back-pressure passed
    threads passed
    """
    __tracebackhide__ = True
    # Few programs need it.
    from pathway._crashing.conformance import Conformance

    for name, value in {"rows": rows, "seconds": seconds, "patience": patience}.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            raise ValueError(f"argument {name} has to be a number above zero, found {value!r}")
    report = Conformance(make_subject, schema, resume, rows, seconds, patience).report()
    if any(finding.verdict == "failed" for finding in report.findings):
        raise AssertionError("the connector is to be changed:\n" + "\n".join(f"  {line}" for line in report.findings))
    return report
