"""Running what tables need and looking at the result: printed, as dicts, as frames, as Arrow data."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pathway._debugging import printing, static
from pathway._debugging.captures import capture_rows, capture_updates, quiet
from pathway._debugging.snapshots import Snapshot, require
from pathway._debugging.static import DIFF, TIME
from pathway._ground import environment, tracebacks
from pathway._native import Pointer
from pathway._running.settings import RunSettings
from pathway._tables import connecting
from pathway._tables.table import Table

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa  # type: ignore[import-untyped,import-not-found,unused-ignore]


# The arguments that functions have besides those of a run.
_PRINTING = ("include_id", "short_pointers", "n_rows", "cut")
_WITH_IDS = ("table_to_arrow", "table_to_polars", "table_to_pandas")


@tracebacks.shortened
def compute_and_print(
    *tables: Table[Any],
    include_id: bool = True,
    short_pointers: bool = True,
    n_rows: int | None = None,
    cut: bool | None = None,
    **kwargs: Any,
) -> None:
    """Runs what the tables need and prints their final rows, in the order of their values.

    Args:
        tables: the tables; they are printed one after the other.
        include_id: whether to print the keys.
        short_pointers: whether to print only the first characters of keys.
        n_rows: how many rows to print; all by default, if the table is not cut.
        cut: whether to print 100 rows at most, and as many columns as a terminal has room for, with a line that
            counts the others; and 80 characters of a cell at most, on one line. Default: on a terminal and in a
            notebook; what goes into a pipe or a file is complete.
        kwargs: further arguments of ``pw.run``, such as ``terminate_on_error=False``, with which ``Error`` is printed
            in a cell that could not be computed.

    Example:

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... a | b
    ... 2 | x
    ... 1 |
    ... ''')
    >>> pw.debug.compute_and_print(table, include_id=False)
    a | b
    1 |
    2 | x
    """
    found = capture_rows(tables, *_settings("compute_and_print", kwargs, _PRINTING))
    for table, rows in zip(tables, found, strict=True):
        ordered = Snapshot(rows, static.column_dtypes(table.schema))._in_order()
        _print(table.column_names(), ordered, "row", n_rows, cut, ids=include_id, short=short_pointers)


@tracebacks.shortened
def compute_and_print_update_stream(
    *tables: Table[Any],
    include_id: bool = True,
    short_pointers: bool = True,
    n_rows: int | None = None,
    cut: bool | None = None,
    **kwargs: Any,
) -> None:
    """Runs what the tables need and prints every update: its row, its time, and its diff.

    Args:
        tables: the tables; they are printed one after the other.
        include_id: whether to print the keys.
        short_pointers: whether to print only the first characters of keys.
        n_rows: how many updates to print; all by default, if the table is not cut.
        cut: whether to print 100 updates at most, and as many columns as a terminal has room for, with a line that
            counts the others; and 80 characters of a cell at most, on one line. Default: on a terminal and in a
            notebook; what goes into a pipe or a file is complete.
        kwargs: further arguments of ``pw.run``, such as ``terminate_on_error=False``, with which ``Error`` is printed
            in a cell that could not be computed.

    Example:

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... word | __time__
    ... one  | 2
    ... two  | 4
    ... ''')
    >>> counted = table.reduce(n=pw.reducers.count())
    >>> pw.debug.compute_and_print_update_stream(counted, include_id=False)
    n | __time__ | __diff__
    1 | 2        | 1
    1 | 4        | -1
    2 | 4        | 1
    """
    found = capture_updates(tables, *_settings("compute_and_print_update_stream", kwargs, _PRINTING))
    for table, updates in zip(tables, found, strict=True):
        ordered = printing.in_order(
            updates,
            lambda update: (update.time, update.diff, printing.sort_key(tuple(update.row.values())), update.key),
            lambda update: (update.time, update.diff, update.key),
        )
        rows = [(update.key, (*update.row.values(), update.time, update.diff)) for update in ordered]
        names = [*table.column_names(), TIME, DIFF]
        _print(names, rows, "update", n_rows, cut, ids=include_id, short=short_pointers)


@tracebacks.shortened
def table_to_dicts(table: Table[Any], **kwargs: Any) -> tuple[list[Pointer], dict[str, dict[Pointer, Any]]]:
    """Runs what the table needs; gives back its final keys, and for each column a dict from key to value.

    Args:
        table: the table.
        kwargs: further arguments of ``pw.run``, such as ``terminate_on_error``.

    Example:

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... a
    ... 7
    ... ''')
    >>> keys, columns = pw.debug.table_to_dicts(table)
    >>> columns["a"][keys[0]]
    7
    """
    final = _computed(table, "table_to_dicts", kwargs)._rows
    columns = {
        name: {key: row[position] for key, row in final.items()} for position, name in enumerate(table.column_names())
    }
    return list(final), columns


@tracebacks.shortened
def compute(table: Table[Any], **kwargs: Any) -> Snapshot:
    """Runs what the table needs; gives back its final rows in a form that polars, pyarrow and DuckDB take as it is.

    Args:
        table: the table.
        kwargs: further arguments of ``pw.run``, such as ``terminate_on_error``.

    Returns:
        A `pw.debug.Snapshot`.

    Example:

    >>> import duckdb
    >>> import pathway as pw
    >>> birds = pw.debug.compute(pw.debug.table_from_markdown('''
    ... bird  | grams
    ... wren  | 9
    ... raven | 1200
    ... '''))
    >>> duckdb.sql("select bird from birds where grams > 100").fetchall()
    [('raven',)]
    """
    return _computed(table, "compute", kwargs)


@tracebacks.shortened
def table_to_arrow(table: Table[Any], include_id: bool = False, **kwargs: Any) -> pa.Table:
    """Runs what the table needs; gives back its final rows as a ``pyarrow.Table``.

    | column | in Arrow |
    |---|---|
    | ``int``, ``float``, ``bool`` | ``int64``, ``double``, ``bool`` |
    | ``str``, ``bytes`` | ``string``, ``binary`` |
    | ``None`` | ``null`` |
    | ``T \\| None`` | as ``T`` |
    | ``pw.DateTimeNaive`` | ``timestamp[ns]`` |
    | ``pw.DateTimeUtc`` | ``timestamp[ns, tz=UTC]`` |
    | ``pw.Duration`` | ``duration[ns]`` |
    | ``pw.Json`` | ``string``, the document as text |
    | ``pw.Pointer`` | ``string``, such as ``^3CZ78B48PASGNT231KECWPER90`` |
    | ``list[T]``, ``tuple[T, ...]`` | ``list<T>`` |
    | ``tuple[A, B]`` | ``struct<0: A, 1: B>`` |
    | ``np.ndarray`` | as many ``list`` in each other as it has dimensions |
    | ``Any`` | as the values are, which must have a type in common |
    | ``pw.PyObjectWrapper`` | a TypeError, before anything runs |
    | an ``Error`` in a cell | a ValueError that names the column and the row |

    An array whose number of dimensions its type does not say has that of its values, which must have the same. Where
    the type does not say of what it is, it is of ``int64`` if all values are whole numbers, else of ``double``.

    Args:
        table: the table.
        include_id: whether the keys come first, as texts in a column ``id``.
        kwargs: further arguments of ``pw.run``, such as ``terminate_on_error``.

    Raises:
        TypeError: a column has a type that Arrow cannot have.
        ValueError: a cell has no value in Arrow.
        ImportError: pyarrow is not installed.

    Example:

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... bird | grams
    ... wren | 9
    ... ''')
    >>> pw.debug.table_to_arrow(table).schema
    bird: string
    grams: int64
    """
    _check_arrow(table, "table_to_arrow")
    return _computed(table, "table_to_arrow", kwargs).to_arrow(include_id)


@tracebacks.shortened
def table_to_polars(table: Table[Any], include_id: bool = False, **kwargs: Any) -> pl.DataFrame:
    """Runs what the table needs; gives back its final rows as a polars DataFrame.

    The types are those of `pw.debug.table_to_arrow`, as polars has them.

    Args:
        table: the table.
        include_id: whether the keys come first, as texts in a column ``id``.
        kwargs: further arguments of ``pw.run``, such as ``terminate_on_error``.

    Raises:
        TypeError: a column has a type that Arrow cannot have.
        ValueError: a cell has no value in Arrow.
        ImportError: polars or pyarrow is not installed.

    Example:

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... bird | grams
    ... wren | 9
    ... ''')
    >>> pw.debug.table_to_polars(table).to_dicts()
    [{'bird': 'wren', 'grams': 9}]
    """
    _check_arrow(table, "table_to_polars")
    return _computed(table, "table_to_polars", kwargs).to_polars(include_id)


@tracebacks.shortened
def table_to_pandas(table: Table[Any], include_id: bool = True, **kwargs: Any) -> pd.DataFrame:
    """Runs what the table needs; gives back its final rows as a DataFrame.

    Args:
        table: the table.
        include_id: whether the keys are the index; otherwise rows are numbered.
        kwargs: further arguments of ``pw.run``, such as ``terminate_on_error=False``, with which a column where a cell
            could not be computed holds objects, and ``Error`` in that cell.

    Example:

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... a
    ... 7
    ... 8
    ... ''')
    >>> int(pw.debug.table_to_pandas(table)["a"].sum())
    15
    """
    return _computed(table, "table_to_pandas", kwargs).to_pandas(include_id)


@tracebacks.shortened
def table_to_parquet(table: Table[Any], filename: str | os.PathLike[str]) -> None:
    """Runs what the table needs and writes its final rows to a parquet file, without the keys.

    With several processes the first one writes the file.

    Args:
        table: the table.
        filename: the file; what it held is lost.

    Example:

    >>> import pathlib, tempfile
    >>> import pathway as pw
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.parquet"
    >>> pw.debug.table_to_parquet(pw.debug.table_from_markdown('''
    ... a
    ... 7
    ... '''), path)
    """
    frame = _computed(table, "table_to_parquet", {}).to_pandas(include_id=False)
    if environment.is_first_process():
        frame.to_parquet(filename)


def _check_arrow(table: Table[Any], call: str) -> None:
    """Says what cannot work before anything runs."""
    connecting.check_table(table, f"pw.debug.{call}")
    require("pyarrow")
    # It imports pyarrow.
    from pathway._debugging import arrow

    arrow.check(static.column_dtypes(table.schema))


def _computed(table: Table[Any], call: str, arguments: dict[str, Any]) -> Snapshot:
    (rows,) = capture_rows([table], *_settings(call, arguments, ["include_id"] if call in _WITH_IDS else []))
    return Snapshot(rows, static.column_dtypes(table.schema))


def _settings(call: str, arguments: dict[str, Any], own: Sequence[str]) -> tuple[RunSettings, str]:
    """How to run, and what the user has called, which has arguments of its `own`."""
    call = f"pw.debug.{call}"
    return quiet(call, own, **{"debug": True, **arguments}), call


def _print(
    names: Sequence[str],
    items: Sequence[tuple[Pointer, Sequence[Any]]],
    what: str,
    n_rows: int | None,
    cut: bool | None,
    *,
    ids: bool,
    short: bool,
) -> None:
    # Every process has the rows.
    if not environment.is_first_process():
        return
    is_cut = printing.for_people() if cut is None else cut
    wanted = items[:n_rows]
    first = wanted[: printing.MOST_ROWS] if is_cut else wanted
    keys, rows = [key for key, _ in first], [row for _, row in first]
    lines, hidden = printing.lines(
        names, keys, rows, ids=ids, short=short, is_cut=is_cut, for_terminal=printing.for_people()
    )
    for line in lines:
        print(line)
    left = printing.more(len(wanted) - len(first), what, hidden)
    if left:
        print(f"{left}; cut=False prints all")
