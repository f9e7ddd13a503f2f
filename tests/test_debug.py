"""Tables in a program, and how they are printed."""

import asyncio
from typing import Any

import pandas as pd
import pathway as pw
import pytest
from support import assert_table


def printed(capsys: pytest.CaptureFixture[str], *tables: Any, stream: bool = False, **keywords: Any) -> str:
    show = pw.debug.compute_and_print_update_stream if stream else pw.debug.compute_and_print
    show(*tables, **keywords)
    return capsys.readouterr().out


def types(table: Any) -> dict[str, Any]:
    return dict(table.schema.typehints())


def column(table: Any, name: str) -> list[Any]:
    return sorted((update.row[name] for update in pw.testing.capture(table)), key=repr)


@pytest.mark.parametrize(
    ("cells", "annotation", "values"),
    [
        ("1 2", int, [1, 2]),
        ("1.0 1e3", int, [1, 1000]),
        ("1 2.5", float, [1.0, 2.5]),
        ("inf 1", float, [1.0, float("inf")]),
        ("True false", bool, [False, True]),
        ("1 x", str, ["1", "x"]),
        ("1 True", str, ["1", "True"]),
        ("99999999999999999999 1", str, ["1", "99999999999999999999"]),
        ("1_000 1", str, ["1", "1_000"]),
        ("1 None", int | None, [1, None]),
        ("None NaN", type(None), [None, None]),
    ],
)
def test_types_of_a_column_of_text(cells: str, annotation: Any, values: list[Any]) -> None:
    table = pw.debug.table_from_markdown("a\n" + "\n".join(cells.split()))
    assert types(table) == {"a": annotation}
    assert column(table, "a") == sorted(values, key=repr)


def test_an_empty_cell_is_none() -> None:
    table = pw.debug.table_from_markdown("a | b\n1 |\n  | 2")
    assert [update.row for update in pw.testing.capture(table)].count({"a": 1, "b": None}) == 1
    assert types(table) == {"a": int | None, "b": int | None}


@pytest.mark.parametrize(
    "text", ["  | a\n5 | x", "id | a\n5 | x", " a\n5 x", "| a\n5 | x"], ids=["blank", "id", "spaces", "bar"]
)
def test_ids_are_pointers_from_their_values(text: str) -> None:
    table = pw.debug.table_from_markdown(text)
    (update,) = pw.testing.capture(table.select(same=table.id == table.pointer_from(5)))
    assert update.row == {"same": True}


def test_rows_without_ids_are_numbered() -> None:
    first = pw.debug.table_from_markdown("a\nx")
    second = pw.debug.table_from_markdown("  | b\n0 | y")
    assert pw.testing.capture(first)[0].key == pw.testing.capture(second)[0].key


def test_tables_with_the_same_ids_share_a_universe() -> None:
    first = pw.debug.table_from_markdown("  | a\n1 | x\n2 | y")
    second = pw.debug.table_from_markdown("  | b\n2 | z\n1 | w")
    rows = [update.row for update in pw.testing.capture(first.select(first.a, second.b))]
    assert sorted(rows, key=str) == [{"a": "x", "b": "w"}, {"a": "y", "b": "z"}]


def test_trusted_ids_and_id_from() -> None:
    table = pw.debug.table_from_markdown("  | a\n1 | x", unsafe_trusted_ids=True)
    assert [int(update.key) for update in pw.testing.capture(table)] == [1]
    chosen = pw.debug.table_from_markdown("a | b\n7 | x", id_from=["a"])
    (update,) = pw.testing.capture(chosen.select(same=chosen.id == chosen.pointer_from(7)))
    assert update.row == {"same": True}


class Typed(pw.Schema):
    b: str
    a: float


def test_a_schema_tells_the_types() -> None:
    table = pw.debug.table_from_markdown("a | b\n1 | 2", schema=Typed)
    assert table.column_names() == ["b", "a"]
    assert [update.row for update in pw.testing.capture(table)] == [{"b": "2", "a": 1.0}]
    with pytest.raises(ValueError, match="schema does not match"):
        pw.debug.table_from_markdown("a | c\n1 | 2", schema=Typed)
    with pytest.raises(ValueError, match=r"column a.*'x'"):
        pw.debug.table_from_markdown("a | b\nx | 2", schema=Typed)


def test_text_with_spaces() -> None:
    table = pw.debug.table_from_markdown("a | b\n1 | two words", split_on_whitespace=False)
    assert column(table, "b") == ["two words"]


