"""What the text of a csv field is as a value of each type: spellings, spaces, empty fields, defaults."""

from __future__ import annotations

import pathlib
from typing import Any

import pathway as pw
import pytest

SILENT = pw.MonitoringLevel.NONE
LOST = object()

# What says that there is no value, and texts that look like it but do not.
EMPTY = ["", " "]
NONES = ["None", "none", "null", "Null", "NULL"]
OTHERS = ["NaN", "nan", "N/A", "NA", "na", "-", "\\N", "undefined"]
MOMENT = pw.DateTimeNaive("2020-01-02T03:04:05")
INSTANT = pw.DateTimeUtc("2020-01-02T03:04:05Z")
# A type, a text that is a value of it, the value, and a default.
TYPES: dict[str, tuple[Any, str, Any, Any]] = {
    "int": (int, "5", 5, 7),
    "float": (float, "5.5", 5.5, 7.5),
    "bool": (bool, "false", False, True),
    "naive": (pw.DateTimeNaive, "2020-01-02T03:04:05", MOMENT, pw.DateTimeNaive("1999-01-01")),
    "utc": (pw.DateTimeUtc, "2020-01-02T03:04:05Z", INSTANT, pw.DateTimeUtc("1999-01-01T00:00:00Z")),
    "duration": (pw.Duration, "1000", pw.Duration(1000), pw.Duration(days=1)),
    "tuple": (tuple[int, str], '[1, "a"]', (1, "a"), (2, "b")),
    "list": (list[int], "[1, 2]", (1, 2), (3,)),
    "pointer": (pw.Pointer, "^00000000000000000000000001", pw.Pointer(1), None),
}


def read(path: pathlib.Path, annotation: Any, texts: list[str], **definition: Any) -> list[Any]:
    """The values that the texts are in a column; LOST where the row is rejected."""
    path.write_text("n,v\n" + "".join(f'{n},"{text.replace(chr(34), 2 * chr(34))}"\n' for n, text in enumerate(texts)))
    schema = pw.schema_builder(
        {"n": pw.column_definition(dtype=int), "v": pw.column_definition(dtype=annotation, **definition)}
    )
    rows = pw.testing.capture(pw.io.csv.read(path, schema=schema, mode="static"))
    found = {update.row["n"]: update.row["v"] for update in rows}
    return [found.get(n, LOST) for n in range(len(texts))]


@pytest.mark.parametrize("name", TYPES)
def test_what_says_that_a_value_is_missing(name: str, tmp_path: pathlib.Path) -> None:
    annotation, text, value, default = TYPES[name]
    path = tmp_path / "a.csv"
    texts = [text, f" {text}\t", *EMPTY, *NONES, *OTHERS]
    no_number = [LOST if name != "float" or other.lower() != "nan" else "nan" for other in OTHERS]

    def shown(values: list[Any]) -> list[Any]:
        return ["nan" if isinstance(found, float) and found != found else found for found in values]

    assert shown(read(path, annotation, texts)) == [value, value, *[LOST] * 7, *no_number]
    assert shown(read(path, annotation | None, texts)) == [value, value, *[None] * 7, *no_number]
    if default is None:
        return
    found = read(path, annotation, texts, default_value=default)
    assert shown(found) == [value, value, default, default, *[LOST] * 5, *no_number]
    found = read(path, annotation | None, texts, default_value=default)
    assert shown(found) == [value, value, default, default, *[None] * 5, *no_number]
    assert read(path, annotation | None, ["", "None"], default_value=None) == [None, None]


@pytest.mark.parametrize("annotation", [str, str | None, Any])
def test_a_text_is_what_it_is(annotation: Any, tmp_path: pathlib.Path) -> None:
    texts = [*EMPTY, *NONES, *OTHERS, " pad ", "5", '"']
    assert read(tmp_path / "a.csv", annotation, texts) == texts
    assert read(tmp_path / "a.csv", annotation, texts, default_value="default") == texts


