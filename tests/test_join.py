"""Joins of all kinds, and what can be done with their results."""

from __future__ import annotations

from typing import Any

import pathway as pw
import pytest
from support import assert_table, changes, table


@pytest.fixture
def pets() -> pw.Table[Any]:
    return table("name | owner | age\nRex | Bob | 3\nTom | Eve | 5\nKit | Zoe | 1")


@pytest.fixture
def people() -> pw.Table[Any]:
    return table("owner | town\nBob | Ulm\nEve | Bonn\nIda | Kiel")


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (pw.JoinMode.INNER, "name | town\nRex | Ulm\nTom | Bonn"),
        (pw.JoinMode.LEFT, "name | town\nRex | Ulm\nTom | Bonn\nKit | None"),
        (pw.JoinMode.RIGHT, "name | town\nRex | Ulm\nTom | Bonn\nNone | Kiel"),
        (pw.JoinMode.OUTER, "name | town\nRex | Ulm\nTom | Bonn\nKit | None\nNone | Kiel"),
    ],
)
def test_kinds(pets: pw.Table[Any], people: pw.Table[Any], how: pw.JoinMode, expected: str) -> None:
    joined = pets.join(people, pets.owner == people.owner, how=how)
    assert_table(joined.select(pets.name, people.town), expected)
    assert_table(joined.select(pw.left.name, pw.right.town), expected)
    assert_table(joined.select(pw.this.name, pw.this.town), expected)


def test_names(pets: pw.Table[Any], people: pw.Table[Any]) -> None:
    joined = pets.join(people, pw.left.owner == pw.right.owner)
    assert joined.select(*pw.this).column_names() == ["name", "owner", "age", "town"]
    assert joined.select(*pw.left, *pw.right.without("owner")).column_names() == ["name", "owner", "age", "town"]
    assert joined.select(*pw.right.with_prefix("r_")).column_names() == ["r_owner", "r_town"]
    assert joined.select(*pets.slice[["name"]], people.town).column_names() == ["name", "town"]
    with pytest.raises(ValueError, match="Duplicate expression value given for owner"):
        joined.select(*pw.left, *pw.right)
    crossed = pets.join(people)
    with pytest.raises(KeyError, match="appears on both left and right"):
        crossed.select(pw.this.owner)


def test_merged_column_of_an_outer_join(pets: pw.Table[Any], people: pw.Table[Any]) -> None:
    joined = pets.join_outer(people, pets.owner == people.owner)
    assert_table(joined.select(pw.this.owner), "owner\nBob\nEve\nZoe\nIda")
    right = pets.join_right(people, pets.owner == people.owner)
    assert_table(right.select(pw.this.owner, pw.left.name), "owner | name\nBob | Rex\nEve | Tom\nIda | None")


def test_types(pets: pw.Table[Any], people: pw.Table[Any]) -> None:
    left = pets.join_left(people, pets.owner == people.owner).select(pets.age, people.town, i=people.id, j=pw.this.id)
    assert dict(left.typehints()) == {"age": int, "town": str | None, "i": pw.Pointer | None, "j": pw.Pointer}
    outer = pets.join_outer(people, pets.owner == people.owner).select(pets.age, people.town)
    assert dict(outer.typehints()) == {"age": int | None, "town": str | None}


def test_without_conditions(pets: pw.Table[Any]) -> None:
    other = pets.copy()
    pairs = pets.join(other).filter(pets.age < other.age).select(a=pets.name, b=other.name)
    assert_table(pairs, "a | b\nRex | Tom\nKit | Rex\nKit | Tom")


def test_none_is_equal_to_none() -> None:
    t = pw.debug.table_from_rows(pw.schema_from_types(k=int | None, v=str), [(None, "x"), (1, "y")])
    assert_table(t.join(t.copy(), pw.left.k == pw.right.k).select(a=pw.left.v, b=pw.right.v), "a | b\nx | x\ny | y")


