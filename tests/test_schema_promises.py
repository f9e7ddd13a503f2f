"""What a schema or a declaration says, and cannot be held to, is refused or warned of where it is said."""

from __future__ import annotations

import pathlib
import warnings
from collections.abc import Callable
from typing import Any, Optional

import pandas as pd
import pathway as pw
import pytest
from pathway._values import dtypes


class Keyed(pw.Schema):
    a: int = pw.column_definition(source_component="key")
    b: int


class Nothing(pw.io.python.ConnectorSubject):
    def run(self) -> None:
        pass


READERS: dict[str, Callable[[pathlib.Path], Any]] = {
    "csv": lambda path: pw.io.csv.read(path, schema=Keyed),
    "jsonlines": lambda path: pw.io.jsonlines.read(path, schema=Keyed),
    "fs": lambda path: pw.io.fs.read(path, format="json", schema=Keyed),
    "python": lambda path: pw.io.python.read(Nothing(), schema=Keyed),
    "demo": lambda path: pw.demo.replay_csv(path, schema=Keyed, input_rate=1),
    "rows": lambda path: pw.debug.table_from_rows(Keyed, [(1, 2)]),
    "markdown": lambda path: pw.debug.table_from_markdown("a | b\n1 | 2", schema=Keyed),
    "pandas": lambda path: pw.debug.table_from_pandas(pd.DataFrame({"a": [1], "b": [2]}), schema=Keyed),
}


@pytest.mark.parametrize("reader", READERS)
def test_there_is_no_key_of_a_message(reader: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"'a' has the unsupported source component 'key'"):
        READERS[reader](tmp_path / "a")


@pytest.mark.parametrize("of_all", [True, False])
def test_append_only_is_not_ambiguous(of_all: bool) -> None:
    own = pw.column_definition(append_only=not of_all)
    with pytest.raises(ValueError, match=f"ambiguous property: .* append_only={of_all}, its column a"):

        class _Body(pw.Schema, append_only=of_all):
            a: int = own

    definition = pw.column_definition(dtype=int, append_only=not of_all)
    with pytest.raises(ValueError, match="ambiguous property"):
        pw.schema_builder({"a": definition}, properties=pw.SchemaProperties(append_only=of_all))
    with pytest.raises(ValueError, match="ambiguous property"):
        pw.schema_from_dict({"a": {"dtype": "int", "append_only": not of_all}}, properties={"append_only": of_all})

    class Base(pw.Schema):
        a: int = own
        b: int

    with pytest.raises(ValueError, match="ambiguous property"):

        class _Heir(Base, append_only=of_all):
            c: int

    class Agreeing(pw.Schema, append_only=of_all):
        a: int = pw.column_definition(append_only=of_all)
        b: int

    class Heir(Agreeing, append_only=of_all):
        c: int

    assert [Heir[name].append_only for name in "abc"] == [of_all] * 3

    class Silent(pw.Schema):
        a: int

    class Said(Silent, append_only=of_all):
        b: int

    assert [Said[name].append_only for name in "ab"] == [of_all] * 2


@pytest.mark.parametrize("annotation", [str, bool, int | None, pw.DateTimeNaive, Any])
def test_times_of_a_replay_are_numbers(annotation: Any, tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="the times in a have to be int or float"):
        pw.demo.replay_csv_with_time(tmp_path / "a", schema=pw.schema_from_types(a=annotation), time_column="a")


def test_results_that_the_annotation_does_not_promise() -> None:
    table = pw.Table.empty(a=int)

    def check(annotation: Any, declared: Any, expects_warning: bool) -> None:
        def function(a: int) -> Any:
            return a

        function.__annotations__["return"] = annotation
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = table.select(x=pw.udf(function, return_type=declared)(table.a))
        assert result.typehints()["x"] == dtypes.to_python(dtypes.to_dtype(declared))
        assert [warning.filename for warning in caught] == [__file__] * expects_warning
        for warning in caught:
            assert "function() is annotated to return" in str(warning.message)

    check(Optional[int], int, True)  # noqa: UP045
    check("int | None", int, True)
    check(str, int, True)
    check(int, float, False)
    check(int, int | None, False)
    check(int, Any, False)
    check(Any, int, False)
    check("missing", int, False)


def test_ids_that_nobody_gave_are_the_numbers_of_the_rows() -> None:
    text = "name | age\nZoe | 5\nAnn | 5"
    table = pw.debug.table_from_markdown(text, unsafe_trusted_ids=True)
    assert [(update.key, update.row["name"]) for update in pw.testing.capture(table)] == [
        (pw.Pointer(0), "Zoe"),
        (pw.Pointer(1), "Ann"),
    ]
    first = table.reduce(m=pw.reducers.argmin(pw.this.age))
    assert [update.row["m"] for update in pw.testing.capture(first)] == [pw.Pointer(0)]
    given = pw.debug.table_from_markdown(" | name\n7 | Zoe", unsafe_trusted_ids=True)
    assert [update.key for update in pw.testing.capture(given)] == [pw.Pointer(7)]
    by_name = pw.debug.table_from_markdown(text, unsafe_trusted_ids=True, id_from=["name"])
    plain = pw.debug.table_from_markdown(text, id_from=["name"])
    assert {update.key for update in pw.testing.capture(by_name)} == {
        update.key for update in pw.testing.capture(plain)
    }


def test_a_table_of_ids_without_columns() -> None:
    keyed = pw.debug.table_from_markdown(" | a\n1 | x\n2 | y\n3 | z")
    for text in ("  |\n1 |\n2 |", " | \n1 | \n2 | "):
        ids = pw.debug.table_from_markdown(text)
        assert ids.column_names() == []
        chosen = keyed.restrict(ids.promise_universe_is_subset_of(keyed))
        assert sorted(update.row["a"] for update in pw.testing.capture(chosen)) == ["x", "y"]
    barred = pw.debug.table_from_markdown("a | b |\n1 | 2 |\n3 | |")
    assert [update.row for update in pw.testing.capture(barred)] == [{"a": 1, "b": 2}, {"a": 3, "b": None}]
    with pytest.raises(ValueError, match="a column has no name"):
        pw.debug.table_from_markdown("a | b |\n1 | 2 | 3")
    digits = pw.debug.table_from_markdown("a\n١")
    assert digits.typehints() == {"a": str}
