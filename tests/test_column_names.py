"""A column may have any name: those of methods, those that Python gives a meaning to, those of arguments."""

from __future__ import annotations

import pathlib
import warnings
from typing import Any

import pandas as pd
import pathway as pw
import pytest

SILENT = pw.MonitoringLevel.NONE
METHODS = sorted(name for name in {*dir(pw.Schema), *dir(type(pw.Schema)), *dir(pw.Table)} if not name.startswith("__"))
# Names that the machinery behind a class, a call or a connector uses.
OTHERS = [
    "self",
    "cls",
    "args",
    "kwargs",
    "fun",
    "schema",
    "key",
    "row",
    "time",
    "diff",
    "is_addition",
    "name",
    "_name",
]
OTHERS += ["class", "a b", "ż", "1x", "names_mapping", "table", "on_change", "message", "value", "dtype", "_metadata"]
DUNDERS = ["__class__", "__init__", "__new__", "__name__", "__module__", "__qualname__", "__annotations__", "__dict__"]
DUNDERS += ["__slots__", "__columns__", "__attributes__", "__id_type__", "__getattr__", "__eq__", "__doc__", "__mro__"]
NAMES = [name for name in dict.fromkeys([*METHODS, *OTHERS, *DUNDERS]) if name != "id"]


def assert_answers(schema: type[pw.Schema], names: list[str]) -> None:
    """The schema is a schema still."""
    assert schema.column_names() == list(schema.keys()) == list(schema.columns()) == names
    assert list(schema.typehints().values()) == [str, int]
    assert schema.primary_key_columns() == [names[0]]
    assert schema[names[1]].name == names[1]
    assert [field.name for field in schema._fields()] == names
    assert issubclass(schema, pw.Schema)
    assert schema.__name__
    assert repr(schema)
    assert str(schema)


@pytest.mark.parametrize("name", NAMES)
def test_schemas_and_tables(name: str) -> None:
    key = pw.column_definition(dtype=str, primary_key=True)
    for definition in (pw.column_definition(dtype=int), pw.column_definition(dtype=int, default_value=5)):
        schema = pw.schema_builder({"t": key, name: definition})
        assert_answers(schema, ["t", name])
        assert schema.default_values() == ({name: 5} if definition.default_value == 5 else {})
        assert_answers(schema.with_types(**{name: int}), ["t", name])
        assert_answers(schema | pw.schema_builder({}), ["t", name])

        class Heir(schema):  # type: ignore[misc, valid-type]
            pass

        assert_answers(Heir, ["t", name])
    assert pw.schema_from_dict({name: {"dtype": "int", "default_value": 5}}).default_values() == {name: 5}
    if name != "_name":
        assert pw.schema_from_types(**{name: int}).column_names() == [name]
    assert_answers(pw.schema_from_dict(schema.to_json_serializable_dict()["columns"]), ["t", name])
    table = pw.debug.table_from_rows(schema, [("x", 5)])
    assert table.column_names() == ["t", name]
    copy = table.copy()
    results = [
        table.select(**{name: table[name] + 1}),
        table.select(**{name: pw.this[name] + 1}),
        table.with_columns(**{name: table[name] + 1}).without("t"),
        table.groupby(table.t).reduce(**{name: pw.reducers.sum(table[name]) + 1}),
        table.reduce(**{name: pw.reducers.sum(pw.this[name]) + 1}),
        table.join(copy, table.t == copy.t).select(**{name: pw.left[name] + 1}),
        table.rename({name: "x"}).select(**{name: pw.this.x + 1}),
        table.select(**{name: table[name] + 1}).update_types(**{name: int}).cast_to_types(**{name: int}),
        table.select(x=table[name] + 1).rename(**{name: "x"}) if name != "names_mapping" else None,
        table.filter(table[name] == 5).select(**{name: table.C[name] + 1}) if not name.startswith("__") else None,
    ]
    results = [result for result in results if result is not None]
    found = pw.testing.capture(*results)
    assert [[update.row for update in updates] for updates in found] == [[{name: 6}]] * len(results)


