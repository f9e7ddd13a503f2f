"""What no source should send, and what it does to a run: an error that says so, never a crash."""

from typing import Any

import numpy as np
import pandas as pd
import pathway as pw
import pyarrow as pa
import pytest


def rows_of(push: Any, schema: type[pw.Schema], **run: Any) -> list[dict[str, Any]]:
    """The rows that arrive when `push(subject)` is what `run` does."""

    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            push(self)

    table = pw.io.python.read(Subject(), schema=schema)
    rows: list[dict[str, Any]] = []
    pw.io.subscribe(table, on_change=lambda key, row, time, is_addition: rows.append(row))
    pw.run(monitoring_level=pw.MonitoringLevel.NONE, **run)
    return rows


class Text(pw.Schema):
    text: str


class Number(pw.Schema):
    number: int


class Anything(pw.Schema):
    value: Any


class Document(pw.Schema):
    value: pw.Json


def test_arrow_text_that_is_no_utf8_is_a_bad_row(caplog: pytest.LogCaptureFixture) -> None:
    bad = pa.array([b"good", b"\xff\xfe", b"a longer text that is good as well"], pa.binary())
    text = pa.Array.from_buffers(pa.string(), len(bad), bad.buffers())
    rows = rows_of(lambda subject: subject.next_arrow(pa.table({"text": text})), Text)
    assert rows == [{"text": "good"}, {"text": "a longer text that is good as well"}]
    assert "no valid UTF-8" in caplog.text


def test_arrow_text_that_is_cut_within_a_character_is_a_bad_row(caplog: pytest.LogCaptureFixture) -> None:
    """All cells together are good UTF-8."""
    bad = pa.array([b"good", "é".encode()[:1], "é".encode()[1:]], pa.binary())
    text = pa.Array.from_buffers(pa.string(), len(bad), bad.buffers())
    assert rows_of(lambda subject: subject.next_arrow(pa.table({"text": text})), Text) == [{"text": "good"}]
    assert caplog.text.count("no valid UTF-8") == 2


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
@pytest.mark.parametrize("rows", [6, 6000])
def test_a_part_of_an_arrow_table(kind: pa.DataType, rows: int) -> None:
    class Schema(pw.Schema):
        text: str | None

    texts = [None if row % 5 == 0 else f"é{row}" * (row % 7) for row in range(rows)]
    table = pa.table({"text": pa.array(texts, pa.string()).cast(kind)})
    found = rows_of(lambda subject: subject.next_arrow(table.slice(2, rows - 3)), Schema)
    assert [row["text"] for row in found] == texts[2:-1]


def test_arrow_columns_of_one_name_are_refused() -> None:
    twice = pa.table([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    with pytest.raises(ValueError, match='the arrow data has two columns called "text"'):
        rows_of(lambda subject: subject.next_arrow(twice), Text)


def test_what_is_under_a_null_of_arrow_does_not_matter() -> None:
    class Schema(pw.Schema):
        text: str | None

    garbage = pa.array([b"good", b"\xff", b"also"], pa.binary())
    nulls = pa.array([True, False, True]).buffers()[1]
    text = pa.Array.from_buffers(pa.string(), 3, [nulls, *garbage.buffers()[1:]])
    found = rows_of(lambda subject: subject.next_arrow(pa.table({"text": text})), Schema)
    assert [row["text"] for row in found] == ["good", None, "also"]


@pytest.mark.parametrize("schema", [Anything, Document])
def test_a_value_that_contains_itself_is_a_bad_row(schema: type[pw.Schema], caplog: pytest.LogCaptureFixture) -> None:
    endless: list[Any] = []
    endless.append(endless)

    def push(subject: Any) -> None:
        subject.next(value=endless)
        subject.next(value=[1])

    assert len(rows_of(push, schema)) == 1
    assert "nested more than" in caplog.text


def test_a_masked_value_of_numpy_is_none() -> None:
    class Schema(pw.Schema):
        number: int | None

    masked = np.ma.masked_array([1, 2, 3], mask=[False, True, False])
    rows = rows_of(lambda subject: subject.next_columns({"number": masked}), Schema)
    assert [row["number"] for row in rows] == [1, None, 3]


def test_moments_and_durations_of_numpy() -> None:
    class Schema(pw.Schema):
        at: pw.DateTimeNaive
        span: pw.Duration | None

    columns = {
        "at": np.array(["2024-05-01", "2024-05-02"], "datetime64[s]"),
        "span": np.array([1, "NaT"], "timedelta64[s]"),
    }
    rows = rows_of(lambda subject: subject.next_columns(columns), Schema)
    assert rows == [
        {"at": pd.Timestamp("2024-05-01"), "span": pd.Timedelta(seconds=1)},
        {"at": pd.Timestamp("2024-05-02"), "span": None},
    ]


def test_an_arrow_struct_whose_member_is_always_null() -> None:
    table = pa.table({"value": pa.array([{"a": 1, "b": None}], pa.struct([("a", pa.int64()), ("b", pa.null())]))})
    rows = rows_of(lambda subject: subject.next_arrow(table), Document)
    assert rows[0]["value"].value == {"a": 1, "b": None}


def test_an_arrow_row_that_is_null_as_a_whole_is_refused() -> None:
    rows = pa.array([{"number": 1}, None])
    with pytest.raises(ValueError, match="null as a whole"):
        rows_of(lambda subject: subject.next_arrow(rows), Number)


def test_a_callback_may_send_rows_to_a_source_without_space() -> None:
    class Echo(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next(number=1)
            self.commit()
            while len(seen) < 11:
                self.commit()

    subject = Echo()
    table = pw.io.python.read(subject, schema=Number, max_backlog_size=1)
    seen: list[int] = []

    def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        seen.append(row["number"])
        if row["number"] == 1:
            for number in range(2, 12):
                subject.next(number=number)

    pw.io.subscribe(table, on_change=on_change)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert sorted(seen) == list(range(1, 12))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_bad_value_is_an_error_in_a_row_that_is_kept_if_errors_do_not_end_the_run() -> None:
    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next(number=1)
            self.next(number="two")
            self.next_batch([{"number": 3}, {"number": None}])
            self.next_columns({"number": [5, "six"]})

    table = pw.io.python.read(Subject(), schema=Number)
    filled = table.select(number=pw.fill_error(table.number, -1))
    rows: list[int] = []
    pw.io.subscribe(filled, on_change=lambda key, row, time, is_addition: rows.append(row["number"]))
    pw.run(monitoring_level=pw.MonitoringLevel.NONE, terminate_on_error=False)
    assert rows == [1, -1, 3, -1, 5, -1]


def test_two_outputs_to_one_file_are_refused(tmp_path: Any) -> None:
    table = pw.debug.table_from_markdown("a\n1")
    pw.io.csv.write(table, str(tmp_path / "out.csv"))
    pw.io.jsonlines.write(table, str(tmp_path / "." / "out.csv"))
    with pytest.raises(ValueError, match=r"out\.csv"):
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)


def test_a_message_of_a_raw_source_that_is_no_json_is_a_bad_row(caplog: pytest.LogCaptureFixture) -> None:
    endless: list[Any] = []
    endless.append(endless)

    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            for message in ({"a": 1}, object(), endless, {"b": {1, 2}}, "text"):
                self.next_json(message)

    with pytest.warns(DeprecationWarning, match="format"):
        table = pw.io.python.read(Subject(), format="raw")
    assert [update.row["data"] for update in pw.testing.capture(table)] == ['{"a": 1}', "text"]
    for row in (2, 3, 4):
        assert f"did not accept row {row}" in caplog.text
