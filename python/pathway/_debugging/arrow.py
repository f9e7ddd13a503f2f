"""Rows as Arrow arrays. Imports pyarrow.

What a column becomes follows from its type alone, so that a program can rely on it. Only where the type says too little
(`Any`, a `tuple` of anything, an array of any shape) the values are asked, which then must have something in common.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa  # type: ignore[import-untyped,import-not-found,unused-ignore]

from pathway._ground.shown import shown
from pathway._native import ERROR, DType, Pointer, infer_dtype

Cells: TypeAlias = Sequence[tuple[int, Any]]
"""Values with the number of the row that each is from, or from the inside of."""

_PLAIN = {
    "none": pa.null(),
    "bool": pa.bool_(),
    "int": pa.int64(),
    "float": pa.float64(),
    "str": pa.string(),
    "bytes": pa.binary(),
}
_AS_TEXT = {"pointer", "json"}
_MOMENTS = {
    "date_time_naive": pa.timestamp("ns"),
    "date_time_utc": pa.timestamp("ns", "UTC"),
    "duration": pa.duration("ns"),
}
_OBJECTS = {"object": "Python objects (pw.PyObjectWrapper)", "callable": "functions"}


class _Form(NamedTuple):
    """How values become those of an Arrow array. None stays None."""

    type: pa.DataType
    convert: Callable[[Any], Any]


class _Refusal(Exception):
    """Why there is no array, and the rows that show it."""

    def __init__(self, reason: str, *rows: int) -> None:
        super().__init__(reason)
        self.rows = rows


def check(dtypes: Mapping[str, DType]) -> None:
    """TypeError if a column has a type that Arrow cannot have, whatever its values."""
    for name, dtype in dtypes.items():
        kind = _object_in(dtype)
        if kind is not None:
            raise TypeError(
                f"column {name!r} holds {_OBJECTS[kind]}, which Arrow has no type for; leave it out with "
                f"table.without({name!r}), or make something else of it with pw.apply_with_type"
            )


def _object_in(dtype: DType) -> str | None:
    if dtype.kind in _OBJECTS:
        return dtype.kind
    return next((found for found in map(_object_in, dtype.arguments) if found and dtype.kind != "pointer"), None)


def table(
    columns: Mapping[str, Sequence[Any]], dtypes: Mapping[str, DType], keys: Sequence[Pointer], *, with_keys: bool
) -> pa.Table:
    """The columns as an Arrow table, after one with the keys if they are wanted."""
    arrays: dict[str, pa.Array] = {}
    fields: list[pa.Field] = []
    if with_keys:
        if "id" in columns:
            raise ValueError("include_id=True makes a column 'id', which the table has already: rename that one")
        arrays["id"] = pa.array(list(map(str, keys)), pa.string())
        fields.append(pa.field("id", pa.string(), nullable=False))
    for name, values in columns.items():
        arrays[name] = _array(name, dtypes[name], values, keys)
        fields.append(pa.field(name, arrays[name].type))
    return pa.Table.from_arrays(list(arrays.values()), schema=pa.schema(fields))


def _array(name: str, dtype: DType, values: Sequence[Any], keys: Sequence[Pointer]) -> pa.Array:
    kind = dtype.required.kind
    # Most columns are taken as they are. If something is in the way, the longer way says what.
    with suppress(Exception):
        if kind in _PLAIN:
            return pa.array(values, _PLAIN[kind])
        if kind in _MOMENTS:
            return pa.array([None if value is None else value.value for value in values], _MOMENTS[kind])
    try:
        for row, value in enumerate(values):
            if _has_error(value):
                raise _Refusal(
                    "a cell holds an Error, which Arrow has no value for; give it one with pw.fill_error, or leave out "
                    "such rows with table.remove_errors()",
                    row,
                )
        form = _form(dtype, list(enumerate(values)))
        return pa.array(list(map(form.convert, values)), form.type)
    except _Refusal as refusal:
        rows = " and ".join(f"{shown(repr(values[row]))[:80]} in the row {keys[row]}" for row in refusal.rows)
        raise ValueError(f"column {name!r}: {refusal} (found {rows})") from None


def _has_error(value: Any) -> bool:
    return value is ERROR or (isinstance(value, tuple) and any(map(_has_error, value)))


def _form(dtype: DType, cells: Cells) -> _Form:
    kind = dtype.kind
    if kind in ("optional", "future"):
        return _form(dtype.arguments[0], cells)
    if kind == "any":
        return _form_of_values([(row, value) for row, value in cells if value is not None])
    if kind == "list":
        inner = _form(dtype.arguments[0], [(row, item) for row, value in cells if value is not None for item in value])
        return _Form(pa.list_(inner.type), _unless_none(lambda value: [inner.convert(item) for item in value]))
    if kind == "tuple":
        return _tuple(dtype, [(row, value) for row, value in cells if value is not None])
    if kind == "array":
        return _ndarray(dtype, [(row, value) for row, value in cells if value is not None])
    if kind in _OBJECTS:
        raise _Refusal(f"Arrow has no type for {_OBJECTS[kind]}", *(row for row, _ in cells[:1]))
    if kind in _AS_TEXT:
        return _Form(pa.string(), _unless_none(str))
    if kind in _MOMENTS:
        return _Form(_MOMENTS[kind], _unless_none(lambda value: value.value))
    return _Form(_PLAIN[kind], lambda value: value)


def _unless_none(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else convert(value)


def _tuple(dtype: DType, cells: Cells) -> _Form:
    forms = {
        str(position): _form(inner, [(row, value[position]) for row, value in cells])
        for position, inner in enumerate(dtype.arguments)
    }
    return _Form(
        pa.struct([pa.field(name, form.type) for name, form in forms.items()]),
        _unless_none(
            lambda value: {name: form.convert(item) for (name, form), item in zip(forms.items(), value, strict=True)}
        ),
    )


def _ndarray(dtype: DType, cells: Cells) -> _Form:
    dimensions, element = dtype.dimensions, dtype.arguments[0]
    if dimensions is None:
        found = _same((row, value.ndim) for row, value in cells)
        dimensions = 1 if found is None else found
    if element == DType.ANY:
        whole = bool(cells) and all(value.dtype.kind in "iu" for _, value in cells)
        element = DType.INT if whole else DType.FLOAT
    arrow = _PLAIN[element.kind]
    for _ in range(dimensions):
        arrow = pa.list_(arrow)
    return _Form(arrow, _unless_none(lambda value: value.tolist()))


def _same(numbers: Iterable[tuple[int, int]]) -> int | None:
    """The number of dimensions that all arrays have."""
    first: tuple[int, int] | None = None
    for row, number in numbers:
        if first is None:
            first = row, number
        elif number != first[1]:
            raise _Refusal(
                "arrays of different numbers of dimensions have no common Arrow type; declare the column with one, "
                "such as np.ndarray[1, float]",
                first[0],
                row,
            )
    return None if first is None else first[1]


def _form_of_values(cells: Cells) -> _Form:
    """For values of any type, of which none is None: the form of the one type that they have in common."""
    common: DType | None = None
    first = 0
    for row, value in cells:
        found = DType.list(DType.ANY) if isinstance(value, tuple) else infer_dtype(value)
        if common is None:
            common, first = found, row
        elif found != common:
            joined = common.least_upper_bound(found)
            if joined == DType.ANY:
                raise _Refusal(
                    "its values have no type in common; give it one with pw.cast, pw.apply_with_type or a schema",
                    first,
                    row,
                )
            common = joined
    return _Form(pa.null(), lambda value: value) if common is None else _form(common, cells)
