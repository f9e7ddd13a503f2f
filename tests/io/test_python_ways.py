"""One table of rows, sent in every way there is to send rows: the same rows must arrive."""

import dataclasses
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pathway as pw
import pytest


class Reading(pw.Schema):
    station: str = pw.column_definition(primary_key=True)
    number: int = pw.column_definition(primary_key=True)
    level: float
    open: bool
    note: str | None
    unit: str = pw.column_definition(default_value="m")


# The column `unit` is left out everywhere: its default has to come.
ROWS: list[dict[str, Any]] = [
    {"station": "Elbe", "number": 1, "level": 2.5, "open": True, "note": None},
    {"station": "Oder", "number": 1, "level": -0.25, "open": False, "note": "ebb – low"},
    {"station": "Elbe", "number": 2, "level": 3.0, "open": True, "note": ""},
]
NAMES = list(ROWS[0])


def expected() -> dict[pw.Pointer, dict[str, Any]]:
    return {key_of(row): {**row, "unit": "m"} for row in ROWS}


def key_of(row: dict[str, Any]) -> pw.Pointer:
    from pathway._native import pointer_from

    return pointer_from([row["station"], row["number"]])


@dataclasses.dataclass
class ReadingData:
    station: str
    number: int
    level: float
    open: bool
    note: str | None


class ReadingTuple(NamedTuple):
    station: str
    number: int
    level: float
    open: bool
    note: str | None


def reading_model() -> Callable[..., Any]:
    pydantic = pytest.importorskip("pydantic")
    return pydantic.create_model(
        "ReadingModel",
        station=(str, ...),
        number=(int, ...),
        level=(float, ...),
        open=(bool, ...),
        note=(str | None, ...),
    )


def columns() -> dict[str, list[Any]]:
    return {name: [row[name] for row in ROWS] for name in NAMES}


def numpy_columns() -> dict[str, Any]:
    types = {"number": np.int64, "level": np.float64, "open": np.bool_}
    return {name: np.array(values, dtype=types.get(name, object)) for name, values in columns().items()}


def pyarrow_table() -> Any:
    pa = pytest.importorskip("pyarrow")
    return pa.table(columns())


def polars_frame() -> Any:
    pl = pytest.importorskip("polars")
    return pl.DataFrame(columns())


def pandas_frame() -> Any:
    pytest.importorskip("pyarrow")
    pd = pytest.importorskip("pandas")
    return pd.DataFrame(columns())


def duckdb_relation() -> Any:
    duckdb = pytest.importorskip("duckdb")
    # The connection lives as long as the relation.
    connection = duckdb.connect()
    values = ", ".join(
        f"('{row['station']}', {row['number']}::BIGINT, {row['level']}::DOUBLE, {row['open']}, "
        + ("NULL" if row["note"] is None else f"'{row['note']}'")
        + ")"
        for row in ROWS
    )
    relation = connection.sql(f"SELECT * FROM (VALUES {values}) AS rows({', '.join(NAMES)})")
    return relation


class Subject(pw.io.python.ConnectorSubject):
    """Does what it is told."""

    def __init__(self, push: Callable[[Any], None], **keywords: Any) -> None:
        super().__init__(**keywords)
        self.push = push

    def run(self) -> None:
        self.push(self)


def each(send: Callable[[Any, dict[str, Any]], None]) -> type[pw.io.python.ConnectorSubject]:
    return whole(lambda subject: [send(subject, row) for row in ROWS])


