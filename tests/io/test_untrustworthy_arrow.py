"""Arrow data that lies about itself: an error that says so."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pathway as pw
import pytest

from tests.io.arriving import arrived

pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")


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


MANY_BATCHES = """
import resource
import pathway as pw
import pyarrow as pa

texts = pa.array([f"a text that does not fit into its view, {number}" for number in range(100_000)])

class Sends(pw.io.python.ConnectorSubject):
    def run(self):
        for row in range(60):
            keys = pa.array([row], pa.int32())
            self.next_arrow(pa.table({"text": pa.DictionaryArray.from_arrays(keys, texts)}))

table = pw.io.python.read(Sends(), schema=pw.schema_from_types(text=str))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = pw.debug.compute(table)
print(len(found), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1000)
"""


@pytest.mark.one_process("the program is a process of its own")
def test_of_a_large_dictionary_nothing_is_kept_but_what_rows_refer_to() -> None:
    done = subprocess.run([sys.executable, "-c", MANY_BATCHES], capture_output=True, text=True, timeout=60, check=True)
    rows, megabytes = map(int, done.stdout.split())
    assert rows == 60
    # The dictionary has 5 MB.
    assert megabytes < 50
