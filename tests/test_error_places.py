"""An error says what was computed, in which column and for which row: in the exception, in the log and in the table of
errors."""

from __future__ import annotations

import logging
import math
import pathlib
import re
from collections.abc import Callable
from typing import Any

import pathway as pw
import pytest

from tests.support import table

Values = pw.schema_from_types(i=int, z=int, s=str, j=pw.Json, n=int | None, f=float)
Make = Callable[[pw.Table[Any]], pw.ColumnExpression]


def values() -> pw.Table[Any]:
    row = (7, 0, "seven", pw.Json({"a": ["x"]}), None, 2.5)
    return pw.debug.table_from_rows(Values, [row])


# What fails, the kind, what is said of it, and of what was computed.
FAILURES: dict[str, tuple[Make, type[Exception], str, str]] = {
    "//": (lambda t: t.i // t.z, ZeroDivisionError, "division by zero", "7 // 0"),
    "/": (lambda t: t.f / t.z, ZeroDivisionError, "division by zero", "2.5 / 0"),
    "%": (lambda t: (t.i + 1) % t.z, ZeroDivisionError, "division by zero", "8 % 0"),
    "*": (lambda t: t.i * 2**62, OverflowError, "the result does not fit in 64 bits", f"7 * {2**62}"),
    "neg": (lambda t: -(t.z - 2**62 - 2**62), OverflowError, "the result does not fit in 64 bits", f"--{2**63}"),
    "**": (
        lambda t: t.i ** (t.z - 1),
        ValueError,
        "an int cannot be raised to a negative power: cast it to float first",
        "7 ** -1",
    ),
    "cast": (lambda t: pw.cast(int, t.s), ValueError, "Cannot cast to int from seven.", "pw.cast(int, 'seven')"),
    "parse": (
        lambda t: t.s.str.parse_int(),
        ValueError,
        'cannot parse "seven" to int: invalid digit found in string',
        "'seven'.str.parse_int()",
    ),
    "strptime": (
        lambda t: t.s.dt.strptime("%Y"),
        ValueError,
        'cannot parse date "seven" using format "%Y": input contains invalid characters',
        "'seven'.dt.strptime('%Y')",
    ),
    "as_int": (
        lambda t: t.j["a"].as_int(),
        ValueError,
        'Cannot convert json ["x"] to Int',
        '["x"].as_int()',
    ),
    "unwrap": (
        lambda t: pw.unwrap(t.n),
        ValueError,
        "cannot unwrap a None value: use pw.coalesce() to supply a default, or filter out the rows with None",
        "pw.unwrap(None)",
    ),
    "[]": (lambda t: t.s[t.i], IndexError, "index out of bounds", "'seven'[7]"),
}


def place(text: str) -> str:
    """A text with nothing but the mark of keys."""
    return re.sub(r"\^\w+", "^", text)


@pytest.mark.parametrize("name", FAILURES)
def test_an_error_of_the_engine_says_what_was_computed(name: str, caplog: pytest.LogCaptureFixture) -> None:
    make, kind, what, call = FAILURES[name]
    with pytest.raises(kind) as raised:
        pw.testing.capture(values().select(out=make(pw.this)))
    where = f'in {call}, in column "out", for the row ^'
    said = f"{what} It failed {where}" if what.endswith(".") else f"{what}, {where}"
    assert place(raised.value.args[0]).startswith(said)
    (note,) = raised.value.__notes__
    assert "test_error_places.py:" in note

    pw.testing.reset()
    caplog.clear()
    cells, errors = pw.testing.capture(
        values().select(out=make(pw.this)), pw.global_error_log(), terminate_on_error=False
    )
    (cell,) = cells
    (error,) = errors
    # What is the same has the same message there, as in the original.
    assert error.row["message"].startswith(what)
    assert "column" not in error.row["message"]
    *_, failed = error.row["trace"].split("\n \t")
    assert failed == f'It failed in {call}, in column "out", for the row {cell.key}'
    assert place(caplog.text).count(said) == 1
    assert str(cell.key) in caplog.text


def test_long_values_are_cut_and_stay_on_one_line() -> None:
    for make in (lambda s: pw.cast(int, s), lambda s: s.str.parse_float(), lambda s: s.dt.strptime("%Y")):
        texts = pw.debug.table_from_rows(pw.schema_from_types(s=str), [("two\nlines\x1b[31m" + "x" * 10_000,)])
        with pytest.raises(ValueError, match="two") as raised:
            pw.testing.capture(texts.select(out=make(texts.s)))
        text = str(raised.value)
        assert text.isprintable()
        assert len(text) < 400
        assert r"two\nlines\u{1b}[31mx" in text
        assert "x…" in text
        pw.testing.reset()


def test_a_column_has_the_name_it_was_given_where_it_was_computed() -> None:
    t = table("a\n0")
    made = t.select(first=1 // t.a).rename_columns(second=pw.this.first)
    with pytest.raises(ZeroDivisionError, match='in column "first"'):
        pw.testing.capture(made.with_columns(more=1))
    pw.testing.reset()
    # A condition has none.
    t = table("a\n0")
    with pytest.raises(ZeroDivisionError, match=r"^division by zero, in 1 // 0, for the row \^"):
        pw.testing.capture(t.filter(1 // t.a > 0))


def test_a_constant_has_no_row() -> None:
    t = table("a\n1")
    with pytest.raises(ZeroDivisionError) as raised:
        pw.testing.capture(t.select(out=pw.cast(int, "1") // pw.cast(int, "0")))
    assert str(raised.value) == 'division by zero, in 1 // 0, in column "out"'


def test_the_same_failure_of_other_values_is_no_news() -> None:
    rows = table(
        """
          | a | b | __time__ | __diff__
        1 | 6 | 0 | 2        | 1
        1 | 6 | 0 | 4        | -1
        1 | 7 | 0 | 4        | 1
        1 | 7 | 0 | 6        | -1
        1 | 7 | 1 | 6        | 1
        """
    )
    _, errors = pw.testing.capture(rows.select(q=rows.a // rows.b), pw.global_error_log(), terminate_on_error=False)
    assert [update.row["trace"].rpartition("\n \t")[2].partition(",")[0] for update in errors] == [
        "It failed in 6 // 0"
    ]


def test_what_is_provided_for_is_not_told() -> None:
    t = table("a | b\n1 | 0\n4 | 2")
    q = pw.fill_error(t.a // t.b, pw.if_else(t.b == 0, -1, t.a // t.b))
    cells, errors = pw.testing.capture(t.select(q=q), pw.global_error_log(), terminate_on_error=False)
    assert sorted(update.row["q"] for update in cells) == [-1, 2]
    assert errors == []


def test_a_reducer_names_the_group() -> None:
    t = table("g | h | v\nx | 1 | 1\nx | 1 | 2\ny | 2 | 5")
    groups = t.groupby(t.g, t.h).reduce(t.g, one=pw.reducers.unique(t.v))
    with pytest.raises(RuntimeError, match="More than one distinct value passed to the unique reducer: ") as raised:
        pw.testing.capture(groups)
    assert place(str(raised.value)).endswith(", in the group g='x', h=1, in column \"one\", for the row ^")
    pw.testing.reset()
    t = table(f"v\n{2**63 - 1}\n1")
    with pytest.raises(OverflowError) as overflow:
        pw.testing.capture(t.reduce(total=pw.reducers.sum(t.v)))
    assert place(str(overflow.value)) == 'integer overflow in reducer sum, in column "total", for the row ^'


def test_a_row_that_looks_for_another_is_named() -> None:
    target = table("  | v\n1 | 5")
    source = table("  | k\n7 | 2")
    made = source.select(v=target.ix(target.pointer_from(source.k)).v)
    with pytest.raises(KeyError) as raised:
        pw.testing.capture(made)
    text = raised.value.args[0]
    assert re.fullmatch(r"key \^\w+ is not in the table it is looked up in, for the row \^\w+", text)
    first, second = re.findall(r"\^\w+", text)
    assert first != second


def test_a_key_is_said_once() -> None:
    left, right = table("  | v\n1 | 1\n2 | 2"), table("  | w\n2 | 5\n3 | 6")
    with pytest.raises(KeyError) as raised:
        pw.testing.capture(left.select(left.v, w=right.with_universe_of(left).w))
    assert raised.value.args[0].count("^") == 1


@pytest.mark.parametrize(
    ("returned", "kind", "said"),
    [
        (2**70, OverflowError, f"odd is declared to return int: the integer {2**70} does not fit into 64 bits"),
        ("x", TypeError, "odd returned 'x' (str), but is declared to return int"),
    ],
)
def test_a_function_that_returns_something_else(returned: Any, kind: type[Exception], said: str) -> None:
    def odd(a: int) -> Any:
        return returned

    t = table("a\n1")
    with pytest.raises(kind) as raised:
        pw.testing.capture(t.select(z=pw.apply_with_type(odd, int, t.a)))
    assert str(raised.value) == said
    assert place(raised.value.__notes__[0]) == 'It failed in odd(a=1), in column "z", for the row ^'


def test_a_text_that_is_none_is_named() -> None:
    def odd(a: int) -> str:
        return "\ud800"

    t = table("a\n1")
    with pytest.raises(ValueError, match=r"odd is declared to return str: the text '\\ud800' is no valid Unicode"):
        pw.testing.capture(t.select(z=pw.apply(odd, t.a)))


class Keyed(pw.Schema):
    k: int = pw.column_definition(primary_key=True)
    s: str


@pytest.mark.parametrize("schema", [Keyed, pw.schema_from_types(k=int, s=str)])
@pytest.mark.parametrize(
    ("row", "kind", "said"),
    [
        ((2**63, "b"), OverflowError, f'rows: row 2, column "k": the integer {2**63} does not fit into 64 bits'),
        ((1.5, "b"), TypeError, 'rows: row 2, column "k": cannot take 1.5 (float) as int'),
        (
            (2, "\ud800"),
            ValueError,
            "rows: row 2, column \"s\": the text '\\ud800' is no valid Unicode: it has lone surrogates",
        ),
    ],
)
def test_a_row_of_the_program_is_named(
    schema: type[pw.Schema], row: tuple[Any, ...], kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind) as raised:
        pw.debug.table_from_rows(schema, [(1, "a"), row])
    assert str(raised.value) == said


def test_a_value_of_a_frame_is_named() -> None:
    pd = pytest.importorskip("pandas")
    with pytest.raises(OverflowError) as raised:
        pw.debug.table_from_pandas(pd.DataFrame({"a": [1, 2, 3], "b": [1, -1, 2**63]}, dtype=object))
    assert str(raised.value) == f'pandas: row 3, column "b": the integer {2**63} does not fit into 64 bits'


def boom(*_: Any, **__: Any) -> None:
    raise LookupError("of the callback")


class Alerts(pw.io.python.ConnectorObserver):
    def on_change(self, key: pw.Pointer[Any], row: dict[str, Any], time: int, is_addition: bool) -> None:
        boom()


class Later(pw.io.python.AsyncConnectorObserver):
    async def on_change(self, key: pw.Pointer[Any], row: dict[str, Any], time: int, is_addition: bool) -> None:
        boom()


def nothing(**_: Any) -> None:
    pass


async def later(key: pw.Pointer[Any], row: dict[str, Any], time: int, is_addition: bool) -> None:
    boom()


CHANGE = "(key=^, row={'a': 1}, time=4, is_addition=True)"


@pytest.mark.parametrize(
    ("subscribe", "said"),
    [
        (lambda t: pw.io.subscribe(t, boom), f"on_change: boom{CHANGE}"),
        (lambda t: pw.io.subscribe(t, later), f"on_change: later{CHANGE}"),
        (lambda t: pw.io.subscribe(t, nothing, on_time_end=boom), "on_time_end: boom(time=4)"),
        (lambda t: pw.io.subscribe(t, nothing, on_end=boom), "on_end: boom()"),
        (lambda t: pw.io.python.write(t, Alerts()), f"on_change: Alerts.on_change{CHANGE}"),
        (lambda t: pw.io.python.write(t, Later()), f"on_change: Later.on_change{CHANGE}"),
    ],
)
@pytest.mark.one_process("functions are called in process 0")
def test_a_callback_that_fails_is_named(subscribe: Callable[[pw.Table[Any]], None], said: str) -> None:
    subscribe(table("a | __time__\n1 | 4"))
    with pytest.raises(LookupError, match="of the callback") as raised:
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert [place(note).partition("\n")[0] for note in raised.value.__notes__] == [
        f"It failed in {said}",
        "Occurred here:",
    ]


@pytest.mark.one_process("functions are called in process 0")
def test_a_callback_that_ends_the_program_has_not_failed() -> None:
    def leave(**_: Any) -> None:
        raise SystemExit(3)

    pw.io.subscribe(table("a\n1"), leave)
    with pytest.raises(SystemExit) as raised:
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert not any("It failed" in note for note in getattr(raised.value, "__notes__", []))


def test_a_header_that_is_wrong_is_told_once(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.csv"
    path.write_text("k;s\n1;x\n")
    pw.io.null.write(pw.io.csv.read(path, schema=Keyed, mode="static"))
    what = (
        f'csv: {path}: the header lacks ["k", "s"], without a default, and has ["k;s"]; '
        "if ';' is between the fields: "
        "csv_settings=pw.io.CsvParserSettings(delimiter=';'); "
    )
    with pytest.raises(ValueError, match="lacks") as raised:
        pw.run()
    assert str(raised.value) == what + "with terminate_on_error=False such a file is left out"
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    with caplog.at_level(logging.WARNING):
        pw.run(terminate_on_error=False)
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING and "csv" in record.message]
    assert record.message == what + "no row of the file is read, unless a later record has these names"


def test_one_field_is_one_field(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.csv").write_text("k,s\n1\n")
    pw.io.null.write(pw.io.csv.read(tmp_path, schema=Keyed, mode="static"))
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert "the row has only 1 field\n" in caplog.text
    assert "csv: 1 record could not be read and was left out" in caplog.text


def test_floats_are_as_they_are() -> None:
    t = pw.debug.table_from_rows(pw.schema_from_types(f=float), [(math.inf,)])
    with pytest.raises(ZeroDivisionError, match=r"in inf // 0\.0, in column"):
        pw.testing.capture(t.select(q=t.f // 0.0))