def test_json_has_a_null_of_its_own(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.csv"
    null, one = pw.Json(None), pw.Json({"a": 1})
    texts = [' {"a": 1} ', "null", "", "None", "NULL", "NaN x"]
    assert read(path, pw.Json, texts) == [one, null, LOST, LOST, LOST, LOST]
    assert read(path, pw.Json | None, texts) == [one, null, None, None, None, LOST]
    assert read(path, pw.Json, texts, default_value=one) == [one, null, one, LOST, LOST, LOST]


def test_bytes_are_base64_whatever_they_spell(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.csv"
    texts = ["AP8=", " AP8= ", "", "None", "null", "AA", "_-8="]
    plain = [b"\0\xff", b"\0\xff", b"", b"6\x89\xde", b"\x9e\xe9e", LOST, LOST]
    assert read(path, bytes, texts) == plain
    assert read(path, bytes | None, texts) == [*plain[:3], None, *plain[4:]]
    assert read(path, bytes, texts, default_value=b"d") == [*plain[:2], b"d", *plain[3:]]


def test_spellings_of_numbers(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.csv"
    whole = {"+5": 5, "-0": 0, "007": 7, " 5": 5, "5 ": 5, "\u00a05": 5, "9223372036854775807": 2**63 - 1}
    refused = [
        "",
        "5.0",
        "1e3",
        "0x10",
        "1_000",
        "1,000",
        "1 000",
        "٥",
        "５",
        "--5",
        "5f",
        "9223372036854775808",
        "inf",
    ]
    assert read(path, int, [*whole, *refused]) == [*whole.values(), *[LOST] * len(refused)]
    real = {"+5": 5.0, ".5": 0.5, "5.": 5.0, "1e3": 1000.0, "1E-2": 0.01, " 0.5 ": 0.5, "inf": float("inf")}
    real |= {"-Infinity": -float("inf"), "1e400": float("inf")}
    refused = ["", "1,5", "1_000", "0x1p3", "٥", "5f", "1 000.5"]
    assert read(path, float, [*real, *refused]) == [*real.values(), *[LOST] * len(refused)]
    true = ["true", "True", "TRUE", "t", "yes", "Y", "1", "on", " true "]
    false = ["false", "F", "no", "n", "0", "OFF", "false "]
    refused = ["", "2", "1.0", "maybe", "prawda"]
    expected = [*[True] * len(true), *[False] * len(false), *[LOST] * len(refused)]
    assert read(path, bool, [*true, *false, *refused]) == expected


class Order(pw.Schema):
    order: str
    amount: int = pw.column_definition(default_value=1)
    discount: float = pw.column_definition(default_value=0)
    rating: int | None = pw.column_definition(default_value=3)


def rows(table: pw.Table[Any]) -> list[tuple[Any, ...]]:
    return sorted((tuple(update.row.values()) for update in pw.testing.capture(table)), key=str)


def test_short_records_and_empty_fields_differ(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("order,amount,discount,rating\na,5,0.5,None\nb,,,\n,2\nc\n")
    assert rows(pw.io.csv.read(path, schema=Order, mode="static")) == [
        ("", 2, 0.0, 3),
        ("a", 5, 0.5, None),
        ("b", 1, 0.0, 3),
        ("c", 1, 0.0, 3),
    ]


def test_a_file_of_excel(tmp_path: pathlib.Path) -> None:
    """In a locale that writes 1,5: a mark at the start, semicolons, lines that end with both characters."""
    path = tmp_path / "a.csv"
    text = 'order; amount ;discount;rating\r\n"a;b\r\nc"; 5 ;"0.5";\r\n"say ""x""";;1,5;2\r\n;;;\r\n'
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    settings = pw.io.CsvParserSettings(delimiter=";")
    table, errors = pw.testing.capture(
        pw.io.csv.read(path, schema=Order, mode="static", csv_settings=settings), pw.global_error_log()
    )
    found = sorted(tuple(update.row.values()) for update in table)
    assert found == [("", 1, 0.0, 3), ("a;b\r\nc", 5, 0.5, 3)]
    (error,) = errors
    assert "'1,5'" in error.row["message"].replace('"', "'")
    assert "discount" in error.row["message"]
    schema = pw.schema_from_csv(str(path), delimiter=";")
    assert schema.column_names()[0] == "order"


def test_two_fields_of_one_name_are_not_chosen_from(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("order,amount,amount\na,1,2\n")
    with pytest.raises(ValueError, match=r"a\.csv: the header has \[\"amount\"\] more than once"):
        pw.testing.capture(pw.io.csv.read(path, schema=Order, mode="static"))


class Bill(pw.Schema):
    order: str
    amount: int


@pytest.mark.parametrize("lines", [1, 300_000])
def test_a_file_without_a_column_of_the_schema_fails_the_run(tmp_path: pathlib.Path, lines: int) -> None:
    for name, header in (("a", "order,amount"), ("b", "order,total")):
        (tmp_path / f"{name}.csv").write_text(f"{header}\n" + "x,1\n" * lines)
    with pytest.raises(
        ValueError,
        match=r"b\.csv: the header lacks \[\"amount\"\], without a default, and has \[\"order\", \"total\"\]",
    ):
        pw.testing.capture(pw.io.csv.read(tmp_path, schema=Bill, mode="static"))
    pw.testing.reset()
    # Such files may be left out.
    table, errors = pw.testing.capture(
        pw.io.csv.read(tmp_path, schema=Bill, mode="static"), pw.global_error_log(), terminate_on_error=False
    )
    assert len(table) == lines
    assert ["the header lacks" in error.row["message"] for error in errors] == [True]
    (tmp_path / "b.csv").write_text("")
    assert len(pw.testing.capture(pw.io.csv.read(tmp_path, schema=Bill, mode="static"))) == lines


def test_what_stands_before_the_header_is_passed_over(tmp_path: pathlib.Path) -> None:
    """Statements of banks begin with lines about the account, files of Excel now and then with the delimiter."""
    path = tmp_path / "a.csv"
    path.write_text('sep=,\n"Account","DE00 1234"\n\nFrom,2024-01-01\norder,amount\na,1\nb,2\n')
    table, errors = pw.testing.capture(pw.io.csv.read(path, schema=Order, mode="static"), pw.global_error_log())
    assert sorted(update.row["order"] for update in table) == ["a", "b"]
    (error,) = errors
    assert 'lacks ["order"]' in error.row["message"]


def test_followed_files_are_read_in_the_same_way(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.csv").write_text("order, amount, discount\na, 5, inf\nb,, \n")
    seen = []

    def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        seen.append(tuple(row.values()))
        if len(seen) == 2:
            raise StopIteration

    table = pw.io.csv.read(tmp_path, schema=Order, autocommit_duration_ms=10)
    pw.io.subscribe(table, on_change)
    with pytest.raises(StopIteration):
        pw.run(monitoring_level=SILENT)
    assert sorted(seen) == [("a", 5, float("inf"), 3), ("b", 1, 0.0, 3)]
