"""Groups and reducers."""

from __future__ import annotations

from typing import Any

import pathway as pw
import pytest
from support import assert_table, changes, rows, table


@pytest.fixture
def sales() -> pw.Table[Any]:
    return table(
        """
          | shop | item | price
        1 | A    | x    | 3
        2 | B    | y    | 5
        3 | A    | y    | 4
        4 | A    | x    | 3
        """
    )


def test_reducers(sales: pw.Table[Any]) -> None:
    r = pw.reducers
    assert_table(
        sales.groupby(sales.shop).reduce(
            sales.shop,
            n=r.count(),
            total=r.sum(sales.price),
            mean=r.avg(sales.price * 3) + 0.5,
            least=r.min(sales.price),
            most=r.max(sales.price),
            different=r.count_distinct(sales.item),
        ),
        """
        shop | n | total | mean | least | most | different
        A    | 3 | 10    | 10.5 | 3     | 4    | 2
        B    | 1 | 5     | 15.5 | 5     | 5    | 1
        """,
    )
    assert rows(sales.groupby(sales.shop).reduce(x=r.sorted_tuple(sales.price)), "x") == [(3, 3, 4), (5,)]
    ordered = sales.groupby(sales.shop, sort_by=sales.price).reduce(x=r.tuple(sales.price), y=r.tuple(sales.item))
    assert rows(ordered, "x") == [(3, 3, 4), (5,)]
    assert rows(ordered, "y") == [("x", "x", "y"), ("y",)]
    assert_table(
        sales.groupby(sales.shop).reduce(sales.shop, item=r.argmax(sales.price, sales.item)),
        "shop | item\nA | y\nB | y",
    )
    assert_table(sales.groupby(sales.item).reduce(one=r.unique(sales.item)), "one\nx\ny")
    assert rows(sales.groupby(sales.shop).reduce(x=r.earliest(sales.item)), "x")[0] in ("x", "y")


def test_types() -> None:
    t = pw.Table.empty(i=int, f=float, o=int | None, s=str)
    r = pw.reducers
    types = t.reduce(
        n=r.count(),
        i=r.sum(t.i),
        f=r.sum(t.f),
        a=r.avg(t.i),
        o=r.min(t.o),
        p=r.argmin(t.s),
        q=r.argmin(t.s, t.f),
        t=r.tuple(t.o),
        u=r.tuple(t.o, skip_nones=True),
    ).typehints()
    assert dict(types) == {
        "n": int,
        "i": int,
        "f": float,
        "a": float,
        "o": int | None,
        "p": pw.Pointer,
        "q": float,
        "t": list[int | None],
        "u": list[int],
    }


def test_expressions_of_reducers_and_columns(sales: pw.Table[Any]) -> None:
    r = pw.reducers
    assert_table(
        sales.groupby(sales.shop).reduce(
            label=sales.shop + "!", spread=r.max(sales.price) - r.min(sales.price), many=r.count() > 1
        ),
        "label | spread | many\nA! | 1 | True\nB! | 0 | False",
    )
    assert sales.groupby(pw.this.shop, pw.this.item).reduce(*pw.this, n=r.count()).column_names() == [
        "shop",
        "item",
        "n",
    ]


def test_everything(sales: pw.Table[Any]) -> None:
    assert_table(sales.reduce(total=pw.reducers.sum(sales.price)), "total\n15")
    assert rows(sales.filter(sales.price > 99).reduce(n=pw.reducers.count()), "n") == []
    share = sales.select(x=sales.price / sales.reduce(t=pw.reducers.sum(pw.this.price)).ix_ref().t)
    assert rows(share, "x") == [0.2, 0.2, 4 / 15, 1 / 3]


def test_keys_of_groups(sales: pw.Table[Any]) -> None:
    totals = sales.groupby(sales.shop).reduce(sales.shop, total=pw.reducers.sum(sales.price))
    assert_table(
        sales.select(sales.item, totals.ix_ref(sales.shop).total),
        "item | total\nx | 10\ny | 5\ny | 10\nx | 10",
    )
    pointers = sales.select(sales.price, key=sales.pointer_from(sales.shop))
    by_id = pointers.groupby(id=pointers.key).reduce(n=pw.reducers.count())
    assert_table(totals.select(totals.shop, by_id.with_universe_of(totals).n), "shop | n\nA | 3\nB | 1")


def test_the_row_of_the_extreme(sales: pw.Table[Any]) -> None:
    best = sales.groupby(sales.shop).reduce(sales.shop, row=pw.reducers.argmax(sales.price))
    assert_table(best.select(best.shop, sales.ix(best.row).price), "shop | price\nA | 4\nB | 5")
    at_once = sales.groupby(sales.shop).reduce(sales.shop, price=sales.ix(pw.reducers.argmax(sales.price)).price)
    assert_table(at_once, "shop | price\nA | 4\nB | 5")


def test_same_groups_have_the_same_keys(sales: pw.Table[Any]) -> None:
    totals = sales.groupby(sales.shop).reduce(sales.shop, total=pw.reducers.sum(sales.price))
    counts = sales.groupby(sales.shop).reduce(n=pw.reducers.count())
    assert_table(totals.select(totals.shop, totals.total, counts.n), "shop | total | n\nA | 10 | 3\nB | 5 | 1")


def test_mistakes(sales: pw.Table[Any]) -> None:
    grouped = sales.groupby(sales.shop)
    with pytest.raises(ValueError, match=r"You cannot use <table1>.price in this reduce statement"):
        grouped.reduce(sales.price)
    with pytest.raises(ValueError, match=r"You cannot use pathway.this.id"):
        grouped.reduce(x=pw.this.id)
    with pytest.raises(ValueError, match="a reducer inside a reducer"):
        grouped.reduce(x=pw.reducers.sum(pw.reducers.count()))
    with pytest.raises(ValueError, match="a value only for a group"):
        sales.select(x=pw.reducers.sum(sales.price))
    with pytest.raises(TypeError, match="sum"):
        grouped.reduce(x=pw.reducers.sum(sales.item))
    with pytest.raises(KeyError, match="nobody"):
        sales.groupby(pw.this.nobody).reduce(n=pw.reducers.count())


def test_strict_sums_are_for_floats(sales: pw.Table[Any]) -> None:
    with pytest.raises(ValueError, match="strict=True"):
        sales.reduce(x=pw.reducers.sum(sales.price, strict=True))
    assert rows(sales.reduce(x=pw.reducers.sum(sales.price * 0.5, strict=True)), "x") == [7.5]


def test_earliest_of_rows_that_may_go_warns_at_the_users_line(sales: pw.Table[Any]) -> None:
    counts = sales.groupby(sales.shop).reduce(n=pw.reducers.count())
    with pytest.warns(UserWarning, match="never removed") as caught:
        counts.reduce(x=pw.reducers.latest(counts.n))
    assert caught[0].filename == __file__


def test_changes_are_followed() -> None:
    t = table(
        """
          | g | v | __time__ | __diff__
        1 | a | 1 | 2        | 1
        2 | a | 5 | 2        | 1
        3 | b | 7 | 4        | 1
        1 | a | 1 | 4        | -1
        2 | a | 5 | 6        | -1
        """
    )
    assert changes(t.groupby(t.g).reduce(t.g, s=pw.reducers.sum(t.v), m=pw.reducers.min(t.v))) == [
        "2 +1 ('a', 6, 1)",
        "4 -1 ('a', 6, 1)",
        "4 +1 ('a', 5, 5)",
        "4 +1 ('b', 7, 7)",
        "6 -1 ('a', 5, 5)",
    ]
