"""All processes of a run have the same plan, with its constants, settings and functions; what differs is named.

Two processes run one script, which reads an environment variable that is not the same for both.
"""

from __future__ import annotations

import collections
import datetime
import enum
import functools
import ipaddress
import operator
import os
import pathlib
import re
import subprocess
import sys
import types
import zoneinfo
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pathway as pw
import pytest
from pathway._ground import fingerprint
from pathway._native import pointer_from

from tests.processes import environment, free_ports

pytestmark = pytest.mark.one_process("these tests start processes, or none")

COMMON = """
import functools, os
import pathway as pw

VALUE = os.environ["VALUE"]

class Row(pw.Schema):
    name: str
    size: int

rows = pw.debug.table_from_rows(Row, [("a", 3), ("b", 6), ("c", 9)])
"""

# What the script does with the value, and what is said if it is 5 in process 0 and 7 in process 1.
DIFFERENT = {
    "a constant": (
        "pw.io.null.write(rows.filter(rows.size > int(VALUE)))",
        "filter: 7 here, 5 in process 0; here it is (size > 7) at {script}:13, there (size > 5) at {script}:13.",
    ),
    "a constant in a column": (
        "sized = rows.select(large=rows.size > int(VALUE))\npw.io.null.write(sized.filter(sized.large))",
        'column "large": 7 here, 5 in process 0; here it is (size > 7) at {script}:13, there',
    ),
    "a closed-over object with data": (
        "import dataclasses\n@dataclasses.dataclass\nclass Limits:\n    size: int\ndef above(limits):\n"
        "    return lambda x: x > limits.size\n"
        "pw.io.null.write(rows.filter(pw.apply_with_type(above(Limits(int(VALUE))), bool, rows.size)))",
        "limits: 7 here, 5 in process 0; here it is Limits {{'size': 7}}",
    ),
    "a default": (
        "def f(x, y=int(VALUE)):\n    return x + y\npw.io.null.write(rows.select(s=pw.apply(f, rows.size)))",
        "function f, defaults: 7 here, 5 in process 0; here it is (7) at {script}:13, there (5) at {script}:13.",
    ),
    "what a function closes over": (
        "def at_least(y):\n    return lambda x: x >= y\n"
        "pw.io.null.write(rows.filter(pw.apply_with_type(at_least(int(VALUE)), bool, rows.size)))",
        "function at_least.<locals>.<lambda>, y: 7 here, 5 in process 0; here it is at {script}:14",
    ),
    "an argument of a partial": (
        "pw.io.null.write(rows.select(s=pw.apply(functools.partial(pow, int(VALUE)), rows.size)))",
        "function pow, arguments: 7 here, 5 in process 0",
    ),
    "a function's code": (
        "f = (lambda x: x + 1) if VALUE == '5' else (lambda x: x * 1)\n"
        "pw.io.null.write(rows.select(s=pw.apply(f, rows.size)))",
        "function <lambda>, code: ",
    ),
    "a path that is read": (
        "pw.io.null.write(pw.io.csv.read(f'{VALUE}.csv', schema=Row))",
        "csv, path: 7.csv here, 5.csv in process 0; here it is at {script}:13, there at {script}:13.",
    ),
    "a folder that all processes write to": (
        "pw.io.csv.write(rows, VALUE, partitioned=True)",
        "csv.write, path: 7 here, 5 in process 0; here it is at {script}:13, there at {script}:13.",
    ),
    "how an output is written": (
        "pw.io.csv.write(rows, 'out.csv', partitioned=VALUE == '5')",
        "csv.write, partitioned: false here, true in process 0",
    ),
    "a setting of a source": (
        "pw.io.null.write(pw.io.csv.read('.', schema=Row, mode='static', csv_settings=pw.io.CsvParserSettings("
        "delimiter=VALUE)))",
        "csv, delimiter: 7 here, 5 in process 0; here it is at {script}:13",
    ),
    "a type": (
        "pw.io.null.write(pw.io.csv.read('.', schema=pw.schema_from_types(a=int if VALUE == '5' else str)))",
        'csv, column "a": str here, int in process 0',
    ),
    "a reducer's option": (
        "pw.io.null.write(rows.reduce(x=pw.reducers.tuple(rows.size, skip_nones=VALUE == '5')))",
        "reduce: false here, true in process 0",
    ),
    "a function in a table of functions": (
        "TABLE = {'a': lambda x: x + 1} if VALUE == '5' else {'a': lambda x: x - 1}\n"
        "pw.io.null.write(rows.select(s=pw.apply(lambda x, table=TABLE: table['a'](x), rows.size)))",
        "function <lambda>, defaults, code: ",
    ),
    "a method of a value": (
        "pw.io.null.write(rows.select(s=pw.apply({'a': int(VALUE)}.get, rows.name)))",
        "function dict.get, self: 7 here, 5 in process 0; here it is {{'a': 7}} at {script}:13, there",
    ),
    "an object": (
        "pw.io.null.write(rows.select(x=pw.wrap_py_object({'size': int(VALUE), 'name': 'a'})))",
        "object dict, value: 7 here, 5 in process 0; here it is {{'name': 'a', 'size': 7}}, there {{'name': 'a', ",
    ),
    "an object within others": (
        "pw.io.null.write(rows.select(x=(1, (rows.name, pw.wrap_py_object(int(VALUE))))))",
        "object int, value: 7 here, 5 in process 0",
    ),
    "an object with data": (
        "import dataclasses\n@dataclasses.dataclass\nclass Limits:\n    size: int\n"
        "pw.io.null.write(rows.filter(pw.apply_with_type(lambda x, limits: x > limits.value.size, bool, rows.size, "
        "pw.wrap_py_object(Limits(int(VALUE))))))",
        "object Limits, value: 7 here, 5 in process 0; here it is Limits {{'size': 7}} at {script}:17, there",
    ),
    "a function in an object": (
        "def f(x, y=int(VALUE)):\n    return x + y\n"
        "pw.io.null.write(rows.select(s=pw.apply(lambda x, f: f.value(x), rows.size, pw.wrap_py_object(f))))",
        "object f, defaults: 7 here, 5 in process 0",
    ),
    "the kind of an object": (
        "pw.io.null.write(rows.select(x=pw.wrap_py_object({1} if VALUE == '5' else [1])))",
        "the programs differ. object list here, object set in process 0.",
    ),
    "an object that is a default": (
        "pw.io.null.write(pw.io.csv.read('.', schema=pw.schema_builder({'x': pw.column_definition("
        "dtype=pw.PyObjectWrapper, default_value=pw.wrap_py_object([int(VALUE)]))}), mode='static'))",
        'csv, column "x", default, value: 7 here, 5 in process 0; here it is [7] at {script}:13, there [5] at',
    ),
    "an operator": (
        "pw.io.null.write(rows.groupby(rows.name).reduce(rows.name) if VALUE == '5' else rows.filter(rows.size > 5))",
        "the programs differ. ",
    ),
    "an output": (
        "pw.io.null.write(rows)\nif VALUE == '5': pw.io.null.write(rows)",
        "nothing more here, null.write at {script}:14 in process 0",
    ),
}


