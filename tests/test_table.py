"""Methods of tables, one small table each."""

from __future__ import annotations

from typing import Any

import pathway as pw
import pytest
from support import assert_table, changes, rows, table


@pytest.fixture
def pets() -> pw.Table[Any]:
    return table(
        """
          | name | owner | age
        1 | Rex  | Bob   | 3
        2 | Tom  | Eve   | 5
        3 | Kit  | Bob   | 1
        """
    )


def test_select(pets: pw.Table[Any]) -> None:
    assert_table(
        pets.select(pets.name, pw.this.owner, next=pets.age + 1),
        """
        name | owner | next
        Rex  | Bob   | 4
        Tom  | Eve   | 6
        Kit  | Bob   | 2
        """,
    )
    assert pets.select(*pw.this.without("age"), x=1).column_names() == ["name", "owner", "x"]
    assert pets.select(*pets.slice.without(pets.age).with_prefix("p_")).column_names() == ["p_name", "p_owner"]
    assert pets.select(*pw.this[["age", "name"]]).column_names() == ["age", "name"]
    assert pets.select(*pw.this.rename({"age": "years"})).column_names() == ["name", "owner", "years"]
    assert pets[["age", "name"]].column_names() == ["age", "name"]
    assert pets.select(x=pets.C.name, y=pw.this.C.age).column_names() == ["x", "y"]


def test_select_keeps_keys_and_makes_no_node(pets: pw.Table[Any]) -> None:
    derived = pets.select(pets.name).with_columns(a=1).rename(b=pw.this.a).without("b").copy()
    assert derived._node == pets._node
    assert_table(
        pets.select(pets.name, same=derived.id == pets.id).filter(pw.this.same).select(pw.this.name),
        "name\nRex\nTom\nKit",
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: t.select("name"), "Did you mean pw.this.name"),
        (lambda t: t.select(t.age + 1), "needs a name for every expression"),
        (lambda t: t.select(t), "unpack it"),
        (lambda t: t.select(t.name, name=t.age), "Duplicate expression value given for name"),
        (lambda t: t.select(id=t.age), "Can't use 'id' as a column name"),
        (lambda t: t.filter(t.age > 1).concat(t), "disjoint"),
        (lambda t: t.concat(t.without("age")), "Missing columns: age"),
        (lambda t: t.update_rows(t.select(t.age)), "Missing columns: name, owner"),
        (lambda t: t.update_cells(t.select(x=1)), "not present in the updated table: ['x']"),
        (lambda t: t.filter(t.age > 1).update_cells(t), "needs to be a subset"),
        (lambda t: t.filter(t.age > 1).restrict(t), "has to be a subset"),
        (lambda t: t.update_types(x=int), "existing table column name"),
        (lambda t: t.select(x=t.filter(t.age > 1).age), "may have other rows"),
        (lambda t: t.join(t), "Cannot join table with itself"),
    ],
)
def test_mistakes(pets: pw.Table[Any], call: Any, message: str) -> None:
    with pytest.raises(ValueError) as info:  # noqa: PT011
        call(pets)
    assert message in str(info.value)
    assert any("test_table.py" in note for note in info.value.__notes__)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: t.filter(t.age), "has to be bool"),
        (lambda t: t.update_types(age=str), "Cannot change type from int to str"),
        (lambda t: t.with_id(t.age), "have to be pointers"),
        (lambda t: t.ix(t.age).select(pw.this.age), "pointer"),
        (lambda t: t.flatten(t.age), "int"),
        (lambda t: t.groupby("name"), "did you mean pw.this.name"),
        (lambda t: t.groupby(t.age + 1), "takes columns"),
        (lambda t: t.select(pw.left.age), "only in joins"),
        (lambda t: len(t), "number of rows"),
        (lambda t: t + 1, "beside another table"),
    ],
)
def test_wrong_types(pets: pw.Table[Any], call: Any, message: str) -> None:
    with pytest.raises(TypeError) as info:
        call(pets)
    assert message in str(info.value)


def test_unknown_columns(pets: pw.Table[Any]) -> None:
    with pytest.raises(AttributeError, match=r"Table has no column with name agee. Did you mean age\?"):
        _ = pets.agee
    with pytest.raises(KeyError, match=r"Did you mean age\?"):
        _ = pets["agee"]
    with pytest.raises(KeyError, match=r"Did you mean age\?"):
        pets.select(pw.this.agee)
    with pytest.raises(KeyError, match=r"Did you mean age\?"):
        pets.without("agee")
    with pytest.raises(KeyError, match=r"Did you mean age\?"):
        pets.rename({"agee": "x"})


def test_columns(pets: pw.Table[Any]) -> None:
    assert pets.with_columns(age=0, x=1).column_names() == ["name", "owner", "age", "x"]
    assert pets.rename({"name": "called"}).column_names() == ["owner", "age", "called"]
    assert pets.rename(name=pw.this.age, age=pw.this.name).column_names() == ["owner", "name", "age"]
    assert pets.rename_columns(age="name").column_names() == ["owner", "age"]
    assert pets.with_prefix("a_").column_names() == ["a_name", "a_owner", "a_age"]
    assert pets.with_suffix("_z").column_names() == ["name_z", "owner_z", "age_z"]
    assert (pets[["age"]] + pets.select(x=1)).column_names() == ["age", "x"]
    assert pets.keys() == [reference.name for reference in pets]


