"""What is there is what was added and not removed, whatever else is removed and in any order within a commit."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pathway as pw
from hypothesis import given
from hypothesis import strategies as st


class Reading(pw.Schema):
    k: int = pw.column_definition(primary_key=True)
    g: int
    v: float


ROW = st.tuples(st.integers(0, 2), st.integers(0, 1), st.sampled_from([0.5, 1.0]))
COMMITS = st.lists(st.lists(st.tuples(st.sampled_from([1, -1]), ROW), max_size=6), max_size=4)


@given(COMMITS, st.integers(0, 1000))
def test_what_is_there_is_what_was_added_and_not_removed(
    script: list[list[tuple[int, tuple[int, int, float]]]], seed: int
) -> None:
    expected: Counter[tuple[Any, ...]] = Counter()
    shuffled = []
    for commit in script:
        for diff in (1, -1):
            for row in (row for sign, row in commit if sign == diff):
                expected[row] = max(0, expected[row] + diff)
        shuffled.append(random.Random(seed).sample(commit, len(commit)))
    rows = [(*row, 2 * time + 2, diff) for time, commit in enumerate(shuffled) for diff, row in commit]
    if not rows:
        return
    pw.testing.reset()
    table = pw.debug.table_from_rows(Reading, rows, is_stream=True)
    totals = table.groupby(table.g).reduce(table.g, n=pw.reducers.count(), s=pw.reducers.sum(table.v))
    groups: dict[int, list[float]] = {}
    for (_, group, value), count in (+expected).items():
        groups.setdefault(group, []).extend([value] * count)
    seen: Counter[tuple[Any, ...]] = Counter()
    for update in pw.testing.capture(totals):
        seen[tuple(update.row.values())] += update.diff
    assert +seen == seen
    assert seen == Counter((group, len(values), sum(values)) for group, values in groups.items())
