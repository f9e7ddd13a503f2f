"""Smaller things that programs written for the API rely on, each beside its neighbours of the same kind."""

from __future__ import annotations

import pathlib
import warnings
from collections.abc import Callable
from typing import Any

import pandas as pd
import pathway as pw
import pytest

from tests.support import changes, rows, table

Table = pw.Table[Any]


def remaining(result: Table) -> list[tuple[Any, ...]]:
    """The rows of a table without deletions, sorted, with errors as data."""
    [updates, _] = pw.testing.capture(result, pw.global_error_log(), terminate_on_error=False)
    assert all(update.diff == 1 for update in updates)
    return sorted((tuple(update.row.values()) for update in updates), key=repr)


@pytest.fixture
def left() -> Table:
    return table("k | x\n1 | 10\n2 | 20")


@pytest.fixture
def right() -> Table:
    return table("k | y\n1 | 1\n3 | 3")


# What runs.


@pytest.mark.one_process("calls of both processes would have to be counted")
def test_run_all_calls_functions_behind_joins_and_groups(left: Table, right: Table) -> None:
    seen: list[int] = []

    @pw.udf
    def note(value: int) -> int:
        seen.append(value)
        return value

    left.join(right, left.k == right.k).select(z=note(right.y))
    left.groupby(left.k).reduce(left.k, m=pw.reducers.max(note(left.x)))
    pw.run_all()
    assert sorted(seen) == [1, 10, 20]


def test_the_place_of_a_lookup_is_a_line_of_the_program() -> None:
    keyed = table("k\n1").with_id_from(pw.this.k)
    found = keyed.ix(table("k\n2").select(p=keyed.pointer_from(pw.this.k)).p)
    [_, log] = pw.testing.capture(found, pw.global_error_log(), terminate_on_error=False)
    assert all(__file__ in update.row["trace"] for update in log), [update.row["trace"] for update in log]


# Joins.

REQUIRED: dict[str, tuple[Callable[[Table, Table], Any], list[Any]]] = {
    "both sides": (lambda a, b: pw.require(a.x + b.y, a.id, b.id), [11, None, None]),
    "a column": (lambda a, b: pw.require(b.y * 2, b.y), [2, 6, None]),
    "within a function": (lambda a, b: pw.require(pw.apply_with_type(abs, int, b.y), b.id), [1, 3, None]),
    "a tuple": (lambda a, b: pw.require(pw.make_tuple(a.x, b.y), a.id, b.id), [(10, 1), None, None]),
    "within each other": (lambda a, b: pw.require(pw.require(a.x + b.y, b.id), a.id), [11, None, None]),
    "then a default": (lambda a, b: pw.coalesce(pw.require(a.x + b.y, a.id, b.id), 0), [0, 0, 11]),
}


@pytest.mark.parametrize("how", REQUIRED)
def test_require_narrows(left: Table, right: Table, how: str) -> None:
    expression, expected = REQUIRED[how]
    result = left.join_outer(right, left.k == right.k).select(z=expression(left, right))
    assert rows(result, "z") == sorted(expected, key=repr)


def test_require_narrows_only_what_it_requires(left: Table, right: Table) -> None:
    outer = left.join_outer(right, left.k == right.k)
    with pytest.raises(TypeError):
        outer.select(z=pw.require(left.x + right.y, right.id))


def test_a_filter_of_a_join_narrows_for_reducers(left: Table, right: Table) -> None:
    filtered = left.join_left(right, left.k == right.k).filter(pw.right.y.is_not_none())
    assert filtered.reduce(s=pw.reducers.sum(right.y) + 1).typehints()["s"] is int
    grouped = filtered.groupby(left.k).reduce(left.k, s=pw.reducers.sum(right.y))
    assert remaining(grouped) == [(1, 1)]


@pytest.mark.parametrize("side", ["left", "right"])
def test_rows_of_both_sides_wait_for_their_partner(side: str) -> None:
    one = table("k | x | __time__\n1 | 1 | 2\n1 | 2 | 2")
    other = table("k | y | __time__\n1 | 10 | 4\n2 | 20 | 4")
    if side == "left":
        join = one.join(other, one.k == other.k, left_exactly_once=True)
    else:
        join = other.join(one, other.k == one.k, right_exactly_once=True)
    assert changes(join.select(one.x, other.y)) == ["4 +1 (1, 10)", "4 +1 (2, 10)"]


def test_removals_beside_rows_that_are_used_up() -> None:
    left = table("k | x | __time__\n1 | 1 | 8")
    sums = table("k | y | __time__\n1 | 10 | 4\n1 | 11 | 6")
    grouped = sums.groupby(sums.k).reduce(sums.k, y=pw.reducers.sum(sums.y))
    joined = left.join(grouped, left.k == grouped.k, left_exactly_once=True).select(left.x, grouped.y)
    assert changes(joined) == ["8 +1 (1, 21)"]


