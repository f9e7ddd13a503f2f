"""Which Python values each type of column takes, and what it gives back."""

import base64
import datetime
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pathway as pw
import pytest

UTC = datetime.UTC
NOON = datetime.datetime(2024, 5, 1, 12, 30, 0, 125)


class Record(NamedTuple):
    value: object


# The ways to send a value as it is.
WAYS: dict[str, Callable[[Any, object], None]] = {
    "next": lambda subject, value: subject.next(value=value),
    "next of a dict": lambda subject, value: subject.next(**{"value": value}),
    "next_json of a dict": lambda subject, value: subject.next_json({"value": value}),
    "next_batch of dicts": lambda subject, value: subject.next_batch([{"value": value}]),
    "next_batch of NamedTuples": lambda subject, value: subject.next_batch([Record(value)]),
    "next_columns": lambda subject, value: subject.next_columns({"value": [value]}),
    "_add_inner": lambda subject, value: subject._add_inner(None, {"value": value}),
}


def sent(annotation: Any, value: object, way: str = "next") -> list[Any]:
    """What arrives of one value in a column of the type: one value, or none."""

    class One(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            WAYS[way](self, value)

    table = pw.io.python.read(One(), schema=pw.schema_from_types(value=annotation))
    return [update.row["value"] for update in pw.testing.capture(table)]


ACCEPTED: list[tuple[Any, object, object]] = [
    (int, 7, 7),
    (int, True, 1),
    (int, np.int64(7), 7),
    (int, -(2**63), -(2**63)),
    (float, 1.5, 1.5),
    (float, 2, 2.0),
    (float, True, 1.0),
    (float, np.float32(1.5), 1.5),
    (float, np.int64(2), 2.0),
    (str, "straße", "straße"),
    (str, "", ""),
    (str, np.str_("x"), "x"),
    (str, "日本 \U0001f600", "日本 \U0001f600"),
    (bool, True, True),
    (bool, np.bool_(False), False),
    (bytes, b"\x00\xff", b"\x00\xff"),
    (pw.Json, {"a": [1, None, "x"]}, pw.Json({"a": [1, None, "x"]})),
    (pw.Json, [1, 2], pw.Json([1, 2])),
    (pw.Json, "text", pw.Json("text")),
    (pw.Json, None, pw.Json(None)),
    (pw.Json, 1.5, pw.Json(1.5)),
    (pw.Json, 2**70, pw.Json(2**70)),
    (pw.Json, float("inf"), pw.Json(float("inf"))),
    (pw.Json, pw.Json({"a": 1}), pw.Json({"a": 1})),
    (pw.Json, {1: 2}, pw.Json({"1": 2})),
    (tuple[int, str], (1, "a"), (1, "a")),
    (tuple[int, str], [1, "a"], (1, "a")),
    (list[int], [1, 2], (1, 2)),
    (list[int], (1, 2), (1, 2)),
    (list[int], np.array([1, 2]), (1, 2)),
    (list[int], [], ()),
    (pw.DateTimeNaive, NOON, pd.Timestamp(NOON)),
    (pw.DateTimeNaive, pd.Timestamp("2024-05-01 00:00:00.000000001"), pd.Timestamp("2024-05-01 00:00:00.000000001")),
    (pw.DateTimeUtc, NOON.replace(tzinfo=UTC), pd.Timestamp(NOON, tz="UTC")),
    (
        pw.DateTimeUtc,
        NOON.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
        pd.Timestamp(NOON, tz="UTC") - pd.Timedelta(hours=2),
    ),
    (pw.Duration, datetime.timedelta(milliseconds=3), pd.Timedelta(milliseconds=3)),
    (pw.Duration, pd.Timedelta(1, "ns"), pd.Timedelta(1, "ns")),
    (pw.Duration, np.timedelta64(5, "ns"), pd.Timedelta(5, "ns")),
    (pw.DateTimeNaive, np.datetime64("2024-05-01", "D"), pd.Timestamp("2024-05-01")),
    (int | None, None, None),
    (int | None, 3, 3),
    (str | None, None, None),
    (Any, 5, 5),
    (Any, "five", "five"),
    (Any, None, None),
    (Any, (1, ("a", None)), (1, ("a", None))),
    (Any, [1, "a"], (1, "a")),
    (Any, {"a": 1}, pw.Json({"a": 1})),
    (Any, np.float64(0.5), 0.5),
]

REJECTED: list[tuple[Any, object]] = [
    (int, 1.0),
    (int, "1"),
    (int, np.bool_(True)),
    (int, 2**63),
    (int, None),
    (float, "1.0"),
    (float, None),
    (str, b"x"),
    (str, 1),
    (str, None),
    (bool, 1),
    (bool, "True"),
    (bytes, "x"),
    (bytes, bytearray(b"x")),
    (bytes, memoryview(b"x")),
    (pw.Json, np.int64(1)),
    (tuple[int, str], (1,)),
    (tuple[int, str], (1, 2)),
    (list[int], [1, "a"]),
    (pw.DateTimeNaive, NOON.replace(tzinfo=UTC)),
    (pw.DateTimeNaive, "2024-05-01"),
    (pw.DateTimeNaive, datetime.date(2024, 5, 1)),
    (pw.DateTimeUtc, NOON),
    (pw.Duration, 5),
    (Any, 2**70),
    (Any, {1, 2}),
    (Any, object()),
    (Any, datetime.date(2024, 5, 1)),
]


def identity(case: object) -> str:
    return repr(case)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("annotation", "value", "expected"), ACCEPTED, ids=identity)
