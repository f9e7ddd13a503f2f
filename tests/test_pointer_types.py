"""What is known of keys: pointers to rows of one kind of table are told from pointers to another."""

from __future__ import annotations

from typing import Any

import pathway as pw
import pytest
from support import assert_table, table


@pytest.fixture
def t() -> pw.Table[Any]:
    return table("a | b\n1 | x\n2 | y")


@pytest.fixture
def by_a(t: pw.Table[Any]) -> pw.Table[Any]:
    return t.groupby(t.a).reduce(t.a)


@pytest.fixture
def by_both(t: pw.Table[Any]) -> pw.Table[Any]:
    return t.with_id_from(t.a, t.b)


def optional(column: Any) -> Any:
    return pw.if_else(column > 1, column, None)


@pytest.mark.parametrize(
    ("pointer", "name"),
    [
        (lambda t: t.id, "ANY_POINTER"),
        (lambda t: t.pointer_from(t.a, t.b), "Pointer(INT, STR)"),
        (lambda t: pw.this.pointer_from(t.a, pw.this.b), "Pointer(INT, STR)"),
        (lambda t: t.pointer_from(1, "x"), "Pointer(INT, STR)"),
        (lambda t: t.pointer_from(), "Pointer()"),
        (lambda t: t.pointer_from(t.a, instance=t.b), "Pointer(INT, STR)"),
        (lambda t: t.pointer_from(t.a, optional=True), "Pointer(INT)"),
        (lambda t: t.pointer_from(optional(t.a)), "Pointer(Optional(INT))"),
        (lambda t: t.pointer_from(optional(t.a), optional=True), "Optional(Pointer(INT))"),
        (lambda t: t.pointer_from(t.pointer_from(t.a), t.id), "Pointer(Pointer(INT), ANY_POINTER)"),
        (lambda t: pw.if_else(t.a > 1, t.pointer_from(t.a), t.id), "ANY_POINTER"),
        (lambda t: pw.coalesce(t.pointer_from(optional(t.a), optional=True), t.pointer_from(t.a)), "Pointer(INT)"),
        (lambda t: pw.coalesce(t.pointer_from(t.a), t.pointer_from(None)), "Pointer(Optional(INT))"),
        (lambda t: pw.declare_type(pw.Pointer[int], t.id), "Pointer(INT)"),
        (lambda t: pw.make_tuple(t.pointer_from(t.a), 1), "Tuple(Pointer(INT), INT)"),
    ],
)
def test_types_of_pointers(t: pw.Table[Any], pointer: Any, name: str) -> None:
    assert repr(t.select(p=pointer(t)).schema["p"].dtype) == name


def tables() -> dict[str, tuple[pw.Table[Any], str]]:
    """Tables by how their keys come about, with the types of these."""
    t = table("a | b\n1 | x\n2 | y")
    by_a = t.groupby(t.a).reduce(t.a)
    by_both = t.with_id_from(t.a, t.b)
    pointers = t.select(p=t.pointer_from(t.b))
    small, large = by_a.split(by_a.a < 2)
    return {
        "source": (t, "ANY_POINTER"),
        "id_from": (pw.debug.table_from_markdown("a | b\n1 | x", id_from=["b"]), "Pointer(STR)"),
        "groupby": (by_a, "Pointer(INT)"),
        "groupby of two": (t.groupby(t.b, t.a).reduce(t.a), "Pointer(STR, INT)"),
        "groupby with instance": (t.groupby(t.a, instance=t.b).reduce(t.a), "Pointer(INT, STR)"),
        "groupby of an optional": (t.select(c=optional(t.a)).groupby(pw.this.c).reduce(), "Pointer(Optional(INT))"),
        "groupby of pointers": (pointers.groupby(pointers.p).reduce(), "Pointer(Pointer(STR))"),
        "groupby by id": (pointers.groupby(id=pointers.p).reduce(), "Pointer(STR)"),
        "global": (t.reduce(n=pw.reducers.count()), "Pointer()"),
        "with_id_from": (by_both, "Pointer(INT, STR)"),
        "with_id_from with instance": (t.with_id_from(t.a, instance=t.b), "Pointer(INT, STR)"),
        "with_id": (pointers.with_id(pointers.p), "Pointer(STR)"),
        "select": (by_a.select(c=1), "Pointer(INT)"),
        "filter": (by_a.filter(by_a.a > 1), "Pointer(INT)"),
        "split": (small, "Pointer(INT)"),
        "concat": (small.concat(large), "Pointer(INT)"),
        "concat with a source": (small.promise_universes_are_disjoint(t).concat(t[["a"]]), "ANY_POINTER"),
        "concat_reindex": (small.concat_reindex(large), "ANY_POINTER"),
        "update_rows": (small.update_rows(large), "Pointer(INT)"),
        "intersect": (by_a.intersect(by_both), "Pointer(INT)"),
        "difference": (by_a.difference(by_both), "Pointer(INT)"),
        "with_universe_of": (t.with_universe_of(by_both), "Pointer(INT, STR)"),
        "join": (t.join(by_a, t.a == by_a.a).select(t.a), "ANY_POINTER"),
        "join with an id": (t.join(by_a, t.a == by_a.a, id=by_a.id).select(t.a), "Pointer(INT)"),
        "filtered join": (t.join(by_a, t.a == by_a.a, id=by_a.id).filter(t.a > 0).select(t.a), "Pointer(INT)"),
        "flatten": (by_both.flatten(by_both.b), "ANY_POINTER"),
        "ix": (by_both.ix(by_both.id), "Pointer(INT, STR)"),
        "update_id_type": (t.update_id_type(pw.Pointer[int]), "Pointer(INT)"),
        "forgotten": (by_a.update_id_type(pw.Pointer), "ANY_POINTER"),
        "empty": (pw.Table.empty(a=int), "ANY_POINTER"),
    }


