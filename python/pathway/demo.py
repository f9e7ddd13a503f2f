"""Streams to try things out with: made up, or replayed from a file."""

from __future__ import annotations

import csv
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pathway import _native
from pathway._ground import arguments, missing_names
from pathway._schemas.builders import schema_builder
from pathway._schemas.columns import column_definition
from pathway._schemas.schema import Schema
from pathway._tables import connecting
from pathway._tables.table import Table
from pathway._values import dtypes
from pathway.io import python as io_python
from pathway.io._subject import ConnectorSubject, state_of

if TYPE_CHECKING:
    from pathway._schemas.columns import ColumnSchema

__all__ = ["generate_custom_stream", "noisy_linear_stream", "range_stream", "replay_csv", "replay_csv_with_time"]

if not TYPE_CHECKING:
    # Type checkers know the names that are there.
    __getattr__ = missing_names.of(__name__)


class _Paced(ConnectorSubject):
    """Sends rows, each after the seconds that come with it."""

    def __init__(
        self,
        rows: Callable[[], Iterator[tuple[float, Mapping[str, Any]]]],
        name: str,
        reads: Sequence[str | os.PathLike[str]] = (),
    ) -> None:
        super().__init__(name)
        self._rows = rows
        state_of(self).reads = [os.fspath(path) for path in reads]

    def run(self) -> None:
        for seconds, row in self._rows():
            if seconds > 0:
                time.sleep(seconds)
            self.next(**row)


@arguments.explained
def generate_custom_stream(
    value_generators: Mapping[str, Callable[[int], Any]],
    *,
    schema: type[Schema],
    nb_rows: int | None = None,
    autocommit_duration_ms: int = 1000,
    input_rate: float = 1.0,
    name: str | None = None,
) -> Table[Any]:
    """A stream whose values are computed from the number of the row.

    Args:
        value_generators: for each column a function of the row's number, counted from 0.
        schema: the columns.
        nb_rows: how many rows; None for no end.
        autocommit_duration_ms: how often rows become visible.
        input_rate: rows in a second.
        name: a unique name for messages and monitoring.

    Example:

    >>> import pathway as pw
    >>> class Square(pw.Schema):
    ...     number: int
    ...     square: int
    >>> table = pw.demo.generate_custom_stream(
    ...     {"number": lambda n: n, "square": lambda n: n * n}, schema=Square, nb_rows=3, input_rate=1000
    ... )
    >>> pw.debug.compute_and_print(table, include_id=False)
    number | square
    0      | 0
    1      | 1
    2      | 4
    """
    pause = _pause(input_rate)
    if nb_rows is not None and nb_rows < 0:
        raise ValueError(f"nb_rows cannot be below zero, found {nb_rows}")

    def rows() -> Iterator[tuple[float, Mapping[str, Any]]]:
        number = 0
        while nb_rows is None or number < nb_rows:
            yield pause if number else 0.0, {name: make(number) for name, make in value_generators.items()}
            number += 1

    table = io_python.read(
        _Paced(rows, "demo.custom-stream"), schema=schema, autocommit_duration_ms=autocommit_duration_ms, name=name
    )
    if nb_rows is None:
        connecting.note_endless(table)
    return table


@arguments.explained
def noisy_linear_stream(nb_rows: int = 10, input_rate: float = 1.0) -> Table[Any]:
    """A stream of points near the line ``y = x``, with the columns ``x`` and ``y``. The same in every run.

    Args:
        nb_rows: how many rows.
        input_rate: rows in a second.

    Example:

    >>> import pathway as pw
    >>> table = pw.demo.noisy_linear_stream(nb_rows=5, input_rate=1000)
    >>> pw.debug.compute_and_print(table.select(near=abs(table.x - table.y) <= 1.0), include_id=False)
    near
    True
    True
    True
    True
    True
    """
    schema = schema_builder(
        {"x": column_definition(primary_key=True, dtype=float), "y": column_definition(dtype=float)}
    )
    return generate_custom_stream(
        {"x": float, "y": lambda number: number + random.Random(number).uniform(-1, 1)},
        schema=schema,
        nb_rows=nb_rows,
        input_rate=input_rate,
    )


@arguments.explained
def range_stream(
    nb_rows: int | None = 30, offset: int = 0, input_rate: float = 1.0, autocommit_duration_ms: int = 1000
) -> Table[Any]:
    """A stream of numbers that grow by one, in the column ``value``.

    Args:
        nb_rows: how many rows; None for no end.
        offset: the first number.
        input_rate: rows in a second.
        autocommit_duration_ms: how often rows become visible.

    Example:

    >>> import pathway as pw
    >>> table = pw.demo.range_stream(nb_rows=3, offset=10, input_rate=1000)
    >>> pw.debug.compute_and_print(table, include_id=False)
    value
    10.0
    11.0
    12.0
    """
    return generate_custom_stream(
        {"value": lambda number: float(number + offset)},
        schema=schema_builder({"value": column_definition(dtype=float)}),
        nb_rows=nb_rows,
        input_rate=input_rate,
        autocommit_duration_ms=autocommit_duration_ms,
    )


