"""What can only be a mistake is refused where it is written: the class of the exception, and the user's line."""

from __future__ import annotations

from typing import Any

import pathway as pw
import pytest
from support import assert_table, table

VALUE, TYPE, KEY = ValueError, TypeError, KeyError


# By the exception: uses of a table with the columns a (int), b (str), c (int), and of another with the column d (int).
MISTAKES: dict[type[Exception], list[Any]] = {
    VALUE: [
        lambda t, o: t.select("a"),
        lambda t, o: t.select(t.a + 1),
        lambda t, o: t.select(t),
        lambda t, o: t.groupby(t.a).reduce("a"),
        lambda t, o: t.groupby(t.a).reduce(t.a, pw.reducers.sum(t.c)),
        lambda t, o: t.groupby(t.a).reduce(t.a, pw.reducers.unique(t.c + 1)),
        lambda t, o: t.groupby(t.a).reduce(t.a, pw.reducers.unique(t.a)),
        lambda t, o: t.select(t.a, a=t.c),
        lambda t, o: t + t,
        lambda t, o: t.select(id=t.a),
        lambda t, o: t.rename(id=t.a),
        lambda t, o: t.groupby(t.id).reduce(t.id),
        lambda t, o: t.groupby(t.a, n=pw.reducers.count()),
        lambda t, o: t.groupby(id="a"),
        lambda t, o: t.groupby(t.a, t.b, id=t.id),
        lambda t, o: t.groupby(t.a, id=t.id),
        lambda t, o: t.groupby(t.a).reduce(t.b),
        lambda t, o: t.groupby(t.a).reduce(x=t.b + 1),
        lambda t, o: t.select(x=pw.reducers.max(t.a)),
        lambda t, o: t.filter(pw.reducers.max(t.a) > 1),
        lambda t, o: t.groupby(t.a).reduce(x=pw.reducers.max(pw.reducers.max(t.a))),
        lambda t, o: t.groupby(t.a).reduce(x=pw.reducers.max(pw.reducers.max(t.a) + t.c)),
        lambda t, o: t.filter(t.a > 1).restrict(t),
        lambda t, o: t.concat(t),
        lambda t, o: t.filter(t.a > 1).concat(t.filter(t.a <= 1)),
        lambda t, o: t.concat(o),
        lambda t, o: t.concat_reindex(o),
        lambda t, o: t.update_rows(o),
        lambda t, o: t.update_cells(o),
        lambda t, o: t.filter(t.a > 1).update_cells(t.select(a=1)),
        lambda t, o: pw.Table.from_columns(t.a, o.d),
        lambda t, o: pw.Table.from_columns(),
        lambda t, o: t + t.filter(t.a > 1).select(d=1),
        lambda t, o: t.update_types(z=int),
        lambda t, o: t.cast_to_types(z=int),
        lambda t, o: t.join(o, t.a + 1 == o.d),
        lambda t, o: t.join(o, t.a < o.d),
        lambda t, o: t.join(o, t.a),
        lambda t, o: t.join(o, True),
        lambda t, o: t.join(o, o.d == t.a),
        lambda t, o: t.join(o, t.a == t.c),
        lambda t, o: t.join(t, t.a == t.a),
        lambda t, o: t.join(o, t.a == o.d, how="left"),
        lambda t, o: t.join(o, t.a == o.d, how=None),
        lambda t, o: t[["a", "a"]],
        lambda t, o: t.flatten(t.b, origin_id="id"),
        lambda t, o: t.flatten(t.b, origin_id="c"),
        lambda t, o: t.join(o, t.a == o.d, id="a"),
        lambda t, o: t.join(o, t.a == o.d, left_instance=t.c),
        lambda t, o: t.join(o, t.a == o.d, x=t.a),
        lambda t, o: t.join_left(o, t.a == o.d, x=t.a),
        lambda t, o: t.join_left(o, t.a == o.d, how=pw.JoinMode.LEFT),
        lambda t, o: t.select(o.d),
        lambda t, o: t.select(x=t.a + o.d),
        lambda t, o: t.filter(o.d > 1),
    ],
    TYPE: [
        lambda t, o: t.filter(t.a),
        lambda t, o: t.filter(pw.if_else(t.a > 1, t.a > 1, None)),
        lambda t, o: t.filter(True),
        lambda t, o: t.filter("a"),
        lambda t, o: t.split(t.a),
        lambda t, o: t.split(5),
        lambda t, o: t.join(o, t.a == o.d).filter(t.a),
        lambda t, o: t.join(o, t.a == o.d).filter(True),
        lambda t, o: t.groupby(t.a + 1),
        lambda t, o: t.groupby("a"),
        lambda t, o: t.groupby([t.a]),
        lambda t, o: t.groupby(t),
        lambda t, o: t.groupby(t.a, sort_by=t.a + 1),
        lambda t, o: t.groupby(t.a, sort_by="a"),
        lambda t, o: t.groupby(t.a, instance="b"),
        lambda t, o: t.groupby(id=t.a).reduce(),
        lambda t, o: t.with_id(t.a),
        lambda t, o: t.with_id("a"),
        lambda t, o: t.restrict("x"),
        lambda t, o: t.intersect(t, "x"),
        lambda t, o: t.difference("x"),
        lambda t, o: t.with_universe_of("x"),
        lambda t, o: t.concat("x"),
        lambda t, o: t.update_rows("x"),
        lambda t, o: t.update_cells("x"),
        lambda t, o: t + 1,
        lambda t, o: t.join("x"),
        lambda t, o: t.join(o, left_instance="a", right_instance="d"),
        lambda t, o: t.promise_universe_is_subset_of("x"),
        lambda t, o: t.promise_universe_is_equal_to(5),
        lambda t, o: t.promise_universes_are_disjoint(None),
        lambda t, o: t.select(x=t.a).concat_reindex(t.select(x=t.b)),
        lambda t, o: t.select(x=t.a).update_rows(t.select(x=t.b)),
        lambda t, o: t.update_cells(t.filter(t.a > 1).select(a="x")),
        lambda t, o: t.update_types(a=str),
        lambda t, o: t.update_types(a=5),
        lambda t, o: t.flatten(t.a),
        lambda t, o: t.select(x=b"ab").flatten(pw.this.x),
        lambda t, o: t.select(x=pw.if_else(t.a > 1, t.b, None)).flatten(pw.this.x),
        lambda t, o: t.flatten("b"),
        lambda t, o: t.flatten(t.b + "x"),
        lambda t, o: t.join(o, t.b == o.d),
        lambda t, o: t.select(x=t.a > 1).join(o, pw.left.x == o.d),
        lambda t, o: t.select(x=pw.declare_type(Any, t.a)).join(o, pw.left.x == o.d),
        lambda t, o: t.rename("a"),
        lambda t, o: t.rename_by_dict([("a", "z")]),
        lambda t, o: t.flatten(t.b, origin_id=5),
        lambda t, o: pw.Table.from_columns(5),
        lambda t, o: pw.Table.from_columns(x=t.a + 1),
        lambda t, o: pw.universes.promise_are_equal("x", t),
        lambda t, o: pw.universes.promise_is_subset_of("x", t),
        lambda t, o: pw.universes.promise_are_pairwise_disjoint(t, "x"),
        lambda t, o: t.rename({"a": 1}),
        lambda t, o: t.rename(x=1),
        lambda t, o: t.without(1),
        lambda t, o: t.with_prefix(1),
        lambda t, o: t.with_suffix(1),
        lambda t, o: t[1],
        lambda t, o: t.slice[1],
        lambda t, o: t.select(x=t),
        lambda t, o: t.select(x=object()),
        lambda t, o: t.select(*pw.left),
        lambda t, o: t.select(x=pw.left.a),
        lambda t, o: pw.apply(5, t.a),
        lambda t, o: pw.cast(5, t.a),
        lambda t, o: pw.Table.empty(a=5),
        lambda t, o: t.reduce(x=pw.reducers.sum(t.b)),
        lambda t, o: t.select(x=pw.if_else(t.a, 1, 2)),
        lambda t, o: t.select(x=pw.if_else(t.a > 1, 1, "x")),
        lambda t, o: t.select(x=pw.coalesce(t.a, "x")),
    ],
    KEY: [
        lambda t, o: t["z"],
        lambda t, o: t.select(pw.this.z),
        lambda t, o: t.rename({"z": "q"}),
        lambda t, o: t.rename(q=pw.this.z),
        lambda t, o: t.without("z"),
        lambda t, o: t.without(pw.this.z),
        lambda t, o: t.groupby(pw.this.z),
        lambda t, o: t.join(o, pw.left.z == pw.right.d),
        lambda t, o: t.join_outer(o, t.a == o.d, id=t.id),
        lambda t, o: t.join_left(o, t.a == o.d, id=o.id),
        lambda t, o: t.join(t.copy(), pw.left.a == pw.right.a)["b"],
        lambda t, o: t.join(t.copy(), pw.left.a == pw.right.a).select(pw.this.b),
    ],
    AttributeError: [lambda t, o: t.z, lambda t, o: t.join(t.copy(), pw.left.a == pw.right.a).b],
}


