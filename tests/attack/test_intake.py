"""Random values of every type, nested and hostile, sent in every way: one verdict, and one value."""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import math
import pathlib
import random
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pathway as pw
import pytest

TYPES: dict[str, Any] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "bytes": bytes,
    "Json": pw.Json,
    "Any": Any,
    "DateTimeNaive": pw.DateTimeNaive,
    "DateTimeUtc": pw.DateTimeUtc,
    "Duration": pw.Duration,
    "optional int": int | None,
    "optional Json": pw.Json | None,
    "optional DateTimeNaive": pw.DateTimeNaive | None,
    "list of int": list[int],
    "list of Any": list[Any],
    "list of Json": list[pw.Json],
    "tuple": tuple[int, str],
}


class Colour(enum.IntEnum):
    RED = 1


class Text(str):
    pass


class Float(float):
    def __repr__(self) -> str:
        return "nothing"


def number(chance: random.Random) -> Any:
    return chance.choice(
        [
            lambda: chance.randrange(-5, 5),
            lambda: chance.choice([2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 2**64, -(2**63) - 1, 10**40]),
            lambda: chance.choice([0.0, -0.0, math.nan, math.inf, -math.inf, 1e300, 5e-324, 0.1]),
            lambda: chance.uniform(-1e9, 1e9),
            lambda: chance.choice([True, False]),
        ]
    )()


def text(chance: random.Random) -> str:
    alphabet = ["a", "b", '"', "\\", "\n", "\x00", "é", "😀", "\u2028", "/", "null"]
    return "".join(chance.choices(alphabet, k=chance.randrange(5)))


def plain(chance: random.Random, levels: int = 4) -> Any:
    """What JSON can write."""
    kind = chance.randrange(4 if levels == 0 else 6)
    if kind == 4:
        return [plain(chance, levels - 1) for _ in range(chance.randrange(4))]
    if kind == 5:
        return {text(chance): plain(chance, levels - 1) for _ in range(chance.choice([0, 1, 2, 12]))}
    return [number, text, number, lambda _: None][kind](chance)


def other(chance: random.Random) -> Any:
    """What JSON cannot write, and Python has."""
    moment = datetime.datetime(chance.choice([1, 1677, 2024, 9999]), 5, 1, 12, microsecond=chance.randrange(10**6))
    return chance.choice(
        [
            lambda: moment,
            lambda: moment.replace(tzinfo=datetime.UTC),
            lambda: pd.Timestamp(chance.randrange(2**62)),
            lambda: pd.Timestamp(chance.randrange(2**62), tz="UTC"),
            lambda: datetime.timedelta(days=chance.choice([0, -1, 200_000])),
            lambda: pd.Timedelta(chance.randrange(2**62)),
            lambda: np.datetime64(chance.randrange(-(2**40), 2**40), chance.choice(["D", "s", "ms", "us", "ns", "ps"])),
            lambda: np.timedelta64(chance.randrange(-(2**40), 2**40), chance.choice(["D", "s", "ms", "us", "ns", "Y"])),
            lambda: chance.choice([pd.NaT, pd.NA, np.datetime64("NaT"), datetime.date(2024, 5, 1)]),
            lambda: np.array([chance.randrange(3)], chance.choice(["i1", "u8", "f4", "?", "M8[s]", "U1"]))[0],
            lambda: np.array([number(chance), 1], object),
            lambda: chance.choice([b"", b"\xff", bytearray(b"x"), {1}, object(), 1j, range(2), ...]),
            lambda: chance.choice([decimal.Decimal("0.1"), uuid.UUID(int=1), Colour.RED, Text("x"), Float(0.5)]),
            lambda: chance.choice(["\ud800", {"\udfff": 1}, {1: 2}, {(): 1}, {None: 1.5}, {1.5: {}}]),
            lambda: [plain(chance, 1), other(chance)],
            lambda: (plain(chance, 1), other(chance)),
            lambda: {"a": other(chance), "b": plain(chance, 1)},
            lambda: pw.Json(plain(chance, 2)),
        ]
    )()


def send_columns(subject: Any, rows: list[dict[str, Any]]) -> None:
    subject.next_columns({name: [row[name] for row in rows] for name in rows[0]})


def send_objects(subject: Any, rows: list[dict[str, Any]]) -> None:
    values = np.empty(len(rows), object)
    for place, row in enumerate(rows):
        values[place] = row["value"]
    subject.next_columns({"number": np.array([row["number"] for row in rows]), "value": values})


WAYS: dict[str, Callable[[Any, list[dict[str, Any]]], object]] = {
    "next": lambda subject, rows: [subject.next(**row) for row in rows],
    "next_json": lambda subject, rows: [subject.next_json(row) for row in rows],
    "next_batch": lambda subject, rows: subject.next_batch(rows),
    "next_columns": send_columns,
    "next_columns of objects": send_objects,
}

MESSAGES: dict[str, Callable[[Any, list[str]], object]] = {
    "next_str": lambda subject, texts: [subject.next_str(text) for text in texts],
    "next_json of bytes": lambda subject, texts: [subject.next_json(text.encode()) for text in texts],
    "through another parser": lambda subject, texts: [
        subject.next_str(text.replace('"number"', '"n\\u0075mber"')) for text in texts
    ],
}