@arguments.explained
def replay_csv(path: str | os.PathLike[str], *, schema: type[Schema], input_rate: float = 1.0) -> Table[Any]:
    """A stream of the rows of a csv file, at a steady rate.

    Args:
        path: the file; its first line names the columns.
        schema: the columns to read.
        input_rate: rows in a second.

    Example:

    >>> import pathlib, tempfile
    >>> import pathway as pw
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "tides.csv"
    >>> _ = path.write_text("hour,metres\\n0,3.5\\n6,0.5\\n")
    >>> class Tide(pw.Schema):
    ...     hour: int
    ...     metres: float
    >>> pw.debug.compute_and_print(pw.demo.replay_csv(path, schema=Tide, input_rate=1000), include_id=False)
    hour | metres
    0    | 3.5
    6    | 0.5
    """
    pause = _pause(input_rate)

    def rows() -> Iterator[tuple[float, Mapping[str, Any]]]:
        for number, row in enumerate(_csv_rows(path, schema)):
            yield pause if number else 0.0, row

    return io_python.read(
        _Paced(rows, "demo.replay-csv", [path]), schema=schema, autocommit_duration_ms=max(1, int(1000 * pause))
    )


_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


@arguments.explained
def replay_csv_with_time(
    path: str | os.PathLike[str],
    *,
    schema: type[Schema],
    time_column: str,
    unit: str = "s",
    autocommit_ms: int = 100,
    speedup: float = 1,
) -> Table[Any]:
    """A stream of the rows of a csv file, as far apart as the times in one of its columns.

    Args:
        path: the file; its first line names the columns.
        schema: the columns to read.
        time_column: the column with the times, as numbers, in growing order.
        unit: their unit: ``"s"``, ``"ms"``, ``"us"`` or ``"ns"``.
        autocommit_ms: how often rows become visible.
        speedup: how many times faster than the times say.

    Example:

    >>> import pathlib, tempfile
    >>> import pathway as pw
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "laps.csv"
    >>> _ = path.write_text("second,lap\\n100,1\\n161,2\\n")
    >>> class Lap(pw.Schema):
    ...     second: int
    ...     lap: int
    >>> laps = pw.demo.replay_csv_with_time(path, schema=Lap, time_column="second", speedup=10000)
    >>> pw.debug.compute_and_print(laps, include_id=False)
    second | lap
    100    | 1
    161    | 2
    """
    if unit not in _SECONDS:
        raise ValueError(f"unit has to be one of {', '.join(_SECONDS)}, found {unit!r}")
    if time_column not in schema.column_names():
        raise ValueError(f"the schema has no column {time_column}, which time_column names")
    if schema[time_column].dtype.dtype not in (_native.DType.INT, _native.DType.FLOAT):
        raise ValueError(f"the times in {time_column} have to be int or float, found {schema[time_column].dtype!r}")
    if speedup <= 0:
        raise ValueError(f"speedup has to be above zero, found {speedup}")

    def rows() -> Iterator[tuple[float, Mapping[str, Any]]]:
        before: float | None = None
        for row in _csv_rows(path, schema):
            now = row[time_column] * _SECONDS[unit]
            yield 0.0 if before is None else (now - before) / speedup, row
            before = now

    return io_python.read(_Paced(rows, "demo.replay-csv", [path]), schema=schema, autocommit_duration_ms=autocommit_ms)


def _csv_rows(path: str | os.PathLike[str], schema: type[Schema]) -> Iterator[Mapping[str, Any]]:
    columns = schema.columns().values()
    # Excel puts a byte order mark before the first name.
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        names = {name.strip(): name for name in reader.fieldnames or ()}
        names |= {name: name for name in reader.fieldnames or ()}
        missing = [column.name for column in columns if column.name not in names and not column.has_default]
        if missing:
            raise ValueError(f"{os.fspath(path)} has no column {', '.join(missing)}")
        for row in reader:
            yield {
                column.name: _field(column, row.get(names.get(column.name, "")), f"{os.fspath(path)}:{reader.line_num}")
                for column in columns
            }


def _field(column: ColumnSchema, text: str | None, line: str) -> Any:
    """The value of a field, as `pw.io.csv` reads it; None is a field that the line does not have."""
    dtype = column.dtype.dtype
    is_text = dtype.required in (_native.DType.STR, _native.DType.ANY)
    if column.has_default and (text is None or not (is_text or text.strip())):
        return column.default_value
    if text is None:
        raise ValueError(f"{line}: the line has no field {column.name!r}")
    try:
        return dtype.read(text)
    except ValueError as error:
        message = f"{line}: field {column.name!r}: cannot read {text!r} as {dtypes.describe(dtype)}: {error}"
        raise ValueError(message) from None


def _pause(input_rate: float) -> float:
    if input_rate <= 0:
        raise ValueError(f"input_rate has to be above zero, found {input_rate}")
    return 1.0 / input_rate
