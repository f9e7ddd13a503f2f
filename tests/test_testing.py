"""The tools for people who test pipelines."""

import pathlib
import re
import subprocess
import sys

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
    with pytest.raises(AssertionError, match="- 3"):
        pw.testing.assert_equal_tables(table, pw.debug.table_from_markdown("n\n3"))
    with pytest.raises(AssertionError, match=r"id +\| n"):
        pw.testing.assert_equal_tables(table, pw.debug.table_from_markdown("n\n2"), ids=True)


def difference(actual: str, expected: str, **options: bool) -> str:
    with pytest.raises(AssertionError) as raised:
        pw.testing.assert_equal_tables(
            pw.debug.table_from_markdown(actual), pw.debug.table_from_markdown(expected), **options
        )
    return str(raised.value)


def test_rows_that_differ_are_shown_as_a_table() -> None:
    assert difference(
        "age | name\n36 | Ada\n7 | Bob\n1 | Eve", "name | age\nAda | 36\nBob | 8\nBob | 8"
    ).splitlines() == [
        "the tables differ (- missing, + not expected):",
        "  age | name",
        "+ 1   | 'Eve'",
        "+ 7   | 'Bob'",
        "- 8   | 'Bob'",
        "- 8   | 'Bob'",
    ]


def test_types_that_differ_are_said() -> None:
    ages = pw.debug.table_from_markdown("age | name\n36 | Ada")
    with pytest.raises(AssertionError) as raised:
        pw.testing.assert_equal_tables(ages, ages.with_columns(age=pw.cast(float, ages.age)))
    assert str(raised.value).splitlines() == [
        "the tables differ (- missing, + not expected):",
        "column age: int, expected float",
        "  age  | name",
        "+ 36   | 'Ada'",
        "- 36.0 | 'Ada'",
    ]
    maybe = pw.debug.table_from_markdown("n\n2").select(n=pw.declare_type(int | None, pw.this.n))
    pw.testing.assert_equal_tables(maybe, pw.debug.table_from_markdown("n\n2"))
    with pytest.raises(AssertionError, match=r"the types differ:\ncolumn n: int \| None, expected int$"):
        pw.testing.assert_equal_tables(maybe, pw.debug.table_from_markdown("n\n2"), types=True)
    pw.testing.assert_equal_tables(maybe, maybe.copy(), types=True, ids=True)


def test_columns_that_differ_are_said() -> None:
    assert difference("a | b\n1 | 2", "a | c\n1 | 2").splitlines() == [
        "the tables have other columns (- missing, + not expected):",
        "- column c: missing",
        "+ column b: not expected",
    ]


def test_not_too_many_rows_are_shown() -> None:
    lines = difference("n\n" + "\n".join(map(str, range(100))), "n\n0").splitlines()
    assert len(lines) == 43
    assert lines[-1] == "... and 59 more"


@pytest.mark.one_process("the tests that it runs are programs of their own")
def test_pytest_shows_the_line_of_the_test(tmp_path: pathlib.Path) -> None:
    (tmp_path / "test_it.py").write_text(
        """
import pathway as pw

def test_rows():
    pw.testing.assert_equal_tables(pw.debug.table_from_markdown("n\\n1"), pw.debug.table_from_markdown("n\\n2"))

def test_names():
    pw.io.csv.read("x", schemas=3)

def test_tables():
    pw.debug.table_from_markdown("n\\n1").flatten("n", origin=3)
"""
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    shown = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60).stdout
    assert "3 failed" in shown
    # Each failure has the line of the test, and nothing below it.
    assert re.findall(r"^(\S+?):\d+: (\w+)$", shown, re.MULTILINE) == [
        ("test_it.py", "AssertionError"),
        ("test_it.py", "TypeError"),
        ("test_it.py", "TypeError"),
    ]
