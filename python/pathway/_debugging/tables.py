"""Making tables from what a program has: text, tuples, pandas frames. Nothing is started."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

from pathway._debugging import markdown, static
from pathway._debugging.static import DIFF, SPECIAL, TIME
from pathway._ground import arguments
from pathway._native import DType
from pathway._schemas.builders import schema_of
from pathway._schemas.schema import Schema
from pathway._tables import strangers
from pathway._tables.table import Table

if TYPE_CHECKING:
    import pandas as pd


@arguments.explained
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
        id_from: columns that give the rows their keys; not together with a schema, whose primary key gives them.
        unsafe_trusted_ids: ids are the keys themselves, as numbers; without ids, the numbers of the rows, from 0.
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
    _check_keys(schema, id_from)
    cells = markdown.split(table_def, split_on_whitespace=split_on_whitespace)
    texts = {name: [row[position] for row in cells.rows] for position, name in enumerate(cells.names)}
    specials = {
        name: [markdown.read(text, DType.INT, name) for text in texts.pop(name)] for name in SPECIAL if name in texts
    }
    if schema is None:
        inferred = {name: markdown.infer(column) for name, column in texts.items()}
        schema = _schema({name: dtype for name, (dtype, _) in inferred.items()})
        columns = [values for _, values in inferred.values()]
    else:
        static.columns_of(schema, list(texts))
        columns = [
            [markdown.read(text, dtype, name) for text in texts[name]]
            for name, dtype in static.column_dtypes(schema).items()
        ]
    keys = None
    if cells.ids is not None and id_from is None:
        keys = static.given_keys(markdown.infer(cells.ids)[1], trusted=unsafe_trusted_ids)
    elif unsafe_trusted_ids and id_from is None and schema.primary_key_columns() is None:
        keys = static.given_keys(range(len(cells.rows)), trusted=True)
    return static.static_table(
        schema,
        _transpose(columns, len(cells.rows)),
        keys=keys,
        id_from=id_from,
        times=specials.get(TIME),
        diffs=specials.get(DIFF),
        name="markdown",
    )


@arguments.explained
def table_from_rows(
    schema: type[Schema],
    rows: Iterable[tuple[Any, ...]],
    unsafe_trusted_ids: bool = False,
    is_stream: bool = False,
) -> Table[Any]:
    """A table from tuples in the order of the schema's columns.

    Args:
        schema: the columns.
        rows: the tuples.
        unsafe_trusted_ids: without a primary key, the keys are the numbers of the rows, from 0.
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
    dtypes = static.column_dtypes(schema)
    width = len(dtypes) + 2 * is_stream
    rows = list(rows)
    for row in rows:
        if isinstance(row, (Mapping, Set, str, bytes)):
            # Iterated over, it would be taken for its keys, in any order, or for its letters.
            names = ", ".join([*dtypes, *(("time", "diff") if is_stream else ())])
            raise TypeError(f"a row is a tuple of the values of {names}, in this order; found {row!r}")
        if len(row) != width:
            raise ValueError(f"the row {row!r} has {len(row)} items, but it should have {width}")
    keys = None
    if unsafe_trusted_ids and schema.primary_key_columns() is None:
        keys = static.given_keys(range(len(rows)), trusted=True)
    times = diffs = None
    if is_stream:
        times, diffs = [row[-2] for row in rows], [row[-1] for row in rows]
        rows = [row[:-2] for row in rows]
    return static.static_table(schema, rows, keys=keys, times=times, diffs=diffs, name="rows")


@arguments.explained
def table_from_pandas(
    df: pd.DataFrame,
    id_from: Sequence[str] | None = None,
    unsafe_trusted_ids: bool = False,
    schema: type[Schema] | None = None,
) -> Table[Any]:
    """A table from a pandas DataFrame. The index gives the rows their keys; missing values are None.

    Args:
        df: the data; the columns ``__time__`` and ``__diff__`` make a stream, as in ``table_from_markdown``.
        id_from: columns that give the rows their keys; not together with a schema, whose primary key gives them.
        unsafe_trusted_ids: the index holds the keys themselves, as numbers.
        schema: the types; otherwise those of the values. In a column that it says to be float, and not optional, a NaN
            stays one; in one that it says to be int, whole numbers are ints though pandas has them as floats.

    Example:

    >>> import pandas as pd
    >>> import pathway as pw
    >>> frame = pd.DataFrame({"river": ["Ob", "Po"], "km": [3650, 652]})
    >>> pw.debug.compute_and_print(pw.debug.table_from_pandas(frame), include_id=False)
    river | km
    Ob    | 3650
    Po    | 652
    """
    # Nothing imports pandas before it is needed.
    import pandas as pd

    # Nothing imports pandas before it is needed.
    from pathway._debugging import frames

    if not isinstance(df, pd.DataFrame):
        raise TypeError(f"parameter df has to be a pandas DataFrame, found {strangers.described(df)}")
    _check_keys(schema, id_from)
    series = frames.columns(df)
    specials = {name: frames.whole_numbers(name, series.pop(name)) for name in SPECIAL if name in series}
    if schema is None:
        columns = {name: frames.values(column) for name, column in series.items()}
        schema = _schema({name: frames.dtype(series[name], values) for name, values in columns.items()})
    else:
        static.columns_of(schema, list(series))
        dtypes = static.column_dtypes(schema)
        columns = {name: frames.values(series[name], dtype) for name, dtype in dtypes.items()}
    keys = None
    if id_from is None and schema.primary_key_columns() is None:
        keys = static.given_keys(df.index.tolist(), trusted=unsafe_trusted_ids)
    return static.static_table(
        schema,
        _transpose(list(columns.values()), len(df)),
        keys=keys,
        id_from=id_from,
        times=specials.get(TIME),
        diffs=specials.get(DIFF),
        name="pandas",
    )


@arguments.explained
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
    # Nothing imports pandas before it is needed.
    import pandas as pd

    return table_from_pandas(pd.read_parquet(path), id_from=id_from, unsafe_trusted_ids=unsafe_trusted_ids)


def _check_keys(schema: type[Schema] | None, id_from: Sequence[str] | None) -> None:
    if schema is not None and id_from is not None:
        raise ValueError(
            "schema and id_from are mutually exclusive: declare the columns of the key in the schema, with "
            "pw.column_definition(primary_key=True)"
        )


def _schema(dtypes: Mapping[str, DType]) -> type[Schema]:
    return schema_of(dtypes, append_only=False, id_type=None)


def _transpose(columns: Sequence[Sequence[Any]], height: int) -> list[tuple[Any, ...]]:
    return list(zip(*columns, strict=True)) if columns else [()] * height