@pytest.mark.parametrize("how", tables())
def test_types_of_keys(how: str) -> None:
    result, name = tables()[how]
    assert repr(result.schema.id.dtype) == name
    assert repr(result.select(key=result.id).schema["key"].dtype) == name
    assert result.schema.id_type == result.typehints().get("key", result.select(key=result.id).typehints()["key"])


def test_keys_that_are_carried(t: pw.Table[Any], by_a: pw.Table[Any]) -> None:
    pairs = by_a.join_left(t, pw.left.a == pw.right.a).select(l=pw.left.id, r=pw.right.id)
    assert [repr(pairs.schema[name].dtype) for name in "lr"] == ["Pointer(INT)", "Optional(ANY_POINTER)"]
    origin = t.with_id_from(t.b).flatten(pw.this.b, origin_id="origin")
    assert repr(origin.schema["origin"].dtype) == "Pointer(STR)"
    best = by_a.reduce(best=pw.reducers.argmax(by_a.a))
    assert repr(best.schema["best"].dtype) == "Pointer(INT)"
    assert_table(best.select(by_a.ix(best.best).a), "a\n2")


class Shelf(pw.Schema):
    row: int = pw.column_definition(primary_key=True)
    place: str = pw.column_definition(primary_key=True)
    width: float


class Book(pw.Schema):
    anywhere: pw.Pointer
    somewhere: pw.Pointer[int, str]
    shelf: pw.Pointer[Shelf]
    perhaps: pw.Pointer[Shelf] | None


def test_schemas() -> None:
    assert repr(Shelf.id.dtype) == "Pointer(INT, STR)"
    assert repr(Book.id.dtype) == "ANY_POINTER"
    key = "Pointer(INT, STR)"
    types = ["ANY_POINTER", key, key, f"Optional({key})"]
    assert [repr(Book[name].dtype) for name in Book.column_names()] == types
    assert Book.typehints()["shelf"] == pw.Pointer[int, str]
    shelves = pw.debug.table_from_rows(Shelf, [(1, "left", 0.5)])
    assert repr(shelves.schema.id.dtype) == "Pointer(INT, STR)"
    books = pw.debug.table_from_rows(
        pw.schema_from_types(title=str, shelf=pw.Pointer[Shelf]), [("Emma", pw.Pointer(0))]
    ).select(pw.this.title, shelf=shelves.pointer_from(1, "left"))
    assert_table(books.select(books.title, shelves.ix(books.shelf).width), "title | width\nEmma | 0.5")


# What can only be a mistake is refused where it is written.