def test_accepted(annotation: Any, value: object, expected: object, way: str) -> None:
    (arrived,) = sent(annotation, value, way)
    assert arrived == expected
    assert type(arrived) is type(expected) or isinstance(expected, (pd.Timestamp, pd.Timedelta))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("annotation", "value"), REJECTED, ids=identity)
def test_rejected(annotation: Any, value: object, way: str, caplog: pytest.LogCaptureFixture) -> None:
    assert sent(annotation, value, way) == []
    assert any("value" in record.getMessage() for record in caplog.records)


# What JSON can write, as text: the rules are those of the values that it stands for.
JSON_ACCEPTED: list[tuple[Any, str, object]] = [
    (int, "7", 7),
    (int, "-9223372036854775808", -(2**63)),
    (float, "1.5", 1.5),
    (float, "2", 2.0),
    (str, '"stra\\u00dfe"', "straße"),
    (bool, "true", True),
    (pw.Json, '{"a":[1,null,"x"]}', pw.Json({"a": [1, None, "x"]})),
    (pw.Json, "null", pw.Json(None)),
    (tuple[int, str], '[1,"a"]', (1, "a")),
    (list[int], "[]", ()),
    (int | None, "null", None),
    (str | None, "null", None),
    (Any, "5", 5),
    (Any, '[1,["a",null]]', (1, ("a", None))),
    (Any, '{"a":1}', pw.Json({"a": 1})),
]

JSON_REJECTED: list[tuple[Any, str]] = [
    (int, "1.0"),
    (int, '"1"'),
    (int, "9223372036854775808"),
    (int, "null"),
    (float, '"1.0"'),
    (str, "1"),
    (str, "null"),
    (bool, "1"),
    (bool, '"True"'),
    (tuple[int, str], "[1]"),
    (list[int], '[1,"a"]'),
    (pw.Duration, '"1 s"'),
]

MESSAGES: dict[str, Callable[[Any, str], None]] = {
    "next_json of str": lambda subject, text: subject.next_json(text),
    "next_json of bytes": lambda subject, text: subject.next_json(text.encode()),
    "next_str": lambda subject, text: subject.next_str(text),
    "next_bytes": lambda subject, text: subject.next_bytes(text.encode()),
}


