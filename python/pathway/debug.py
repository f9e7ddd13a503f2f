"""Small tables in a program, and looking at what becomes of them.

Functions that give tables back start nothing. Those that print or return values run what the tables need, and no
other output.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pathway import _markdown, _printing, _static, testing
from pathway._native import DType, Pointer
from pathway._static import DIFF, SHARD, SPECIAL, TIME

if TYPE_CHECKING:
    import pandas as pd

    from pathway import Schema, Table

__all__ = [
    "StreamGenerator",
    "compute_and_print",
    "compute_and_print_update_stream",
    "table_from_markdown",
    "table_from_pandas",
    "table_from_parquet",
    "table_from_rows",
    "table_to_dicts",
    "table_to_pandas",
    "table_to_parquet",
]


def table_from_markdown(
    table_def: str,
    id_from: Sequence[str] | None = None,
    unsafe_trusted_ids: bool = False,
    schema: type[Schema] | None = None,
    *,
    split_on_whitespace: bool = True,
) -> Table[Any]:
    """A table written as text.

    The first line has the names of the columns. Cells are separated by bars or white space. A first column without a
    name holds ids: rows with the same id in two tables have the same key. The columns ``__time__`` and ``__diff__``
    make a stream: a row comes (1) or goes (-1) at that time.

    Args:
        table_def: the text.
        id_from: columns that give the rows their keys.
        unsafe_trusted_ids: ids are the keys themselves, as numbers.
        schema: the types; otherwise a column of numbers that are all whole is int, one of other numbers float, one of
            true and false bool, any other str. Empty cells are None.
        split_on_whitespace: False if only bars separate cells, so that text may have spaces in it.

    Example:

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ...   | bird  | grams
    ... 1 | wren  | 9
    ... 2 | raven | 1200
    ... ''')
    >>> pw.debug.compute_and_print(table, include_id=False)
    bird  | grams
    raven | 1200
    wren  | 9
    """
    cells = _markdown.split(table_def, split_on_whitespace=split_on_whitespace)
    texts = {name: [row[position] for row in cells.rows] for position, name in enumerate(cells.names)}
    specials = {name: [int(text) for text in texts.pop(name)] for name in SPECIAL if name in texts}
    if schema is None:
        inferred = {name: _markdown.infer(column) for name, column in texts.items()}
        schema = _schema({name: dtype for name, (dtype, _) in inferred.items()})
        columns = [values for _, values in inferred.values()]
    else:
        _static.columns_of(schema, list(texts))
        columns = [
            [_markdown.read(text, dtype, name) for text in texts[name]] for name, dtype in _dtypes(schema).items()
        ]
    keys = None
    if cells.ids is not None and id_from is None:
        keys = _static.given_keys(_markdown.infer(cells.ids)[1], trusted=unsafe_trusted_ids)
    return _static.static_table(
        schema,
        _transpose(columns, len(cells.rows)),
        keys=keys,
        id_from=id_from,
        times=specials.get(TIME),
        diffs=specials.get(DIFF),
        name="markdown",
    )


def table_from_rows(
    schema: type[Schema],
    rows: Sequence[tuple[Any, ...]],
    unsafe_trusted_ids: bool = False,
    is_stream: bool = False,
) -> Table[Any]:
    """A table from tuples in the order of the schema's columns.

    Args:
        schema: the columns.
        rows: the tuples.
        unsafe_trusted_ids: the primary key is a number that is the key of the row itself.
        is_stream: the tuples have two more items, the time and the diff (1 or -1).

    Example:

    >>> import pathway as pw
    >>> class Reading(pw.Schema):
    ...     metre: str = pw.column_definition(primary_key=True)
    ...     value: float
    >>> table = pw.debug.table_from_rows(Reading, [("m1", 0.5, 2, 1), ("m1", 0.5, 4, -1)], is_stream=True)
    >>> pw.debug.compute_and_print_update_stream(table, include_id=False)
    metre | value | __time__ | __diff__
    m1    | 0.5   | 2        | 1
    m1    | 0.5   | 4        | -1
    """
    dtypes = _dtypes(schema)
    width = len(dtypes) + 2 * is_stream
    for row in rows:
        if len(row) != width:
            raise ValueError(f"the row {row!r} has {len(row)} items, but it should have {width}")
    keys = None
    if unsafe_trusted_ids:
        primary_keys = schema.primary_key_columns()
        if primary_keys is None or len(primary_keys) != 1:
            raise ValueError("unsafe_trusted_ids needs a schema with one primary key, a number")
        position = list(dtypes).index(primary_keys[0])
        keys = _static.given_keys((row[position] for row in rows), trusted=True)
    times = diffs = None
    if is_stream:
        times, diffs = [row[-2] for row in rows], [row[-1] for row in rows]
        rows = [row[:-2] for row in rows]
    return _static.static_table(schema, rows, keys=keys, times=times, diffs=diffs, name="rows")


def table_from_pandas(
    df: pd.DataFrame,
    id_from: Sequence[str] | None = None,
    unsafe_trusted_ids: bool = False,
    schema: type[Schema] | None = None,
) -> Table[Any]:
    """A table from a pandas DataFrame. The index gives the rows their keys; missing values are None.

    Args:
        df: the data; the columns ``__time__`` and ``__diff__`` make a stream, as in ``table_from_markdown``.
        id_from: columns that give the rows their keys.
        unsafe_trusted_ids: the index holds the keys themselves, as numbers.
        schema: the types; otherwise those of the values.

    Example:

    >>> import pandas as pd
    >>> import pathway as pw
    >>> frame = pd.DataFrame({"river": ["Ob", "Po"], "km": [3650, 652]})
    >>> pw.debug.compute_and_print(pw.debug.table_from_pandas(frame), include_id=False)
    river | km
    Ob    | 3650
    Po    | 652
    """
    from pathway import _frames

    columns = {str(name): _frames.values(series) for name, series in df.items()}
    specials = {name: [int(value) for value in columns.pop(name)] for name in SPECIAL if name in columns}
    if schema is None:
        schema = _schema({name: _frames.dtype(df[name], values) for name, values in columns.items()})
    positions = _static.columns_of(schema, list(columns))
    ordered = list(columns.values())
    keys = None
    if id_from is None and schema.primary_key_columns() is None:
        keys = _static.given_keys(df.index.tolist(), trusted=unsafe_trusted_ids)
    return _static.static_table(
        schema,
        _transpose([ordered[position] for position in positions], len(df)),
        keys=keys,
        id_from=id_from,
        times=specials.get(TIME),
        diffs=specials.get(DIFF),
        name="pandas",
    )


def table_from_parquet(
    path: str | os.PathLike[str], id_from: Sequence[str] | None = None, unsafe_trusted_ids: bool = False
) -> Table[Any]:
    """A table from a parquet file, which is read at once, by pandas.

    Args:
        path: the file.
        id_from: columns that give the rows their keys.
        unsafe_trusted_ids: the index holds the keys themselves, as numbers.

    Example:

    >>> import pathlib, tempfile
    >>> import pathway as pw
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "peaks.parquet"
    >>> pw.debug.table_to_parquet(pw.debug.table_from_markdown('''
    ... peak | metres
    ... Rysy | 2501
    ... '''), path)
    >>> pw.debug.compute_and_print(pw.debug.table_from_parquet(path), include_id=False)
    peak | metres
    Rysy | 2501
    """
    import pandas as pd

    return table_from_pandas(pd.read_parquet(path), id_from=id_from, unsafe_trusted_ids=unsafe_trusted_ids)


def compute_and_print(
    *tables: Table[Any],
    include_id: bool = True,
    short_pointers: bool = True,
    n_rows: int | None = None,
    terminate_on_error: bool | None = None,
) -> None:
    """Runs what the tables need and prints their final rows, in the order of their values.

    Args:
        tables: the tables; they are printed one after the other.
        include_id: whether to print the keys.
        short_pointers: whether to print only the first characters of keys.
        n_rows: how many rows to print; all by default.
        terminate_on_error: whether the first error in the data is raised; otherwise ``Error`` is printed in the cell.

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
    for table, updates in zip(
        tables, testing.capture_updates(tables, terminate_on_error=terminate_on_error), strict=True
    ):
        final = _final_rows(updates)
        rows = _printing.in_order(
            list(final.items()), lambda item: (_printing.sort_key(item[1]), item[0]), lambda item: item[0]
        )[:n_rows]
        keys, values = [key for key, _ in rows], [row for _, row in rows]
        _print(_printing.lines(table.column_names(), keys, values, ids=include_id, short=short_pointers))


def compute_and_print_update_stream(
    *tables: Table[Any],
    include_id: bool = True,
    short_pointers: bool = True,
    n_rows: int | None = None,
    terminate_on_error: bool | None = None,
) -> None:
    """Runs what the tables need and prints every update: its row, its time, and its diff.

    Args:
        tables: the tables; they are printed one after the other.
        include_id: whether to print the keys.
        short_pointers: whether to print only the first characters of keys.
        n_rows: how many updates to print; all by default.
        terminate_on_error: whether the first error in the data is raised; otherwise ``Error`` is printed in the cell.

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
    for table, updates in zip(
        tables, testing.capture_updates(tables, terminate_on_error=terminate_on_error), strict=True
    ):
        rows = _printing.in_order(
            updates,
            lambda update: (update.time, update.diff, _printing.sort_key(tuple(update.row.values())), update.key),
            lambda update: (update.time, update.diff, update.key),
        )[:n_rows]
        names = [*table.column_names(), TIME, DIFF]
        values = [(*update.row.values(), update.time, update.diff) for update in rows]
        keys = [update.key for update in rows]
        _print(_printing.lines(names, keys, values, ids=include_id, short=short_pointers))


def table_to_dicts(
    table: Table[Any], *, terminate_on_error: bool | None = None
) -> tuple[list[Pointer], dict[str, dict[Pointer, Any]]]:
    """Runs what the table needs; gives back its final keys, and for each column a dict from key to value.

    Args:
        table: the table.
        terminate_on_error: whether the first error in the data is raised.

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
    (updates,) = testing.capture_updates([table], terminate_on_error=terminate_on_error)
    final = _final_rows(updates)
    columns = {
        name: {key: row[position] for key, row in final.items()} for position, name in enumerate(table.column_names())
    }
    return list(final), columns


def table_to_pandas(
    table: Table[Any], *, include_id: bool = True, terminate_on_error: bool | None = None
) -> pd.DataFrame:
    """Runs what the table needs; gives back its final rows as a DataFrame.

    Args:
        table: the table.
        include_id: whether the keys are the index; otherwise rows are numbered.
        terminate_on_error: whether the first error in the data is raised.

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
    from pathway import _frames

    keys, columns = table_to_dicts(table, terminate_on_error=terminate_on_error)
    return _frames.frame(keys if include_id else None, columns, _dtypes(table.schema))


def table_to_parquet(table: Table[Any], filename: str | os.PathLike[str]) -> None:
    """Runs what the table needs and writes its final rows to a parquet file, without the keys.

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
    table_to_pandas(table, include_id=False).to_parquet(filename)


class StreamGenerator:
    """Makes streams out of batches: each batch is a commit of its own.

    Example:

    >>> import pathway as pw
    >>> class Drop(pw.Schema):
    ...     litres: int
    >>> stream = pw.debug.StreamGenerator().table_from_list_of_batches(
    ...     [[{"litres": 1}, {"litres": 2}], [{"litres": 5}]], Drop
    ... )
    >>> total = stream.reduce(total=pw.reducers.sum(stream.litres))
    >>> pw.debug.compute_and_print_update_stream(total, include_id=False)
    total | __time__ | __diff__
    3     | 2        | 1
    3     | 4        | -1
    8     | 4        | 1
    """

    def table_from_list_of_batches(
        self, batches: Sequence[Sequence[Mapping[str, Any]]], schema: type[Schema]
    ) -> Table[Any]:
        """A table to which each batch of rows (dicts) adds at a time of its own: 2, 4, and so on."""
        names = list(_dtypes(schema))
        rows: list[tuple[Any, ...]] = []
        times: list[int] = []
        for number, batch in enumerate(batches, start=1):
            for row in batch:
                if set(row) != set(names):
                    raise ValueError(f"the row {row!r} does not have the columns of the schema: {', '.join(names)}")
                rows.append(tuple(row[name] for name in names))
                times.append(2 * number)
        return _static.static_table(schema, rows, times=times, name="batches")

    def table_from_list_of_batches_by_workers(
        self, batches: Sequence[Mapping[int, Sequence[Mapping[str, Any]]]], schema: type[Schema]
    ) -> Table[Any]:
        """The same, where a batch says which worker reads which rows. Results never depend on it."""
        return self.table_from_list_of_batches(
            [[row for rows in batch.values() for row in rows] for batch in batches], schema
        )

    def table_from_pandas(
        self,
        df: pd.DataFrame,
        id_from: Sequence[str] | None = None,
        unsafe_trusted_ids: bool = False,
        schema: type[Schema] | None = None,
    ) -> Table[Any]:
        """A stream from a DataFrame with the columns ``_time``, ``_diff`` and ``_worker``, each of them optional."""
        renamed = df.rename(columns=_STREAM_COLUMNS)
        if TIME not in renamed.columns:
            renamed[TIME] = 2
        return table_from_pandas(renamed, id_from=id_from, unsafe_trusted_ids=unsafe_trusted_ids, schema=schema)

    def table_from_markdown(
        self,
        table: str,
        id_from: Sequence[str] | None = None,
        unsafe_trusted_ids: bool = False,
        schema: type[Schema] | None = None,
    ) -> Table[Any]:
        """A stream from text with the columns ``_time``, ``_diff`` and ``_worker``, each of them optional."""
        header, newline, rows = table.strip("\n").partition("\n")
        words = [_STREAM_COLUMNS.get(word, word) for word in header.replace("|", " | ").split()]
        if header.lstrip().startswith("|") or header.startswith(" "):
            words = [" ", *words]
        return table_from_markdown(
            " ".join(words) + newline + rows, id_from=id_from, unsafe_trusted_ids=unsafe_trusted_ids, schema=schema
        )


_STREAM_COLUMNS = {"_time": TIME, "_diff": DIFF, "_worker": SHARD}


def _schema(dtypes: Mapping[str, DType]) -> type[Schema]:
    from pathway import _dtypes, schema_from_types

    return schema_from_types(**{name: _dtypes.to_python(dtype) for name, dtype in dtypes.items()})


def _dtypes(schema: type[Schema]) -> dict[str, DType]:
    from pathway.io import _tables

    return {field.name: field.dtype for field in _tables.fields(_tables.check_schema(schema))}


def _transpose(columns: Sequence[Sequence[Any]], height: int) -> list[tuple[Any, ...]]:
    return list(zip(*columns, strict=True)) if columns else [()] * height


def _final_rows(updates: Iterable[testing.Update]) -> dict[Pointer, tuple[Any, ...]]:
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
    for line in lines:
        print(line)
