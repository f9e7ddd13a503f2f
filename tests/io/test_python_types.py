"""Which Python values each type of column takes, and what it gives back."""

import base64
import datetime
from typing import Any

import numpy as np
import pandas as pd
import pathway as pw
import pytest

UTC = datetime.UTC
NOON = datetime.datetime(2024, 5, 1, 12, 30, 0, 125)


def sent(annotation: Any, value: object) -> list[Any]:
    """What arrives of one value in a column of the type: one value, or none."""

    class One(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next(value=value)

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
    (pw.Duration, np.timedelta64(5, "ns")),
    (Any, 2**70),
    (Any, {1, 2}),
    (Any, object()),
    (Any, datetime.date(2024, 5, 1)),
]


def identity(case: object) -> str:
    return repr(case)


@pytest.mark.parametrize(("annotation", "value", "expected"), ACCEPTED, ids=identity)
def test_accepted(annotation: Any, value: object, expected: object) -> None:
    (arrived,) = sent(annotation, value)
    assert arrived == expected
    assert type(arrived) is type(expected) or isinstance(expected, (pd.Timestamp, pd.Timedelta))


@pytest.mark.parametrize(("annotation", "value"), REJECTED, ids=identity)
def test_rejected(annotation: Any, value: object, caplog: pytest.LogCaptureFixture) -> None:
    assert sent(annotation, value) == []
    assert any("value" in record.getMessage() for record in caplog.records)


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