def whole(push: Callable[[Any], object]) -> Any:
    class Pushes(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            push(self)

    return Pushes


class Generator(pw.io.python.ConnectorSubject):
    def run(self) -> Any:
        yield ROWS[0]
        yield ROWS[1:]


class GeneratorOfOthers(pw.io.python.ConnectorSubject):
    def run(self) -> Any:
        yield ReadingTuple(**ROWS[0])
        yield json.dumps(ROWS[1])
        yield ReadingData(**ROWS[2])


class GeneratorOfArrow(pw.io.python.ConnectorSubject):
    def run(self) -> Any:
        yield pyarrow_table()


class Returned(pw.io.python.ConnectorSubject):
    def run(self) -> Any:
        return (row for row in ROWS)


class Asynchronous(pw.io.python.ConnectorSubject):
    async def run(self) -> None:
        for row in ROWS:
            self.next(**row)


class AsynchronousGenerator(pw.io.python.ConnectorSubject):
    async def run(self) -> Any:
        for row in ROWS:
            yield row


WAYS: dict[str, Any] = {
    "next": each(lambda subject, row: subject.next(**row)),
    "next, other order": each(lambda subject, row: subject.next(**dict(reversed(row.items())))),
    "next_json of str": each(lambda subject, row: subject.next_json(json.dumps(row))),
    "next_json of bytes": each(lambda subject, row: subject.next_json(json.dumps(row).encode())),
    "next_json of dict": each(lambda subject, row: subject.next_json(row)),
    "next_str": each(lambda subject, row: subject.next_str(json.dumps(row))),
    "next_bytes": each(lambda subject, row: subject.next_bytes(json.dumps(row).encode())),
    "next_batch of dicts": whole(lambda subject: subject.next_batch(ROWS)),
    "next_batch of an iterator": whole(lambda subject: subject.next_batch(iter(ROWS))),
    "next_batch of dataclasses": whole(lambda subject: subject.next_batch([ReadingData(**row) for row in ROWS])),
    "next_batch of NamedTuples": whole(lambda subject: subject.next_batch([ReadingTuple(**row) for row in ROWS])),
    "next_batch of models": whole(lambda subject: subject.next_batch([reading_model()(**row) for row in ROWS])),
    "next_columns of lists": whole(lambda subject: subject.next_columns(columns())),
    "next_columns of numpy": whole(lambda subject: subject.next_columns(numpy_columns())),
    "next_arrow of pyarrow": whole(lambda subject: subject.next_arrow(pyarrow_table())),
    "next_arrow of a batch": whole(lambda subject: subject.next_arrow(pyarrow_table().to_batches()[0])),
    "next_arrow of polars": whole(lambda subject: subject.next_arrow(polars_frame())),
    "next_arrow of pandas": whole(lambda subject: subject.next_arrow(pandas_frame())),
    "next_arrow of duckdb": whole(lambda subject: subject.next_arrow(duckdb_relation())),
    "generator": Generator,
    "generator of other rows": GeneratorOfOthers,
    "generator of arrow": GeneratorOfArrow,
    "returned generator": Returned,
    "async": Asynchronous,
    "async generator": AsynchronousGenerator,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("session_type", ["native", "upsert"])
def test_the_same_rows_arrive(way: str, session_type: Any) -> None:
    table = pw.io.python.read(WAYS[way](session_type=session_type), schema=Reading)
    updates = pw.testing.capture(table)
    assert {update.key: update.row for update in updates} == expected()
    assert [update.diff for update in updates] == [1, 1, 1]
    # Types too: True is not 1, 3.0 is not 3.
    rows = {update.key: update.row for update in updates}
    for key, row in expected().items():
        assert {name: type(value) for name, value in rows[key].items()} == {
            name: type(value) for name, value in row.items()
        }


# An upsert: Elbe 1 is replaced at a later time.
REPLACEMENT = {**ROWS[0], "level": 9.5, "note": "flood"}

BATCHED: dict[str, Callable[[Any, list[dict[str, Any]]], object]] = {
    "next": lambda subject, rows: [subject.next(**row) for row in rows],
    "next_json": lambda subject, rows: [subject.next_json(json.dumps(row)) for row in rows],
    "next_batch": lambda subject, rows: subject.next_batch(rows),
    "next_columns": lambda subject, rows: subject.next_columns({name: [row[name] for row in rows] for name in NAMES}),
    "next_arrow": lambda subject, rows: subject.next_arrow(pytest.importorskip("pyarrow").Table.from_pylist(rows)),
}


@pytest.mark.parametrize("way", BATCHED)
def test_an_upsert_replaces_at_the_time_of_its_commit(way: str) -> None:
    send = BATCHED[way]

    class Replacing(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            send(self, ROWS)
            self.commit()
            send(self, [REPLACEMENT, ROWS[1]])

    table = pw.io.python.read(Replacing(session_type="upsert"), schema=Reading, autocommit_duration_ms=None)
    updates = pw.testing.capture(table)
    first, second = sorted({update.time for update in updates})
    assert [update.diff for update in updates if update.time == first] == [1, 1, 1]
    # The row of the Oder was sent again unchanged: nothing happens to it.
    assert [(update.diff, update.row) for update in updates if update.time == second] == [
        (-1, {**ROWS[0], "unit": "m"}),
        (1, {**REPLACEMENT, "unit": "m"}),
    ]


@pytest.mark.parametrize("way", BATCHED)
def test_the_last_of_equal_keys_wins_within_a_commit(way: str) -> None:
    subject = Subject(lambda subject: BATCHED[way](subject, [ROWS[0], REPLACEMENT]), session_type="upsert")
    updates = pw.testing.capture(pw.io.python.read(subject, schema=Reading, autocommit_duration_ms=None))
    assert [(update.diff, update.row) for update in updates] == [(1, {**REPLACEMENT, "unit": "m"})]


@pytest.mark.parametrize("way", BATCHED)
@pytest.mark.parametrize("session_type", ["native", "upsert"])
def test_a_delete_takes_the_row_back(way: str, session_type: Any) -> None:
    send = BATCHED[way]

    class Deleting(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            send(self, ROWS)
            self.commit()
            self.delete(**ROWS[1])

    updates = pw.testing.capture(
        pw.io.python.read(Deleting(session_type=session_type), schema=Reading, autocommit_duration_ms=None)
    )
    assert [update.diff for update in updates] == [1, 1, 1, -1]
    assert updates[-1].key == key_of(ROWS[1])
    assert updates[-1].row == {**ROWS[1], "unit": "m"}


# The second row does not fit, in each of these ways; the other two have to arrive.
BAD_ROWS = {
    "a value of another type": {**ROWS[1], "level": "low"},
    "None where it may not be": {**ROWS[1], "level": None},
}


@pytest.mark.parametrize("way", ["next", "next_json", "next_batch", "next_columns"])
@pytest.mark.parametrize("bad", BAD_ROWS)
def test_a_bad_row_is_left_out_and_reported(way: str, bad: str, caplog: pytest.LogCaptureFixture) -> None:
    rows = [ROWS[0], BAD_ROWS[bad], ROWS[2]]
    subject = Subject(lambda subject: BATCHED[way](subject, rows))
    subject.datasource_name = "gauges"
    table = pw.io.python.read(subject, schema=Reading)
    good, errors = pw.testing.capture(table, pw.global_error_log())
    assert {update.row["number"] for update in good} == {1, 2}
    assert len(good) == 2
    assert len(errors) == 1
    for word in ("gauges", "level"):
        assert word in errors[0].row["message"]
    assert any("level" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("way", ["next", "next_json", "next_batch"])
def test_a_missing_field_without_default_is_a_bad_row(way: str) -> None:
    row = {name: value for name, value in ROWS[0].items() if name != "note"}
    table = pw.io.python.read(Subject(lambda subject: BATCHED[way](subject, [row, ROWS[1]])), schema=Reading)
    good, errors = pw.testing.capture(table, pw.global_error_log())
    assert [update.row["station"] for update in good] == ["Oder"]
    assert "note" in errors[0].row["message"]


@pytest.mark.parametrize("way", BATCHED)
def test_an_unknown_field_is_ignored_and_reported_once(way: str, caplog: pytest.LogCaptureFixture) -> None:
    rows = [{**row, "colour": "blue"} for row in ROWS]

    def push(subject: Any) -> None:
        if way == "next_columns":
            subject.next_columns({**columns(), "colour": ["blue"] * 3})
        else:
            BATCHED[way](subject, rows)

    updates = pw.testing.capture(pw.io.python.read(Subject(push), schema=Reading))
    assert len(updates) == 3
    assert sum("colour" in record.getMessage() for record in caplog.records) == 1


def test_columns_of_different_lengths_are_refused() -> None:
    subject = Subject(lambda subject: subject.next_columns({**columns(), "level": [1.0]}))
    table = pw.io.python.read(subject, schema=Reading)
    with pytest.raises(ValueError, match="level"):
        pw.testing.capture(table)


def test_call_sites_with_other_orders_do_not_mix_columns() -> None:
    class Two(pw.Schema):
        a: int
        b: int

    def push(subject: Any) -> None:
        for number in range(100):
            subject.next(a=number, b=-number)
            subject.next(b=-number, a=number)
            subject.next(**{"b": -number, "a": number})

    updates = pw.testing.capture(pw.io.python.read(Subject(push), schema=Two))
    assert len(updates) == 300
    assert all(update.row["a"] == -update.row["b"] for update in updates)


def test_a_rejected_row_that_was_yielded_names_the_line_of_its_yield(caplog: pytest.LogCaptureFixture) -> None:
    class Number(pw.Schema):
        number: int

    class Yielding(pw.io.python.ConnectorSubject):
        def run(self) -> Any:
            yield {"number": 1}
            yield {"number": "one"}  # a row
            yield [{"number": 2}, {"number": "two"}]  # a batch

    class YieldingLater(pw.io.python.ConnectorSubject):
        async def run(self) -> Any:
            yield {"number": "three"}  # a row, later

    class Calling(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next(number="four")  # a call

    for subject in (Yielding(), YieldingLater(), Calling()):
        pw.testing.capture(pw.io.python.read(subject, schema=Number))
    lines = Path(__file__).read_text().splitlines()
    expected = [
        next(number for number, line in enumerate(lines, 1) if line.endswith(comment))
        for comment in ('"one"}  # a row', "# a batch", "# a row, later", "# a call")
    ]
    places = [record.getMessage() for record in caplog.records if "did not accept" in record.getMessage()]
    assert len(places) == len(expected), places
    for place, line in zip(places, expected, strict=True):
        assert place.endswith(f"{__file__}:{line}"), (place, line)


def test_more_orders_of_names_than_are_remembered_stay_right() -> None:
    names = "abcd"

    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            for turn in range(3):
                for order in itertools.permutations(names):
                    self.next(**{name: ord(name) + turn for name in order})
                    self.next(a=ord("a") + turn, b=ord("b") + turn, c=ord("c") + turn, d=ord("d") + turn)

    updates = pw.testing.capture(pw.io.python.read(Subject(), schema=pw.schema_from_types(**dict.fromkeys(names, int))))
    expected = [{name: ord(name) + turn for name in names} for turn in range(3) for _ in range(48)]
    assert [dict(update.row) for update in updates] == expected


def test_a_text_that_is_no_object_is_a_bad_row_also_where_data_is_the_only_column() -> None:
    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            for text in ['{"data": "x"}', "{broken", '{"other": 1}', "plain"]:
                self.next_str(text)

    table = pw.io.python.read(Subject(), schema=pw.schema_from_types(data=str))
    assert [update.row for update in pw.testing.capture(table)] == [{"data": "x"}]