def start(script: pathlib.Path, values: list[str]) -> list[subprocess.Popen[str]]:
    port = free_ports(len(values))
    return [
        subprocess.Popen(
            [sys.executable, script],
            env=environment(
                PATHWAY_PROCESSES=str(len(values)),
                PATHWAY_PROCESS_ID=str(number),
                PATHWAY_FIRST_PORT=str(port),
                PATHWAY_CLUSTER_SECRET="s",
                PYTHONHASHSEED=str(number),
                VALUE=value,
            ),
            cwd=script.parent,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number, value in enumerate(values)
    ]


@pytest.mark.parametrize("kind", DIFFERENT)
def test_what_differs_is_named_in_both_processes(tmp_path: pathlib.Path, kind: str) -> None:
    program, expected = DIFFERENT[kind]
    script = tmp_path / "main.py"
    script.write_text(f"{COMMON}\n{program}\npw.run(monitoring_level=pw.MonitoringLevel.NONE)\n")
    processes = start(script, ["5", "7"])
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [1, 1], errors
    assert "RuntimeError: process 0 does not fit: the programs differ. " in errors[1]
    assert "RuntimeError: process 1 does not fit: the programs differ. " in errors[0]
    assert expected.format(script=script) in errors[1], errors[1]


THE_SAME = """
import random, time
SEEN = {"b", "a", VALUE[:0], *map(str, range(20))}
LIMITS = {name: 1 for name in SEEN}

def keep(size, seen=frozenset(SEEN)):
    return str(size) in {"3", "6", "9"} and str(size) in LIMITS and len(seen) > 0

def number_of_the_process(size):
    return int(VALUE)

class Keep:
    def __init__(self):
        self.names = set(SEEN)
        self.lock = object()

    def __call__(self, size):
        return bool(self.names)

class Limits:
    def __init__(self):
        self.names = SEEN
        self.process = VALUE
        self.lock = object()

kept = rows.filter(pw.apply_with_type(keep, bool, rows.size)).filter(pw.apply_with_type(Keep(), bool, pw.this.size))
kept = kept.with_columns(x=pw.wrap_py_object(Limits()), y=(1, pw.wrap_py_object(SEEN)), z=pw.wrap_py_object(Keep()))
kept = kept.filter(pw.apply_with_type(lambda *objects: True, bool, kept.x, kept.y, kept.z))
pw.io.csv.write(kept.select(x=pw.apply_with_type(number_of_the_process, int, pw.this.size)), VALUE + ".csv")
"""


def test_the_same_program_has_the_same_fingerprint_whatever_the_seed_of_hashes(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "main.py"
    script.write_text(f"{COMMON}\n{THE_SAME}\npw.run(monitoring_level=pw.MonitoringLevel.NONE)\n")
    processes = start(script, ["5", "7"])
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    # What a function reads of its module may have reasons to differ. It does not differ in silence.
    assert ":WARNING:function number_of_the_process, VALUE: 7 here, 5 in process 0; here it is '7' at " in errors[1]
    # Process 0 alone writes that file.
    assert ":WARNING:csv.write, path: 7.csv here, 5.csv in process 0; here it is at " in errors[1]
    # An object may know things of its process, too.
    assert ":WARNING:object Limits, process: 7 here, 5 in process 0; here it is '7', there '5'" in errors[1]
    assert errors[1].count("WARNING") == 3
    assert (tmp_path / "5.csv").exists()
    assert not (tmp_path / "7.csv").exists()


def make(n: int) -> Callable[[int], int]:
    return lambda x: x + n


class Colour(enum.Enum):
    RED = 1


class Scaled:
    def __init__(self, by: int) -> None:
        self.by = by

    def __call__(self, x: int) -> int:
        return x * self.by

    def method(self, x: int) -> int:
        return x * self.by


def said(function: object) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    found = fingerprint.of_function(function)
    return found.settings, found.hints


def with_default(value: Any) -> Callable[..., Any]:
    def function(x: Any = value) -> Any:
        return x

    return function


def nested(n: int) -> Callable[[int], list[int]]:
    if n == 1:
        return lambda x: [y + 1 for y in range(x)]
    return lambda x: [y + 2 for y in range(x)]


class Slotted:
    __slots__ = ("by",)

    def __init__(self, by: int) -> None:
        self.by = by

    def __call__(self, x: int) -> int:
        return x * self.by


def with_a_class(n: int, *, is_called: bool = True) -> Any:
    """An object that calls itself, or a function that uses its class: a method of it does one of two things."""

    class Helper:
        def work(self, x: int) -> int:
            return x

        def __call__(self, x: int) -> int:
            return self.work(x)

    Helper.work = (lambda self, x: x + 1) if n == 1 else (lambda self, x: x - 1)  # type: ignore[method-assign]
    return Helper() if is_called else lambda x: Helper().work(x)


def in_module(text: str, **names: object) -> Any:
    """The function `f` of a module with this text."""
    namespace: dict[str, Any] = {"__name__": "a_module", **names}
    exec(text, namespace)
    return namespace["f"]


def arguments(n: int) -> Callable[..., Any]:
    return (lambda *x: x) if n == 1 else (lambda **x: x)


SETTINGS_OF = types.ModuleType("settings_of_a_program")


@pytest.mark.parametrize(
    "make_one",
    [
        make,
        nested,
        arguments,
        with_a_class,
        lambda n: with_a_class(n, is_called=False),
        lambda n: Slotted(n),
        lambda n: in_module(f"class C:\n  limit = {n}\nf = lambda x: x > C.limit"),
        lambda n: in_module("f = lambda x: x > c.limit", c=vars(SETTINGS_OF).update(limit=n) or SETTINGS_OF),
        lambda n: operator.itemgetter(n),
        lambda n: {"a": n}.get,
        lambda n: re.compile(f"a{n}").match,
        lambda n: with_default(make(n)),
        lambda n: with_default({"a": [make(n)]}),
        lambda n: with_default(Scaled(n)),
        lambda n: with_default(re.compile("a", [re.I, re.M][n - 1])),
        lambda n: with_default(zoneinfo.ZoneInfo(["Europe/Oslo", "America/Lima"][n - 1])),
        lambda n: with_default(ipaddress.ip_address(n)),
        lambda n: with_default(collections.deque([n])),
        lambda n: with_default(10**5000 + n),
        lambda n: with_default([[[[[[[[[[n]]]]]]]]]]),
        lambda n: with_default(np.array([None, n], dtype=object)),
        lambda n: with_default(pd.DataFrame({"a": [n]})),
        lambda n: with_default(pd.Series([[n]])),
        lambda n: with_default(pw.Json({"a": n})),
        lambda n: with_default(pointer_from([n])),
        lambda n: functools.partial(pow, n),
        lambda n: functools.partial(pow, exp=n),
        lambda n: Scaled(n),
        lambda n: Scaled(n).method,
        lambda n: functools.lru_cache(make(n)),
        lambda n: functools.partial(Scaled.method, Scaled(n)),
        lambda n: with_default(n),
        lambda n: with_default(float(n)),
        lambda n: with_default(str(n)),
        lambda n: with_default(bytes([n])),
        lambda n: with_default([1, [n]]),
        lambda n: with_default({"a": {n}}),
        lambda n: with_default({n: 1}),
        lambda n: with_default(datetime.timedelta(n)),
        lambda n: with_default(np.array([1, n])),
        lambda n: with_default(np.int32(n)),
        lambda n: with_default(range(n)),
        lambda n: with_default(pathlib.PurePosixPath(str(n))),
    ],
)
def test_functions_are_told_apart_by_what_they_are_made_of(make_one: Callable[[int], object]) -> None:
    assert said(make_one(1)) == said(make_one(1))
    assert said(make_one(1)) != said(make_one(2))


@pytest.mark.parametrize(
    "make_one",
    [
        lambda n: n,
        lambda n: [n, {n}],
        lambda n: Scaled(n),
        lambda n: make(n),
        lambda n: Scaled(n).method,
        lambda n: np.array([n]),
        lambda n: with_default(n),
    ],
)
def test_objects_are_told_apart_by_what_they_hold(make_one: Callable[[int], object]) -> None:
    assert fingerprint.of_object(make_one(1)) == fingerprint.of_object(make_one(1))
    assert fingerprint.of_object(make_one(1)) != fingerprint.of_object(make_one(2))


class Hostile:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __call__(self, x: int) -> int:
        return x


@pytest.mark.parametrize(
    "function",
    [len, int, np.add, Hostile(), with_default(Hostile()), with_default(object()), with_default(Colour.RED), "no"],
    ids=range(8),
)
def test_what_cannot_be_looked_into_is_the_same_as_itself(function: object) -> None:
    for found in (fingerprint.of_function, fingerprint.of_object):
        assert found(function).settings == found(function).settings
        assert "0x" not in str(found(function).settings)


def test_a_function_that_refers_to_itself_has_an_end() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)

    def recursive(x: int) -> Any:
        return recursive(x - 1) if x else cycle

    assert said(recursive) == said(recursive)


def test_the_environment_is_no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """It differs from process to process, and what is said may be logged."""
    monkeypatch.setenv("A_SECRET", "hunter2")
    for function in (with_default(os.environ), in_module("f = lambda x: environ[x]", environ=os.environ)):
        before = said(function)
        assert "hunter2" not in str(before)
        monkeypatch.setenv("A_SECRET", "hunter3")
        assert said(function) == before
        monkeypatch.setenv("A_SECRET", "hunter2")