@pytest.mark.parametrize(
    "text",
    [
        "| a | b |\n| 1 | x |\n| 2 | |\n",
        "| a | b |\n|---|:-:|\n| 1 | x |\n| 2 | |\n",
        "a | b\n--- | ---\n1 | x\n2 |\n",
        "  | a | b\n  | 1 | x\n  | 2 |\n",
    ],
)
def test_tables_of_markdown(text: str) -> None:
    found = pw.debug.table_from_markdown(text)
    assert found.column_names() == ["a", "b"]
    rows = [tuple(update.row.values()) for update in pw.testing.capture(found)]
    assert sorted(rows) == [(1, "x"), (2, None)]


def test_odd_times_are_doubled() -> None:
    with pytest.warns(UserWarning, match="required to be even"):
        table = pw.debug.table_from_markdown("a | __time__\n1 | 3")
    assert [update.time for update in pw.testing.capture(table)] == [6]


@pytest.mark.parametrize("text", ["", "a | a\n1 | 2", "a\n1 2 3", "a | | b\n1 | 2 | 3"])
def test_text_that_is_no_table(text: str) -> None:
    with pytest.raises(ValueError, match=r"table|name|cells"):
        pw.debug.table_from_markdown(text)


# Printing.


def test_printing(capsys: pytest.CaptureFixture[str]) -> None:
    table = pw.debug.table_from_markdown("  | name | n\n1 | b | 10\n2 | a |\n3 | long_name | 2")
    shown = printed(capsys, table)
    lines = shown.splitlines()
    assert lines[0] == "            | name      | n"
    assert [line.split(" | ", 1)[1] for line in lines[1:]] == ["a         |", "b         | 10", "long_name | 2"]
    assert all(line.startswith("^") and line[8:11] == "..." for line in lines[1:])
    assert printed(capsys, table, include_id=False, n_rows=1) == "name | n\na    |\n"
    assert len(printed(capsys, table, short_pointers=False).splitlines()[1].split(" | ")[0]) == 27


def test_printing_empty_tables(capsys: pytest.CaptureFixture[str]) -> None:
    table = pw.debug.table_from_markdown("a | b\n1 | 2")
    empty = table.filter(table.a > 1)
    assert printed(capsys, empty) == " | a | b\n"
    assert printed(capsys, empty, include_id=False) == "a | b\n"
    assert printed(capsys, empty, stream=True) == " | a | b | __time__ | __diff__\n"


def test_printing_a_table_without_columns(capsys: pytest.CaptureFixture[str]) -> None:
    table = pw.debug.table_from_markdown("a\n1").select()
    assert printed(capsys, table).splitlines()[0] == "id"
    assert printed(capsys, table, include_id=False) == ""


def test_printing_an_update_stream(capsys: pytest.CaptureFixture[str]) -> None:
    table = pw.debug.table_from_markdown(
        """
          | a | __time__ | __diff__
        1 | 9 | 2        | 1
        2 | 1 | 2        | 1
        1 | 9 | 4        | -1
        1 | 3 | 4        | 1
        """
    )
    assert printed(capsys, table, include_id=False, stream=True).splitlines() == [
        "a | __time__ | __diff__",
        "1 | 2        | 1",
        "9 | 2        | 1",
        "9 | 4        | -1",
        "3 | 4        | 1",
    ]
    assert printed(capsys, table, include_id=False) == "a\n1\n3\n"


def test_printing_values(capsys: pytest.CaptureFixture[str]) -> None:
    values = pw.schema_from_types(j=pw.Json, t=tuple[int, str], f=float, d=pw.DateTimeNaive, o=bytes)
    table = pw.debug.table_from_rows(
        values, [({"x": [1, None]}, (1, "a"), 1e16, pd.Timestamp("2024-01-02 03:04:05.000678"), b"ab\xff")]
    )
    assert printed(capsys, table, include_id=False).splitlines()[1] == (
        r"""{"x": [1, null]} | (1, 'a') | 1e+16 | 2024-01-02 03:04:05.000678 | b'ab\xff'"""
    )


