"""Types that are written as texts are looked up, and nothing in them runs."""

from __future__ import annotations

import typing
from typing import Any, Optional

import numpy as np
import pathway as pw
import pytest
from pathway._values import dtypes
from pathway._values.annotations import look_up

ran: list[object] = []


def run(*args: object) -> type:
    ran.append(args)
    return int


class Trap:
    """Runs something whenever it is asked for anything."""

    def __getattr__(self, name: str) -> type:
        return run(name)

    def __getitem__(self, index: object) -> type:
        return run(index)

    def __or__(self, other: object) -> type:
        return run(other)

    def __ror__(self, other: object) -> type:
        return run(other)


trap = Trap()
SomeInt = int
HOSTILE = [
    "__import__('os').system('true')",
    "run()",
    "run() or int",
    "(run(), int)[1]",
    "[run(), int][1]",
    "[x for x in [int]][0]",
    "(lambda: int)()",
    "int if run() else str",
    "{run()}",
    "f'{run()}'",
    "int and run()",
    "(y := int)",
    "trap.anything",
    "trap['anything']",
    "trap | None",
    "None | trap",
    "int | run()",
    "list[run()]",
    "typing.__builtins__",
    "int.__subclasses__",
    "ran",
    "1",
    "1 + 1",
    "int + None",
    "-int",
    "not int",
    "int < str",
    "int; str",
    "int\nstr",
    "import os",
    "",
    "   ",
    "*int",
    "list[",
    "list[int][int][int]",
    "None[int]",
    "int[str]",
    "(" * 500 + "int" + ")" * 500,
    "list[" * 5000 + "int" + "]" * 5000,
    "int" + " | int" * 5000 + " | str",
    "int\0",
    "...",
    "'int",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:30].strip() or "blank")
def test_nothing_in_a_text_runs(text: str) -> None:
    ran.clear()
    makers: list[Any] = [
        lambda: pw.schema_from_dict({"a": text}),
        lambda: pw.schema_from_dict({"a": {"dtype": text}}),
        lambda: pw.schema_from_types(a=text),
        lambda: pw.schema_builder({"a": pw.column_definition(dtype=text)}),
        lambda: pw.schema_from_types(a=int).with_types(a=text),
        lambda: pw.cast(text, pw.this.a),
        lambda: pw.declare_type(text, pw.this.a),
        lambda: type(pw.Schema)("S", (pw.Schema,), {"__annotations__": {"a": text}, "__module__": __name__}),
        lambda: pw.udf(abs, return_type=text)(1),
    ]
    for make in makers:
        with pytest.raises((TypeError, NameError)):
            make()
    assert ran == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("int", int),
        (" int ", int),
        ("SomeInt", int),
        ("None", None),
        ("typing.Any", Any),
        ("Any", Any),
        ("Optional[int]", int | None),
        ("typing.Optional[int]", int | None),
        ("int | None", int | None),
        ("None | int", int | None),
        ("typing.Union[int, None]", int | None),
        ("list[int]", list[int]),
        ("typing.List[int]", list[int]),
        ("list['int']", list[int]),
        ("tuple[int, ...]", list[int]),
        ("tuple[int, str | None]", tuple[int, str | None]),
        ("tuple[()]", tuple[()]),
        ("dict", pw.Json),
        ("pw.Json", pw.Json),
        ("pathway.DateTimeNaive", pw.DateTimeNaive),
        ("Duration", pw.Duration),
        ("pw.Pointer", pw.Pointer),
        ("pw.Pointer[int, str]", pw.Pointer[int, str]),
        ("np.ndarray", np.ndarray),
        ("numpy.ndarray[None, float]", np.ndarray[None, float]),  # type: ignore[type-var]
        ("Callable[[int], str]", typing.Callable),
        ("typing.Annotated[int, run()]", int),
    ],
)
def test_what_a_text_can_name(text: str, expected: Any) -> None:
    ran.clear()
    dtype = dtypes.to_dtype(expected)
    assert dtypes.to_dtype(text, globals()) == dtype
    assert pw.schema_from_dict({"a": text})["a"].dtype.dtype == dtype
    assert pw.schema_builder({"a": pw.column_definition(dtype=text)})["a"].dtype.dtype == dtype
    assert ran == []


def test_names_that_are_not_there() -> None:
    for text in ("missing", "list[missing]", "pw.missing", "missing.int"):
        with pytest.raises(NameError, match="missing"):
            pw.schema_from_dict({"a": text})
    assert look_up("X", {"X": str}) is str

    def inside() -> type[pw.Schema]:
        Local = float
        assert Local
        return pw.schema_from_dict({"a": "Local"})

    assert inside().typehints() == {"a": float}


class Node(pw.Schema):
    label: str = pw.column_definition(primary_key=True)


class Person(pw.Schema):
    name: str
    boss: Optional[pw.Pointer[Person]]  # noqa: UP045
    friend: pw.Pointer[Person] | None
    node: pw.Pointer[Node]
    home: pw.Pointer[Node] | None


def test_a_schema_may_name_a_schema_and_itself() -> None:
    shown = {name: repr(column.dtype) for name, column in Person.columns().items()}
    assert shown["boss"] == shown["friend"] == "Optional(ANY_POINTER)"
    assert shown["node"] == "Pointer(STR)"
    namespace = {"__module__": __name__, "__annotations__": {"of": pw.Pointer[Person], "at": pw.Pointer[Node]}}
    made = type(pw.Schema)("Made", (pw.Schema,), namespace)
    assert {name: repr(column.dtype) for name, column in made.columns().items()} == {
        "of": "ANY_POINTER",
        "at": "Pointer(STR)",
    }


def test_annotations_of_a_transformer() -> None:
    class Numbers(pw.Schema):
        a: int

    @pw.table_transformer(locals={"Numbers": Numbers})
    def doubled(table: pw.Table[Numbers], factor: run() = 2) -> pw.Table[Numbers]:  # type: ignore[valid-type]
        return table.select(a=table.a * factor)

    ran.clear()
    doubled(pw.Table.empty(a=int))
    with pytest.raises(AssertionError, match="argument table"):
        doubled(pw.Table.empty(b=int))
    assert ran == []