def test_filter_and_split(pets: pw.Table[Any]) -> None:
    old = pets.filter(pets.age > 2)
    assert_table(old.select(pets.name, old.age), "name | age\nRex | 3\nTom | 5")
    young, rest = pets.split(pets.age < 2)
    assert rows(young, "name") == ["Kit"]
    assert rows(rest, "name") == ["Rex", "Tom"]
    assert rows(young.concat(rest).select(pets.name), "name") == ["Kit", "Rex", "Tom"]


def test_concat(pets: pw.Table[Any]) -> None:
    assert rows(pets.concat_reindex(pets.filter(pets.age > 4)), "name") == ["Kit", "Rex", "Tom", "Tom"]
    other = table("  | owner | age | name\n7 | Ada | 9 | Leo")
    pw.universes.promise_are_pairwise_disjoint(pets, other)
    both = pets.concat(other)
    assert both.column_names() == ["name", "owner", "age"]
    assert rows(both, "name") == ["Kit", "Leo", "Rex", "Tom"]


def test_updates(pets: pw.Table[Any]) -> None:
    newer = table(
        """
          | name | owner | age
        2 | Tom  | Ada   | 6
        9 | Leo  | Ada   | 9
        """
    )
    assert_table(
        pets.update_rows(newer),
        """
        name | owner | age
        Rex  | Bob   | 3
        Tom  | Ada   | 6
        Kit  | Bob   | 1
        Leo  | Ada   | 9
        """,
    )
    assert_table(
        (pets << pets.filter(pets.age == 5).select(age=50)).select(pw.this.name, pw.this.age),
        "name | age\nRex | 3\nTom | 50\nKit | 1",
    )


def test_sets_of_keys(pets: pw.Table[Any]) -> None:
    others = table("  | x\n1 | a\n9 | b")
    assert rows(pets.difference(others), "name") == ["Kit", "Tom"]
    assert rows(pets.intersect(others), "name") == ["Rex"]
    assert rows(pets.intersect(others, pets.filter(pets.age > 4)), "name") == []
    some = pets.filter(pets.age > 2).select(x=pets.age * 10)
    assert_table(pets.restrict(some).select(pw.this.name, some.x), "name | x\nRex | 30\nTom | 50")


def test_columns_of_tables_with_the_same_keys(pets: pw.Table[Any]) -> None:
    extra = table("  | x\n1 | a\n2 | b\n3 | c")
    assert_table(pets.select(pets.name, extra.x), "name | x\nRex | a\nTom | b\nKit | c")
    assert_table(pets.filter(pets.age > 2).select(pets.name, extra.x), "name | x\nRex | a\nTom | b")
    other = extra.with_id(extra.id).with_universe_of(pets)
    assert_table(pets.select(pets.name, other.x), "name | x\nRex | a\nTom | b\nKit | c")
    assert_table(pw.Table.from_columns(pets.name, y=extra.x), "name | y\nRex | a\nTom | b\nKit | c")


def test_keys(pets: pw.Table[Any]) -> None:
    named = pets.with_id_from(pets.name)
    assert_table(
        named.select(named.name, same=named.id == named.pointer_from(named.name)).filter(pw.this.same),
        "name | same\nRex | True\nTom | True\nKit | True",
    )
    pointers = pets.select(pets.name, key=pets.pointer_from(pets.name)).with_id(pw.this.key)
    assert_table(pointers.select(same=pointers.id == pointers.key), "same\nTrue\nTrue\nTrue")


def test_flatten() -> None:
    t = pw.debug.table_from_rows(pw.schema_from_types(k=str, v=list[int], z=int), [("a", [1, 2], 0), ("b", [], 1)])
    flat = t.flatten(t.v, origin_id="parent")
    assert flat.column_names() == ["v", "k", "z", "parent"]
    assert_table(flat.select(flat.k, flat.v, k2=t.ix(flat.parent).k), "k | v | k2\na | 1 | a\na | 2 | a")
    assert rows(t.select(s="xyz").flatten(pw.this.s), "s") == ["x", "x", "y", "y", "z", "z"]


def test_ix(pets: pw.Table[Any]) -> None:
    owners = table("name | town\nBob | Ulm\nEve | Bonn").with_id_from(pw.this.name)
    expected = "name | town\nRex | Ulm\nTom | Bonn\nKit | Ulm"
    key = owners.pointer_from(pets.owner)
    assert_table(pets.select(pets.name, owners.ix(key).town), expected)
    assert_table(pets.select(pets.name, town=owners.ix_ref(pets.owner).town), expected)
    assert_table(pets.select(pets.name, town=owners.ix_ref(pw.this.owner).town), expected)
    assert_table(pets.select(pets.name, *owners.ix(key)[["town"]]), expected)
    assert_table(owners.ix(key).select(pets.name, pw.this.town), expected)
    assert_table(owners.ix_ref(pw.this.owner, context=pets).select(pets.name, pw.this.town), expected)
    assert rows(pets.select(x=owners.ix_ref("Eve").town), "x") == ["Bonn"] * 3


