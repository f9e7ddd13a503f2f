"""Random pipelines give the same in every shape: the same updates at the same times, and the same bytes in a file whose
rows are sorted.
"""

from __future__ import annotations

import pathlib
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pathway as pw
import pytest
import steps
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import SCRIPTS, Change
from test_pipelines import PIPELINES, build

from tests.shapes import share_runs

pytestmark = pytest.mark.one_process("runs are in every shape here, whatever that of the tests is")

# Threads of a process, and processes.
SHAPES = [(1, 1), (4, 1), (2, 2)]

Seen = Counter[tuple[int, bool, str]]


def outputs(table: pw.Table[Any], path: pathlib.Path) -> tuple[Seen, bytes]:
    """What a callback is told of the table, and what is in a file with its rows."""
    seen: Seen = Counter()

    def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        seen[time, is_addition, f"{key} {row}"] += 1

    pw.io.subscribe(table, on_change)
    pw.io.csv.write(table, path, sort_by=[table[name] for name in table.column_names()])
    pw.run(monitoring_level=pw.MonitoringLevel.NONE, terminate_on_error=False)
    return seen, path.read_bytes()


def check(pipeline: Sequence[tuple[str, int]], script: Sequence[Sequence[Change]], folder: pathlib.Path) -> None:
    """Runs a pipeline, and every reducer after it, in all shapes."""
    results = []
    for threads, processes in SHAPES:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATHWAY_THREADS", str(threads))
            if processes == 2:
                share_runs(patch)
            pw.testing.reset()
            table = build(pipeline, script)[-1]
            seen, written = outputs(table.select(pw.this.g, pw.this.a, pw.this.b), folder / "rows.csv")
            pw.testing.reset()
            reduced = steps.all_reducers(build(pipeline[:2], script)[-1])
            results.append((seen, written, *outputs(reduced, folder / "groups.csv")))
    assert results[1:] == results[:1] * (len(SHAPES) - 1)


@settings(max_examples=settings.default.max_examples * 2)
@given(pipeline=PIPELINES, script=SCRIPTS)
def test_small_streams(pipeline: list[tuple[str, int]], script: list[list[Change]], tmp_path: pathlib.Path) -> None:
    check(pipeline, script, tmp_path)


@settings(max_examples=20)
@given(pipeline=PIPELINES, seed=st.integers(0, 2**32))
def test_streams_of_which_every_worker_has_some(
    pipeline: list[tuple[str, int]], seed: int, tmp_path: pathlib.Path
) -> None:
    check(pipeline, many_changes(random.Random(seed)), tmp_path)


def many_changes(chance: random.Random) -> list[list[Change]]:
    """Five commits in which rows of both tables come, change and go."""

    def change() -> Change:
        row = (chance.choice("abcdefghij"), chance.randint(-50, 50), chance.choice([None, chance.randint(-50, 50)]))
        return Change(chance.randint(0, 1), chance.randint(0, 99), row if chance.random() < 0.7 else None)

    return [[change() for _ in range(60)] for _ in range(5)]
