"""What is printed for people is cut; what goes into a pipe is complete."""

import sys
from typing import Any

import pathway as pw
import pytest


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