def test_a_column_of_a_join_is_one_of_its_tables(left: Table, right: Table) -> None:
    join = left.join(right, left.k == right.k)
    for name in ("x", left.x, pw.left.x, pw.this.x, join.x):
        assert rows(join.select(join[name]), "x") == [10]
    for stranger in (table("x\n1").x, left.select(x=1).x):
        with pytest.raises(ValueError, match="no column of the joined tables"):
            join[stranger]


# Keys.


@pytest.mark.parametrize("instance", ["one column", "a tuple"])
def test_keys_of_groups_with_an_instance(instance: str) -> None:
    t = table("a | b | c\n1 | 2 | x\n1 | 3 | y\n2 | 2 | x")
    t = t.with_columns(i=t.a if instance == "one column" else pw.make_tuple(t.a, t.c))
    groups = t.groupby(t.b, t.c, instance=t.i).reduce(t.b, n=pw.reducers.count())
    found = t.select(t.b, z=groups.ix(groups.pointer_from(t.b, t.c, instance=t.i)).b)
    assert remaining(found) == [(2, 2), (2, 2), (3, 3)]


TEXT = "name | age\nZoe | 5\nAnn | 5\nMax | 5\nBob | 5"
NAMES = [(line.split()[0], 5) for line in TEXT.splitlines()[1:]]
IN_ORDER: dict[str, Callable[[], Table]] = {
    "markdown": lambda: pw.debug.table_from_markdown(TEXT, unsafe_trusted_ids=True),
    "rows": lambda: pw.debug.table_from_rows(pw.schema_from_types(name=str, age=int), NAMES, unsafe_trusted_ids=True),
    "pandas": lambda: pw.debug.table_from_pandas(pd.DataFrame(NAMES, columns=["name", "age"]), unsafe_trusted_ids=True),
}


@pytest.mark.parametrize("source", IN_ORDER)
def test_the_numbers_of_rows_decide_ties(source: str) -> None:
    t = IN_ORDER[source]()
    first = t.reduce(low=pw.reducers.argmin(t.age), high=pw.reducers.argmax(t.age), all=pw.reducers.tuple(t.name))
    result = first.select(low=t.ix(first.low).name, high=t.ix(first.high).name, all=first.all)
    assert remaining(result) == [("Zoe", "Zoe", ("Zoe", "Ann", "Max", "Bob"))]


def test_a_primary_key_gives_the_keys_though_ids_are_trusted() -> None:
    class Named(pw.Schema):
        name: str = pw.column_definition(primary_key=True)
        age: int

    def keys(**trust: bool) -> set[pw.Pointer]:
        return {update.key for update in pw.testing.capture(pw.debug.table_from_rows(Named, NAMES, **trust))}

    assert keys(unsafe_trusted_ids=True) == keys()


# Schemas.


class Plain(pw.Schema):
    k: int = pw.column_definition(primary_key=True)
    v: int = pw.column_definition(default_value=7, description="a value")


class Rows(pw.io.python.ConnectorSubject):
    def run(self) -> None:
        self.next(k=1, v=2)


class Added(Rows):
    @property
    def _deletions_enabled(self) -> bool:
        return False


SOURCES: dict[str, tuple[Callable[[], Table], bool]] = {
    "rows": (lambda: pw.debug.table_from_rows(Plain, [(1, 2)]), True),
    "markdown": (lambda: pw.debug.table_from_markdown("k | v\n1 | 2", schema=Plain), True),
    "stream": (lambda: pw.debug.table_from_rows(Plain, [(1, 2, 2, 1)], is_stream=True), True),
    "removals": (lambda: pw.debug.table_from_rows(Plain, [(1, 2, 2, 1), (1, 2, 4, -1)], is_stream=True), False),
    "subject": (lambda: pw.io.python.read(Added(), schema=Plain), True),
    "lookup": (lambda: (lambda t: t.ix(t.select(p=t.id).p))(pw.debug.table_from_rows(Plain, [(1, 2)])), True),
}


@pytest.mark.parametrize("source", SOURCES)
def test_the_schema_of_a_table_says_whether_rows_are_only_added(source: str) -> None:
    make, append_only = SOURCES[source]
    t = make()
    assert t.is_append_only is append_only
    assert {column.append_only for column in t.schema.columns().values()} == {append_only}
    assert t.schema.universe_properties.append_only is append_only
    assert t.schema.typehints() == Plain.typehints()


def test_what_else_a_schema_says_is_kept() -> None:
    schema = pw.debug.table_from_rows(Plain, [(1, 2)]).schema
    assert (schema.__name__, schema.primary_key_columns(), str(schema.id.dtype)) == ("Plain", ["k"], "Pointer(INT)")
    assert schema.columns()["v"].default_value == 7
    assert schema.columns()["v"].description == "a value"
    pointer: Any = pw.Pointer
    pointing = pw.schema_from_types(a=int).with_id_type(pointer[str])
    assert str(pw.debug.table_from_rows(pointing, [(1,)]).schema.id.dtype) == "Pointer(STR)"


