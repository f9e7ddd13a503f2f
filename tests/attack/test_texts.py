"""Texts that somebody else has written: types that would like to run something, fields of csv and dates of any kind."""

from __future__ import annotations

import datetime
import pathlib
import random
from typing import Any

import pandas as pd
import pathway as pw

ran: list[object] = []


def run(*args: object) -> type:
    ran.append(args)
    return int


PARTS = [
    "int",
    "str",
    "run",
    "run()",
    "list",
    "[",
    "]",
    "(",
    ")",
    "|",
    ",",
    ".",
    "typing",
    "Any",
    "None",
    "'",
    '"',
    " ",
]
PARTS += [
    "__class__",
    "__import__('os')",
    "lambda:",
    "if",
    "else",
    "for x in",
    ":=",
    "f'{run()}'",
    "{",
    "}",
    "*",
    "1",
    "\n",
]
PARTS += [
    "tuple[int, str]",
    "pw.Json",
    "pathway",
    "Optional[",
    "...",
    "#",
    "\\",
    "\0",
    "ż",
    "await",
    "yield",
    "not",
    "~",
]


def test_types_as_texts_run_nothing(attack_seed: int) -> None:
    rng = random.Random(attack_seed)
    ran.clear()
    accepted = 0
    for _ in range(3000):
        text = "".join(rng.choice(PARTS) for _ in range(rng.randrange(1, 9)))
        try:
            schema = pw.schema_from_dict({"a": text})
        except (TypeError, NameError):
            continue
        accepted += 1
        assert schema.column_names() == ["a"]
    assert ran == []
    assert accepted > 0


TYPES: dict[str, Any] = {
    "i": int,
    "f": float,
    "b": bool,
    "s": str,
    "n": pw.DateTimeNaive,
    "u": pw.DateTimeUtc,
    "d": pw.Duration,
    "j": pw.Json,
    "y": bytes,
    "l": list[int | None],
    "p": pw.Pointer,
}
FIELDS = ["", " ", "1", "-7", "1e400", "nan", "inf", "None", "null", "true", "[1, null]", '{"a": 1}', "AAA=", "9" * 30]
FIELDS += [
    "2024-01-02T03:04:05",
    "2024-01-02 03:04:05.123456789123Z",
    "9999-12-31T23:59:59Z",
    "^" + "0" * 26,
    "\0",
    "ż'",
]
FIELDS += [
    "٣",
    "0x1",
    "1_0",
    "2024-02-30T00:00:00Z",
    "2024-01-02T03:04:05+99:99",
    "\u2028",
    "\ufeff",
]


def test_a_record_of_csv_is_a_row_or_reported(attack_seed: int, tmp_path: pathlib.Path) -> None:
    rng = random.Random(attack_seed)
    path = tmp_path / "a.csv"
    for round in range(20):
        pw.testing.reset()
        columns = {}
        for name in rng.sample(sorted(TYPES), 4):
            is_optional = rng.random() < 0.5
            options = {"default_value": None} if is_optional and rng.random() < 0.5 else {}
            columns[name] = pw.column_definition(dtype=TYPES[name] | None if is_optional else TYPES[name], **options)
        records = []
        for number in range(50):
            fields = [str(number), *(mutated(rng) for _ in columns)]
            records.append(",".join('"' + field.replace('"', '""') + '"' for field in fields))
        path.write_text("\n".join([",".join(["number", *columns]), *records]), encoding="utf-8", newline="")
        schema = pw.schema_builder({"number": pw.column_definition(dtype=int), **columns})
        table = pw.io.csv.read(path, schema=schema, mode="static")
        copy = tmp_path / f"copy{round}.csv"
        pw.io.csv.write(table, copy)
        rows, errors = pw.testing.capture(table, pw.global_error_log())
        numbers = [update.row["number"] for update in rows]
        assert len(numbers) == len(set(numbers))
        assert len(numbers) + len(errors) == len(records)
        # What was read is written, and read again as the same.
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
        if numbers:
            plain = {name: pw.column_definition(dtype=column.typehint) for name, column in schema.columns().items()}
            again = pw.testing.capture(pw.io.csv.read(copy, schema=pw.schema_builder(plain), mode="static"))
            assert sorted(repr(update.row) for update in again) == sorted(repr(update.row) for update in rows)


def mutated(rng: random.Random) -> str:
    text = list(rng.choice(FIELDS))
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        text.insert(rng.randrange(len(text) + 1), rng.choice([*list(' -+:.TZ0\n\r",\\\t'), "None", "é"]))
    return "".join(text)


def test_dates_are_what_python_says_or_refused(attack_seed: int) -> None:
    rng = random.Random(attack_seed)
    texts = []
    for _ in range(1000):
        moment = datetime.datetime(1700, 1, 1) + datetime.timedelta(seconds=rng.randrange(17 * 10**9), microseconds=7)
        text = list(
            moment.isoformat(sep=rng.choice("T "), timespec=rng.choice(["seconds", "milliseconds", "microseconds"]))
        )
        text += rng.choice(["", "Z", "+00:00", "-05:30", "+0200", "+14", "-23:59"])
        for _ in range(rng.choice([0, 0, 1])):
            text[rng.randrange(len(text))] = rng.choice("0123456789-+:.TZ ")
        texts.append("".join(text))
    table = pw.debug.table_from_rows(pw.schema_from_types(v=str), [(text,) for text in texts])
    parsed = table.select(pw.this.v, x=pw.this.v.dt.strptime("%Y-%m-%dT%H:%M:%S%.f%z"))
    count = 0
    for update in pw.testing.capture(parsed, terminate_on_error=False):
        if not isinstance(update.row["x"], pd.Timestamp):
            continue
        text = update.row["v"]
        try:
            expected = datetime.datetime.fromisoformat(text)
        except ValueError:
            # Forms that Python does not take, such as a day of one digit.
            continue
        count += 1
        assert expected.tzinfo is not None, text
        assert update.row["x"].floor("us") == pd.Timestamp(expected), text
    assert count > 100
