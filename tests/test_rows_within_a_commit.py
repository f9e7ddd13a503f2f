"""Rows that come and go within one commit leave nothing behind."""

import pathway as pw


class Keyed(pw.Schema):
    key: int = pw.column_definition(primary_key=True)
    value: str


def stream(*rows: tuple[int, str, int, int]) -> pw.Table:
    """A table of (key, value, time, diff)."""
    return pw.debug.table_from_rows(Keyed, list(rows), is_stream=True)


def updates(table: pw.Table) -> list[tuple[dict[str, object], int, int]]:
    captured = pw.testing.capture(table)
    return [(update.row, update.time, update.diff) for update in captured]


def test_results_that_are_kept_with_their_rows() -> None:
    calls: list[str] = []

    def shout(value: str) -> str:
        calls.append(value)
        return f"{value}{len(calls)}"

    table = stream((0, "a", 2, 1), (0, "a", 2, -1), (0, "b", 4, 1), (0, "b", 4, -1), (0, "c", 6, 1), (0, "c", 8, -1))
    result = table.select(value=pw.apply(shout, table.value))
    seen = updates(result)
    sent = f"c{calls.index('c') + 1}"
    assert seen == [({"value": sent}, 6, 1), ({"value": sent}, 8, -1)]


def test_pointers_that_lead_nowhere_only_within_a_commit() -> None:
    table = stream((0, "x", 2, 1), (1, "y", 4, 1), (1, "y", 4, -1), (1, "x", 4, 1))
    counts = table.groupby(table.value).reduce(count=pw.reducers.count())
    result = table.select(table.value, count=counts.ix(counts.pointer_from(table.value)).count)
    assert updates(result) == [
        ({"value": "x", "count": 1}, 2, 1),
        ({"value": "x", "count": 1}, 4, -1),
        ({"value": "x", "count": 2}, 4, 1),
        ({"value": "x", "count": 2}, 4, 1),
    ]