def test_ix_of_ix(pets: pw.Table[Any]) -> None:
    towns = table("town | land\nUlm | DE\nBonn | DE").with_id_from(pw.this.town)
    owners = table("name | town\nBob | Ulm\nEve | Bonn").with_id_from(pw.this.name)
    result = pets.select(pets.name, land=towns.ix_ref(owners.ix_ref(pets.owner).town).land)
    assert_table(result, "name | land\nRex | DE\nTom | DE\nKit | DE")


def test_ix_of_nothing(pets: pw.Table[Any]) -> None:
    owners = table("name | town\nBob | Ulm").with_id_from(pw.this.name)
    with pytest.raises(KeyError):
        pw.testing.capture(pets.select(x=owners.ix_ref(pets.owner).town))
    lenient = pets.select(pets.name, x=owners.ix_ref(pets.owner, allow_misses=True).town)
    assert lenient.typehints()["x"] == str | None
    assert_table(lenient, "name | x\nRex | Ulm\nTom | None\nKit | Ulm")
    nullable = pets.with_columns(owner=pw.if_else(pets.owner == "Eve", None, pets.owner))
    key = owners.pointer_from(nullable.owner, optional=True)
    with pytest.raises(TypeError, match="optional=True"):
        nullable.select(x=owners.ix(key).town)
    assert_table(
        nullable.select(nullable.name, x=owners.ix(key, optional=True).town),
        "name | x\nRex | Ulm\nTom | None\nKit | Ulm",
    )


def test_types(pets: pw.Table[Any]) -> None:
    assert pets.update_types(age=int | None).typehints()["age"] == int | None
    assert pets.cast_to_types(age=str).typehints()["age"] is str
    assert pets.eval_type(pets.age * 0.5) == pw.Type.FLOAT
    assert str(pets.schema).split("\n")[0].split() == ["id", "|", "name", "|", "owner", "|", "age"]
    assert repr(pw.Table.empty(a=int)) == "<pathway.Table a: int>"
    assert "Pointer(INT)" in str(pw.Table.empty(a=int).groupby(pw.this.a).reduce(pw.this.a).schema)


def test_remove_errors() -> None:
    t = table("a | b\n1 | 0\n4 | 2")
    result = t.select(x=t.a // t.b).remove_errors()
    updates = pw.testing.capture(result, terminate_on_error=False)
    assert [update.row for update in updates] == [{"x": 2}]


def test_fill_error() -> None:
    t = table("a | b\n1 | 0\n4 | 2")
    updates = pw.testing.capture(t.select(t.a, x=pw.fill_error(t.a // t.b, -1)), terminate_on_error=False)
    assert sorted(update.row["x"] for update in updates) == [-1, 2]


def test_tables_of_before_a_reset_are_refused(pets: pw.Table[Any]) -> None:
    pw.testing.reset()
    with pytest.raises(ValueError, match=r"pw\.testing\.reset"):
        table("  | x\n1 | a\n2 | b\n3 | c").select(pets.name)


def test_changes_are_followed() -> None:
    t = table(
        """
          | a | __time__ | __diff__
        1 | 1 | 2        | 1
        2 | 5 | 2        | 1
        1 | 1 | 4        | -1
        1 | 7 | 4        | 1
        """
    )
    large = t.filter(t.a > 2)
    assert changes(t.select(x=t.a * 2)) == ["2 +1 (10,)", "2 +1 (2,)", "4 -1 (2,)", "4 +1 (14,)"]
    assert changes(large) == ["2 +1 (5,)", "4 +1 (7,)"]
    assert changes(t.update_cells(large.select(a=0))) == ["2 +1 (0,)", "2 +1 (1,)", "4 -1 (1,)", "4 +1 (0,)"]


@pytest.mark.parametrize(
    "use",
    [
        lambda old, new: pw.io.null.write(old),
        lambda old, new: pw.debug.compute_and_print(old),
        lambda old, new: new.concat(old),
        lambda old, new: old.concat(new),
        lambda old, new: new.update_rows(old),
        lambda old, new: new.update_cells(old),
        lambda old, new: new.join(old, new.a == old.a),
        lambda old, new: old.join(new, new.a == old.a),
        lambda old, new: new.intersect(old),
        lambda old, new: new.difference(old),
        lambda old, new: new.restrict(old),
        lambda old, new: new.with_universe_of(old),
        lambda old, new: new.select(x=old.a),
        lambda old, new: new.filter(old.a > 1),
        lambda old, new: new.select(x=old.ix(new.id).a),
        lambda old, new: pw.universes.promise_are_equal(new, old),
    ],
)
def test_a_table_of_before_a_reset_is_refused(use: Any) -> None:
    old = pw.Table.empty(a=int)
    pw.testing.reset()
    new = pw.Table.empty(a=int)
    with pytest.raises(ValueError, match=r"made before pw\.testing\.reset\(\)"):
        use(old, new)
