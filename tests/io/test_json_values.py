"""What JSON can write, as a text, as Python has it, and in a file: one verdict, and one value."""

from __future__ import annotations

import datetime
import json
import math
import pathlib
from collections.abc import Callable
from typing import Any

import pandas as pd
import pathway as pw
import pytest

NOTHING = object()
INT_LIMIT = 2**63

# The text, and what becomes of it in a column of int, of float, of Json, and of any type.
NUMBERS: list[tuple[str, object, object, object, object]] = [
    ("0", 0, 0.0, 0, 0),
    ("-0", 0, 0.0, 0, 0),
    ("7", 7, 7.0, 7, 7),
    ("-9223372036854775808", -INT_LIMIT, -float(INT_LIMIT), -INT_LIMIT, -INT_LIMIT),
    ("9223372036854775807", INT_LIMIT - 1, float(INT_LIMIT), INT_LIMIT - 1, INT_LIMIT - 1),
    ("9223372036854775808", NOTHING, float(INT_LIMIT), INT_LIMIT, NOTHING),
    ("-9223372036854775809", NOTHING, -float(INT_LIMIT), -INT_LIMIT - 1, NOTHING),
    ("18446744073709551616", NOTHING, float(2**64), 2**64, NOTHING),
    ("1" + "0" * 400, NOTHING, NOTHING, 10**400, NOTHING),
    ("1.0", NOTHING, 1.0, 1.0, 1.0),
    ("-0.0", NOTHING, -0.0, -0.0, -0.0),
    ("1e5", NOTHING, 1e5, 1e5, 1e5),
    ("1E-400", NOTHING, 0.0, 0.0, 0.0),
    ("1e400", NOTHING, math.inf, math.inf, math.inf),
    ("-1.5E+400", NOTHING, -math.inf, -math.inf, -math.inf),
    ("[1e400]", NOTHING, NOTHING, [math.inf], (math.inf,)),
    ("0.1", NOTHING, 0.1, 0.1, 0.1),
    ("NaN", NOTHING, math.nan, math.nan, math.nan),
    ("Infinity", NOTHING, math.inf, math.inf, math.inf),
    ("-Infinity", NOTHING, -math.inf, -math.inf, -math.inf),
    ("true", 1, 1.0, True, True),
    ("false", 0, 0.0, False, False),
    ("null", NOTHING, NOTHING, None, None),
    ('"1"', NOTHING, NOTHING, "1", "1"),
    ("[1]", NOTHING, NOTHING, [1], (1,)),
]
TYPES: list[Any] = [int, float, pw.Json, Any]


def from_text(texts: list[str], way: str) -> Callable[[Any], None]:
    def push(subject: Any) -> None:
        for number, text in enumerate(texts):
            message = f'{{"number":{number},"value":{text}}}'
            if way == "next_json of str":
                subject.next_json(message)
            elif way == "next_json of bytes":
                subject.next_json(message.encode())
            elif way == "next_str":
                subject.next_str(message)
            elif way == "next_bytes":
                subject.next_bytes(message.encode())
            elif way == "an escape":
                # Another parser reads the line.
                subject.next_str(f'{{"number":{number},"val\\u0075e":{text}}}')
            else:
                row = {"number": number, "value": json.loads(text)}
                if way == "next":
                    subject.next(**row)
                elif way == "next_json of dict":
                    subject.next_json(row)
                elif way == "next_batch":
                    subject.next_batch([row])
                else:
                    subject.next_columns({name: [value] for name, value in row.items()})

    return push


TEXT_WAYS = ["next_json of str", "next_json of bytes", "next_str", "next_bytes", "an escape"]
WAYS = [*TEXT_WAYS, "next", "next_json of dict", "next_batch", "next_columns"]


def source(push: Callable[[Any], None], annotation: Any) -> pw.Table[Any]:
    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            push(self)

    return pw.io.python.read(Subject(), schema=pw.schema_from_types(number=int, value=annotation))


def file(texts: list[str], folder: pathlib.Path, annotation: Any) -> pw.Table[Any]:
    path = folder / "values.jsonl"
    path.write_text("".join(f'{{"number":{number},"value":{text}}}\n' for number, text in enumerate(texts)))
    return pw.io.jsonlines.read(path, schema=pw.schema_from_types(number=int, value=annotation), mode="static")


def plain(value: object) -> object:
    """With the type, the bits of floats, and the order of members."""
    if isinstance(value, pw.Json):
        return f"Json {json.dumps(value.value)}"
    return f"{type(value).__name__} {value.hex() if isinstance(value, float) else value!r}"


def found(table: pw.Table[Any]) -> dict[int, object]:
    return {update.row["number"]: plain(update.row["value"]) for update in pw.testing.capture(table)}


