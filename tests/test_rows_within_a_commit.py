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


class Thing(pw.Schema):
    kind: str = pw.column_definition(primary_key=True)
    product: str
    number: int


class Shop(pw.io.python.ConnectorSubject):
    """An order and the new price of its product come in one commit."""

    def __init__(self) -> None:
        super().__init__(session_type="upsert")

    def run(self) -> None:
        self.next(kind="price", product="tea", number=0)
        self.commit()
        self.next(kind="order", product="tea", number=12)
        self.next(kind="price", product="tea", number=4)
        self.commit()


def test_a_join_computes_with_no_pair_that_never_was() -> None:
    calls: list[tuple[int, int]] = []

    def share(number: int, price: int) -> int:
        calls.append((number, price))
        return number // price

    things = pw.io.python.read(Shop(), schema=Thing, autocommit_duration_ms=None)
    orders, prices = things.split(things.kind == "order")
    joined = orders.join(prices, orders.product == prices.product).select(
        share=pw.apply(share, orders.number, prices.number), again=orders.number // prices.number
    )
    by_id = prices.with_id_from(prices.product)
    found = by_id.ix(orders.pointer_from(orders.product), context=orders)
    looked_up = orders.select(share=pw.apply(share, orders.number, found.number))
    pairs, rows = pw.testing.capture(joined, looked_up)
    assert [(update.row, update.diff) for update in pairs] == [({"share": 3, "again": 3}, 1)]
    assert [(update.row, update.diff) for update in rows] == [({"share": 3}, 1)]
    # Another process may have called it.
    assert set(calls) <= {(12, 4)}


def test_a_row_that_comes_and_goes_in_one_commit_is_not_computed_with() -> None:
    calls: list[int] = []

    def tenth(value: int) -> int:
        calls.append(value)
        return 10 // value

    class Passing(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next(kind="a", product="x", number=0)
            self.next(kind="b", product="x", number=5)
            self.delete(kind="a", product="x", number=0)
            self.commit()

    things = pw.io.python.read(Passing(), schema=Thing, autocommit_duration_ms=None)
    result = things.select(tenth=pw.apply(tenth, things.number), again=10 // things.number)
    assert [(update.row, update.diff) for update in pw.testing.capture(result)] == [({"tenth": 2, "again": 2}, 1)]
    assert set(calls) <= {5}
