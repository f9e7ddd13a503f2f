"""Who writes a name that is not there learns what was meant, or what is written here instead."""

from __future__ import annotations

import copy
import inspect
import pathlib
import pickle
import pydoc
import re
import unittest.mock
from collections.abc import Callable
from typing import Any

import pathway as pw
import pytest

from tests.support import rows, table


@pytest.fixture
def t() -> Any:
    return table("a | b | text | agee\n1 | 2 | x | 3")


class Passage(pw.Schema):
    boat: int
    lock: str


# Typed Any: what follows is what type checkers complain of, see tests/test_typing.py.
this: Any = pw.this
package: Any = pw
passage: Any = Passage

NAMES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a method": (lambda t: t.filtre(t.a > 1), "no column with name filtre. Did you mean table.filter?"),
    "a method of what came of it": (lambda t: t.filter(t.a > 1).selct(t.a), "Did you mean table.select?"),
    "a method in capitals": (lambda t: t.Select(t.a), "Did you mean table.select?"),
    "a column": (lambda t: t.age, "no column with name age. Did you mean agee?"),
    "neither": (lambda t: t.zzz, "no column with name zzz. It has a, b, text, agee."),
    "pandas": (lambda t: t.head(), "pw.debug.compute_and_print(table, n_rows=5)"),
    "polars": (lambda t: t.with_column(c=1), "table.with_columns(c=table.a + 1)"),
    "leaving out": (lambda t: t.drop("a"), "table.without(table.b)"),
    "some rows": (lambda t: t.limit(3), "Rows have no order"),
    "a frame": (lambda t: t.to_pandas(), "pw.debug.table_to_pandas(table)"),
    "sorting": (lambda t: t.sort_values("a"), "sort_values"),
    "merging": (lambda t: t.merge(t), "table.join(other, table.b == other.b)"),
    "groups of polars": (lambda t: t.group_by("a"), "table.groupby(table.b).reduce("),
    "collecting": (lambda t: t.collect(), "Nothing is computed before pw.run()"),
    "a missing method": (lambda t: t.windowby(t.a), "Table.windowby is not there yet. Meanwhile, "),
    "a missing method of the class": (
        lambda t: package.Table.from_streams(t, t),
        "Table.from_streams is not there yet",
    ),
    "a method of the class": (lambda t: package.Table.emtpy(a=int), "Did you mean 'empty'?"),
    "a slice": (lambda t: t.slice.wihout("a"), "Did you mean table.without?"),
    "a method of groups": (lambda t: t.groupby(t.a).redcue(t.a), "Did you mean table.reduce?"),
    "groups": (lambda t: t.groupby(t.a).agg(n=1), "no method agg; what becomes of the rows of a group"),
    "groups as a table": (lambda t: t.groupby(t.a).select(t.a), "no method select; what becomes of the rows"),
    "a join as a table": (lambda t: joined(t).with_columns(c=1), "no method with_columns; it is no table yet"),
    "a method of joins": (lambda t: joined(t).slect(t.a), "Did you mean table.select?"),
    "a missing method of joins": (lambda t: joined(t).sort(t.a), "Table.sort is not there yet"),
    "an ambiguous column of a join": (lambda t: joined(t).b, "say pw.left.b or pw.right.b"),
    "an expression": (lambda t: t.a.fillna(0), "<table1>.a is an expression and has no 'fillna'. Here one writes "),
    "types": (lambda t: t.a.astype(float), "pw.cast(float, table.a)"),
    "names": (lambda t: t.a.alias("x"), "table.select(c=table.a)"),
    "a method of expressions": (lambda t: t.a.is_nonee(), "Did you mean 'is_none'?"),
    "another family": (lambda t: t.text.upper(), "Did you mean .str.upper?"),
    "two other families": (lambda t: t.a.round(), "Did you mean .dt.round or .num.round?"),
    "a member": (lambda t: t.a.price, 'taken with brackets: table.a["price"]'),
    "of pw.this": (lambda t: this.a.fillna(0), "pathway.this.a is an expression and has no 'fillna'"),
    "texts": (lambda t: t.text.str.uper(), "expression.str has no method 'uper'. Did you mean 'upper'?"),
    "texts of pandas": (lambda t: t.text.str.contains("x"), 'table.text.str.find("x") >= 0'),
    "dates": (lambda t: t.text.dt.hourr(), "Did you mean 'hour'?"),
    "numbers": (lambda t: t.a.num.sqrt(), "pw.apply("),
    "reducers": (lambda t: package.reducers.sums(t.a), "Did you mean 'sum'?"),
    "reducers of pandas": (lambda t: package.reducers.mean(t.a), "pw.reducers.avg(table.a)"),
    "the package": (lambda t: package.Tabel, "module 'pathway' has no attribute 'Tabel'. Did you mean 'Table'?"),
    "the package in small letters": (lambda t: package.tabel, "Did you mean 'Table'?"),
    "reading": (lambda t: package.read_csv("x"), 'pw.io.csv.read("data.csv", schema=Rows, mode="static")'),
    "a module": (lambda t: package.io.cvs, "Did you mean 'csv'?"),
    "another module": (lambda t: package.io.json, "pw.io.jsonlines.read"),
    "a function": (lambda t: package.io.csv.wirte(t, "x"), "Did you mean 'write'?"),
    "a function of debug": (lambda t: package.debug.compute_and_prin(t), "Did you mean 'compute_and_print'?"),
    "a schema": (lambda t: passage.colum_names(), "schema Passage has no 'colum_names'. Did you mean 'column_names'?"),
    "a column of a schema": (lambda t: passage.boat, "in brackets: Passage['boat']"),
}