def sent_as_message(annotation: Any, text: str, way: str) -> list[Any]:
    class One(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            MESSAGES[way](self, f'{{"value":{text}}}')

    table = pw.io.python.read(One(), schema=pw.schema_from_types(value=annotation))
    return [update.row["value"] for update in pw.testing.capture(table)]


@pytest.mark.parametrize("way", MESSAGES)
@pytest.mark.parametrize(("annotation", "text", "expected"), JSON_ACCEPTED, ids=identity)
def test_accepted_in_messages(annotation: Any, text: str, expected: object, way: str) -> None:
    (arrived,) = sent_as_message(annotation, text, way)
    assert arrived == expected
    assert type(arrived) is type(expected)


@pytest.mark.parametrize("way", MESSAGES)
@pytest.mark.parametrize(("annotation", "text"), JSON_REJECTED, ids=identity)
def test_rejected_in_messages(annotation: Any, text: str, way: str, caplog: pytest.LogCaptureFixture) -> None:
    assert sent_as_message(annotation, text, way) == []
    assert any("value" in record.getMessage() for record in caplog.records)


# Arrays of numpy: an element is accepted if it is by itself.
ARRAYS: list[tuple[Any, Any, object]] = [
    (int, np.array([1, 2], np.int64), [1, 2]),
    (int, np.array([1, 2], np.uint8), [1, 2]),
    (int, np.array([True, False]), []),
    (int, np.array([1.0]), []),
    (int, np.array([1, True, "1"], object), [1, 1]),
    (float, np.array([1.5], np.float32), [1.5]),
    (float, np.array([1, 2], np.int32), [1.0, 2.0]),
    (bool, np.array([True, False]), [True, False]),
    (bool, np.array([1, 0]), []),
    (str, np.array(["a", "żółć"]), ["a", "żółć"]),
    (str, np.array([b"a"]), []),
    (bytes, np.array([b"a"]), [b"a"]),
    (int | None, np.array([1, None], object), [1, None]),
]


@pytest.mark.parametrize(("annotation", "array", "expected"), ARRAYS, ids=identity)
def test_columns_of_numpy(annotation: Any, array: Any, expected: object) -> None:
    class Columns(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next_columns({"value": array})

    table = pw.io.python.read(Columns(), schema=pw.schema_from_types(value=annotation))
    arrived = [update.row["value"] for update in pw.testing.capture(table)]
    assert arrived == expected
    assert [type(value) for value in arrived] == [type(value) for value in expected]


def arrow_columns() -> list[tuple[Any, Any, object]]:
    """Columns of Arrow: type, array, and the values, or the kind of error that `next_arrow` raises."""
    pa = pytest.importorskip("pyarrow")
    return [
        (int, pa.array([1, None], pa.int64()), [1]),
        (int, pa.array([1, 2**63], pa.uint64()), [1]),
        (int, pa.array([True]), [1]),
        (int, pa.array([1.0]), TypeError),
        (int, pa.array(["1"]), TypeError),
        (float, pa.array([1.5, 2.5], pa.float32()), [1.5, 2.5]),
        (float, pa.array([2], pa.int8()), [2.0]),
        (float, pa.array(["1.0"]), TypeError),
        (str, pa.array(["a", None, "żółć"]), ["a", "żółć"]),
        (str, pa.array(["a"], pa.large_string()), ["a"]),
        (str, pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
        (str, pa.array([b"a"]), TypeError),
        (bool, pa.array([True, False]), [True, False]),
        (bool, pa.array([1]), TypeError),
        (bytes, pa.array([b"\x00\xff"]), [b"\x00\xff"]),
        (bytes, pa.array(["a"]), TypeError),
        (pw.Json, pa.array([{"a": 1}]), [pw.Json({"a": 1})]),
        (pw.Json, pa.array([[1, 2]]), [pw.Json([1, 2])]),
        (tuple[int, int], pa.array([[1, 2], [1]]), [(1, 2)]),
        (list[int], pa.array([[1, 2], []]), [(1, 2), ()]),
        (list[int], pa.array([["a"]]), []),
        (pw.DateTimeNaive, pa.array([NOON]), [pd.Timestamp(NOON)]),
        (pw.DateTimeNaive, pa.array([NOON], pa.timestamp("us", "UTC")), TypeError),
        (pw.DateTimeUtc, pa.array([NOON], pa.timestamp("us", "UTC")), [pd.Timestamp(NOON, tz="UTC")]),
        (pw.DateTimeUtc, pa.array([NOON]), TypeError),
        (pw.Duration, pa.array([3], pa.duration("ms")), [pd.Timedelta(3, "ms")]),
        (pw.Duration, pa.array([3]), TypeError),
        (int | None, pa.array([1, None]), [1, None]),
        (int | None, pa.nulls(2), [None, None]),
        (Any, pa.array([1, None]), [1, None]),
        (Any, pa.array([["a", None]]), [("a", None)]),
    ]


@pytest.mark.parametrize("case", range(31))
def test_columns_of_arrow(case: int) -> None:
    pa = pytest.importorskip("pyarrow")
    assert len(arrow_columns()) == 31
    annotation, array, expected = arrow_columns()[case]

    class Columns(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next_arrow(pa.table({"value": array}))

    table = pw.io.python.read(Columns(), schema=pw.schema_from_types(value=annotation))
    if isinstance(expected, type):
        with pytest.raises(expected, match="value"):
            pw.testing.capture(table)
    else:
        assert [update.row["value"] for update in pw.testing.capture(table)] == expected


def test_arrays() -> None:
    matrix = np.array([[1.5, 2.0], [3.0, 4.0]])
    (arrived,) = sent(np.ndarray, matrix)
    np.testing.assert_array_equal(arrived, matrix)
    assert arrived.dtype == np.float64


def test_pointers_and_wrapped_objects() -> None:
    pointer = pw.Pointer(12345)
    assert sent(pw.Pointer, pointer) == [pointer]
    (arrived,) = sent(pw.PyObjectWrapper, pw.PyObjectWrapper({1, 2}))
    assert arrived.value == {1, 2}


def test_every_type_in_a_csv_file(tmp_path: Any) -> None:
    types = pw.schema_from_types(
        k=int, b=bool, f=float, s=str, by=bytes, dn=pw.DateTimeNaive, du=pw.DateTimeUtc, d=pw.Duration, j=pw.Json,
        o=int | None, t=tuple[int, str], l=list[int],
    )  # fmt: skip

    class One(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next(
                k=1, b=True, f=1.0, s='said "yes", then\nleft', by=b"\x00\xff", dn=datetime.datetime(2024, 5, 1),
                du=datetime.datetime(2024, 5, 1, 12, tzinfo=UTC), d=datetime.timedelta(seconds=1.5),
                j={"x": [1, None]}, o=None, t=(1, "a"), l=[1, 2],
            )  # fmt: skip

    path = tmp_path / "all.csv"
    pw.io.csv.write(pw.io.python.read(One(), schema=types), path)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    header, row = path.read_text().split("\n", 1)
    assert header == '"k","b","f","s","by","dn","du","d","j","o","t","l","time","diff"'
    binary = base64.b64encode(b"\x00\xff").decode()
    assert row.startswith(
        '"1","True","1.0","said ""yes"", then\nleft",'
        f'"{binary}","2024-05-01T00:00:00.000000000","2024-05-01T12:00:00.000000000+0000","1500000000",'
        '"{""x"":[1,null]}","None","[1,""a""]","[1,2]","'
    )
    assert row.endswith(',"1"\n')
