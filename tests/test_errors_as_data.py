"""Errors flow, are reported once for each cell and cause, and go when their row is corrected."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pathway as pw
import pytest

from tests.support import table

DIVISION = "division by zero"


def log_of(*tables: pw.Table[Any]) -> tuple[list[list[tuple[Any, ...]]], Counter[str]]:
    """The rows that remain of each table, and how often each message is in the log."""
    *captured, log = pw.testing.capture(*tables, pw.global_error_log(), terminate_on_error=False)
    results = []
    for updates in captured:
        rows: Counter[tuple[Any, ...]] = Counter()
        for update in updates:
            rows[tuple(update.row.values())] += update.diff
        assert all(count >= 0 for count in rows.values()), rows
        results.append(sorted((+rows).elements(), key=repr))
    return results, Counter(update.row["message"].split(", key:")[0] for update in log)


def numbers() -> pw.Table[Any]:
    """Rows that fail and are corrected, change elsewhere, and go."""
    return table(
        """
          | g | a | b | __time__ | __diff__
        1 | 1 | 6 | 0 | 2        | 1
        2 | 1 | 6 | 3 | 2        | 1
        3 | 2 | 5 | 0 | 4        | 1
        1 | 1 | 6 | 0 | 6        | -1
        1 | 3 | 6 | 0 | 6        | 1
        2 | 1 | 6 | 3 | 8        | -1
        2 | 1 | 6 | 2 | 8        | 1
        3 | 2 | 5 | 0 | 10       | -1
        """
    )


def divided() -> pw.Table[Any]:
    rows = numbers()
    return rows.select(rows.g, q=rows.a // rows.b)


def test_a_cell_is_reported_once() -> None:
    rows = numbers()
    [result], log = log_of(rows.select(rows.g, q=rows.a // rows.b))
    assert [str(row) for row in result] == ["(1, 3)", "(3, Error)"]
    # Rows 1 and 3; not when row 1 changes elsewhere, and not when row 3 goes.
    assert log == {DIVISION: 2}


def test_two_cells_of_a_line_and_two_causes_of_a_cell() -> None:
    rows = table("a | b\n1 | 0")
    _, log = log_of(rows.select(x=rows.a // rows.b, y=rows.a % rows.b))
    assert sum(log.values()) == 2
    _, log = log_of(rows.select(x=rows.a // rows.b + rows.a // rows.b))
    assert log == {DIVISION: 1}


def test_an_error_that_comes_back_is_reported_again() -> None:
    rows = table(
        """
          | a | b | __time__ | __diff__
        1 | 6 | 0 | 2        | 1
        1 | 6 | 0 | 4        | -1
        1 | 6 | 2 | 4        | 1
        1 | 6 | 2 | 6        | -1
        1 | 6 | 0 | 6        | 1
        """
    )
    _, log = log_of(rows.select(q=rows.a // rows.b))
    assert log == {DIVISION: 2}


def test_outputs_report_a_row_once() -> None:
    seen: list[int] = []
    rows = divided()
    for _ in range(3):
        pw.io.subscribe(rows, lambda key, row, time, is_addition: seen.append(row["q"]))
    messages: list[str] = []
    pw.io.subscribe(pw.global_error_log(), lambda key, row, time, is_addition: messages.append(row["message"]))
    pw.run(terminate_on_error=False, monitoring_level=pw.MonitoringLevel.NONE)
    skipped = "Error value encountered in output, skipping the row"
    assert Counter(messages) == {DIVISION: 2, skipped: 2}


def test_a_filter_says_which_rows_it_drops() -> None:
    rows = divided()
    [result], log = log_of(rows.filter(rows.q > 0))
    assert result == [(1, 3)]
    assert log == {DIVISION: 2, "Error value encountered in filter condition, skipping the row": 2}


def test_reducers_skip_errors() -> None:
    rows = divided()
    groups = rows.groupby(rows.g).reduce(
        rows.g,
        n=pw.reducers.count(),
        sound=pw.reducers.count(rows.q),
        sum=pw.reducers.sum(rows.q),
        max=pw.reducers.max(rows.q),
        all=pw.reducers.tuple(rows.q),
    )
    [result], log = log_of(groups)
    # Group 3 has only the row that fails, which was skipped in group 1 before.
    assert [str(row) for row in result] == ["(1, 1, 1, 3, 3, (3,))", "(3, 1, Error, Error, Error, Error)"]
    assert log == {DIVISION: 2, "Error value encountered in the argument of a reducer, skipping the row": 3}


def test_a_group_that_stays_wrong_is_reported_once() -> None:
    rows = table(
        """
        g | v | __time__
        1 | 1 | 2
        1 | 2 | 2
        1 | 2 | 4
        1 | 1 | 6
        2 | 5 | 8
        """
    )
    groups = rows.groupby(rows.g).reduce(rows.g, n=pw.reducers.count(), v=pw.reducers.unique(rows.v))
    [result], log = log_of(groups)
    assert [str(row) for row in result] == ["(1, 4, Error)", "(2, 1, 5)"]
    assert list(log.values()) == [1]


def test_a_trace_says_where_and_for_which_row() -> None:
    rows = table("a | b\n1 | 0")
    result = rows.select(q=rows.a // rows.b)
    cells, log = pw.testing.capture(result, pw.global_error_log(), terminate_on_error=False)
    head, line, file, function, failed = log[0].row["trace"].split("\n \t")
    assert head == "Occurred here:"
    assert line == "Line: result = rows.select(q=rows.a // rows.b)"
    assert file.startswith(f"File: {__file__}:")
    assert function == "Function: test_a_trace_says_where_and_for_which_row"
    assert failed == f'It failed in 1 // 0, in column "q", for the row {cells[0].key}'


def test_what_is_computed_from_the_log_is_not_added_to_it() -> None:
    rows = table("a | b\n1 | 0")
    parsed = pw.global_error_log().select(n=pw.this.message.str.parse_int())
    [_, result], log = log_of(rows.select(q=rows.a // rows.b), parsed)
    assert [str(row) for row in result] == ["(Error,)"]
    assert log == {DIVISION: 1}


def test_run_all_computes_all_columns() -> None:
    rows = table("a\n1")
    rows.select(b=rows.a // 0)
    with pytest.raises(ZeroDivisionError):
        pw.run_all(monitoring_level=pw.MonitoringLevel.NONE)


def small(text: str) -> pw.Table[Any]:
    return table(text)


def test_update_cells_leaves_out_what_is_not_there() -> None:
    left, right = small("  | v\n1 | 1"), small("  | v\n1 | 9\n2 | 8")
    pw.universes.promise_is_subset_of(right, left)
    [result], log = log_of(left.update_cells(right))
    assert result == [(9,)]
    assert log == {"updating a row that does not exist": 1}


def test_with_universe_of_fills_with_errors_what_is_missing() -> None:
    left, right = small("  | v\n1 | 1\n2 | 2"), small("  | w\n2 | 5\n3 | 6")
    result = left.select(left.v, w=right.with_universe_of(left).w)
    [rows], log = log_of(result)
    assert [str(row) for row in rows] == ["(1, Error)", "(2, 5)"]
    assert list(log.values()) == [2]


def test_restrict_fills_with_errors_until_the_row_comes() -> None:
    left = table(
        """
          | v | __time__
        1 | 1 | 2
        2 | 2 | 6
        """
    )
    right = table(
        """
          | w | __time__
        1 | 5 | 2
        2 | 6 | 4
        """
    )
    pw.universes.promise_is_subset_of(right, left)
    [rows], log = log_of(left.restrict(right))
    assert rows == [(1,), (2,)]
    assert list(log.values()) == [1]


def test_a_row_with_several_partners_and_its_own_id() -> None:
    left, right = small("  | k | v\n1 | 1 | a\n2 | 2 | b"), small("  | k | w\n1 | 1 | x\n2 | 1 | y\n3 | 2 | z")
    joined = left.join(right, left.k == right.k, id=left.id).select(left.v, right.w)
    [rows], log = log_of(joined)
    assert [str(row) for row in rows] == ["('a', Error)", "('b', 'z')"]
    assert list(log.values()) == [1]


def test_keys_that_are_not_unique() -> None:
    twice = small("v\n1\n2").with_id_from(0)
    other = small("v\n5").with_id_from(1)
    [rows], log = log_of(twice.update_rows(other))
    assert [str(row) for row in rows] == ["(5,)", "(Error,)"]
    assert list(log.values()) == [1]


def test_ix_and_restrict_keep_append_only() -> None:
    target = small("  | v\n1 | 1\n2 | 2").with_id_from(pw.this.v)
    source = small("k\n1\n2")
    found = source.select(v=target.ix(source.pointer_from(source.k)).v)
    assert found.is_append_only
    latest = found.reduce(v=pw.reducers.latest(found.v))
    assert [update.row["v"] for update in pw.testing.capture(latest)][-1] in (1, 2)
    assert not source.select(v=target.ix(source.pointer_from(source.k), allow_misses=True).v).is_append_only
    # With errors as data a row that is missing and comes later is corrected, so it is not relied on.
    late = table("  | v | __time__\n1 | 1 | 4").with_id_from(pw.this.v)
    early = small("k\n1")
    corrected = early.select(v=late.ix(early.pointer_from(early.k)).v)
    assert corrected.is_append_only
    [rows], _ = log_of(corrected.groupby(corrected.v).reduce(corrected.v, m=pw.reducers.max(corrected.v)))
    assert rows == [(1, 1)]


def test_the_key_of_a_group_with_an_instance() -> None:
    rows = small("a | b\n1 | x\n2 | y")
    groups = rows.groupby(rows.b, instance=rows.a).reduce(rows.a, rows.b)
    again = rows.with_id_from(rows.b, instance=rows.a)
    keys = [{update.key for update in updates} for updates in pw.testing.capture(groups, again)]
    assert keys[0] == keys[1]
    looked_up = rows.select(b=groups.ix_ref(rows.b, instance=rows.a).b)
    assert sorted(update.row["b"] for update in pw.testing.capture(looked_up)) == ["x", "y"]


def test_exactly_once_uses_rows_up() -> None:
    left = table("k | x | __time__\n1 | 5 | 2\n1 | 7 | 6")
    right = table("k | y | __time__\n1 | 60 | 4\n1 | 61 | 8")
    joined = left.join(right, left.k == right.k, left_exactly_once=True).select(left.x, right.y)
    assert [(*update.row.values(), update.time) for update in pw.testing.capture(joined)] == [(5, 60, 4), (7, 60, 6)]
    both = table("k | y\n1 | 60\n1 | 61")
    twice = left.join(both, left.k == both.k, left_exactly_once=True).select(left.x, both.y)
    with pytest.raises(ValueError, match="Repeated entry in a batch"):
        pw.testing.capture(twice)


def test_the_error_of_a_pointer_is_that_of_what_it_looks_up() -> None:
    rows = small("k | c\n1 | 0\n1 | 1\n3 | 1").with_id_from(pw.this.k, pw.this.c)
    target = small("k | v\n1 | 10\n2 | 20").with_id_from(pw.this.k)
    pointer = target.pointer_from(rows.k // rows.c)
    looked_up = rows.select(rows.k, rows.c, v=target.ix(pointer, allow_misses=True).v)
    [found], log = log_of(looked_up)
    assert [str(row) for row in found] == ["(1, 0, Error)", "(1, 1, 10)", "(3, 1, None)"]
    assert log == {DIVISION: 1}


def test_a_value_that_is_not_of_the_declared_type_is_an_error() -> None:
    rows = small("k\n1\n2\n3").select(
        value=pw.apply_with_type(lambda k: {1: "a", 2: 2, 3: None}[k], Any, pw.this.k)  # type: ignore[arg-type]
    )
    text = rows.select(text=pw.declare_type(str | None, rows.value))
    [found], log = log_of(text)
    assert sorted(str(row) for row in found) == ["('a',)", "(Error,)", "(None,)"]
    assert log == {"2 is declared to be str": 1}
    with pytest.raises(TypeError, match='2 is declared to be str, in column "text"'):
        pw.testing.capture(text)
