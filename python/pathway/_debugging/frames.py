"""pandas frames to rows and back. Imports pandas and numpy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd

from pathway._debugging.static import in_cell
from pathway._native import ERROR, DType, Pointer, infer_dtype

# By the kind of a numpy type.
_KINDS = {"i": DType.INT, "u": DType.INT, "f": DType.FLOAT, "b": DType.BOOL, "m": DType.DURATION}

# How a column comes back; None is as pandas finds, others are objects.
_COLUMNS = {
    "int": "int64",
    "float": "float64",
    "bool": "bool",
    "str": None,
    "date_time_naive": "datetime64[ns]",
    "date_time_utc": "datetime64[ns, UTC]",
    "duration": "timedelta64[ns]",
}
_OPTIONAL_COLUMNS = {"int": "Int64", "bool": None}


def columns(df: pd.DataFrame) -> dict[str, pd.Series[Any]]:
    """The columns by name; ValueError if two have the same one."""
    found: dict[str, pd.Series[Any]] = {}
    for label, series in df.items():
        name = str(label)
        if name in found:
            raise ValueError(f"two columns of the data frame have the name {name!r}")
        found[name] = series
    return found


def values(series: pd.Series[Any], dtype: DType | None = None) -> list[Any]:
    """The values as Python has them, and None where they are missing.

    With the type of a column, they are what pandas had to change to hold them: a NaN in a column of floats is a NaN,
    and a whole number in a column of ints an int, though a column of pandas that has gaps holds it as a float.
    """
    items = series.tolist()
    missing = series.isna()
    if missing.any():
        keeps_nan = dtype == DType.FLOAT
        items = [
            None if gone and not (keeps_nan and isinstance(item, float)) else item
            for item, gone in zip(items, missing, strict=True)
        ]
    if dtype is not None and dtype.required == DType.INT:
        items = [int(item) if isinstance(item, float) and item.is_integer() else item for item in items]
    return items


def whole_numbers(name: str, series: pd.Series[Any]) -> list[int]:
    """The values of a column such as `__time__`; ValueError if one is no whole number."""
    items = values(series, DType.INT)
    for item in items:
        if isinstance(item, bool) or not isinstance(item, int):
            raise ValueError(f"column {name} has to hold whole numbers, found {item!r}")
    return items


def dtype(series: pd.Series[Any], items: Sequence[Any]) -> DType:
    """The type of a column, from that of the series, or, for objects, from all values."""
    kind = getattr(series.dtype, "kind", "O")
    if kind == "M":
        arrow = getattr(series.dtype, "pyarrow_dtype", None)
        zone = getattr(series.dtype if arrow is None else arrow, "tz", None)
        found = DType.DATE_TIME_NAIVE if zone is None else DType.DATE_TIME_UTC
    elif kind in _KINDS:
        found = _KINDS[kind]
    else:
        return _joined(items, str(series.name))
    return DType.optional(found) if any(item is None for item in items) else found


def _joined(items: Sequence[Any], column: str) -> DType:
    """The type of all values of a column."""
    try:
        return _common(items)
    except (TypeError, ValueError, OverflowError):
        for number, item in enumerate(items, 1):
            try:
                _common((item,))
            except (TypeError, ValueError, OverflowError) as error:
                raise in_cell(error, "pandas", number, column) from None
        raise


def _common(items: Iterable[Any]) -> DType:
    """The type of all values. The items of lists are looked at together, as an empty list says nothing of what others
    hold; they are of any length, unlike tuples."""
    found = set()
    lists: dict[int, list[Any]] = {}
    for item in items:
        if type(item) is list:
            lists[id(item)] = item
        else:
            found.add(infer_dtype(item))
    if lists:
        found.add(DType.list(_common(item for each in lists.values() for item in each)))
    return reduce(DType.least_upper_bound, found) if found else DType.ANY


# What counts nanoseconds, and what pandas counts them with.
_MOMENTS = {
    "datetime64[ns]": "datetime64[ns]",
    "datetime64[ns, UTC]": "datetime64[ns]",
    "timedelta64[ns]": "timedelta64[ns]",
}


def _of_moments(column: Sequence[Any], kind: str) -> pd.Series[Any]:
    """A column of moments or durations, of which pandas would ask each what it is."""
    numbers = np.array([pd.NaT.value if value is None else value.value for value in column], dtype="int64")
    series = pd.Series(numbers.view(_MOMENTS[kind]), copy=False)
    return series.dt.tz_localize("UTC") if kind != _MOMENTS[kind] else series


def frame(
    keys: Sequence[Pointer] | None, columns: Mapping[str, Sequence[Any]], dtypes: Mapping[str, DType]
) -> pd.DataFrame:
    """A frame with the columns, and with the keys as its index if there are any.

    A column with an Error among its values holds objects, as in the original.
    """
    series: dict[str, pd.Series[Any]] = {}
    for name, column in columns.items():
        dtype = dtypes[name]
        names = {**_COLUMNS, **_OPTIONAL_COLUMNS} if dtype.is_optional else _COLUMNS
        kind = names.get(dtype.required.kind, "object")
        # Arrays do not compare to a truth value.
        if id(ERROR) in set(map(id, column)):
            kind = "object"
        series[name] = _of_moments(column, kind) if kind in _MOMENTS else pd.Series(list(column), dtype=kind)
    result = pd.DataFrame(series)
    if keys is not None:
        result.index = pd.Index(list[Any](keys), dtype="object")
    return result
