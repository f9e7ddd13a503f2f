"""Random streams, as commits of changes to keyed rows, and what becomes of the updates that come back.

A script is a list of commits; a commit is a list of changes; a change sets the row of a key in one of two
tables, or deletes it. Every row has the columns `g` (a text that few rows differ in), `a` (an int) and `b` (an
int or None), so that any step of a pipeline can follow any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pathway as pw
from hypothesis import strategies as st
from pathway._native import pointer_from

Row = dict[str, Any]
Rows = dict[pw.Pointer, Row]


class Change(NamedTuple):
    """The row of a key in table 0 or 1 becomes this one, or goes."""

    table: int
    key: int
    row: tuple[str, int, int | None] | None


class Base(pw.Schema):
    key: int = pw.column_definition(primary_key=True)
    g: str
    a: int
    b: int | None


SMALL = st.integers(-4, 4)
CHANGES = st.builds(
    Change,
    st.integers(0, 1),
    st.integers(0, 5),
    st.none() | st.tuples(st.sampled_from(["", "x", "yé"]), SMALL, st.none() | SMALL),
)
SCRIPTS = st.lists(st.lists(CHANGES, max_size=6), min_size=1, max_size=4)


def states(script: Sequence[Sequence[Change]]) -> list[tuple[Rows, Rows]]:
    """The rows of both tables after each commit."""
    current: tuple[Rows, Rows] = ({}, {})
    after = []
    for commit in script:
        for change in commit:
            if change.row is None:
                current[change.table].pop(pointer_from([change.key]), None)
            else:
                row = dict(zip("gab", change.row, strict=True))
                current[change.table][pointer_from([change.key])] = {"key": change.key, **row}
        after.append((dict(current[0]), dict(current[1])))
    return after


def updates(script: Sequence[Sequence[Change]], number: int) -> list[tuple[int, int, tuple[Any, ...]]]:
    """The changes of a table as (commit, diff, row): setting a key that is there takes the old row back."""
    current: dict[int, tuple[Any, ...]] = {}
    result = []
    for commit, changes in enumerate(script):
        for change in changes:
            if change.table != number:
                continue
            old = current.pop(change.key, None)
            if old is not None:
                result.append((commit, -1, old))
            if change.row is not None:
                current[change.key] = (change.key, *change.row)
                result.append((commit, 1, current[change.key]))
    return result


def base_table(script: Sequence[Sequence[Change]], number: int) -> pw.Table[Any]:
    """Table 0 or 1 of a script; its commits are the times 2, 4, and so on."""
    rows = [(*row, 2 * commit + 2, diff) for commit, diff, row in updates(script, number)]
    return pw.debug.table_from_rows(Base, rows, is_stream=True)


def accumulated(captured: Iterable[pw.testing.Update], times: Iterable[int]) -> list[Rows]:
    """The rows that are there after each of the times, which are all the times there are.

    Checks on the way that the updates are those of a table: what is taken back was there, with the same values, and
    no key has two rows.
    """
    waiting = list(captured)
    order = [(update.time, update.diff) for update in waiting]
    assert order == sorted(order), "updates are in the order of times, removals first"
    current: Rows = {}
    after = []
    for time in times:
        while waiting and waiting[0].time <= time:
            update = waiting.pop(0)
            assert update.diff in (1, -1), update
            if update.diff < 0:
                assert current.pop(update.key, None) == update.row, f"not what was sent: {update}"
            else:
                assert update.key not in current, f"a second row for a key: {update}"
                current[update.key] = update.row
        after.append(dict(current))
    assert not waiting, f"updates at a time of no commit: {waiting}"
    return after