def joined(t: Any) -> Any:
    other = t.copy()
    return t.join(other, t.a == other.a)


@pytest.mark.parametrize("case", NAMES)
def test_names(t: Any, case: str) -> None:
    ask, message = NAMES[case]
    with pytest.raises(AttributeError, match=re.escape(message)) as raised:
        ask(t)
    # Python adds no suggestion of its own, which would be another.
    assert raised.value.obj is None


def test_the_line_of_the_program_is_named(t: Any) -> None:
    with pytest.raises(AttributeError) as raised:
        t.filtre(t.a > 1)
    assert f"File: {__file__}" in raised.value.__notes__[0]


def test_a_column_may_have_such_a_name() -> None:
    named = table("limit | head | fillna | drop\n1 | 2 | 3 | 4")
    assert rows(named.select(x=named.limit + named.head + named.fillna + named.drop), "x") == [10]
    assert rows(named.select(pw.this.limit), "limit") == [1]


KEYWORDS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a source": (lambda t: package.io.csv.read("x", schemas=Passage), "'schemas'. Did you mean 'schema'?"),
    "a unit": (
        lambda t: package.io.python.read(None, schema=Passage, autocommit_duration=100),
        "Did you mean 'autocommit_duration_ms'?",
    ),
    "an output": (lambda t: package.io.csv.write(t, "x", nam="y"), "Did you mean 'name'?"),
    "subscribe": (lambda t: package.io.subscribe(t, print, on_tim_end=print), "Did you mean 'on_time_end'?"),
    "a run": (lambda t: package.run(monitoring=1), "pw.run() got an unexpected keyword argument 'monitoring'."),
    "a run, with nothing like it": (lambda t: package.run(xyz=1), "The arguments are debug, monitoring_level, "),
    "looking": (lambda t: package.debug.compute_and_print(t, include_ids=False), "Did you mean 'include_id'?"),
    "a method": (lambda t: t.flatten(t.text, origin=1), "Did you mean 'origin_id'?"),
    "a column": (lambda t: package.column_definition(primarykey=True), "Did you mean 'primary_key'?"),
    "a function": (lambda t: package.udf(return_typ=int), "Did you mean 'return_type'?"),
    "a reducer": (lambda t: package.reducers.tuple(t.a, skip_none=True), "Did you mean 'skip_nones'?"),
    "settings": (lambda t: package.io.CsvParserSettings(delim=","), "Did you mean 'delimiter'?"),
    "persistence": (
        lambda t: package.persistence.Config(None, snapshot_interval=1),
        "Did you mean 'snapshot_interval_ms'?",
    ),
}


