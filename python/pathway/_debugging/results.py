"""Running what tables need and looking at the result: printed, as dicts, as a pandas frame."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pathway._debugging import printing, static
from pathway._debugging.captures import Update, capture_updates, quiet
from pathway._debugging.static import DIFF, TIME
from pathway._ground import environment
from pathway._native import Pointer
from pathway._running.settings import RunSettings
from pathway._tables.table import Table

if TYPE_CHECKING:
    import pandas as pd


def compute_and_print(
    *tables: Table[Any],
    include_id: bool = True,
    short_pointers: bool = True,
    n_rows: int | None = None,
    **kwargs: Any,
) -> None:
    """Runs what the tables need and prints their final rows, in the order of their values.

    Args:
        tables: the tables; they are printed one after the other.
        include_id: whether to print the keys.
        short_pointers: whether to print only the first characters of keys.
        n_rows: how many rows to print; all by default.
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
    for table, updates in zip(tables, capture_updates(tables, _settings(kwargs)), strict=True):
        final = _final_rows(updates)
        rows = printing.in_order(
            list(final.items()), lambda item: (printing.sort_key(item[1]), item[0]), lambda item: item[0]
        )[:n_rows]
        keys, values = [key for key, _ in rows], [row for _, row in rows]
        _print(printing.lines(table.column_names(), keys, values, ids=include_id, short=short_pointers))


def compute_and_print_update_stream(
    *tables: Table[Any],
    include_id: bool = True,
    short_pointers: bool = True,
    n_rows: int | None = None,
    **kwargs: Any,
) -> None:
    """Runs what the tables need and prints every update: its row, its time, and its diff.

    Args:
        tables: the tables; they are printed one after the other.
        include_id: whether to print the keys.
        short_pointers: whether to print only the first characters of keys.
        n_rows: how many updates to print; all by default.
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
    for table, updates in zip(tables, capture_updates(tables, _settings(kwargs)), strict=True):
        rows = printing.in_order(
            updates,
            lambda update: (update.time, update.diff, printing.sort_key(tuple(update.row.values())), update.key),
            lambda update: (update.time, update.diff, update.key),
        )[:n_rows]
        names = [*table.column_names(), TIME, DIFF]
        values = [(*update.row.values(), update.time, update.diff) for update in rows]
        keys = [update.key for update in rows]
        _print(printing.lines(names, keys, values, ids=include_id, short=short_pointers))


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
    (updates,) = capture_updates([table], _settings(kwargs))
    final = _final_rows(updates)
    columns = {
        name: {key: row[position] for key, row in final.items()} for position, name in enumerate(table.column_names())
    }
    return list(final), columns


def table_to_pandas(table: Table[Any], include_id: bool = True, **kwargs: Any) -> pd.DataFrame:
    """Runs what the table needs; gives back its final rows as a DataFrame.

    Args:
        table: the table.
        include_id: whether the keys are the index; otherwise rows are numbered.
        kwargs: further arguments of ``pw.run``, such as ``terminate_on_error``.

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
    # It imports pandas.
    from pathway._debugging import frames

    keys, columns = table_to_dicts(table, **kwargs)
    return frames.frame(keys if include_id else None, columns, static.column_dtypes(table.schema))


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
    frame = table_to_pandas(table, include_id=False)
    if environment.is_first_process():
        frame.to_parquet(filename)


def _settings(arguments: dict[str, Any]) -> RunSettings:
    return quiet(**{"debug": True, **arguments})


def _final_rows(updates: Iterable[Update]) -> dict[Pointer, tuple[Any, ...]]:
    """The rows that remain; KeyError if that is not at most one for each key."""
    rows: dict[Pointer, list[tuple[Any, ...]]] = {}
    for update in updates:
        row = tuple(update.row.values())
        live = rows.setdefault(update.key, [])
        if update.diff > 0:
            live.extend([row] * update.diff)
            continue
        for _ in range(-update.diff):
            position = next((number for number, other in enumerate(live) if _same(other, row)), None)
            if position is None:
                raise KeyError(f"a row was removed that does not exist, key {update.key}")
            del live[position]
    for key, live in rows.items():
        if len(live) > 1:
            raise KeyError(f"duplicated entries for key {key}")
    return {key: live[0] for key, live in rows.items() if live}


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    # Arrays and NaN do not compare to a truth value, or not to the right one; their text does.
    return one is other or repr(one) == repr(other)


def _print(lines: Iterable[str]) -> None:
    # Every process has the rows.
    if not environment.is_first_process():
        return
    for line in lines:
        print(line)