@pytest.mark.parametrize("name", [name for name in NAMES if name.isidentifier() and name != "class"])
def test_the_body_of_a_class(name: str) -> None:
    def made(definition: object) -> type[pw.Schema]:
        namespace: dict[str, Any] = {"__module__": __name__, "__qualname__": "Made"}
        namespace["t"] = pw.column_definition(primary_key=True)
        if definition is not None:
            namespace[name] = definition
        namespace["__annotations__"] = {"t": str, name: int}
        return type(pw.Schema)("Made", (pw.Schema,), namespace)

    if name in ("__annotations__", "__module__", "__qualname__"):
        # The body of a class has these already.
        with pytest.raises(ValueError, match=name):
            made(None)
        return
    assert_answers(made(pw.column_definition(default_value=5)), ["t", name])
    assert made(pw.column_definition(default_value=5)).default_values() == {name: 5}
    assert_answers(made(None), ["t", name])


@pytest.mark.parametrize(
    "name", ["self", "cls", "keys", "column_names", "select", "__class__", "class", "a b", "message"]
)
def test_sources_and_outputs(name: str, tmp_path: pathlib.Path) -> None:
    class Source(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next(**{name: 1, "other": 2})

    schema = pw.schema_builder(
        {
            name: pw.column_definition(dtype=int),
            "other": pw.column_definition(dtype=int),
            "last": pw.column_definition(dtype=int, default_value=3),
        }
    )
    path = tmp_path / "a.csv"
    path.write_text(f"{name},other\n1,2\n")
    assert pw.schema_from_csv(str(path)).column_names() == [name, "other"]
    frame = pd.DataFrame({name: [1], "other": [2], "last": [3]})
    tables = [
        pw.io.python.read(Source(), schema=schema),
        pw.io.csv.read(path, schema=schema, mode="static"),
        pw.debug.table_from_pandas(frame),
        pw.debug.table_from_pandas(frame, schema=schema),
        pw.debug.table_from_markdown(f"{name} | other | last\n1 | 2 | 3", split_on_whitespace=False),
    ]
    for number, table in enumerate(tables):
        pw.io.csv.write(table, tmp_path / f"{number}.csv")
    seen: list[dict[str, Any]] = []
    pw.io.subscribe(tables[0], on_change=lambda key, row, time, is_addition: seen.append(row))
    pw.run(monitoring_level=SILENT)
    assert seen == [{name: 1, "other": 2, "last": 3}]
    for number in range(len(tables)):
        lines = (tmp_path / f"{number}.csv").read_text().splitlines()
        assert lines[0] == f'"{name}","other","last","time","diff"'
        assert lines[1].startswith('"1","2","3",')


def test_a_column_named_id_is_warned_of(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,n\n7,1\n")
    with pytest.warns(UserWarning, match="the column 'id' of files in csv cannot be used in expressions") as caught:
        table = pw.io.csv.read(path, schema=pw.schema_from_types(id=int, n=int), mode="static")
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        renamed = table.rename({"id": "number"})
        assert renamed.select(pw.this.number).column_names() == ["number"]
    (update,) = pw.testing.capture(renamed.select(pw.this.number, key=pw.this.id))
    assert update.row["number"] == 7
    assert isinstance(update.row["key"], pw.Pointer)


def test_the_name_of_a_schema_is_a_text() -> None:
    with pytest.raises(TypeError, match="_name is the name of the schema"):
        pw.schema_from_types(**{"_name": int})
    with pytest.raises(TypeError, match=r"schema_from_types\(\*\*types\)"):
        pw.schema_from_types({"a": int})


def test_a_column_without_a_name_is_one_among_others(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(",lock\n0,Bosley\n1,Marple\n")
    schema = pw.schema_builder({"": pw.column_definition(dtype=int), "lock": pw.column_definition(dtype=str)})
    assert schema.column_names() == ["", "lock"]
    updates = pw.testing.capture(pw.io.csv.read(path, schema=schema, mode="static"))
    assert sorted(update.row[""] for update in updates) == [0, 1]
