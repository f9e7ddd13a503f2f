"""The tools for people who test pipelines."""

import pathway as pw
import pytest

STREAM = """
  | n | __time__ | __diff__
1 | 1 | 2        | 1
2 | 2 | 2        | 1
1 | 1 | 4        | -1
"""


def test_capture_gives_every_update() -> None:
    updates = pw.testing.capture(pw.debug.table_from_markdown(STREAM))
    assert sorted((update.row["n"], update.time, update.diff) for update in updates) == [
        (1, 2, 1),
        (1, 4, -1),
        (2, 2, 1),
    ]
    assert updates[-1].key in {update.key for update in updates[:-1]}


def test_several_tables_in_one_run() -> None:
    runs = 0

    class Once(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            nonlocal runs
            runs += 1
            self.next(n=1)

    table = pw.io.python.read(Once(), schema=pw.schema_from_types(n=int))
    first, second = pw.testing.capture(table, table.select(m=table.n + 1))
    assert (first[0].row, second[0].row) == ({"n": 1}, {"m": 2})
    assert runs == 1


def test_what_comes_and_goes_at_once_is_not_there() -> None:
    table = pw.debug.table_from_markdown("  | n | __time__ | __diff__\n1 | 1 | 2 | 1\n1 | 1 | 2 | -1")
    assert pw.testing.capture(table) == []


def test_outputs_are_not_run() -> None:
    table = pw.debug.table_from_markdown(STREAM)
    pw.io.subscribe(table, lambda **_: pytest.fail("an output has run"))
    assert len(pw.testing.capture(table)) == 3


def test_reset_forgets_outputs() -> None:
    pw.io.subscribe(pw.debug.table_from_markdown(STREAM), lambda **_: pytest.fail("an output has run"))
    pw.testing.reset()
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)


def test_equal_tables() -> None:
    table = pw.debug.table_from_markdown(STREAM)
    pw.testing.assert_equal_tables(table, pw.debug.table_from_markdown("n\n2"))
    with pytest.raises(AssertionError, match="- n=3"):
        pw.testing.assert_equal_tables(table, pw.debug.table_from_markdown("n\n3"))
    with pytest.raises(AssertionError, match="n=2"):
        pw.testing.assert_equal_tables(table, pw.debug.table_from_markdown("n\n2"), ids=True)
