"""Random pipelines on random streams agree with a computation from scratch after every commit."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pathway as pw
import pytest
import steps
from hypothesis import given, settings
from hypothesis import strategies as st
from steps import STEPS
from streams import SCRIPTS, Change, Rows, accumulated, base_table, states

# Random pipelines do much that changes nothing, which is said.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

EXAMPLES = settings.default.max_examples

# The name of a step, and whether its second table is that of the other key space or the first one again.
PIPELINES = st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 1)), min_size=1, max_size=4)


def bases(script: Sequence[Sequence[Change]]) -> tuple[pw.Table[Any], pw.Table[Any]]:
    first, second = (base_table(script, number).without(pw.this.key) for number in (0, 1))
    return first, second


def build(pipeline: Sequence[tuple[str, int]], script: Sequence[Sequence[Change]]) -> list[pw.Table[Any]]:
    """The tables after each step."""
    pair = bases(script)
    tables = [pair[0]]
    for name, second in pipeline:
        tables.append(STEPS[name].build(tables[-1], pair[second]))
    return tables[1:]


def expected(pipeline: Sequence[tuple[str, int]], script: Sequence[Sequence[Change]]) -> list[Rows]:
    """The rows of the last table after each commit."""
    result = []
    for pair in states(script):
        plain = [{key: {name: row[name] for name in "gab"} for key, row in rows.items()} for rows in pair]
        rows = plain[0]
        for name, second in pipeline:
            rows = STEPS[name].reference(rows, plain[second])
        result.append(rows)
    return result


def times(script: Sequence[Sequence[Change]]) -> range:
    return range(2, 2 * len(script) + 2, 2)


@pytest.mark.parametrize("name", STEPS)
@settings(max_examples=EXAMPLES // 4)
@given(script=SCRIPTS)
def test_each_step(name: str, script: list[list[Change]]) -> None:
    pw.testing.reset()
    pipeline = [(name, 1)]
    (table,) = build(pipeline, script)
    assert accumulated(pw.testing.capture(table), times(script)) == expected(pipeline, script)


@settings(max_examples=EXAMPLES * 4)
@given(pipeline=PIPELINES, script=SCRIPTS)
def test_pipelines(pipeline: list[tuple[str, int]], script: list[list[Change]]) -> None:
    pw.testing.reset()
    table = build(pipeline, script)[-1]
    assert accumulated(pw.testing.capture(table), times(script)) == expected(pipeline, script)


@given(pipeline=PIPELINES, script=SCRIPTS)
def test_every_reducer_after_a_pipeline(pipeline: list[tuple[str, int]], script: list[list[Change]]) -> None:
    pw.testing.reset()
    table = steps.all_reducers(build(pipeline[:2], script)[-1])
    found = accumulated(pw.testing.capture(table, terminate_on_error=False), times(script))
    assert found == [steps.all_reducers_reference(rows) for rows in expected(pipeline[:2], script)]


@given(pipeline=PIPELINES, script=SCRIPTS)
def test_who_else_looks_makes_no_difference(pipeline: list[tuple[str, int]], script: list[list[Change]]) -> None:
    """Columns and operators that only some outputs need are shared, fused and pruned; results stay the same."""
    pw.testing.reset()
    alone = pw.testing.capture(build(pipeline, script)[-1])
    pw.testing.reset()
    tables = build(pipeline, script)
    (*_, together) = pw.testing.capture(*tables, tables[-1].select(pw.this.a), tables[-1].copy())
    assert by_text(together) == by_text(alone)


@given(pipeline=PIPELINES, script=SCRIPTS, data=st.data())
def test_where_commits_end_makes_no_difference(
    pipeline: list[tuple[str, int]], script: list[list[Change]], data: st.DataObject
) -> None:
    pw.testing.reset()
    changes = [change for commit in script for change in commit]
    ends = sorted(data.draw(st.sets(st.integers(0, len(changes)), max_size=5), label="ends") | {0, len(changes)})
    other = [changes[start:end] for start, end in itertools.pairwise(ends)] or [[]]
    finals = []
    for version in (script, other):
        table = build(pipeline, version)[-1]
        finals.append(accumulated(pw.testing.capture(table), times(version))[-1])
    assert finals[0] == finals[1]


def by_text(updates: list[pw.testing.Update]) -> list[str]:
    return sorted(map(repr, updates))