@pytest.mark.parametrize(
    ("kind", "number"), [(kind, number) for kind, uses in MISTAKES.items() for number in range(len(uses))]
)
def test_mistakes(kind: type[Exception], number: int) -> None:
    t, o = table("a | b | c\n1 | x | 2\n2 | y | 3"), table("d\n1")
    with pytest.raises(kind) as info:
        MISTAKES[kind][number](t, o)
    assert type(info.value) is kind
    assert str(info.value)


@pytest.mark.parametrize("number", range(len(MISTAKES[TYPE])))
def test_wrong_arguments_name_the_line(number: int) -> None:
    t, o = table("a | b | c\n1 | x | 2\n2 | y | 3"), table("d\n1")
    with pytest.raises(TypeError) as info:
        MISTAKES[TYPE][number](t, o)
    (note,) = (note for note in info.value.__notes__ if note.startswith("Occurred here:"))
    assert __file__ in note


def test_reducers_without_a_name() -> None:
    t = table("g | v | w\na | 1 | 2\nb | 3 | 4")
    result = t.groupby(t.g).reduce(t.g, pw.reducers.unique(t.v), pw.reducers.any(pw.this.w))
    assert result.column_names() == ["g", "v", "w"]
    assert t.groupby(t.g).reduce(pw.reducers.unique(pw.this.with_prefix("p_").p_v)).column_names() == ["p_v"]


def test_a_column_that_is_grouped_by_twice_counts_once() -> None:
    t = table("a | b\n1 | x\n1 | y\n2 | z")
    grouped = t.groupby(t.a, pw.this.a, t.copy().a).reduce(t.a, n=pw.reducers.count())
    assert repr(grouped.schema.id.dtype) == "Pointer(INT)"
    assert_table(
        grouped.select(grouped.n, same=grouped.id == grouped.pointer_from(grouped.a)), "n | same\n2 | True\n1 | True"
    )
    other = t.select(c=t.a * 0, d=t.b)
    assert t.groupby(other.c, other.d).reduce(n=pw.reducers.count()).schema.id_type == pw.Pointer[int, str]


def test_a_table_is_there_whatever_its_rows() -> None:
    t = pw.Table.empty(a=int)
    assert [bool(t), bool(pw.this), bool(t.join(t.copy()))] == [True, True, True]
    with pytest.raises(TypeError, match="number of rows"):
        len(t)