@pytest.mark.parametrize("way", [*WAYS, "file"])
@pytest.mark.parametrize("place", range(len(TYPES)), ids=["int", "float", "Json", "Any"])
def test_numbers(way: str, place: int, tmp_path: pathlib.Path) -> None:
    texts = [case[0] for case in NUMBERS]
    wanted = {}
    for number, case in enumerate(NUMBERS):
        value = case[place + 1]
        if value is NOTHING:
            continue
        if case[0] == "-0" and place == 1 and (way == "file" or way in TEXT_WAYS):
            value = -0.0  # Python has made an int of it before we could see its sign.
        wanted[number] = plain(pw.Json(value) if TYPES[place] is pw.Json else value)
    table = file(texts, tmp_path, TYPES[place]) if way == "file" else source(from_text(texts, way), TYPES[place])
    assert found(table) == wanted


# Texts of numbers, and the floats that Python makes of them.
FLOATS = ["1e400", "-1e400", "1" + "0" * 400, "1.8e308", "1.7976931348623157e308", "1e-400", "-0.0"]


@pytest.mark.parametrize("way", ["csv", "cast", "parse_float", "apply", "as_float"])
def test_floats_beyond_the_range_are_those_of_python_on_every_way(way: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "values.csv"
    path.write_text("number,value\n" + "".join(f"{number},{text}\n" for number, text in enumerate(FLOATS)))
    annotation = float if way == "csv" else pw.Json if way == "as_float" else str
    schema = pw.schema_from_types(number=int, value=annotation)
    table = pw.io.csv.read(path, schema=schema, mode="static")
    text = table.value
    value = {
        "csv": text,
        "cast": pw.cast(float, text),
        "parse_float": text.str.parse_float(),
        "apply": pw.apply_with_type(float, float, text),
        "as_float": text.as_float(),
    }[way]
    wanted = {number: plain(float(text)) for number, text in enumerate(FLOATS)}
    if way == "as_float":
        # A whole number that long is no float, in JSON as in Python.
        table = table.filter(table.number != 2)
        del wanted[2]
    assert found(table.select(table.number, value=value)) == wanted


@pytest.mark.parametrize("way", [*TEXT_WAYS, "file"])
@pytest.mark.parametrize("text", ['"\\ud800"', "[" * 201 + "]" * 201, "9" * 5000, '{"\\ud800":1}'])
def test_a_value_that_cannot_be_held_is_an_error_in_a_row_that_is_kept(
    way: str, text: str, tmp_path: pathlib.Path
) -> None:
    table = file([text], tmp_path, pw.Json) if way == "file" else source(from_text([text], way), pw.Json)
    (update,) = pw.testing.capture(table, terminate_on_error=False)
    assert update.row["number"] == 0
    assert repr(update.row["value"]) == "Error"


def test_members_keep_their_order(tmp_path: pathlib.Path) -> None:
    document = {"z": 1, "a": {"y": [{"c": 1, "b": 2}], "x": 2}, "m": None}
    many = {f"{7 * place % 40}": place for place in range(40)}
    other = {"m": None, "a": {"x": 2, "y": [{"b": 2, "c": 1}]}, "z": 1}

    def push(subject: Any) -> None:
        subject.next(number=0, value=document)
        subject.next_str(json.dumps({"number": 1, "value": document}))
        subject.next(number=2, value=other)
        subject.next(number=3, value=many)
        subject.next_str(json.dumps({"number": 4, "value": many}))

    table = source(push, pw.Json)
    pw.io.jsonlines.write(table, tmp_path / "out.jsonl")
    pw.io.csv.write(table, tmp_path / "out.csv")
    applied = table.select(text=pw.apply_with_type(lambda value: json.dumps(value.value), str, table.value))
    groups = table.groupby(table.value).reduce(count=pw.reducers.count())
    joined = table.join(table.copy(), pw.left.value == pw.right.value).select(left=pw.left.number)
    same = table.select(same=table.value == pw.Json(document))
    rows, texts, counts, pairs, sames = pw.testing.capture(table, applied, groups, joined, same)
    values = [document, document, other, many, many]
    assert [json.dumps(update.row["value"].value) for update in rows] == [json.dumps(value) for value in values]
    assert sorted(update.row["text"] for update in texts) == sorted(json.dumps(value) for value in values)
    assert sorted(update.row["count"] for update in counts if update.diff > 0)[-2:] == [2, 3]
    assert len(pairs) == 3 * 3 + 2 * 2
    assert [update.row["same"] for update in sames] == [True, True, True, False, False]


def test_order_of_members_in_files(tmp_path: pathlib.Path) -> None:
    table = source(lambda subject: subject.next(number=0, value={"z": 1, "a": {"y": 1, "b": 2}}), pw.Json)
    pw.io.jsonlines.write(table, tmp_path / "out.jsonl")
    pw.io.csv.write(table, tmp_path / "out.csv")
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert '"value":{"z":1,"a":{"y":1,"b":2}}' in (tmp_path / "out.jsonl").read_text()
    assert '{""z"":1,""a"":{""y"":1,""b"":2}}' in (tmp_path / "out.csv").read_text()


@pytest.mark.parametrize("zeros", [(0.0, -0.0), (0, -0), (float("nan"), -float("nan"))])
def test_zeros_and_nans_are_one_value_in_documents(zeros: tuple[float, float]) -> None:
    def push(subject: Any) -> None:
        subject.next(number=0, value={"a": [zeros[0]]})
        subject.next(number=1, value={"a": [zeros[1]]})

    table = source(push, pw.Json)
    groups = table.groupby(table.value).reduce(count=pw.reducers.count())
    assert [update.row["count"] for update in pw.testing.capture(groups) if update.diff > 0][-1] == 2


def test_equal_documents_have_one_hash() -> None:
    for left, right in [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ([0.0], [-0.0]),
        ([1], [1.0]),
        ({"a": [True]}, {"a": [1]}),
    ]:
        assert pw.Json(left) == pw.Json(right)
        assert hash(pw.Json(left)) == hash(pw.Json(right))


class Everything(pw.Schema):
    number: int
    share: float
    maybe: float | None
    pair: tuple[float, int]
    document: pw.Json
    thing: pw.PyObjectWrapper


def test_what_is_written_is_read_back(tmp_path: pathlib.Path) -> None:
    floats = [0.1, -0.0, math.nan, math.inf, -math.inf, 1e300, 5e-324]
    rows = [
        {
            "number": number,
            "share": value,
            "maybe": None if number % 2 else value,
            "pair": (value, number),
            "document": {"z": value, "a": [10**40, -(2**63) - 1, {"b": value}]},
            "thing": pw.wrap_py_object({"held": [value]}),
        }
        for number, value in enumerate(floats)
    ]

    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next_batch(rows)

    table = pw.io.python.read(Subject(), schema=Everything)
    pw.io.jsonlines.write(table, tmp_path / "out.jsonl")
    pw.io.csv.write(table, tmp_path / "out.csv")
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [plain(float(line["share"])) for line in lines] == [plain(value) for value in floats]
    assert [plain(pw.Json(line["document"])) for line in lines] == [plain(pw.Json(row["document"])) for row in rows]
    pw.testing.reset()
    for read, name in ((pw.io.jsonlines.read, "out.jsonl"), (pw.io.csv.read, "out.csv")):
        back = pw.testing.capture(read(tmp_path / name, schema=Everything, mode="static"))
        assert len(back) == len(rows)
        for update, row in zip(sorted(back, key=lambda update: update.row["number"]), rows, strict=True):
            for column in ("number", "share", "maybe"):
                assert plain(update.row[column]) == plain(row[column]), name
            assert plain(pw.Json(update.row["pair"])) == plain(pw.Json(row["pair"]))
            assert plain(update.row["document"]) == plain(pw.Json(row["document"]))
            assert plain(pw.Json(update.row["thing"].value)) == plain(pw.Json(row["thing"].value))
        pw.testing.reset()


def test_an_object_that_cannot_be_read_is_a_bad_row(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "things.jsonl"
    path.write_text('{"thing":"AAAA"}\n{"thing":"?"}\n{"thing":1}\n')
    table = pw.io.jsonlines.read(path, schema=pw.schema_from_types(thing=pw.PyObjectWrapper), mode="static")
    assert pw.testing.capture(table) == []
    assert "thing" in caplog.text


MOMENTS: list[tuple[Any, Any]] = [
    (datetime.datetime(2025, 3, 14, 10), "2025-03-14T10:00:00.000000000"),
    (datetime.datetime(2025, 3, 14, 10, 0, 0, 5), "2025-03-14T10:00:00.000005000"),
    (datetime.datetime(9999, 1, 1, tzinfo=datetime.UTC), "9999-01-01T00:00:00.000000000+00:00"),
    (
        datetime.datetime(2025, 3, 14, 10, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
        "2025-03-14T10:00:00.000000000+02:00",
    ),
    (pd.Timestamp("2025-03-14T10:00:00.123456789"), "2025-03-14T10:00:00.123456789"),
    (pd.Timestamp("2025-03-14T10:00:00.1", tz="Europe/Berlin"), "2025-03-14T10:00:00.100000000+01:00"),
    (pd.Timedelta(7), 7),
    (datetime.timedelta(seconds=1), 10**9),
    (-datetime.timedelta(days=1), -86_400 * 10**9),
]


@pytest.mark.parametrize(("value", "written"), MOMENTS, ids=repr)
def test_moments_and_durations_in_documents(value: Any, written: Any) -> None:
    documents = [value, {"a": value}, [value], pw.Json({"a": [value]})]

    def push(subject: Any) -> None:
        for number, document in enumerate(documents):
            subject.next(number=number, value=document)

    wanted = [written, {"a": written}, [written], {"a": [written]}]
    assert found(source(push, pw.Json)) == {number: plain(pw.Json(each)) for number, each in enumerate(wanted)}
    assert json.loads(pw.Json.dumps(value)) == written


def test_names_of_members_are_those_of_python() -> None:
    document: dict[Any, int] = {2: 0, 1.5: 1, None: 2, True: 3, math.nan: 4, "x": 5, 10**30: 6}
    wanted = json.loads(json.dumps(document))
    assert found(source(lambda subject: subject.next(number=0, value=document), pw.Json)) == {0: plain(pw.Json(wanted))}
    assert found(source(lambda subject: subject.next(number=0, value={(1, 2): 3}), pw.Json)) == {}
