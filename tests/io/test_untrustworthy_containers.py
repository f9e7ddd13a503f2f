"""Containers that lie about themselves or change while they are read: an error that says so, or a bad row."""

from __future__ import annotations

import ctypes
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pathway as pw
import pytest

pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")


class Row(pw.Schema):
    a: int
    b: str = pw.column_definition(default_value="-")


def arrived(push: Callable[[Any], None], schema: type[pw.Schema] = Row, **run: Any) -> list[Any]:
    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            push(self)

    updates = pw.testing.capture(pw.io.python.read(Subject(), schema=schema), **run)
    return [tuple(update.row.values()) for update in updates]


def test_columns_whose_length_lies() -> None:
    class Lying(list[Any]):
        def __init__(self, values: list[Any], length: int) -> None:
            super().__init__(values)
            self.length = length

        def __len__(self) -> int:
            return self.length

    class Sequence:
        def __init__(self, values: list[Any], length: int) -> None:
            self.values, self.length = values, length

        def __len__(self) -> int:
            return self.length

        def __iter__(self) -> Iterator[Any]:
            return iter(self.values)

    def push(subject: Any) -> None:
        for kind in (Lying, Sequence):
            for length in (0, 1, 3, 2**62):
                with pytest.raises(ValueError, match='column "a" says that it has'):
                    subject.next_columns({"a": kind([1, 2], length)})
            with pytest.raises(ValueError, match='column "b" says that it has 2'):
                subject.next_columns({"a": [1, 2], "b": kind(["x"], 2)})
            with pytest.raises(ValueError, match="one length"):
                subject.next_columns({"a": [1, 2], "b": kind(["x", "y"], 3)})
            with pytest.raises(ValueError, match="none of the columns"):
                subject.next_columns({"other": kind([1], 2**62)})
        subject.next_columns({"a": Sequence([5, 6], 2)})

    assert arrived(push) == [(5, "-"), (6, "-")]


def test_columns_that_change_while_they_are_read() -> None:
    values: list[Any] = []

    class Growing:
        def __index__(self) -> int:
            values.append(self)
            return 1

    class Shrinking:
        def __index__(self) -> int:
            values.clear()
            return 1

    class Other:
        def __index__(self) -> int:
            columns["b"] = ["x"]
            columns["c"] = []
            return 7

    columns: dict[str, Any] = {"a": [Other(), 2]}

    def push(subject: Any) -> None:
        for kind in (Growing, Shrinking):
            values[:] = [kind(), kind(), kind()]
            with pytest.raises(ValueError, match='column "a" says that it has 3 values'):
                subject.next_columns({"a": values})
        subject.next_columns(columns)

    assert arrived(push) == [(7, "-"), (2, "-")]


@pytest.mark.parametrize("column", ["ab", b"ab", bytearray(b"ab"), {"x": 1, "y": 2}, {1, 2}, frozenset({1, 2})])
def test_what_is_no_column(column: Any) -> None:
    def push(subject: Any) -> None:
        with pytest.raises(TypeError, match='column "a" is a'):
            subject.next_columns({"a": column})

    assert arrived(push) == []


def test_rows_that_change_while_they_are_read(caplog: pytest.LogCaptureFixture) -> None:
    rows: list[dict[str, Any]] = []

    class Clearing:
        def __index__(self) -> int:
            rows.clear()
            row.clear()
            return 1

    row: dict[str, Any] = {"a": Clearing(), "b": "x", "c": 2}

    @dataclasses.dataclass
    class Record:
        a: int
        b: str

        @property
        def c(self) -> int:
            raise ValueError("not this one")

    class Raising(Record):
        @property
        def a(self) -> int:  # type: ignore[override]
            rows.clear()
            raise ValueError("no such reading")

        @a.setter
        def a(self, value: int) -> None:
            pass

    def push(subject: Any) -> None:
        rows[:] = [row, {"a": 2}, {"a": 3}]
        subject.next_batch(rows)
        rows[:] = [Raising(1, "x"), Record(2, "y")]  # type: ignore[list-item]
        subject.next_batch(rows)
        subject.next_batch([Record(5, "z"), Raising(1, "x"), Record(6, "z")])

    assert arrived(push) == [(1, "x"), (5, "z"), (6, "z")]
    assert caplog.text.count("no such reading") == 2


