"""`pw.this`, `pw.left`, `pw.right`, lookups and their slices: unpacked with `*` and `**`, and columns of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pathway as pw
import pytest
from support import assert_table, table


@pytest.fixture
def a() -> pw.Table[Any]:
    return table("k | x | v\n1 | 2 | 3")


@pytest.fixture
def b() -> pw.Table[Any]:
    return table("k | y | v\n1 | 5 | 6")


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (lambda a: dict(**pw.this), "k x v"),
        (lambda a: dict(**pw.this.slice), "k x v"),
        (lambda a: dict(**pw.this.without("k")), "x v"),
        (lambda a: dict(**pw.this.without(pw.this.k, "v")), "x"),
        (lambda a: dict(**pw.this.with_prefix("p_")), "p_k p_x p_v"),
        (lambda a: dict(**pw.this.without("v").with_suffix("_s")), "k_s x_s"),
        (lambda a: dict(**pw.this[["v", "k"]]), "v k"),
        (lambda a: dict(**pw.this.rename({"k": "q"})), "x v q"),
        (lambda a: dict(**pw.this.ix(pw.this.id)), "k x v"),
        (lambda a: dict(**a), "k x v"),
        (lambda a: dict(**a.slice.without(a.x).with_suffix("_s")), "k_s v_s"),
        (lambda a: dict(**a.ix(pw.this.id).without("x")), "k v"),
        (lambda a: dict(**a.ix(a.id)), "k x v"),
        (lambda a: dict(n=a.k + 1, **pw.this.without("k")), "n x v"),
        # What is unpacked later counts, as in any dictionary.
        (lambda a: dict(**pw.this.without("k"), **pw.this), "x v k"),
    ],
)
def test_two_stars(a: pw.Table[Any], arguments: Any, names: str) -> None:
    assert a.select(**arguments(a)).column_names() == names.split()


def test_two_stars_in_joins(a: pw.Table[Any], b: pw.Table[Any]) -> None:
    pairs = a.join(b, a.k == b.k)
    result = pairs.select(**pw.left.with_prefix("l_"), **pw.right)
    assert_table(result, "l_k | l_x | l_v | k | y | v\n1 | 2 | 3 | 1 | 5 | 6")
    assert pairs.select(**pw.left, **pw.right).column_names() == ["k", "x", "v", "y"]
    assert_table(pairs.select(**pw.left, **pw.right).select(pw.this.v), "v\n6")
    with pytest.raises(ValueError, match="Duplicate"):
        pairs.select(a.k, **pw.left)
    with pytest.raises(ValueError, match="Duplicate"):
        pairs.select(*pw.left, *pw.right)


def test_two_stars_elsewhere(a: pw.Table[Any]) -> None:
    assert_table(a.with_columns(**pw.this.rename({"k": "x"})), "k | x | v\n1 | 1 | 3")
    assert_table(a.groupby(a.k).reduce(**pw.this, n=pw.reducers.count()), "k | n\n1 | 1")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (lambda a: pw.this.without("x").v, 3),
        (lambda a: pw.this.without("x")["v"], 3),
        (lambda a: pw.this.with_prefix("p_").p_v, 3),
        (lambda a: pw.this.with_prefix("p_").p_v + 1, 4),
        (lambda a: pw.this.rename({"v": "x", "x": "v"}).x, 3),
        (lambda a: pw.this[["v"]].v, 3),
        (lambda a: a.slice.without("x").v, 3),
        (lambda a: a.slice.with_prefix("p_").p_v, 3),
        (lambda a: a.ix(pw.this.id)[["v"]].v, 3),
    ],
)
def test_columns_of_slices(a: pw.Table[Any], column: Any, value: int) -> None:
    assert_table(a.select(q=column(a)), f"q\n{value}")


def test_columns_of_slices_elsewhere(a: pw.Table[Any], b: pw.Table[Any]) -> None:
    assert_table(a.filter(pw.this.without("x").v > 2).select(pw.this.without("x").v), "v\n3")
    grouped = a.groupby(pw.this.without("x").k).reduce(n=pw.reducers.max(pw.this.without("k").x))
    assert_table(grouped, "n\n2")
    pairs = a.join(b, pw.left.without("x").k == pw.right.with_prefix("r_").r_k)
    assert_table(pairs.select(pw.left.without("v").x, w=pw.right.without("y").v), "x | w\n2 | 6")


@pytest.mark.parametrize(
    "use",
    [
        lambda a: a.select(pw.this.without("x").x),
        lambda a: a.select(q=pw.this.without("x").x + 1),
        lambda a: a.select(pw.this.without("x")["x"]),
        lambda a: a.select(pw.this.with_prefix("p_").v),
        lambda a: a.select(*pw.this.without("nobody")),
        lambda a: a.select(**pw.this[["nobody"]]),
        lambda a: a.slice.without("x")["x"],
        lambda a: a.select(pw.this.nobody),
    ],
)
def test_what_is_left_out_is_not_there(a: pw.Table[Any], use: Any) -> None:
    with pytest.raises(KeyError, match="no column with name"):
        use(a)


def test_attributes_of_a_slice_of_a_table(a: pw.Table[Any]) -> None:
    with pytest.raises(AttributeError):
        _ = a.slice.without("x").x


@pytest.mark.parametrize(
    "use",
    [
        lambda a, b: a[b.k],
        lambda a, b: a[[b.k]],
        lambda a, b: a[a.copy().k],
        lambda a, b: a[a.filter(a.k > 0).k],
        lambda a, b: a.rename({b.k: "z"}),
        lambda a, b: a.slice[b.k],
        lambda a, b: a.slice[[b.k]],
        lambda a, b: a.slice.without(b.k),
        lambda a, b: a.slice.rename({b.k: "z"}),
        lambda a, b: a.select(*pw.this[[b.k]]),
        lambda a, b: a.select(*pw.this.without(b.k)),
        lambda a, b: a.join(b, a.k == b.k).select(*pw.left.without(b.k)),
    ],
)
def test_columns_of_other_tables_are_refused(a: pw.Table[Any], b: pw.Table[Any], use: Any) -> None:
    with pytest.raises(ValueError, match="column"):
        use(a, b)


def test_columns_of_the_table_itself(a: pw.Table[Any], b: pw.Table[Any]) -> None:
    assert a[a.k].name == a[pw.this.k].name == a.slice[pw.this.k].name == a.slice[a.k].name == "k"
    assert a[[pw.this.v, a.k, "x"]].column_names() == ["v", "k", "x"]
    pairs = a.join(b, a.k == b.k)
    for column in ("k", pw.left.k, pw.this.k, a.k):
        assert pairs.select(*pw.left.without(column)).column_names() == ["x", "v"]
    assert a.groupby(a.k, a.x).reduce(*pw.this.without(a.k)).column_names() == ["x"]
    # By name, as columns of a table that it came from are used everywhere.
    assert a.select(*pw.this).without(a.k).column_names() == ["x", "v"]


def test_names_of_joins(a: pw.Table[Any], b: pw.Table[Any]) -> None:
    pairs = a.join(b, a.k == b.k)
    assert list(pairs.keys()) == [column.name for column in pairs] == ["k", "x", "y"]
    assert pairs.select(*pw.this).column_names() == ["k", "x", "y"]
    assert pairs.select(**pw.this.without("y")).column_names() == ["k", "x"]
    assert pairs.select(*pairs).column_names() == ["k", "x", "y"]
    for use in (lambda: pairs["v"], lambda: pairs.select(pw.this.v), lambda: pairs.select(*pw.this[["v"]])):
        with pytest.raises(KeyError, match="v"):
            use()
    with pytest.raises(AttributeError, match="both"):
        _ = pairs.v
    # An ambiguous name stays ambiguous in the joins that follow, and hides none.
    c = table("k | v | z\n1 | 8 | 9")
    chain = pairs.join(c, pw.left.k == c.k)
    assert chain.select(*pw.this).column_names() == ["k", "x", "y", "z"]
    assert_table(chain.select(one=a.v, two=b.v, three=c.v), "one | two | three\n3 | 6 | 8")
    with pytest.raises(KeyError, match="both"):
        chain.select(pw.this.v)


CHOICES = [
    (lambda columns: columns.without("b"), ["a", "c"]),
    (lambda columns: columns.without("a", "c"), ["b"]),
    (lambda columns: columns.rename({"a": "x"}), ["b", "c", "x"]),
    # What has the new name is replaced.
    (lambda columns: columns.rename({"a": "b"}), ["c", "b"]),
    (lambda columns: columns.rename({"a": "b", "b": "a"}), ["c", "b", "a"]),
    (lambda columns: columns.with_prefix("x_"), ["x_a", "x_b", "x_c"]),
    (lambda columns: columns.with_suffix("_x"), ["a_x", "b_x", "c_x"]),
    (lambda columns: columns[["c", "a"]], ["c", "a"]),
    (lambda columns: columns.without("b").with_prefix("x_").rename({"x_a": "z"}), ["x_c", "z"]),
]


@pytest.mark.parametrize(("choose", "names"), CHOICES)
def test_every_set_of_columns_makes_the_same_of_a_choice(choose: Callable[[Any], Any], names: list[str]) -> None:
    table = pw.Table.empty(a=int, b=int, c=int)
    own = table.pointer_from(0)
    assert choose(table).column_names() == names
    for columns in (table.slice, pw.this, pw.this.slice, pw.this.ix(pw.this.pointer_from(0)), table.ix(own)):
        assert table.select(*choose(columns)).column_names() == names
    for columns in (table.slice, pw.this, pw.this.slice, pw.this.ix(pw.this.pointer_from(0))):
        assert table.select(**choose(columns)).column_names() == names