def arrived(push: Callable[[Any], object], annotation: Any) -> dict[int, str]:
    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            push(self)

    table = pw.io.python.read(Subject(), schema=pw.schema_from_types(number=int, value=annotation))
    # Between processes values travel to where their group is.
    table = table.groupby(table.number).reduce(table.number, value=pw.reducers.any(table.value))
    return {update.row["number"]: shown(update.row["value"]) for update in pw.testing.capture(table)}


def shown(value: object) -> str:
    """With the types, the bits of floats and the order of members."""
    if isinstance(value, pw.Json):
        return f"Json {shown(value.value)}"
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value.hex()
    if isinstance(value, list | tuple):
        return f"{type(value).__name__} {[shown(item) for item in value]}"
    if isinstance(value, dict):
        return f"dict {[(name, shown(member)) for name, member in value.items()]}"
    return f"{type(value).__name__} {value!r}"


@pytest.mark.parametrize("name", TYPES)
def test_values_of_python(attack_seed: int, name: str) -> None:
    chance = random.Random(f"{attack_seed} {name}")
    values = [chance.choice([plain, other])(chance) for _ in range(100)]
    rows = [{"number": place, "value": value} for place, value in enumerate(values)]
    verdicts = {way: arrived(lambda subject, way=way: WAYS[way](subject, rows), TYPES[name]) for way in WAYS}
    for way, found in verdicts.items():
        different = {
            place: (values[place], found.get(place), verdicts["next"].get(place))
            for place in range(len(values))
            if found.get(place) != verdicts["next"].get(place)
        }
        assert not different, way


@pytest.mark.parametrize("name", ["int", "float", "str", "bool", "Json", "Any", "optional int", "list of int", "tuple"])
def test_what_json_can_write(attack_seed: int, name: str, tmp_path: pathlib.Path) -> None:
    chance = random.Random(f"{attack_seed} {name}")
    values = [plain(chance) for _ in range(100)]
    rows = [{"number": place, "value": value} for place, value in enumerate(values)]
    texts = [json.dumps(row, ensure_ascii=chance.choice([True, False])) for row in rows]
    wanted = arrived(lambda subject: WAYS["next"](subject, rows), TYPES[name])
    for way, send in MESSAGES.items():
        assert arrived(lambda subject, send=send: send(subject, texts), TYPES[name]) == wanted, way
    path = tmp_path / "values.jsonl"
    path.write_text("".join(f"{text}\n" for text in texts))
    table = pw.io.jsonlines.read(path, schema=pw.schema_from_types(number=int, value=TYPES[name]), mode="static")
    found = {update.row["number"]: shown(update.row["value"]) for update in pw.testing.capture(table)}
    # What stands in a text for a float that other readers of JSON do not know is a float for us.
    assert found == wanted


def test_documents_are_written_and_read_back(attack_seed: int, tmp_path: pathlib.Path) -> None:
    chance = random.Random(attack_seed)
    values = [plain(chance, 6) for _ in range(200)]
    schema = pw.schema_from_types(number=int, value=pw.Json)

    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            for place, value in enumerate(values):
                self.next(number=place, value=value)

    table = pw.io.python.read(Subject(), schema=schema)
    pw.io.jsonlines.write(table, tmp_path / "out.jsonl")
    pw.io.csv.write(table, tmp_path / "out.csv")
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().split("\n")[:-1]]
    assert {line["number"]: shown(line["value"]) for line in lines} == {
        place: shown(value) for place, value in enumerate(values)
    }
    pw.testing.reset()
    for read, name in ((pw.io.jsonlines.read, "out.jsonl"), (pw.io.csv.read, "out.csv")):
        back = pw.testing.capture(read(tmp_path / name, schema=schema, mode="static"))
        assert {update.row["number"]: shown(update.row["value"]) for update in back} == {
            place: f"Json {shown(value)}" for place, value in enumerate(values)
        }
        pw.testing.reset()


def test_texts_that_are_damaged(attack_seed: int) -> None:
    """No text ends a run, and what is read of one is what Python reads of it."""
    chance = random.Random(attack_seed)
    texts = []
    for place in range(400):
        message = list(json.dumps({"number": place, "value": plain(chance, 3)}, ensure_ascii=False))
        for _ in range(chance.randrange(3)):
            at = chance.randrange(len(message))
            message[at : at + chance.randrange(3)] = chance.choice(
                ["", '"', "[", "]", "{", "}", ",", "\\", "1", "é", "\x01"]
            )
        texts.append("".join(message))
    found = arrived(lambda subject: MESSAGES["next_str"](subject, texts), pw.Json)
    for place, value in found.items():
        candidates = []
        for text in texts:
            try:
                read = json.loads(text)
            except ValueError:
                continue
            if isinstance(read, dict) and read.get("number") in (place, bool(place)):
                candidates.append(f"Json {shown(read.get('value'))}")
        assert value in candidates