def test_functions_whose_results_are_of_another_type() -> None:
    def text(value: int) -> str:
        return str(value)

    def maybe(value: int) -> int | None:
        return value or None

    class Text:
        def __call__(self, value: int) -> str:
            return str(value)

    for function in (text, maybe, Text()):
        with pytest.warns(UserWarning, match="inconsistent with return_type=int"):
            pw.apply_with_type(function, int, pw.this.a)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pw.apply_with_type(text, str | None, pw.this.a)
        pw.apply_with_type(text, Any, pw.this.a)
        pw.apply_with_type(lambda value: value, int, pw.this.a)


# Values.


def test_an_empty_cell_is_the_default_where_it_is_no_value(tmp_path: pathlib.Path) -> None:
    class Cells(pw.Schema):
        k: str = pw.column_definition(default_value="key")
        i: int | None = pw.column_definition(default_value=7)
        f: float = pw.column_definition(default_value=1.5)
        b: bool = pw.column_definition(default_value=True)
        o: str | None = pw.column_definition(default_value="none")
        d: pw.Duration = pw.column_definition(default_value=pd.Timedelta(days=1))

    (tmp_path / "cells.csv").write_text("k,i,f,b,o,d\na,4,2.5,false,x,5\n,,,,,\n")
    assert remaining(pw.io.csv.read(tmp_path / "cells.csv", schema=Cells, mode="static")) == [
        ("", 7, 1.5, True, "", pd.Timedelta(days=1)),
        ("a", 4, 2.5, False, "x", pd.Timedelta(5)),
    ]


@pytest.mark.parametrize("extra", [{}, {"__time__": [2, 4]}, {"k": [1, 2]}])
def test_ints_with_gaps(extra: dict[str, list[int]]) -> None:
    class Keyed(pw.Schema):
        k: int = pw.column_definition(primary_key=True)
        r: int | None

    frame = pd.DataFrame({"r": [42, None], **extra})
    schema = Keyed if "k" in extra else pw.schema_from_types(r=int | None)
    assert rows(pw.debug.table_from_pandas(frame, schema=schema), "r") == [42, None]


def test_another_order_of_members_is_an_update_of_an_equal_value() -> None:
    class Documents(pw.Schema):
        k: int = pw.column_definition(primary_key=True)
        j: pw.Json

    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next(k=1, j={"b": 1, "a": 2})
            self.commit()
            self.next(k=1, j={"a": 2, "b": 1})

    t = pw.io.python.read(Subject(), schema=Documents, autocommit_duration_ms=None)
    updates = pw.testing.capture(t.select(s=pw.apply_with_type(str, str, pw.this.j)))
    assert [update.row["s"] for update in updates if update.diff == 1] == ['{"b": 1, "a": 2}', '{"a": 2, "b": 1}']
    pair = pw.debug.table_from_rows(
        pw.schema_from_types(a=pw.Json, b=pw.Json), [(pw.Json({"b": 1, "a": 2}), pw.Json({"a": 2, "b": 1}))]
    )
    assert remaining(pair.select(e=pair.a == pair.b)) == [(True,)]


# Reducers.


@pytest.mark.parametrize("columns", ["", "v", "v, w"])
def test_distinct_values_as_they_come_and_go(columns: str) -> None:
    t = table(
        """
          | v | w | __time__ | __diff__
        1 | 5 | 6 | 2        | 1
        2 | 5 | 6 | 4        | 1
        1 | 5 | 6 | 6        | -1
        2 | 5 | 6 | 8        | -1
        """
    )
    count = pw.reducers.count_distinct(*(t[name] for name in columns.split(", ") if name))
    assert changes(t.reduce(n=count)) == ["2 +1 (1,)", "8 -1 (1,)"]


SKIPPING: dict[str, tuple[Callable[[Table], Any], Any]] = {
    "second argument": (lambda t: pw.reducers.argmax(t.p, t.r), 3),
    "of several columns": (lambda t: pw.reducers.count_distinct(t.p, t.r), 2),
    "an expression": (lambda t: pw.reducers.sum(t.r * 10), 50),
    "two reducers": (lambda t: pw.reducers.sum(t.r) + pw.reducers.sum(t.p), 19),
    "without Nones": (lambda t: pw.reducers.sorted_tuple(t.r, skip_nones=True), (2, 3)),
    "an error filled in before": (lambda t: pw.reducers.sum(pw.fill_error(t.r, 100)), 105),
    "none in the arguments": (lambda t: pw.reducers.count(), 3),
}


@pytest.mark.parametrize("how", SKIPPING)
def test_reducers_skip_errors(how: str) -> None:
    t = table("p | q\n4 | 2\n1 | 0\n9 | 3")
    t = t.select(t.p, r=t.p // t.q)
    reducer, expected = SKIPPING[how]
    assert remaining(t.reduce(x=reducer(t))) == [(expected,)]


def test_a_sort_key_that_is_an_error_is_skipped() -> None:
    t = table("g | p | q\n1 | 4 | 2\n1 | 1 | 0\n1 | 9 | 9")
    t = t.select(t.g, t.p, r=t.p // t.q)
    assert remaining(t.groupby(t.g, sort_by=t.r).reduce(x=pw.reducers.tuple(t.p))) == [((9, 4),)]