def test_keys(pets: pw.Table[Any], people: pw.Table[Any]) -> None:
    joined = pets.join_left(people, pets.owner == people.owner, id=pets.id).select(people.town)
    assert_table(pets.select(pets.name, joined.town), "name | town\nRex | Ulm\nTom | Bonn\nKit | None")
    inner = pets.join(people, pets.owner == people.owner, id=pw.left.id).select(people.town)
    assert_table(inner.select(pets.restrict(inner).name, inner.town), "name | town\nRex | Ulm\nTom | Bonn")
    ids = pets.join(people, pets.owner == people.owner).select(
        same=pw.this.id == pw.this.pointer_from(pw.left.id, pw.right.id)
    )
    assert_table(ids, "same\nTrue\nTrue")


def test_chains(pets: pw.Table[Any], people: pw.Table[Any]) -> None:
    towns = table("town | land\nUlm | DE\nBonn | DE")
    chain = pets.join(people, pets.owner == people.owner).join(towns, people.town == towns.town)
    assert_table(
        chain.select(pets.name, people.town, towns.land), "name | town | land\nRex | Ulm | DE\nTom | Bonn | DE"
    )
    assert_table(
        pets.join(people, pets.owner == people.owner)
        .join(towns, pw.left.town == pw.right.town)
        .select(pw.left.name, pw.this.land),
        "name | land\nRex | DE\nTom | DE",
    )


def test_filter_group_and_reduce(pets: pw.Table[Any], people: pw.Table[Any]) -> None:
    joined = pets.join(people, pets.owner == people.owner)
    assert_table(joined.filter(pets.age > 3).select(people.town), "town\nBonn")
    assert_table(
        joined.groupby(pw.this.owner).reduce(pw.this.owner, s=pw.reducers.sum(pets.age)), "owner | s\nBob | 3\nEve | 5"
    )
    assert_table(joined.groupby(people.town).reduce(people.town, n=pw.reducers.count()), "town | n\nUlm | 1\nBonn | 1")
    assert_table(joined.reduce(s=pw.reducers.sum(pets.age)), "s\n8")


def test_conditions_may_be_on_what_a_table_was_made_of(pets: pw.Table[Any], people: pw.Table[Any]) -> None:
    old = pets.filter(pets.age > 3)
    assert_table(old.join(people, pets.owner == people.owner).select(pets.name, people.town), "name | town\nTom | Bonn")


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (lambda a, b: b.owner == a.owner, "not properly ordered"),
        (lambda a, b: a.owner != b.owner, "should be of form"),
        (lambda a, b: a.age + 1 == b.town, "should be of form"),
        (lambda a, b: a.owner == a.name, "is no column of the right table"),
        (lambda a, b: "owner", "should be of form"),
    ],
)
def test_wrong_conditions(pets: pw.Table[Any], people: pw.Table[Any], condition: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pets.join(people, condition(pets, people))


def test_mistakes(pets: pw.Table[Any], people: pw.Table[Any]) -> None:
    with pytest.raises(TypeError, match="Incompatible types in a join condition"):
        pets.join(people, pets.age == people.owner)
    with pytest.raises(ValueError, match="JoinMode"):
        pets.join(people, how="left")  # type: ignore[arg-type]
    with pytest.raises(KeyError, match="Cannot assign id's for this join type"):
        pets.join_outer(people, pets.owner == people.owner, id=pets.id)
    with pytest.raises(ValueError, match="given together"):
        pets.join(people, left_instance=pets.owner)
    with pytest.raises(ValueError, match="may have other rows"):
        pets.join(people, pets.owner == people.owner).select(table("x\n1").x)


def test_changes_are_followed() -> None:
    left = table("  | k | a | __time__ | __diff__\n1 | 1 | x | 2 | 1\n2 | 2 | y | 2 | 1\n1 | 1 | x | 6 | -1")
    right = table("  | k | b | __time__ | __diff__\n1 | 1 | u | 4 | 1\n2 | 2 | v | 6 | 1")
    assert changes(left.join(right, left.k == right.k).select(left.a, right.b)) == [
        "4 +1 ('x', 'u')",
        "6 -1 ('x', 'u')",
        "6 +1 ('y', 'v')",
    ]
    assert changes(left.join_left(right, left.k == right.k).select(left.a, right.b)) == [
        "2 +1 ('x', None)",
        "2 +1 ('y', None)",
        "4 -1 ('x', None)",
        "4 +1 ('x', 'u')",
        "6 -1 ('x', 'u')",
        "6 -1 ('y', None)",
        "6 +1 ('y', 'v')",
    ]