@pytest.mark.parametrize("case", KEYWORDS)
def test_names_of_arguments(t: Any, case: str) -> None:
    call, message = KEYWORDS[case]
    with pytest.raises(TypeError, match=re.escape(message)):
        call(t)


def test_arguments_of_groups_and_joins(t: Any) -> None:
    with pytest.raises(ValueError, match="did you mean sort_by"):
        t.groupby(t.a, sortby=t.b)
    with pytest.raises(ValueError, match="did you mean left_instance"):
        t.join(t.copy(), left_instanc=t.a)
    with pytest.raises(ValueError, match="conditions of a join are written without a name"):
        t.join(t.copy(), on="a")


def test_a_type_error_of_the_function_itself_is_left_alone() -> None:
    with pytest.raises(TypeError) as raised:
        pw.io.csv.read(7, schema=Passage)  # type: ignore[arg-type]
    assert "Did you mean" not in str(raised.value)


def test_lists_are_to_be_unpacked(t: Any) -> None:
    for arguments in ([t.a, t.b], ["a", "b"], (t.a,)):
        with pytest.raises(ValueError, match=r"unpack the list: select\(\*\[\.\.\.\]\)"):
            t.select(arguments)
    with pytest.raises(ValueError, match="with_columns"):
        t.with_columns([t.a])


def test_methods_of_placeholders_belong_to_the_table() -> None:
    with pytest.raises(TypeError, match=r"Methods are those of the table: table\.filter\(\.\.\.\)"):
        this.filter(1)
    with pytest.raises(TypeError, match=r"compute_and_print\(table, n_rows=5\)"):
        this.head(3)


def test_tables_do_not_change(t: Any) -> None:
    with pytest.raises(AttributeError, match=r"table = table\.with_columns\(c=\.\.\.\)"):
        t.c = t.a + 1
    with pytest.raises(TypeError, match=r"table = table\.with_columns\(c=\.\.\.\)"):
        t["c"] = t.a + 1
    with pytest.raises(TypeError, match=r"table = table\.without\('a'\)"):
        del t["a"]
    assert t.column_names() == ["a", "b", "text", "agee"]


def test_brackets_are_for_columns(t: Any) -> None:
    with pytest.raises(TypeError, match=r"table\.filter\(\(<table1>\.a > 1\)\)"):
        t[t.a > 1]
    for position in (0, slice(5)):
        with pytest.raises(TypeError, match="rows have no order"):
            t[position]


def test_tools_ask_as_ever(t: Any, tmp_path: pathlib.Path) -> None:
    things = [t, t.a, this, this.a, t.groupby(t.a), joined(t), t.slice, t.text.str, passage, package, package.udfs]
    for thing in things:
        assert not hasattr(thing, "__wrapped__")
        assert not hasattr(thing, "_repr_png_")
        assert dir(thing)
        inspect.getmembers(thing)
        pydoc.render_doc(thing)
    assert not hasattr(t, "nope")
    assert not hasattr(package, "iterate")
    assert not hasattr(t.a, "nope")
    copy.copy(t.a)
    copy.copy(t)
    assert pickle.loads(pickle.dumps(pw.io.csv.read)) is pw.io.csv.read
    assert next(iter(inspect.signature(pw.io.csv.read).parameters)) == "path"
    unittest.mock.create_autospec(t)
    with unittest.mock.patch("pathway.io.csv.read") as patched:
        package.io.csv.read(tmp_path)
    patched.assert_called_once_with(tmp_path)
