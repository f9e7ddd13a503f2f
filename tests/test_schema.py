"""Schemas: made, asked, combined, printed."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pathway as pw
import pytest


class Person(pw.Schema):
    name: str = pw.column_definition(primary_key=True)
    age: int | None = pw.column_definition(default_value=None)
    tags: list[str] = pw.column_definition(description="what others say")


def test_columns_are_known() -> None:
    assert Person.column_names() == ["name", "age", "tags"]
    assert dict(Person.typehints()) == {"name": str, "age": int | None, "tags": list[str]}
    assert Person.default_values() == {"age": None}
    assert Person.primary_key_columns() == ["name"]
    assert Person["tags"].description == "what others say"
    assert pw.schema_from_types(a=int).primary_key_columns() is None


def test_text() -> None:
    assert str(Person) == (
        "id           | name | age           | tags\nPointer(STR) | STR  | Optional(INT) | List(STR)"
    )
    assert "'age': int | None" in repr(Person)


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (int, "INT"),
        (float, "FLOAT"),
        (bool, "BOOL"),
        (str, "STR"),
        (bytes, "BYTES"),
        (None, "NONE"),
        (Any, "ANY"),
        (dict, "Json"),
        (pw.Json, "Json"),
        (list, "List(ANY)"),
        (tuple, "List(ANY)"),
        (tuple[int, str], "Tuple(INT, STR)"),
        (tuple[int, ...], "List(INT)"),
        (tuple[()], "Tuple()"),
        (str | None, "Optional(STR)"),
        ("float | None", "Optional(FLOAT)"),
        ("pw.Pointer", "ANY_POINTER"),
        ("pw.DateTimeNaive", "DATE_TIME_NAIVE"),
        ("pw.DateTimeUtc", "DATE_TIME_UTC"),
        ("pw.Duration", "DURATION"),
        (pw.PyObjectWrapper, "PyObjectWrapper"),
        (pw.Type.optional(pw.Type.INT), "Optional(INT)"),
    ],
)
def test_annotations(annotation: Any, text: str) -> None:
    assert str(pw.schema_from_types(x=annotation)).split("| ")[-1].strip() == text


def test_numpy_annotations() -> None:
    numpy = pytest.importorskip("numpy")
    schema = pw.schema_from_types(a=numpy.int64, b=numpy.float32, c=numpy.ndarray, d=numpy.ndarray[None, int])
    assert str(schema).split("\n")[1].split(" | ")[1:] == ["INT", "FLOAT", "Array", "Array(1, INT)"]


@pytest.mark.parametrize("annotation", [set, object, complex, int | str, int | float, "set"])
def test_types_that_no_column_can_have(annotation: Any) -> None:
    with pytest.raises(TypeError, match="Unsupported type"):
        pw.schema_from_types(x=annotation)


def test_advice_for_datetimes() -> None:
    import datetime

    with pytest.raises(TypeError, match=r"DateTimeNaive or pw.DateTimeUtc"):
        pw.schema_from_types(x=datetime.datetime)
    with pytest.raises(TypeError, match=r"pw\.Duration"):
        pw.schema_from_types(x=datetime.timedelta)


def test_class_mistakes() -> None:
    with pytest.raises(ValueError, match="definitions of columns a lack type annotation"):

        class Bare(pw.Schema):
            a = pw.column_definition()

    with pytest.raises(ValueError, match=r"`a` should be a column definition, found <class 'int'>"):

        class Plain(pw.Schema):
            a: int = 3

    with pytest.raises(TypeError, match="Schemas should not be called"):
        Person()


def test_mistakes_name_the_line() -> None:
    with pytest.raises(ValueError, match="lack type") as info:

        class Bare(pw.Schema):
            a = pw.column_definition()

    assert any("class Bare(pw.Schema):" in note and "test_schema.py" in note for note in info.value.__notes__)


def test_inheritance() -> None:
    class Pet(Person):
        owner: str

    assert Pet.column_names() == ["name", "age", "tags", "owner"]
    with pytest.raises(TypeError, match="type annotation of column `age`"):

        class Wrong(Person):
            age: str


def test_renamed_columns_are_inherited() -> None:
    class Raw(pw.Schema):
        z: int = pw.column_definition(name="@z")

    class More(Raw):
        a: str

    assert More.column_names() == ["@z", "a"]


def test_union() -> None:
    other = pw.schema_from_types(extra=float)
    assert (Person | other).column_names() == ["extra", "name", "age", "tags"]
    assert (Person | other).primary_key_columns() == ["name"]
    with pytest.raises(ValueError, match="both schemas have the column name"):
        _ = Person | pw.schema_from_types(name=str)


def test_changes() -> None:
    assert Person.without("age", pw.this.tags).column_names() == ["name"]
    assert Person.with_types(age=float).typehints()["age"] is float
    assert Person.with_types(age=int).default_values() == {"age": None}
    assert Person.update_properties(append_only=True)["age"].append_only
    with pytest.raises(ValueError, match="existing column"):
        Person.without("nobody")
    with pytest.raises(ValueError, match="existing column name, received nobody"):
        Person.with_types(nobody=int)
    with pytest.raises(KeyError, match="Did you mean age"):
        Person["agee"]


def test_append_only() -> None:
    class Log(pw.Schema, append_only=True):
        line: str

    assert Log["line"].append_only
    assert Log.universe_properties.append_only
    assert not Person.universe_properties.append_only


def test_equality() -> None:
    assert Person.without("tags") == Person.without(pw.this.tags)
    assert pw.schema_from_types(a=int, b=str) != pw.schema_from_types(b=str, a=int)
    assert len({Person.without("tags"), Person.without("tags")}) == 1


def test_builders() -> None:
    built = pw.schema_builder({"a": pw.column_definition(dtype=int, primary_key=True), "b": pw.column_definition()})
    assert dict(built.typehints()) == {"a": int, "b": Any}
    described = pw.schema_from_dict({"a": {"dtype": "int", "primary_key": True}, "b": Any})
    assert built == described
    with pytest.raises(TypeError, match="should be a column definition"):
        pw.schema_builder({"a": int})


def test_json_round_trip() -> None:
    schema = Person | pw.schema_from_types(t=tuple[int, float | None], j=pw.Json, d=pw.DateTimeUtc)
    assert pw.schema_from_dict(schema.to_json_serializable_dict()["columns"]).typehints() == schema.typehints()
    assert pw.schema_from_types(a=int).to_json_serializable_dict()["columns"]["a"]["dtype"] == {"type": "INT"}


def test_generated_class_is_the_schema() -> None:
    text = Person.generate_class("Again", generate_imports=True)
    scope: dict[str, Any] = {"__name__": __name__}
    exec(text, scope)
    assert scope["Again"].typehints() == Person.typehints()
    assert scope["Again"].default_values() == Person.default_values()


def test_generated_classes_of_all_types_can_be_executed() -> None:
    import collections.abc

    class Everything(pw.Schema):
        json: pw.Json
        utc: pw.DateTimeUtc
        naive: pw.DateTimeNaive
        duration: pw.Duration
        numbers: list[int]
        pair: tuple[int, str]
        array: np.ndarray
        ints: np.ndarray[None, int]
        pointer: pw.Pointer
        anything: Any
        data: bytes
        function: collections.abc.Callable
        thing: pw.PyObjectWrapper
        maybe: int | None
        documented: str = pw.column_definition(example="e", description="d", source_component="key", append_only=True)

    text = Everything.generate_class("Again", generate_imports=True)
    names: dict[str, Any] = {}
    exec(text, names)
    assert names["Again"].columns() == Everything.columns()
    assert names["Again"]["documented"].example == "e"


def test_columns_as_plain_dicts() -> None:
    plain = Person.columns_to_json_serializable_dict()
    assert plain == Person.to_json_serializable_dict()["columns"]
    assert plain["age"]["default_value"] is None
    assert pw.schema_from_dict(plain) == Person


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (bytes, b"\xff\x00"),
        (pw.Json, pw.Json({"a": [1, None]})),
        (pw.DateTimeNaive, datetime.datetime(2020, 1, 2, 3, 4, 5, 6)),
        (pw.DateTimeNaive, pw.DateTimeNaive("2020-01-02T03:04:05.123456789")),
        (pw.DateTimeUtc, pw.DateTimeUtc("2020-01-02T03:04:05.123456789+02:00")),
        (pw.Duration, pw.Duration(123456789, "ns")),
        (pw.Duration, datetime.timedelta(days=-1)),
        (tuple[int, bytes], (1, b"x")),
        (tuple[tuple[int, str], ...], [(1, "a"), (2, "b")]),
        (int | None, None),
        (float, 0.1),
        (str, "text"),
    ],
)
def test_defaults_and_examples_go_through_json(annotation: Any, value: Any) -> None:
    schema = pw.schema_builder({"a": pw.column_definition(dtype=annotation, default_value=value, example=value)})
    text = json.dumps(schema.columns_to_json_serializable_dict())
    again = pw.schema_from_dict(json.loads(text))
    assert again.default_values() == {"a": value}
    assert again["a"].example == value
    assert again == schema


def test_default_arrays_go_through_json() -> None:
    value = np.array([[1.0, 2.5], [3.0, 4.0]])
    schema = pw.schema_builder({"a": pw.column_definition(dtype=np.ndarray, default_value=value)})
    again = pw.schema_from_dict(json.loads(json.dumps(schema.columns_to_json_serializable_dict())))
    default = again["a"].default_value
    assert default.dtype == value.dtype
    assert default.tolist() == value.tolist()


def test_a_default_that_nobody_has_serialized_is_refused() -> None:
    with pytest.raises(ValueError, match="to_json_serializable_dict"):
        pw.schema_from_dict({"a": {"dtype": "int", "_serialized_default_value": {"whole": 1}}})


def test_the_types_of_a_key_are_kept() -> None:
    assert pw.Pointer[int, str].__args__ == (int, str)
    schema = pw.schema_from_types(a=int).with_id_type(pw.Pointer[str], append_only=True)
    assert str(schema).startswith("id           | a\nPointer(STR) | INT")
    assert schema.universe_properties.append_only

    class Pointing(pw.Schema, id_dtype=pw.Pointer[int]):
        other: pw.Pointer[str]

    assert str(Pointing) == "id           | other\nPointer(INT) | Pointer(STR)"
    assert pw.Table.empty(a=int).update_id_type(pw.Pointer[int]).schema.id_type == pw.Pointer[int]


def test_from_csv(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("# a comment\nname;size;share\nx;1;0.5\ny;2;1\n")
    schema = pw.schema_from_csv(str(path), delimiter=";", comment_character="#")
    assert dict(schema.typehints()) == {"name": str, "size": int, "share": float}


def test_matching() -> None:
    wide = pw.schema_from_types(a=int, b=str)
    wide.assert_matches_schema(pw.schema_from_types(a=float))
    with pytest.raises(AssertionError, match="extra columns b"):
        wide.assert_matches_schema(pw.schema_from_types(a=int), allow_superset=False)
    with pytest.raises(AssertionError, match="its type is INT"):
        wide.assert_matches_schema(pw.schema_from_types(a=float), allow_subtype=False)
    with pytest.raises(AssertionError, match=r"column c of .* is missing"):
        wide.assert_matches_schema(pw.schema_from_types(c=int))
    Person.assert_matches_schema(Person.with_types(), ignore_primary_keys=False)
    with pytest.raises(AssertionError, match="primary keys"):
        Person.without("tags").assert_matches_schema(pw.schema_from_types(name=str), ignore_primary_keys=False)


def test_table_transformer() -> None:
    class Numbers(pw.Schema):
        a: int

    @pw.table_transformer(locals={"Numbers": Numbers})
    def twice(table: pw.Table[Numbers]) -> pw.Table[Numbers]:
        return table.select(a=table.a * 2)

    twice(pw.Table.empty(a=int))
    with pytest.raises(AssertionError, match="type of column a"):
        twice(pw.Table.empty(a=str))


def test_a_table_transformer_names_the_argument() -> None:
    class Named(pw.Schema):
        name: str

    @pw.table_transformer(locals={"Named": Named})
    def same(first: pw.Table[Named], second: pw.Table[Named]) -> pw.Table[Named]:
        return pw.Table.empty(name=int)

    names = pw.Table.empty(name=str)
    with pytest.raises(AssertionError, match=r"argument second of same\(\) has another schema: type of column name"):
        same(names, pw.Table.empty(name=int))
    with pytest.raises(AssertionError, match=r"the result of same\(\) has another schema"):
        same(names, names)


def _read_with_default(annotation: Any, default: object) -> list[Any]:
    class One(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next(number=1)

    schema = pw.schema_builder(
        {
            "number": pw.column_definition(dtype=int),
            "more": pw.column_definition(dtype=annotation, default_value=default),
        },
        name="Numbers",
    )
    rows = pw.testing.capture(pw.io.python.read(One(), schema=schema))
    return [update.row["more"] for update in rows]


def test_a_default_of_none_is_null_in_a_column_of_json_and_none_where_it_may_be() -> None:
    assert _read_with_default(pw.Json, None) == [pw.Json.NULL]
    assert _read_with_default(pw.Json | None, None) == [None]
    assert _read_with_default(int | None, None) == [None]
    assert _read_with_default(Any, None) == [None]


@pytest.mark.parametrize(
    ("annotation", "default", "why"),
    [
        (int, None, "None is no int; write more: int | None"),
        (pw.Duration, None, "None is no pw.Duration; write more: pw.Duration | None"),
        (int, "x", "cannot take 'x' (str) as int"),
        (str | None, 5, "cannot take 5 (int) as str"),
    ],
)
def test_a_default_that_does_not_fit_is_named(annotation: Any, default: object, why: str) -> None:
    message = f"the default of the column 'more' of Numbers does not fit: {why}"
    with pytest.raises(TypeError, match=re.escape(message)):
        _read_with_default(annotation, default)
