"""Tables whose rows the program itself has: from markdown, from lists, from pandas.

A row gets its key, in this order of precedence, from an id that is given with it, from the columns in `id_from`
or the primary key of the schema, or from its number, counted from 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pathway import _native
from pathway._ground.origin import user_origin, warn
from pathway._ground.shown import shown
from pathway._native import DType, Pointer
from pathway._schemas.schema import Schema
from pathway._tables import connecting
from pathway._tables.table import Table
from pathway._values import dtypes

TIME = "__time__"
DIFF = "__diff__"
SHARD = "__shard__"
SPECIAL = (TIME, DIFF, SHARD)


def static_table(
    schema: type[Schema],
    rows: Sequence[Sequence[Any]],
    *,
    keys: Sequence[Pointer] | None = None,
    id_from: Sequence[str] | None = None,
    times: Sequence[int] | None = None,
    diffs: Sequence[int] | None = None,
    name: str,
) -> Table[Any]:
    """A table of rows in the order of the schema's columns."""
    fields = connecting.fields(schema, f"{name} of the program")
    if keys is None and id_from is not None:
        types = {field.name: field.dtype for field in fields}
        if all(name in types for name in id_from):
            schema = schema.with_id_type(dtypes.to_python(DType.pointer([types[name] for name in id_from])))
    # Then a removal names its row by the values.
    are_numbers = keys is None and not id_from and not any(field.primary_key for field in fields)
    if keys is None:
        keys = row_keys(fields, rows, id_from, name)
    if times is not None:
        times = _even(times)
    if diffs is not None and any(diff not in (1, -1) for diff in diffs):
        raise ValueError(f"{DIFF} has to be 1 or -1")
    own_keys = None if are_numbers else keys
    node = connecting.plan().static_source(
        fields, rows, keys=own_keys, times=times, diffs=diffs, name=name, origin=user_origin()
    )
    connecting.note_static(node, len(rows))
    is_stream = times is not None or diffs is not None
    return connecting.source_table(node, schema, keys=None if is_stream else keys)


def row_keys(
    fields: Sequence[_native.Field], rows: Sequence[Sequence[Any]], id_from: Sequence[str] | None, source: str
) -> list[Pointer]:
    """The keys of rows that came without any."""
    names = [field.name for field in fields]
    if id_from is None:
        id_from = [field.name for field in fields if field.primary_key]
    unknown = [name for name in id_from if name not in names]
    if unknown:
        raise ValueError(f"id_from names columns that the table does not have: {', '.join(unknown)}")
    if not id_from:
        return [_native.pointer_from((number,)) for number in range(len(rows))]
    # The key is that of the value as the column holds it: 1 in a float column is 1.0.
    columns = [(name, position, fields[position].dtype) for name, position in ((n, names.index(n)) for n in id_from)]
    keys = []
    for number, row in enumerate(rows, 1):
        values = []
        for name, position, dtype in columns:
            try:
                values.append(dtype.convert(row[position]))
            except (TypeError, ValueError, OverflowError) as error:
                raise in_cell(error, source, number, name) from None
        keys.append(_native.pointer_from(values))
    return keys


def in_cell(error: Exception, source: str, row: int, column: str) -> Exception:
    """The same error, which says in which cell of a source it is."""
    kind = type(error) if type(error) in (TypeError, OverflowError) else ValueError
    return kind(f'{source}: row {row}, column "{shown(column)}": {error}')


def given_keys(ids: Iterable[Any], *, trusted: bool) -> list[Pointer]:
    """The keys for ids that came with the rows; trusted ones are numbers that are the keys themselves."""
    return [id if isinstance(id, Pointer) else Pointer(id) if trusted else _native.pointer_from((id,)) for id in ids]


def columns_of(schema: type[Schema], names: Sequence[str]) -> list[int]:
    """Where in `names` the columns of the schema are."""
    wanted = schema.column_names()
    if sorted(wanted) != sorted(names):
        raise ValueError(
            f"schema does not match given dataframe: the schema has the columns {', '.join(wanted)}, "
            f"the data has {', '.join(names)}"
        )
    return [names.index(name) for name in wanted]


def column_dtypes(schema: type[Schema]) -> dict[str, DType]:
    """The types of the columns of a schema, in order."""
    return {name: column.dtype.dtype for name, column in connecting.check_schema(schema).columns().items()}


def _even(times: Sequence[int]) -> Sequence[int]:
    if any(time % 2 for time in times):
        warn("timestamps are required to be even; all timestamps will be doubled")
        return [2 * time for time in times]
    return times
