"""Expressions that nobody would write by hand: every part used several times, in and out of branches, hundreds deep."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pathway as pw
from support import rows

Value = int | None
Row = dict[str, Any]

# By the name: how it is written, and what it is for a row. All give small ints; b may be None, and c may be 0.
OPERATIONS: dict[str, tuple[Callable[..., Any], Callable[..., int]]] = {
    "add": (lambda t, x, y, z: (x + y) % 1009, lambda row, x, y, z: (x + y) % 1009),
    "choose": (lambda t, x, y, z: pw.if_else(x < y, z, x), lambda row, x, y, z: z if x < y else x),
    "divide": (
        lambda t, x, y, z: pw.fill_error(x // (y % 3), z),
        lambda row, x, y, z: x // (y % 3) if y % 3 else z,
    ),
    "narrow": (
        lambda t, x, y, z: pw.if_else(t.b.is_none(), x, (t.b + y) % 1009),
        lambda row, x, y, z: x if row["b"] is None else (row["b"] + y) % 1009,
    ),
    "require": (
        lambda t, x, y, z: pw.coalesce(pw.require((x + t.b) % 1009, t.b, y), z),
        lambda row, x, y, z: z if row["b"] is None else (x + row["b"]) % 1009,
    ),
    "guard": (
        lambda t, x, y, z: pw.if_else((t.c != 0) & (x // t.c > y), x, z),
        lambda row, x, y, z: x if row["c"] != 0 and x // row["c"] > y else z,
    ),
    "tuple": (lambda t, x, y, z: pw.make_tuple(x, y, z)[1], lambda row, x, y, z: y),
    "call": (
        lambda t, x, y, z: pw.apply_with_type(lambda x, y: (x * 3 + y) % 1009, int, x, y),
        lambda row, x, y, z: (x * 3 + y) % 1009,
    ),
}


def test_random_sharing(attack_seed: int, attack_rounds: int) -> None:
    chance = random.Random(attack_seed)
    data = [
        {"a": chance.randrange(100), "b": chance.choice([None, *range(5)]), "c": chance.randrange(3)} for _ in range(20)
    ]
    t = pw.debug.table_from_rows(
        pw.schema_from_types(a=int, b=int | None, c=int), [tuple(row.values()) for row in data]
    )
    parts: list[Any] = [t.a, t.c, pw.coalesce(t.b, 7)]
    values: list[list[int]] = [[row["a"], row["c"], 7 if row["b"] is None else row["b"]] for row in data]
    for _ in range(150 + 50 * min(attack_rounds, 20)):
        build, compute = OPERATIONS[chance.choice(list(OPERATIONS))]
        # Mostly the latest, so that it becomes deep, and what is used is used again.
        places = [max(0, len(parts) - 1 - int(chance.expovariate(0.5))) for _ in range(3)]
        parts.append(build(t, *(parts[place] for place in places)))
        for row, known in zip(data, values, strict=True):
            known.append(compute(row, *(known[place] for place in places)))
    assert len(repr(parts[-1])) < 2000
    result = t.select(x=parts[-1], y=pw.make_tuple(parts[-1], parts[-2], parts[-3]))
    assert rows(result, "x") == sorted((known[-1] for known in values), key=repr)
    assert rows(result, "y") == sorted((tuple(reversed(known[-3:])) for known in values), key=repr)
