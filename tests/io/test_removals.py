"""What is removed without having been added is reported, and does no harm."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import pathway as pw
import pytest


class Reading(pw.Schema):
    k: int = pw.column_definition(primary_key=True)
    g: int
    v: float


class Plain(pw.Schema):
    g: int
    v: float


Script = list[list[tuple[int, dict[str, Any]]]]


class Changes(pw.io.python.ConnectorSubject):
    """Plays commits of (diff, row)."""

    deletions_enabled = True

    def __init__(self, script: Script) -> None:
        super().__init__(datasource_name="changes")
        self.script = script

    def run(self) -> None:
        for commit in self.script:
            for diff, row in commit:
                if diff > 0:
                    self.next(**row)
                else:
                    self.delete(**row)
            self.commit()


def read(script: Script, schema: type[pw.Schema] = Reading) -> pw.Table[Any]:
    return pw.io.python.read(Changes(script), schema=schema, autocommit_duration_ms=None)


def remaining(table: pw.Table[Any]) -> Counter[tuple[Any, ...]]:
    """The rows at the end; never may one be there less than no times."""
    rows: Counter[tuple[Any, ...]] = Counter()
    for update in pw.testing.capture(table):
        rows[tuple(update.row.values())] += update.diff
    assert all(count >= 0 for count in rows.values()), rows
    return +rows


STRANGE: Script = [
    [(1, {"k": 1, "g": 1, "v": 2.0}), (1, {"k": 2, "g": 1, "v": 3.0})],
    [(-1, {"k": 1, "g": 1, "v": 9.0})],
]


def grouped(table: pw.Table[Any]) -> pw.Table[Any]:
    return table.groupby(table.g).reduce(
        table.g,
        count=pw.reducers.count(),
        sum=pw.reducers.sum(table.v),
        max=pw.reducers.max(table.v),
        all=pw.reducers.sorted_tuple(table.v),
    )


def joined(table: pw.Table[Any]) -> pw.Table[Any]:
    other = table.copy()
    return table.join(other, table.g == other.g).select(a=table.v, b=other.v)


RESULTS: dict[str, tuple[Callable[[pw.Table[Any]], pw.Table[Any]], list[tuple[Any, ...]]]] = {
    "itself": (lambda table: table, [(1, 1, 2.0), (2, 1, 3.0)]),
    "one column": (lambda table: table.select(table.g), [(1,), (1,)]),
    "reduce": (grouped, [(1, 2, 5.0, 3.0, (2.0, 3.0))]),
    "join": (joined, [(2.0, 2.0), (2.0, 3.0), (3.0, 2.0), (3.0, 3.0)]),
}


@pytest.mark.parametrize("result", RESULTS)
def test_no_result_shows_what_no_row_explains(result: str) -> None:
    build, expected = RESULTS[result]
    assert remaining(build(read(STRANGE))) == Counter(expected)


def test_a_group_with_a_row_stays() -> None:
    script: Script = [[(1, {"k": 1, "g": 1, "v": 2.0})], [(-1, {"k": 7, "g": 1, "v": 2.0})]]
    assert remaining(grouped(read(script))) == Counter([(1, 1, 2.0, 2.0, (2.0,))])


def test_what_is_left_out_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="pathway"):
        rows, log = pw.testing.capture(read(STRANGE), pw.global_error_log())
    assert len(rows) == 2
    [entry] = [update.row["message"] for update in log]
    assert entry.startswith("changes: a row is removed that was not added")
    assert str(pw.testing.capture(pw.debug.table_from_rows(Reading, [(1, 1, 9.0)]))[0].key) in entry
    assert "(1, 1, 9.0)" in entry
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [entry]


def test_it_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    pw.io.null.write(read(STRANGE))
    with caplog.at_level(logging.WARNING, logger="pathway"):
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert "removals of changes: 1 row was rejected" in caplog.text


def test_the_order_within_a_commit_does_not_matter() -> None:
    row = {"k": 1, "g": 1, "v": 2.0}
    assert remaining(read([[(-1, row), (1, row)]])) == Counter()
    assert remaining(read([[(1, row)], [(1, {**row, "v": 3.0}), (-1, row)]])) == Counter([(1, 1, 3.0)])


def test_without_a_key_a_removal_finds_the_row_by_its_values() -> None:
    row = {"g": 1, "v": 2.0}
    script: Script = [[(1, row), (1, row), (1, {"g": 2, "v": 2.0})], [(-1, row), (-1, {"g": 3, "v": 2.0})]]
    updates = pw.testing.capture(read(script, Plain))
    added = [update.key for update in updates if update.diff > 0]
    [removed] = [update for update in updates if update.diff < 0]
    assert removed.key in added
    assert removed.row == row


def test_a_static_stream_is_checked_too() -> None:
    table = pw.debug.table_from_rows(Reading, [(1, 1, 2.0, 2, 1), (1, 1, 9.0, 4, -1)], is_stream=True)
    assert remaining(grouped(table)) == Counter([(1, 1, 2.0, 2.0, (2.0,))])


def test_a_static_stream_without_keys_takes_back_by_the_values() -> None:
    table = pw.debug.table_from_markdown(
        """
        g | v | __time__ | __diff__
        1 | 2 | 2        | 1
        1 | 3 | 2        | 1
        1 | 2 | 4        | -1
        1 | 9 | 4        | -1
        """
    )
    assert remaining(table) == Counter([(1, 3)])
    assert remaining(table.groupby(table.g).reduce(table.g, v=pw.reducers.max(table.v))) == Counter([(1, 3)])
