"""The page for people who come from other libraries is made of the hints that the package gives; each of them runs.

To write the tables of the page anew after a change of `_ground/idioms.py`:

    python tests/test_coming_from.py
"""

from __future__ import annotations

import pathlib
import re
import sqlite3
from typing import Any

import pandas as pd
import pathway as pw
import pytest
from pathway._ground import hints, idioms, not_there_yet

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "guide" / "coming-from.md"
MARKED = re.compile(r"(?<=<!-- idioms: begin -->\n).*?(?=<!-- idioms: end -->)", re.DOTALL)

LINES = [
    pytest.param(kind, names, idiom.code, id=f"{kind} {names.split()[0]}")
    for kind, (_, _, group) in idioms.KINDS.items()
    for names, idiom in group.items()
]


class Rows(pw.Schema):
    a: int


def namespace(folder: pathlib.Path) -> dict[str, Any]:
    """What the lines of the page speak of, see there."""
    frame = pd.DataFrame(
        {
            "a": [1, 2],
            "b": [2, 2],
            "text": ["2026-11-30", "7"],
            "maybe": [1, None],
            "words": [("x", "y"), ()],
            "doc": [{"n": 1}, {}],
            "when": pd.to_datetime(["2026-11-30 12:00", "2026-12-01 00:00"]),
        }
    )

    class Table(pw.Schema):
        a: int
        b: int
        text: str
        maybe: int | None
        words: list[str]
        doc: pw.Json
        when: pw.DateTimeNaive

    (folder / "data.csv").write_text("a\n1\n")
    (folder / "data.jsonl").write_text('{"a": 1}\n')
    (folder / "data.txt").write_text("a\n")
    frame[["a"]].to_parquet(folder / "data.parquet")
    with sqlite3.connect(folder / "data.sqlite") as connection:
        connection.execute("CREATE TABLE rows (a INTEGER)")
    connection.close()
    table = pw.debug.table_from_pandas(frame, schema=Table)
    return {"pw": pw, "frame": frame[["a", "b"]], "Rows": Rows, "table": table, "other": table[["a", "b"]].copy()}


@pytest.mark.one_process("files are written by name")
@pytest.mark.parametrize(("kind", "names", "code"), LINES)
def test_every_line_runs(
    kind: str, names: str, code: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    known = namespace(tmp_path)
    if "to_parquet" in code:
        # There is no JSON in Parquet.
        known["table"] = known["table"].without("doc")
    result = eval(code, known)
    if isinstance(result, pw.ColumnExpression):
        # What is an expression here is meant for select or for reduce.
        result = (known["table"].reduce if kind == "reducers" else known["table"].select)(x=result)
    if isinstance(result, pw.Table):
        pw.testing.capture(result, terminate_on_error=False)
    elif result is None:
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)


@pytest.mark.parametrize("kind", idioms.KINDS)
def test_no_name_stands_for_two_things(kind: str) -> None:
    names = [name for names in idioms.KINDS[kind][2] for name in names.split()]
    assert len(names) == len(set(names))


def test_names_of_the_api_are_no_idioms() -> None:
    table = pw.Table.empty(column=int)
    places: dict[str, Any] = {
        "table": table,
        "column": table.column,
        "text": table.column.str,
        "date": table.column.dt,
        "number": table.column.num,
        "reducers": pw.reducers,
        "module": pw,
        "connectors": pw.io,
    }
    for kind, place in places.items():
        names = {name for names in idioms.KINDS[kind][2] for name in names.split()}
        assert not names & set(dir(place)), kind
    missing = {"table": "Table", "reducers": "pathway.reducers", "module": "pathway", "connectors": "pathway.io"}
    for kind, path in missing.items():
        names = {name for names in idioms.KINDS[kind][2] for name in names.split()}
        assert not names & not_there_yet.missing(path).keys(), kind


def test_the_hint_is_the_line_of_the_page() -> None:
    assert hints.instead("table", "where") == "Here one writes table.filter(table.a > 1)"
    assert "| `.where`, `.query`, `.loc`, " in PAGE.read_text()
    assert hints.instead("table", "select") is None


def tables() -> str:
    """All idioms as tables of Markdown."""
    lines = []
    for heading, before, group in idioms.KINDS.values():
        lines += ["", f"### {heading}", "", "| there | here |", "|---|---|"]
        for names, idiom in group.items():
            there = ", ".join(f"`{before}{name}`" for name in names.split())
            code = idiom.code.replace("|", "\\|")
            remark = f"{idiom.remark.rstrip(':;')}: " if idiom.remark else ""
            lines.append(f"| {there} | {remark}`{code}` |")
    return "\n".join([*lines[1:], "", ""])


def test_the_page_has_all_of_them() -> None:
    found = MARKED.search(PAGE.read_text())
    assert found is not None
    assert found[0].strip() == tables().strip(), "run: python tests/test_coming_from.py"


if __name__ == "__main__":
    text = PAGE.read_text()
    PAGE.write_text(MARKED.sub(lambda _: tables(), text))
