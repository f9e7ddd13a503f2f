"""What is printed for people is cut; what goes into a pipe is complete."""

import sys
from typing import Any

import pathway as pw
import pytest
from pathway._looking import notebooks
from pathway._values import texts

from tests.terminals import Written


@pytest.fixture
def many() -> pw.Table[Any]:
    return pw.debug.table_from_rows(
        pw.schema_from_types(n=int, text=str), [(number, "x" * 200 + "\n") for number in range(1000, 1150)]
    )


def printed(capsys: pytest.CaptureFixture[str], *tables: pw.Table[Any], **arguments: Any) -> list[str]:
    pw.debug.compute_and_print(*tables, include_id=False, **arguments)
    return capsys.readouterr().out.splitlines()


def test_in_a_pipe_everything_is_printed(many: pw.Table[Any], capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, many.select(many.n))
    assert lines == ["n", *map(str, range(1000, 1150))]


def test_long_tables_and_cells_are_cut(many: pw.Table[Any], capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, many, cut=True)
    assert len(lines) == 1 + 100 + 1
    assert lines[1] == "1000 | " + "x" * 79 + "…"
    assert lines[-1] == "... 50 more rows; cut=False prints all"


def test_changes_are_cut_as_well(many: pw.Table[Any], capsys: pytest.CaptureFixture[str]) -> None:
    pw.debug.compute_and_print_update_stream(many, cut=True)
    assert capsys.readouterr().out.splitlines()[-1] == "... 50 more updates; cut=False prints all"


