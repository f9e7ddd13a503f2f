"""How deep values may be nested: one limit, wherever they come from and go to, and nothing that a stack cannot hold."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pathway as pw
import pytest

LIMIT = 200


def nested(levels: int, kind: Any = list) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value} if kind is dict else kind([value])
    return value


def text(levels: int, kind: Any = list) -> str:
    return '{"a":' * levels + "1" + "}" * levels if kind is dict else "[" * levels + "1" + "]" * levels


def depth(value: Any) -> int:
    found = 0
    value = value.value if isinstance(value, pw.Json) else value
    while not isinstance(value, int):
        value = value.value if isinstance(value, pw.Json) else value
        value = value["a"] if isinstance(value, dict) else value[0]
        found += 1
    return found


def rows(push: Callable[[Any], None], annotation: Any, **run: Any) -> list[Any]:
    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            push(self)

    table = pw.io.python.read(Subject(), schema=pw.schema_from_types(value=annotation))
    # Between processes it travels to where its group is.
    grouped = table.groupby(table.value).reduce(table.value)
    return [update.row["value"] for update in pw.testing.capture(grouped, **run)]


WAYS: dict[str, Callable[[Any, int, Any], None]] = {
    "next": lambda subject, levels, kind: subject.next(value=nested(levels, kind)),
    "next_json of dict": lambda subject, levels, kind: subject.next_json({"value": nested(levels, kind)}),
    "next_batch": lambda subject, levels, kind: subject.next_batch([{"value": nested(levels, kind)}]),
    "next_columns": lambda subject, levels, kind: subject.next_columns({"value": [nested(levels, kind)]}),
    "next_str": lambda subject, levels, kind: subject.next_str(f'{{"value":{text(levels, kind)}}}'),
    "next_json of bytes": lambda subject, levels, kind: subject.next_json(f'{{"value":{text(levels, kind)}}}'.encode()),
    "a Json": lambda subject, levels, kind: subject.next(value=pw.Json(nested(levels, kind))),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", [list, dict, tuple])
@pytest.mark.parametrize("annotation", [pw.Json, Any], ids=["Json", "Any"])
def test_the_limit(way: str, kind: Any, annotation: Any, caplog: pytest.LogCaptureFixture) -> None:
    def push(subject: Any) -> None:
        for levels in (1, 127, 128, LIMIT, LIMIT + 1, 250):
            WAYS[way](subject, levels, kind)

    assert sorted(depth(value) for value in rows(push, annotation)) == [1, 127, 128, LIMIT]
    assert caplog.text.count("nested more than 200 levels deep") == 2


@pytest.mark.parametrize("kind", [list, dict])
def test_files(kind: Any, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(f'{{"value":{text(levels, kind)}}}\n' for levels in (LIMIT, LIMIT + 1, 100_000)))
    schema = pw.schema_from_types(value=pw.Json)
    table = pw.io.jsonlines.read(path, schema=schema, mode="static")
    pw.io.jsonlines.write(table, tmp_path / "out.jsonl")
    pw.io.csv.write(table, tmp_path / "out.csv")
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    pw.testing.reset()
    back = [
        pw.io.jsonlines.read(tmp_path / "out.jsonl", schema=schema, mode="static"),
        pw.io.csv.read(tmp_path / "out.csv", schema=schema, mode="static"),
    ]
    for updates in pw.testing.capture(*back):
        assert [depth(update.row["value"]) for update in updates] == [LIMIT]


@pytest.mark.parametrize("levels", [LIMIT, LIMIT + 1, 100_000])
def test_results_of_functions(levels: int) -> None:
    table = pw.debug.table_from_markdown("a\n1")
    for result in (pw.Json, Any):
        computed = table.select(value=pw.apply_with_type(lambda _: nested(levels), result, table.a))
        found = [update.row["value"] for update in pw.testing.capture(computed, terminate_on_error=False)]
        assert [repr(value) == "Error" for value in found] == [levels > LIMIT]


@pytest.mark.parametrize("annotation", [pw.Json, Any, list[Any], tuple[Any]], ids=str)
def test_what_never_ends(annotation: Any) -> None:
    itself: list[Any] = []
    itself.append(itself)
    by_name: dict[str, Any] = {}
    by_name["a"] = [by_name]
    document = pw.Json(None)
    document._value = document
    pair: Any = ([],)
    pair[0].append(pair)

    def push(subject: Any) -> None:
        for value in (itself, by_name, document, pair, nested(100_000), nested(100_000, dict), nested(100_000, tuple)):
            subject.next(value=value)
            subject.next_json({"value": value})
            subject.next_columns({"value": [value]})
        subject.next_str('{"value":' + text(1_000_000) + "}")
        subject.next_str('{"value":' + "[" * 1_000_000)

    assert rows(push, annotation) == []


def arrow_nested(levels: int, kind: str) -> Any:
    pa = pytest.importorskip("pyarrow")
    array = pa.array([1])
    for _ in range(levels):
        if kind == "list":
            array = pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), array)
        else:
            array = pa.StructArray.from_arrays([array], names=["a"])
    return array


@pytest.mark.parametrize("kind", ["list", "struct"])
def test_arrow(kind: str) -> None:
    pa = pytest.importorskip("pyarrow")

    def table(levels: int) -> Any:
        return pa.table({"value": arrow_nested(levels, kind)})

    assert depth(rows(lambda subject: subject.next_arrow(table(LIMIT)), pw.Json)[0]) == LIMIT
    assert depth(rows(lambda subject: subject.next_arrow(table(LIMIT)), Any)[0]) == LIMIT
    with pytest.raises(ValueError, match="nested more than 200 levels deep"):
        rows(lambda subject: subject.next_arrow(table(LIMIT + 1)), Any)


def test_documents_of_the_limit_are_compared_hashed_and_shown() -> None:
    document = pw.Json(nested(LIMIT, dict))
    assert document == pw.Json(nested(LIMIT, dict))
    assert hash(document) == hash(pw.Json(nested(LIMIT, dict)))
    assert depth(json.loads(str(document))) == LIMIT