@pytest.mark.parametrize(
    "use",
    [
        lambda t, by_a, by_both: by_a.ix_ref(t.a, t.a),
        lambda t, by_a, by_both: by_a.ix_ref(t.b),
        lambda t, by_a, by_both: by_a.ix_ref(t.a * 1.0),
        lambda t, by_a, by_both: by_a.ix_ref(optional(t.a)),
        lambda t, by_a, by_both: by_a.ix_ref(pw.declare_type(Any, t.a)),
        lambda t, by_a, by_both: by_a.ix_ref(t.b, allow_misses=True),
        lambda t, by_a, by_both: by_a.ix(t.pointer_from(optional(t.a)), optional=True),
        lambda t, by_a, by_both: by_a.ix(by_both.id),
        lambda t, by_a, by_both: by_both.ix_ref(t.b, t.a),
        lambda t, by_a, by_both: by_both.ix(t.pointer_from(t.a)),
        lambda t, by_a, by_both: t.reduce(n=pw.reducers.count()).ix_ref(t.a),
        lambda t, by_a, by_both: t.select(x=by_a.ix_ref("x").a),
        lambda t, by_a, by_both: t.select(x=by_a.ix_ref().a),
        lambda t, by_a, by_both: t.select(x=by_a.ix_ref(pw.this.b).a),
        lambda t, by_a, by_both: by_a.select(x=pw.this.ix_ref("x").a),
        lambda t, by_a, by_both: t.groupby(t.a).reduce(x=by_both.ix(by_both.pointer_from(pw.this.a)).b),
        lambda t, by_a, by_both: t.ix(t.a),
        lambda t, by_a, by_both: t.ix(t.pointer_from(optional(t.a), optional=True)),
        lambda t, by_a, by_both: by_a.join(by_both, by_a.id == by_both.id),
        lambda t, by_a, by_both: by_both.select(p=by_both.pointer_from(1.0)).join(by_a, pw.left.p == by_a.id),
        lambda t, by_a, by_both: by_a.select(x=by_a.id == by_a.pointer_from("x")),
        lambda t, by_a, by_both: by_a.select(x=by_a.id != by_a.pointer_from(by_a.a, by_a.a)),
        lambda t, by_a, by_both: by_a.select(x=by_a.id < by_a.pointer_from("x")),
        lambda t, by_a, by_both: by_a.select(x=by_a.id == by_a.a),
        lambda t, by_a, by_both: by_a.select(x=pw.if_else(by_a.a > 0, by_a.id, by_a.pointer_from("x"))),
        lambda t, by_a, by_both: by_a.select(x=pw.coalesce(by_a.id, by_a.pointer_from("x"))),
        lambda t, by_a, by_both: by_a.promise_universes_are_disjoint(by_both).concat(by_both[["a"]]),
        lambda t, by_a, by_both: by_a.update_rows(by_both[["a"]]),
        lambda t, by_a, by_both: by_a.select(p=by_a.id).concat_reindex(by_both.select(p=by_both.id)),
        lambda t, by_a, by_both: by_a.select(p=by_a.id).update_types(p=pw.Pointer[str]),
        lambda t, by_a, by_both: by_a.update_id_type(int),
        lambda t, by_a, by_both: by_a.with_id(by_a.a),
        lambda t, by_a, by_both: by_a.with_id(by_a.pointer_from(optional(by_a.a), optional=True)),
    ],
)
def test_pointers_to_other_kinds_of_tables(
    t: pw.Table[Any], by_a: pw.Table[Any], by_both: pw.Table[Any], use: Any
) -> None:
    with pytest.raises(TypeError) as info:
        use(t, by_a, by_both)
    (place,) = (note for note in info.value.__notes__ if note.startswith("Occurred here:"))
    assert "test_pointer_types.py" in place


def test_what_is_allowed(t: pw.Table[Any], by_a: pw.Table[Any], by_both: pw.Table[Any]) -> None:
    assert_table(t.select(t.b, x=by_a.ix_ref(t.a).a), "b | x\nx | 1\ny | 2")
    assert_table(t.select(t.b, x=by_both.ix_ref(t.a, t.b).a), "b | x\nx | 1\ny | 2")
    # What is not known of a pointer, or of keys, may be right.
    assert t.select(x=by_a.ix(t.id, allow_misses=True).a).typehints()["x"] == int | None
    assert t.select(x=t.ix_ref("anything", 1, allow_misses=True).a).typehints()["x"] == int | None
    forgotten = by_a.update_id_type(pw.Pointer)
    assert t.select(x=forgotten.ix_ref(t.b, allow_misses=True).a).typehints()["x"] == int | None
    by_any = t.select(c=pw.declare_type(Any, t.a)).groupby(pw.this.c).reduce(pw.this.c)
    assert_table(t.select(t.a, x=pw.declare_type(int, by_any.ix_ref(t.a).c)), "a | x\n1 | 1\n2 | 2")
    by_optional = t.select(c=optional(t.a)).groupby(pw.this.c).reduce(n=pw.reducers.count())
    assert_table(t.select(t.a, x=by_optional.ix_ref(optional(t.a)).n), "a | x\n1 | 1\n2 | 1")
    assert_table(t.select(t.a, x=by_optional.ix_ref(None).n), "a | x\n1 | 1\n2 | 1")
    key = by_a.pointer_from(optional(t.a), optional=True)
    assert_table(t.select(t.a, x=by_a.ix(key, optional=True).a), "a | x\n1 | None\n2 | 2")
    assert_table(by_a.select(by_a.a, x=by_a.id == by_a.pointer_from(2)), "a | x\n1 | False\n2 | True")


def test_instances(t: pw.Table[Any]) -> None:
    """The key of a group with an instance is that of pointer_from with it."""
    grouped = t.groupby(t.a, instance=t.b).reduce(t.a, t.b)
    assert_table(
        grouped.select(same=grouped.id == grouped.pointer_from(grouped.a, instance=grouped.b)), "same\nTrue\nTrue"
    )
    assert_table(t.select(t.b, x=grouped.ix_ref(t.a, instance=t.b).a), "b | x\nx | 1\ny | 2")
    keyed = t.with_id_from(t.a, instance=t.b)
    assert_table(keyed.select(keyed.b, x=grouped.with_universe_of(keyed).a), "b | x\nx | 1\ny | 2")
