"""What only connectors of the package itself and their tests use: keys of their choice, messages with metadata,
offsets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pathway as pw
import pytest
from pathway._native import pointer_from
from pathway.io._deletions import chooses_keys

SILENT = pw.MonitoringLevel.NONE


class Plain(pw.Schema):
    k: int
    v: str


class Keyed(pw.Schema):
    k: int = pw.column_definition(primary_key=True)
    v: str


def key(value: object) -> pw.Pointer:
    return pointer_from([value])


class Sends(pw.io.python.ConnectorSubject):
    """Mentions all ways, so that they are allowed."""

    def __init__(self, push: Callable[[Any], object], **keywords: Any) -> None:
        super().__init__(**keywords)
        self.push = push

    def run(self) -> None:
        self.push(self)

    def ways(self) -> object:
        return self._add, self._remove, self._add_inner, self._remove_inner

    deletions_enabled = True


class Sending(Sends):
    def run(self) -> None:
        self.ways()
        self.push(self)


def updates(push: Callable[[Any], object], schema: Any = Plain, **keywords: Any) -> list[Any]:
    table = pw.io.python.read(Sending(push, **keywords), schema=schema, autocommit_duration_ms=None)
    return [(update.key, tuple(update.row.values()), update.diff) for update in pw.testing.capture(table)]


@pytest.mark.parametrize("schema", [Plain, Keyed])
@pytest.mark.parametrize("way", ["values", "messages"])
def test_an_explicit_key_comes_before_all_others(schema: Any, way: str) -> None:
    def push(subject: Any) -> None:
        if way == "values":
            subject._add_inner(key(7), {"k": 1, "v": "x"})
            subject._add_inner(None, {"k": 2, "v": "y"})
            subject.next(k=3, v="z")
            subject.commit()
            subject._remove_inner(key(7), {"k": 1, "v": "x"})
        else:
            subject._add(key(7), b'{"k": 1, "v": "x"}')
            subject._add(None, b'{"k": 2, "v": "y"}')
            subject.next(k=3, v="z")
            subject.commit()
            subject._remove(key(7), b'{"k": 1, "v": "x"}')

    first, second, third, removed = updates(push, schema)
    assert first == (key(7), (1, "x"), 1)
    assert removed == (key(7), (1, "x"), -1)
    assert (second[1], third[1]) == ((2, "y"), (3, "z"))
    if schema is Keyed:
        assert (second[0], third[0]) == (key(2), key(3))
    else:
        assert len({first[0], second[0], third[0]}) == 3


def test_small_pointers_are_keys_like_any_other() -> None:
    (update,) = updates(lambda subject: subject._add_inner(pw.Pointer(12345), {"k": 1, "v": "x"}))
    assert update[0] == pw.Pointer(12345)


def test_rows_of_one_explicit_key_are_consolidated() -> None:
    def push(subject: Any) -> None:
        subject._add_inner(key(1), {"k": 1, "v": "x"})
        subject._remove_inner(key(1), {"k": 1, "v": "x"})
        subject._add_inner(key(2), {"k": 2, "v": "y"})

    assert updates(push) == [(key(2), (2, "y"), 1)]


def test_upserts_of_the_older_style_need_no_primary_key() -> None:
    class Older(Sending):
        @property
        def _session_type(self) -> pw.io.python.SessionType:
            return pw.io.python.SessionType.UPSERT

    def push(subject: Any) -> None:
        subject._add(key(1), b'{"k": 1, "v": "x"}')
        subject.commit()
        subject._add(key(1), b'{"k": 1, "v": "y"}')
        subject.commit()
        subject._remove(key(1), b"{}")

    table = pw.io.python.read(Older(push), schema=Plain, autocommit_duration_ms=None)
    changes = [(update.row["v"], update.diff) for update in pw.testing.capture(table)]
    assert changes == [("x", 1), ("x", -1), ("y", 1), ("y", -1)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("format", "data"), [("raw", "abc"), ("binary", b"abc")])
def test_messages_of_raw_sources(format: Any, data: object) -> None:
    def push(subject: Any) -> None:
        subject._add(key(1), b"abc")
        subject.commit()
        subject._remove(key(1), b"abc")

    table = pw.io.python.read(Sending(push), format=format, autocommit_duration_ms=None)
    changes = [(update.key, update.row, update.diff) for update in pw.testing.capture(table)]
    assert changes == [(key(1), {"data": data}, 1), (key(1), {"data": data}, -1)]


class WithMetadata(Sending):
    @property
    def _with_metadata(self) -> bool:
        return True


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_metadata_is_a_column_of_raw_sources() -> None:
    def push(subject: Any) -> None:
        subject._add(key(1), b"abc", b'{"from": "a"}')
        subject._add(key(2), b"no metadata")

    table = pw.io.python.read(WithMetadata(push), format="raw")
    assert table.column_names() == ["_metadata", "data"]
    good, errors = pw.testing.capture(table, pw.global_error_log())
    assert [update.row for update in good] == [{"_metadata": pw.Json({"from": "a"}), "data": "abc"}]
    assert "_metadata" in errors[0].row["message"]


def test_metadata_of_a_schema_with_the_column() -> None:
    class Schema(Plain):
        _metadata: pw.Json

    def push(subject: Any) -> None:
        subject._add(key(1), b'{"k": 1, "v": "x"}', b'{"from": "a"}')

    table = pw.io.python.read(WithMetadata(push), schema=Schema)
    assert [update.row["_metadata"].value for update in pw.testing.capture(table)] == [{"from": "a"}]


def test_a_message_that_is_no_row_is_reported() -> None:
    def push(subject: Any) -> None:
        subject._add(key(1), b'{"k": 1')
        subject._add(key(2), b"[1]")
        subject._add(key(3), b'{"k": 3, "v": "z"}')

    good, errors = pw.testing.capture(
        pw.io.python.read(Sending(push), schema=Plain), pw.global_error_log().select(pw.this.message)
    )
    assert [update.row["k"] for update in good] == [3]
    assert [list(update.row) for update in errors] == [["message"]] * 2
    assert "no JSON" in errors[0].row["message"]
    assert "no JSON object" in errors[1].row["message"]


def test_a_key_that_the_code_of_run_does_not_show_is_refused() -> None:
    class Hidden(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            getattr(self, "".join(["_add", "_inner"]))(key(1), {"k": 1, "v": "x"})

    assert not chooses_keys(Hidden)
    assert chooses_keys(Sending)
    with pytest.raises(ValueError, match="mention _add or _add_inner"):
        pw.testing.capture(pw.io.python.read(Hidden(), schema=Plain))


def test_offsets_are_bytes() -> None:
    def push(subject: Any) -> None:
        subject.next(k=1, v="x")
        subject._report_offset(b"1")
        subject.commit()
        with pytest.raises(TypeError, match="offset"):
            subject._report_offset("2")

    assert len(updates(push)) == 1


def test_seek_comes_before_the_start() -> None:
    class Seeking(Sends):
        state: bytes | None = None

        def _seek(self, state: bytes) -> None:
            self.state = state

    def push(subject: Any) -> None:
        with pytest.raises(RuntimeError, match="before the subject is started"):
            subject.seek(b"x")

    subject = Seeking(push)
    subject.on_persisted_run()
    subject.seek(b"state")
    assert subject.state == b"state"
    assert pw.testing.capture(pw.io.python.read(subject, schema=Plain)) == []
    with pytest.raises(NotImplementedError, match="_seek"):
        Sends(push).seek(b"x")


def test_the_size_of_the_backlog_is_set_before_read() -> None:
    subject = Sends(lambda subject: [subject.next(k=number, v="") for number in range(12)])
    subject._set_max_backlog_size(3)
    table = pw.io.python.read(subject, schema=Plain, autocommit_duration_ms=None)
    times: dict[int, int] = {}
    for update in pw.testing.capture(table):
        times[update.time] = times.get(update.time, 0) + 1
    assert list(times.values()) == [3, 3, 3, 3]
    with pytest.raises(RuntimeError, match="before"):
        subject._set_max_backlog_size(5)


def test_an_internal_subject_has_no_name() -> None:
    class Internal(Sends):
        def _is_internal(self) -> bool:
            return True

    with pytest.raises(ValueError, match="internal"):
        pw.io.python.read(Internal(print), schema=Plain, name="mine")


def test_the_name_may_be_set_as_in_the_original() -> None:
    subject = Sends(print)
    subject._datasource_name = "gauges"
    assert subject.datasource_name == "gauges"