def test_an_iterable_that_fails_has_sent_the_rows_before() -> None:
    def rows() -> Iterator[dict[str, Any]]:
        yield {"a": 1}
        yield {"a": 2}
        raise LookupError("the line is dead")

    def push(subject: Any) -> None:
        with pytest.raises(LookupError, match="dead"):
            subject.next_batch(rows())
        subject.next(a=3)

    assert [row[0] for row in arrived(push)] == [1, 2, 3]


class Hostile:
    """Answers every question with an exception."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(f"do not ask for {name}")

    def __repr__(self) -> str:
        raise RuntimeError("do not look")

    __str__ = __index__ = __float__ = __len__ = __iter__ = __bool__ = __hash__ = __repr__  # type: ignore[assignment]


class Endless:
    """Is itself, whatever is asked for."""

    def tolist(self) -> Any:
        return self

    def item(self) -> Any:
        return self

    def __index__(self) -> Any:
        return self

    def __float__(self) -> Any:
        return self

    def __array__(self, *_: Any, **__: Any) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return self

    value = property(lambda self: self)
    dtype = property(lambda self: self)
    shape = property(lambda self: self)


Endless.__module__ = "numpy"
Endless.__name__ = "ndarray"


class Text(str):
    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __hash__ = __eq__ = __len__ = __str__  # type: ignore[assignment]


class Name(str):
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    __hash__ = str.__hash__


class Number(int):
    def __index__(self) -> int:
        raise RuntimeError

    __int__ = __float__ = __repr__ = __str__ = __hash__ = __index__  # type: ignore[assignment]


class Mapping(dict[Any, Any]):
    def items(self) -> Any:
        raise RuntimeError

    keys = values = __iter__ = __getitem__ = __len__ = __contains__ = items  # type: ignore[assignment]


class Unruly(type):
    @property
    def __module__(cls) -> Any:  # type: ignore[override]
        raise RuntimeError

    @property
    def __name__(cls) -> Any:  # type: ignore[override]
        raise RuntimeError


class Classless(metaclass=Unruly):
    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no class")


WAYS: dict[str, Callable[[Any, Any], None]] = {
    "next": lambda subject, value: subject.next(value=value),
    "next_json": lambda subject, value: subject.next_json({"value": value}),
    "next_batch": lambda subject, value: subject.next_batch([{"value": value}]),
    "next_columns": lambda subject, value: subject.next_columns({"value": [value]}),
    "in a list": lambda subject, value: subject.next(value=[value]),
    "in a dict": lambda subject, value: subject.next(value={"a": value}),
}
TYPES: list[Any] = [
    int, float, str, bool, bytes, pw.Json, Any, pw.DateTimeNaive, pw.DateTimeUtc, pw.Duration, pw.Pointer,
    list[int], tuple[int], np.ndarray, pw.PyObjectWrapper, int | None, pw.DateTimeNaive | None,
]  # fmt: skip


@pytest.mark.parametrize("annotation", TYPES, ids=str)
def test_values_that_are_hostile(annotation: Any) -> None:
    schema = pw.schema_from_types(value=annotation)
    values = [Hostile(), Endless(), Text("x"), Number(5), Mapping(a=1), Classless()]

    def push(subject: Any) -> None:
        for value in values:
            for send in WAYS.values():
                send(subject, value)
        column = np.empty(2, object)
        column[0], column[1] = values[2], values[3]
        subject.next_columns({"value": column})

    plain = {"x", 1, 5, None}
    for (value,) in arrived(push, schema):
        found = value
        while isinstance(found, dict | list | tuple | pw.Json):
            found = found.value if isinstance(found, pw.Json) else found
            found = (
                next(iter(found.values()))
                if isinstance(found, dict)
                else found[0]
                if isinstance(found, list | tuple)
                else found
            )
        assert found in plain


@pytest.mark.parametrize("annotation", [int, pw.Json, Any], ids=str)
def test_exceptions_that_end_a_program_are_not_bad_values(annotation: Any) -> None:
    class Ends:
        def __index__(self) -> int:
            raise KeyboardInterrupt

        @property
        def __class__(self) -> Any:  # type: ignore[override]
            raise KeyboardInterrupt

    for send in WAYS.values():

        def push(subject: Any, send: Any = send) -> None:
            with pytest.raises(KeyboardInterrupt):
                send(subject, Ends())

        if annotation is not int or send in list(WAYS.values())[:4]:
            assert arrived(push, pw.schema_from_types(value=annotation)) == []


def test_rows_that_are_hostile() -> None:
    def push(subject: Any) -> None:
        for row in (Hostile(), Endless(), Text("x"), Number(5), Classless()):
            subject.next_batch([row])
        subject.next_batch([Mapping(a=1)])
        subject.next_json(Mapping(a=2))
        subject.next_batch([{Name("a"): 1}, {"a": 3, Name("x"): 1}, {1: 2, (): 3, "a": 4}])

    assert [row[0] for row in arrived(push)] == [1, 2, 3, 4]


SURROGATE = "\ud800"


@pytest.mark.parametrize("keeps", [False, True])
def test_lone_surrogates_in_names_and_values(keeps: bool, caplog: pytest.LogCaptureFixture) -> None:
    def push(subject: Any) -> None:
        subject.next(a=1, **{SURROGATE: 1})
        subject.next_json({"a": 2, SURROGATE: 1})
        subject.next_batch([{"a": 3, SURROGATE: 1}])
        subject.next_columns({"a": [4], SURROGATE: [1]})
        subject.next_str('{"a":5,"\\ud800":1}')
        for row in ({"a": 6, "b": SURROGATE}, {"a": 7, "b": f"x{SURROGATE}"}):
            subject.next(**row)
            subject.next_json(row)
            subject.next_batch([row])
            subject.next_columns({name: [value] for name, value in row.items()})
        subject.next_str('{"a":8,"b":"\\ud800"}')
        subject.next_str(SURROGATE)
        subject.next_json(SURROGATE)
        subject.next_batch([SURROGATE])

    found = arrived(push, terminate_on_error=not keeps)
    assert [row for row in found if row[1] == "-"] == [(number, "-") for number in range(1, 6)]
    assert len(found) == (5 + 9 if keeps else 5)
    assert SURROGATE not in caplog.text


@pytest.mark.parametrize("annotation", [pw.Json, Any, list[str], bytes, int, pw.DateTimeNaive], ids=str)
def test_lone_surrogates_within_values(annotation: Any) -> None:
    def push(subject: Any) -> None:
        for value in (SURROGATE, {SURROGATE: 1}, [SURROGATE], {"a": [SURROGATE]}, pw.Json([SURROGATE])):
            for send in list(WAYS.values())[:4]:
                send(subject, value)

    assert arrived(push, pw.schema_from_types(value=annotation)) == []


class Schema(ctypes.Structure):
    """The struct of C."""


Schema._fields_ = [
    ("format", ctypes.c_void_p), ("name", ctypes.c_void_p), ("metadata", ctypes.c_void_p), ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64), ("children", ctypes.POINTER(ctypes.POINTER(Schema))),
    ("dictionary", ctypes.c_void_p), ("release", ctypes.c_void_p), ("private_data", ctypes.c_void_p),
]  # fmt: skip


class Array(ctypes.Structure):
    """The struct of C."""


Array._fields_ = [
    ("length", ctypes.c_int64), ("null_count", ctypes.c_int64), ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64), ("n_children", ctypes.c_int64), ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(Array))), ("dictionary", ctypes.c_void_p),
    ("release", ctypes.c_void_p), ("private_data", ctypes.c_void_p),
]  # fmt: skip

new_capsule = ctypes.pythonapi.PyCapsule_New
new_capsule.restype = ctypes.py_object
new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]

# All memory of the structs stays for good: nothing has to be released.
KEPT: list[Any] = []
RELEASE_SCHEMA = ctypes.CFUNCTYPE(None, ctypes.POINTER(Schema))(
    lambda schema: setattr(schema.contents, "release", None)
)
RELEASE_ARRAY = ctypes.CFUNCTYPE(None, ctypes.POINTER(Array))(lambda array: setattr(array.contents, "release", None))


def address(memory: Any) -> Any:
    KEPT.append(memory)
    return ctypes.addressof(memory)


def children_of(kind: Any, children: list[Any]) -> Any:
    pointers = (ctypes.POINTER(kind) * len(children))(*[ctypes.pointer(child) for child in children])
    KEPT.extend([pointers, *children])
    return ctypes.cast(pointers, ctypes.POINTER(ctypes.POINTER(kind)))


def schema_of(kind: bytes, name: bytes, *children: Any) -> Any:
    return Schema(
        format=text_of(kind), name=text_of(name), flags=2, n_children=len(children),
        children=children_of(Schema, list(children)), release=ctypes.cast(RELEASE_SCHEMA, ctypes.c_void_p),
    )  # fmt: skip


def array_of(length: int, buffers: list[Any], *children: Any) -> Any:
    pointers = (ctypes.c_void_p * len(buffers))(*[None if buffer is None else address(buffer) for buffer in buffers])
    KEPT.append(pointers)
    return Array(
        length=length, n_buffers=len(buffers), n_children=len(children),
        buffers=ctypes.cast(pointers, ctypes.POINTER(ctypes.c_void_p)), children=children_of(Array, list(children)),
        release=ctypes.cast(RELEASE_ARRAY, ctypes.c_void_p),
    )  # fmt: skip


class Made:
    """Three rows in the structs of C, which a test has changed."""

    def __init__(self, change: Callable[[Any, Any], None] = lambda schema, array: None) -> None:
        self.schema = schema_of(b"+s", b"", schema_of(b"l", b"a"), schema_of(b"u", b"b"))
        numbers = array_of(3, [None, (ctypes.c_int64 * 3)(1, 2, 3)])
        texts = array_of(3, [None, (ctypes.c_int32 * 4)(0, 1, 2, 3), ctypes.create_string_buffer(b"xyz")])
        self.array = array_of(3, [None], numbers, texts)
        change(self.schema, self.array)

    def __arrow_c_array__(self, requested_schema: object = None) -> Any:
        return (
            new_capsule(address(self.schema), b"arrow_schema", None),
            new_capsule(address(self.array), b"arrow_array", None),
        )


def text_of(data: bytes) -> Any:
    return address(ctypes.create_string_buffer(data))


def set_offset(array: Any, place: int, value: int) -> None:
    offsets = array.children[1].contents.buffers[1]
    ctypes.c_int32.from_address(offsets + 4 * place).value = value


def change_field(part: str, name: str, value: Any) -> Callable[[Any, Any], None]:
    def change(schema: Any, array: Any) -> None:
        root = schema if part.startswith("schema") else array
        target = root.children[0].contents if part.endswith("child") else root
        setattr(target, name, value)

    return change


CHANGES: dict[str, Callable[[Any, Any], None]] = {
    "no type": change_field("schema child", "format", None),
    "a type that is none": change_field("schema child", "format", text_of(b"?!")),
    "a type that is no text": change_field("schema child", "format", text_of(b"\xff")),
    "a name that is no text": change_field("schema child", "name", text_of(b"\xff")),
    "children of the schema that are not there": change_field("schema", "n_children", 3),
    "a negative number of children": change_field("schema", "n_children", -1),
    "metadata of a negative length": change_field("schema child", "metadata", text_of(b"\xff\xff\xff\xff")),
    "a schema that was released": change_field("schema child", "release", None),
    "fewer children than the type has": change_field("array", "n_children", 1),
    "many children": change_field("array", "n_children", 2**40),
    "a negative length": change_field("array", "length", -1),
    "an endless length": change_field("array", "length", 2**62),
    "more rows than the children have": change_field("array", "length", 10),
    "a negative offset": change_field("array child", "offset", -3),
    "an overflow": change_field("array child", "offset", 2**63 - 1),
    "no buffers": change_field("array child", "buffers", None),
    "too few buffers": change_field("array child", "n_buffers", 1),
    "too many buffers": change_field("array child", "n_buffers", 7),
    "more nulls than values": change_field("array child", "null_count", 100),
    "an array without data": lambda schema, array: array.children[0].contents.buffers.__setitem__(1, None),
    "offsets that are not there": lambda schema, array: array.children[1].contents.buffers.__setitem__(1, None),
    "a negative first offset": lambda schema, array: set_offset(array, 0, -5),
    "a negative last offset": lambda schema, array: set_offset(array, 3, -1),
    "offsets that decrease": lambda schema, array: set_offset(array, 1, 10),
}


@pytest.mark.parametrize("name", CHANGES)
def test_arrow_structs_that_lie(name: str) -> None:
    """What the library that reads them would have crashed on."""

    def push(subject: Any) -> None:
        with pytest.raises(ValueError, match="the arrow data cannot be read"):
            subject.next_arrow(Made(CHANGES[name]))
        subject.next(a=9)

    assert arrived(push) == [(9, "-")]


def test_arrow_structs_that_are_right() -> None:
    assert arrived(lambda subject: subject.next_arrow(Made())) == [(1, "x"), (2, "y"), (3, "z")]


@pytest.mark.parametrize("kind", [b"+l", b"+s", b"+L"])
def test_arrow_types_without_end(kind: bytes) -> None:
    deep = schema_of(b"l", b"a")
    for _ in range(30_000):
        deep = schema_of(kind, b"a", deep)

    def change(schema: Any, array: Any) -> None:
        schema.children[0].contents = deep

    def push(subject: Any) -> None:
        with pytest.raises(ValueError, match="nested more than 200 levels deep"):
            subject.next_arrow(Made(change))

    assert arrived(push) == []


def test_arrow_capsules_that_are_none() -> None:
    class Gives:
        def __init__(self, stream: Any = None, array: Any = None) -> None:
            if stream is not None:
                self.__arrow_c_stream__ = lambda *_: stream  # type: ignore[method-assign]
            if array is not None:
                self.__arrow_c_array__ = lambda *_: array

    table = pa.table({"a": [1]})
    stream = table.__arrow_c_stream__()

    def push(subject: Any) -> None:
        for bad in (1, "x", table.schema.__arrow_c_schema__(), object()):
            with pytest.raises(TypeError, match="capsule"):
                subject.next_arrow(Gives(stream=bad))
            with pytest.raises(TypeError, match="capsules"):
                subject.next_arrow(Gives(array=bad))
        with pytest.raises(TypeError, match="capsule"):
            subject.next_arrow(Gives(array=(stream, stream)))
        subject.next_arrow(Gives(stream=stream))
        with pytest.raises(ValueError, match="read already"):
            subject.next_arrow(Gives(stream=stream))
        with pytest.raises(TypeError, match="not one array"):
            subject.next_arrow(pa.array([1]))
        with pytest.raises(TypeError, match="next_arrow takes"):
            subject.next_arrow([{"a": 1}])

    assert arrived(push) == [(1, "-")]


def test_an_arrow_stream_that_fails_has_sent_the_batches_before() -> None:
    def batches() -> Iterator[Any]:
        yield pa.record_batch({"a": [1, 2]})
        raise OSError("the line is dead")

    def push(subject: Any) -> None:
        reader = pa.RecordBatchReader.from_batches(pa.schema([("a", pa.int64())]), batches())
        with pytest.raises(ValueError, match="the line is dead"):
            subject.next_arrow(reader)

    assert [row[0] for row in arrived(push)] == [1, 2]


def test_arrays_that_lie() -> None:
    class Array:
        dtype = np.dtype("i8")

        def __init__(self, result: Any) -> None:
            self.result = result

        def __len__(self) -> int:
            return 2

        def __array__(self, *_: Any, **__: Any) -> Any:
            return self.result

        def __iter__(self) -> Any:
            return iter([8, 9])

    def push(subject: Any) -> None:
        for result in (np.array([1, 2, 3]), np.array([1]), np.array([[1], [2], [3]])):
            with pytest.raises(ValueError, match='column "a" says that it has 2 values'):
                subject.next_columns({"a": Array(result)})
        for result in (np.array(5), "x", None):
            with pytest.raises((TypeError, ValueError)):
                subject.next_columns({"a": Array(result)})
        subject.next_columns({"a": np.array([1, 2]).reshape(2, 1)[:, 0]})

    assert [row[0] for row in arrived(push)] == [1, 2]


def test_polars_columns_of_objects_are_refused_by_name() -> None:
    column = pl.Series("a", [object()], dtype=pl.Object)
    for send in (
        lambda subject: subject.next_arrow(pl.DataFrame({"a": column})),
        lambda subject: subject.next_columns({"a": column}),
    ):
        subject = type("Sends", (pw.io.python.ConnectorSubject,), {"run": send})()
        with pytest.raises(TypeError, match='column "a" is of polars'):
            pw.testing.capture(pw.io.python.read(subject, schema=pw.schema_from_types(a=bytes)))


def test_columns_of_nothing_but_nulls_and_maps_are_arrow_like_others() -> None:
    frames = {
        "nulls of polars": (pl.DataFrame({"a": [None, None]}), str | None, [None, None]),
        "nulls of pyarrow": (pa.table({"a": pa.nulls(2)}), str | None, [None, None]),
        "a map": (
            pa.table({"a": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64()))}),
            pw.Json,
            [pw.Json([["k", 1]])],
        ),
    }
    for name, (frame, dtype, expected) in frames.items():
        subject = type(
            "Sends", (pw.io.python.ConnectorSubject,), {"run": lambda self, frame=frame: self.next_arrow(frame)}
        )()
        table = pw.io.python.read(subject, schema=pw.schema_from_types(a=dtype))
        assert [update.row["a"] for update in pw.testing.capture(table)] == expected, name


def test_columns_without_a_length_are_named() -> None:
    class Sends(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next_columns({"a": (number for number in range(3))})

    with pytest.raises(TypeError, match='column "a" is of type generator and has no length'):
        pw.testing.capture(pw.io.python.read(Sends(), schema=pw.schema_from_types(a=int)))