def test_so_many_rows_as_are_asked_for(many: pw.Table[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, many.select(many.n), n_rows=2, cut=True) == ["n", "1000", "1001"]
    assert len(printed(capsys, many.select(many.n), n_rows=120, cut=False)) == 121
    assert printed(capsys, many.select(many.n), n_rows=120, cut=True)[-1] == "... 20 more rows; cut=False prints all"


@pytest.mark.parametrize(("arguments", "expected"), [({}, 102), ({"cut": False}, 151)])
def test_a_terminal_is_for_people(
    many: pw.Table[Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: Any,
    expected: int,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert len(printed(capsys, many.select(many.n), **arguments)) == expected


def test_control_characters_do_not_break_a_table_that_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    table = pw.debug.table_from_rows(pw.schema_from_types(a=str), [("x\n\x1b[31m",)])
    assert printed(capsys, table, cut=True) == ["a", "x\\n\\x1b[31m"]


NAME = "a\x1b[31m\n\u202e"
ESCAPED = r"a\x1b[31m\n\u202e"


@pytest.fixture
def hostile() -> pw.Table[Any]:
    return pw.debug.table_from_rows(pw.schema_from_dict({NAME: str}), [("x\r\x1b[32my",)])


def safe(text: str) -> str:
    """The text, if nothing in it acts on a terminal or a page."""
    assert all(char.isprintable() or char == "\n" for char in text), ascii(text)
    return text


def test_names_and_cells_do_nothing_to_who_looks_at_a_table(
    hostile: pw.Table[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    column = hostile[NAME]
    shown_in_notebooks = [
        hostile,
        hostile.groupby(column),
        hostile.join(hostile.copy(), pw.left.id == pw.right.id),
        pw.debug.compute(hostile),
    ]
    for each in shown_in_notebooks:
        assert ESCAPED in safe(repr(each))
        assert ESCAPED in safe(each._repr_html_())  # type: ignore[attr-defined]
    for text in (
        repr(column + "b"),
        repr(pw.this[NAME]),
        str(hostile.schema),
        notebooks.html_of_schema(hostile.schema),
    ):
        assert ESCAPED in safe(text)
    assert ESCAPED in safe(hostile._repr_mimebundle_()["text/plain"])
    hostile.show()
    with hostile.live() as live:
        live.wait()
        print(repr(live), live._repr_html_())
    hostile.debug(f"name {NAME}")
    pw.debug.compute_and_print(hostile, debug=True, cut=True)
    assert safe(capsys.readouterr().out).count(ESCAPED) == 6
    with pytest.raises(AttributeError) as raised:
        hostile.foo  # type: ignore[attr-defined]  # noqa: B018
    assert ESCAPED in safe(str(raised.value))


@pytest.mark.parametrize("cut", [None, True, False])
def test_nothing_raw_is_printed_on_a_terminal(
    hostile: pw.Table[Any], cut: bool | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert printed(capsys, hostile, cut=cut) == [ESCAPED, r"x\r\x1b[32my"]


def test_in_a_pipe_a_cell_is_what_it_is(hostile: pw.Table[Any], capsys: pytest.CaptureFixture[str]) -> None:
    pw.debug.compute_and_print(hostile, include_id=False)
    assert capsys.readouterr().out == f"{ESCAPED}\nx\r\x1b[32my\n"


def test_columns_line_up_whatever_is_written_in_them(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("Marple", "水门", 1), ("Bo\u0308sley", "🚤", 2), ("Wrocław", "각", 3)]
    table = pw.debug.table_from_rows(pw.schema_from_dict({"lock": str, "名": str, "n": int}), rows)
    lines = printed(capsys, table)
    assert lines == [
        "lock    | 名   | n",
        "Bo\u0308sley  | 🚤   | 2",
        "Marple  | 水门 | 1",
        "Wrocław | 각   | 3",
    ]
    assert {texts.width(line) for line in lines} == {18}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x" * 80, "x" * 80),
        ("x" * 81, "x" * 79 + "…"),
        ("水" * 40, "水" * 40),
        ("水" * 41, "水" * 39 + "…"),
        ("e\u0301" * 80, "e\u0301" * 80),
        ("e\u0301" * 81, "e\u0301" * 79 + "…"),
        ("x" + "\u0301" * 5000, "x" + "\u0301" * 639 + "…"),
    ],
)
def test_a_cell_is_cut_where_its_width_ends(text: str, expected: str) -> None:
    assert texts.cut(text) == expected


def on_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))


def test_a_wide_table_is_cut_where_the_terminal_ends(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_terminal(monkeypatch, 40)
    rows = [(1, "x" * 30, "水" * 30, 7)]
    table = pw.debug.table_from_rows(pw.schema_from_types(number=int, first=str, second=str, last=int), rows)
    assert printed(capsys, table) == [
        "number | first            | …",
        "1      | xxxxxxxxxxxxxxx… | …",
        "... 2 more columns; cut=False prints all",
    ]
    assert len(printed(capsys, table, cut=False)) == 2
    # Before columns are left out, cells become shorter.
    assert printed(capsys, table.without(table.last, table.number)) == [
        "first              | second",
        "xxxxxxxxxxxxxxxxx… | 水水水水水水水水…",
    ]
    table.show(include_id=False)
    assert capsys.readouterr().out.splitlines()[-1] == "... 2 more columns"
    assert repr(pw.debug.compute(table)).splitlines()[-1] == "... 2 more columns"


def test_rows_and_columns_that_are_left_out_are_counted_in_one_line(
    many: pw.Table[Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_terminal(monkeypatch, 40)
    wide = many.select(many.n, **{f"column_{number}": many.n for number in range(9)})
    *lines, last = printed(capsys, wide)
    assert last == "... 50 more rows, 7 more columns; cut=False prints all"
    assert all(texts.width(line) <= 40 for line in lines)


@pytest.mark.one_process("what the first process has printed there is not handed over")
def test_what_cannot_say_whether_it_is_a_terminal_is_none(many: pw.Table[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    written = Written()
    monkeypatch.setattr(sys, "stdout", written)
    pw.debug.compute_and_print(many.select(many.n), include_id=False)
    assert written.text.splitlines() == ["n", *map(str, range(1000, 1150))]
    pw.debug.compute_and_print(many.select(many.n), include_id=False, n_rows=2, cut=True)
    assert written.text.splitlines()[-3:] == ["n", "1000", "1001"]
    many.show(include_id=False)
    assert "1000 | x" in written.text