def test_printing_errors(capsys: pytest.CaptureFixture[str]) -> None:
    table = pw.debug.table_from_markdown("a | b\n1 | 0")
    wrong = table.select(c=table.a // table.b)
    assert printed(capsys, wrong, include_id=False, terminate_on_error=False) == "c\nError\n"
    with pytest.raises(ZeroDivisionError):
        printed(capsys, wrong)


def test_tables_that_are_none() -> None:
    negative = pw.debug.table_from_markdown("  | a | __diff__\n1 | 1 | -1")
    # What was not added is not removed.
    assert pw.debug.table_to_dicts(negative)[0] == []
    twice = pw.debug.table_from_markdown("  | a\n1 | 1\n1 | 2")
    with pytest.raises(KeyError, match="duplicated entries"):
        pw.debug.compute_and_print(twice)


# Other sources and targets.


def test_rows() -> None:
    table = pw.debug.table_from_rows(Typed, [("x", 1.5, 2, 1), ("x", 1.5, 4, 1)], is_stream=True)
    assert [(update.time, update.diff) for update in pw.testing.capture(table)] == [(2, 1), (4, 1)]
    with pytest.raises(ValueError, match="2"):
        pw.debug.table_from_rows(Typed, [("x",)])
    pairs = pw.debug.table_from_rows(pw.schema_from_types(name=str, city=str), zip("ab", "cd", strict=True))
    assert sorted(update.row["city"] for update in pw.testing.capture(pairs)) == ["c", "d"]


@pytest.mark.parametrize("row", [{"name": "ann", "city": "ulm"}, {"ann", "ulm"}, "ab", b"ab"])
def test_a_row_that_is_no_tuple_is_not_taken_for_its_keys(row: Any) -> None:
    with pytest.raises(TypeError, match="a row is a tuple of the values of name, city, in this order; found"):
        pw.debug.table_from_rows(pw.schema_from_types(name=str, city=str), [row])


def test_pandas_there_and_back() -> None:
    frame = pd.DataFrame(
        {
            "i": [1, 2],
            "f": [1.5, None],
            "s": ["x", None],
            "b": [True, False],
            "t": pd.to_datetime(["2024-01-01", "2024-01-02"]),
            "j": [{"a": 1}, {"b": 2}],
        },
        index=[10, 20],
    )
    table = pw.debug.table_from_pandas(frame)
    assert types(table) == {
        "i": int, "f": float | None, "s": str | None, "b": bool, "t": pw.DateTimeNaive, "j": pw.Json,
    }  # fmt: skip
    back = pw.debug.table_to_pandas(table, include_id=False).sort_values("i").reset_index(drop=True)
    assert back["i"].tolist() == [1, 2]
    assert back["f"].isna().tolist() == [False, True]
    assert back["t"].tolist() == frame["t"].tolist()
    assert all(isinstance(key, pw.Pointer) for key in pw.debug.table_to_pandas(table).index)


def test_parquet(tmp_path: Any) -> None:
    table = pw.debug.table_from_markdown("a | b\n1 | x\n2 | y")
    pw.debug.table_to_parquet(table, tmp_path / "a.parquet")
    pw.testing.assert_equal_tables(pw.debug.table_from_parquet(tmp_path / "a.parquet"), table)


def test_dicts() -> None:
    keys, columns = pw.debug.table_to_dicts(pw.debug.table_from_markdown("a | b\n1 | x"))
    assert columns == {"a": {keys[0]: 1}, "b": {keys[0]: "x"}}


def test_streams() -> None:
    generator = pw.debug.StreamGenerator()
    batches = generator.table_from_list_of_batches([[{"b": "x", "a": 1.0}], [{"b": "y", "a": 2.0}]], Typed)
    assert [(update.row["b"], update.time) for update in pw.testing.capture(batches)] == [("x", 2), ("y", 4)]
    text = generator.table_from_markdown("  | a | _time | _diff\n1 | 1 | 2 | 1\n1 | 1 | 4 | -1")
    assert [(update.time, update.diff) for update in pw.testing.capture(text)] == [(2, 1), (4, -1)]
    with pytest.raises(ValueError, match="columns of the schema"):
        generator.table_from_list_of_batches([[{"a": 1.0}]], Typed)


def test_none_alone_in_a_line_is_visible(capsys: pytest.CaptureFixture[str]) -> None:
    table = pw.debug.table_from_markdown("a\nNone\n1")
    pw.debug.compute_and_print(table, include_id=False)
    assert capsys.readouterr().out == "a\nNone\n1\n"
    pw.debug.compute_and_print(table.select(pw.this.a, b=pw.this.a), include_id=False)
    assert capsys.readouterr().out == "a | b\n  |\n1 | 1\n"


def test_missing_floats_are_nan_in_pandas() -> None:
    table = pw.debug.table_from_markdown("a | b\n1.5 | 1\n | 2")
    frame = pw.debug.table_to_pandas(table, include_id=False).sort_values("b")
    assert str(frame["a"].dtype) == "float64"
    assert frame["a"].isna().tolist() == [False, True]


def test_slices_follow_pointers() -> None:
    trees = pw.debug.table_from_markdown("name | height\noak | 30\nelm | 20").with_id_from(pw.this.name)
    visits = pw.debug.table_from_markdown("tree\noak\nash")
    heights = trees.slice.without("name").with_prefix("its_")
    found = visits.select(visits.tree, *heights.ix(trees.pointer_from(visits.tree), allow_misses=True))
    assert_table(found, "tree | its_height\noak | 30\nash |", tree=str, its_height=int | None)
    by_name = visits.select(*heights.ix_ref(visits.tree, allow_misses=True))
    assert_table(by_name, "its_height\n30\nNone", its_height=int | None)


QUIET: dict[str, Any] = {"monitoring_level": pw.MonitoringLevel.NONE}


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda table: table.a, "found the column 'a' of a table: table.select(table['a']) is a table of it alone"),
        (lambda table: table.a + 1, "found the expression (<table1>.a + 1): table.select(name=...) makes a table"),
        (lambda table: table.schema, "found the schema Numbers, which says what columns a table has"),
        (lambda table: [table, table], "found a list of 2 tables: give it one at a time"),
        (lambda table: {"a": table}, "found a dict of 1 table: give it one at a time"),
        (lambda table: table.groupby(table.a), "found a grouped table: reduce(...) makes a table of it"),
        (lambda table: table.join(table.copy(), pw.left.a == pw.right.a), "found a join: select(...) makes a table"),
        (lambda table: table.slice, "found columns of a table: table.select(*columns) makes a table of them"),
        (lambda table: pw.this, "found pathway.this, which stands for a table in the arguments of its methods"),
        (
            lambda table: pd.DataFrame({"a": [1]}),
            "a DataFrame of pandas: pw.debug.table_from_pandas(frame) makes a table of",
        ),
        (lambda table: pw.debug.compute(table), "found a Snapshot, which has rows already: its own to_pandas()"),
        (lambda table: pw.Table, "found the class Table"),
        (lambda table: 5, "found 5"),
        (lambda table: "x" * 200, "found a str"),
    ],
)
def test_what_is_no_table_is_named(made: Any, message: str) -> None:
    class Numbers(pw.Schema):
        a: int

    given = made(pw.debug.table_from_rows(Numbers, [(1,)]))
    for name in (
        "compute",
        "compute_and_print",
        "table_to_arrow",
        "table_to_dicts",
        "table_to_pandas",
        "table_to_polars",
    ):
        with pytest.raises(TypeError) as raised:
            getattr(pw.debug, name)(given)
        assert str(raised.value).startswith(f"pw.debug.{name}() takes a pw.Table, found ")
        assert message in str(raised.value)
    with pytest.raises(TypeError) as raised:
        pw.io.null.write(given)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("call", "argument", "message"),
    [
        ("compute_and_print", "monitoring", "has no argument monitoring. Did you mean 'monitoring_level'?"),
        ("compute_and_print", "n_row", "has no argument n_row. Did you mean 'n_rows'?"),
        ("compute", "n_row", "has no argument n_row; those of pw.run() are arguments of it, too"),
        ("table_to_polars", "include_ids", "has no argument include_ids. Did you mean 'include_id'?"),
    ],
)
def test_arguments_are_those_of_the_call(call: str, argument: str, message: str) -> None:
    with pytest.raises(TypeError) as raised:
        getattr(pw.debug, call)(pw.Table.empty(a=int), **{argument: 5})
    assert str(raised.value) == f"pw.debug.{call}() {message}"


def test_runs_are_called_as_they_were() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    with pytest.raises(ValueError, match=r"argument event_loop of pw\.start\(\): the loop is closed"):
        pw.start(event_loop=loop, **QUIET)
    with pytest.raises(ValueError, match=r"argument event_loop of pw\.debug\.compute\(\): the loop is closed"):
        pw.debug.compute(pw.Table.empty(a=int), event_loop=loop)


def test_nothing_to_run_names_the_call(caplog: pytest.LogCaptureFixture) -> None:
    with pw.start(**QUIET):
        pass
    if caplog.records:
        # The first process tells.
        assert "Add one before pw.start(), such as" in caplog.text


def test_methods_are_called_by_the_name_of_the_table() -> None:
    table: Any = pw.Table.empty(a=int)
    for name, call in {
        "show": lambda: table.show(5),
        "plot": lambda: table.plot(),
        "live": lambda: table.live(5),
        "filter": lambda: table.filter(),
        "join": lambda: table.join(),
        "copy": lambda: table.copy(5),
        "ix": lambda: table.ix(),
        "update_types": lambda: table.update_types(5),
    }.items():
        with pytest.raises(TypeError, match=rf"^Table\.{name}\(\) "):
            call()
