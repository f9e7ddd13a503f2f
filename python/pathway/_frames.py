"""pandas frames to rows and back. Imports pandas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import pandas as pd

from pathway._native import DType, Pointer, infer_dtype

# By the kind of a numpy type.
_KINDS = {"i": DType.INT, "u": DType.INT, "f": DType.FLOAT, "b": DType.BOOL, "m": DType.DURATION}

# How a column comes back; others are objects.
_COLUMNS = {
    "int": "int64",
    "float": "float64",
    "bool": "bool",
    "date_time_naive": "datetime64[ns]",
    "date_time_utc": "datetime64[ns, UTC]",
    "duration": "timedelta64[ns]",
}
_OPTIONAL_COLUMNS = {"int": "Int64", "bool": "boolean"}


def values(series: pd.Series[Any]) -> list[Any]:
    """The values as Python has them; None where they are missing."""
    items = series.tolist()
    missing = series.isna()
    if not missing.any():
        return items
    return [None if gone else item for item, gone in zip(items, missing, strict=True)]


def dtype(series: pd.Series[Any], items: Sequence[Any]) -> DType:
    """The type of a column, from that of the series, or, for objects, from all values."""
    kind = getattr(series.dtype, "kind", "O")
    if kind == "M":
        found = DType.DATE_TIME_NAIVE if getattr(series.dtype, "tz", None) is None else DType.DATE_TIME_UTC
    elif kind in _KINDS:
        found = _KINDS[kind]
    else:
        return reduce(DType.least_upper_bound, {infer_dtype(item) for item in items}) if items else DType.ANY
    return DType.optional(found) if any(item is None for item in items) else found


def frame(
    keys: Sequence[Pointer] | None, columns: Mapping[str, Mapping[Pointer, Any]], dtypes: Mapping[str, DType]
) -> pd.DataFrame:
    """A frame with the columns, and with the keys as its index if there are any."""
    series: dict[str, pd.Series[Any]] = {}
    for name, column in columns.items():
        dtype = dtypes[name]
        names = _OPTIONAL_COLUMNS if dtype.is_optional else _COLUMNS
        kind = names.get(dtype.required.kind, _COLUMNS.get(dtype.required.kind, "object"))
        series[name] = pd.Series(list(column.values()), dtype=kind)
    result = pd.DataFrame(series)
    if keys is not None:
        result.index = pd.Index(list[Any](keys), dtype="object")
    return result
