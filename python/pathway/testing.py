"""For people who test pipelines: run a graph and look at every update.

A test has two steps. ``capture`` runs what some tables need, and nothing else, and gives back what happened to
them. ``reset`` forgets all tables and outputs, so that the next test begins with an empty graph:

    @pytest.fixture(autouse=True)
    def empty_graph():
        yield
        pw.testing.reset()
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, overload

from pathway._debugging.captures import Update, capture_updates, quiet
from pathway._tables.graph import reset_graph
from pathway._tables.table import Table

__all__ = ["Update", "assert_equal_tables", "capture", "reset"]


@overload
def capture(table: Table[Any], /, *, terminate_on_error: bool | None = None) -> list[Update]: ...


@overload
def capture(
    first: Table[Any], second: Table[Any], /, *more: Table[Any], terminate_on_error: bool | None = None
) -> tuple[list[Update], ...]: ...


def capture(*tables: Table[Any], terminate_on_error: bool | None = None) -> list[Update] | tuple[list[Update], ...]:
    """Runs what the tables need, and gives back every update: a list for one table, a tuple of lists for several.

    Outputs declared elsewhere are not run. The updates are in the order of their times, removals first, and
    consolidated: what comes and goes at the same time is not there.

    Args:
        tables: the tables, all from one graph; they are run together, once.
        terminate_on_error: whether the first error in the data is raised. Otherwise the cell is ``pw.Error``-valued.

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
    if not tables:
        raise TypeError("capture() takes at least one table")
    updates = capture_updates(tables, quiet(terminate_on_error=terminate_on_error))
    return updates[0] if len(updates) == 1 else tuple(updates)


def assert_equal_tables(actual: Table[Any], expected: Table[Any], *, ids: bool = False) -> None:
    """Checks that two tables end with the same rows, however they got there.

    Args:
        actual: the table to check.
        expected: what it should be. The order of the columns does not matter.
        ids: whether the keys of the rows have to be the same, too.

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
    found, wanted = (_final_rows(updates, ids) for updates in capture_updates([actual, expected], quiet()))
    if found != wanted:
        missing = sorted((wanted - found).elements())
        extra = sorted((found - wanted).elements())
        lines = [*(f"- {row}" for row in missing), *(f"+ {row}" for row in extra)]
        raise AssertionError("the tables differ (- missing, + not expected):\n" + "\n".join(lines))


def _final_rows(updates: Sequence[Update], ids: bool) -> Counter[str]:
    """The rows that remain, as text: values need not be hashable."""
    rows: Counter[str] = Counter()
    for update in updates:
        text = ", ".join(f"{name}={update.row[name]!r}" for name in sorted(update.row))
        rows[f"{update.key}: {text}" if ids else text] += update.diff
    return +rows


def reset() -> None:
    """Forgets all tables and outputs declared so far, as a test or a notebook needs it.

    Example:

    >>> import pathway as pw
    >>> pw.testing.reset()
    """
    reset_graph()
