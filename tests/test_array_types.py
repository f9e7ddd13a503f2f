"""The types of arrays: their dimensions and elements, from annotations and data, and what they are inside."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pathway as pw
import pytest
from pathway._values import dtypes

from tests.support import rows

LINE = np.ndarray[tuple[int], np.dtype[np.int64]]
GRID = np.ndarray[tuple[int, int], np.dtype[np.float64]]


def shown(schema: type[pw.Schema], name: str) -> str:
    return repr(schema[name].dtype)


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (np.ndarray, "Array"),
        (np.ndarray[None, int], "Array(1, INT)"),  # type: ignore[type-var]
        (np.ndarray[1, int], "Array(1, INT)"),  # type: ignore[type-var]
        (np.ndarray[2, float], "Array(2, FLOAT)"),  # type: ignore[type-var]
        (np.ndarray[tuple[int], int], "Array(1, INT)"),  # type: ignore[type-var]
        (LINE, "Array(1, INT)"),
        (GRID, "Array(2, FLOAT)"),
        (np.ndarray[tuple[int, ...], np.dtype[np.int64]], "Array(INT)"),
        (np.ndarray[Any, np.dtype[np.float32]], "Array(FLOAT)"),
        (np.ndarray[tuple[int, int, int], np.dtype[Any]], "Array(3)"),
        (npt.NDArray[np.float64], "Array(FLOAT)"),
        (npt.NDArray[np.int_], "Array(INT)"),
        (GRID | None, "Optional(Array(2, FLOAT))"),
        (list[LINE], "List(Array(1, INT))"),
    ],
)
def test_annotations(annotation: Any, text: str) -> None:
    schema = pw.schema_from_types(v=annotation)
    assert shown(schema, "v") == text
    # As an annotation, as plain dicts and as the text of a class it is the same type again.
    assert pw.schema_from_types(**schema.typehints()) == schema
    assert pw.schema_from_dict(schema.to_json_serializable_dict()["columns"]) == schema
    names: dict[str, Any] = {}
    exec(schema.generate_class("Again", generate_imports=True), names)
    assert names["Again"].columns() == schema.columns()
    assert dtypes.to_dtype(dtypes.display(schema.typehints()["v"]), {"np": np}) == schema["v"].dtype.dtype


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([np.array([1, 2]), np.array([3])], "Array(1, INT)"),
        ([np.array([1.0])], "Array(1, FLOAT)"),
        ([np.array([1], dtype="f4")], "Array(1, FLOAT)"),
        ([np.array([[1.0, 2]]), np.array([[3.0, 4]])], "Array(2, FLOAT)"),
        ([np.zeros((2, 2, 2))], "Array(3, FLOAT)"),
        ([np.array(5)], "Array(0, INT)"),
        ([np.array([1]), np.array([[1]])], "Array(INT)"),
        ([np.array([1]), np.array([1.5])], "Array(1, FLOAT)"),
        ([np.array([1]), None], "Optional(Array(1, INT))"),
    ],
)
def test_data(values: list[Any], text: str) -> None:
    table = pw.debug.table_from_pandas(pd.DataFrame({"v": pd.Series(values, dtype=object)}))
    assert shown(table.schema, "v") == text


@pytest.mark.parametrize(
    ("annotation", "value", "item", "items", "with_default"),
    [
        (np.ndarray[None, int], np.array([3, 4]), int, [3, 4], int),  # type: ignore[type-var]
        (LINE, np.array([3, 4]), int, [3, 4], int),
        (None, np.array([3, 4]), int, [3, 4], int),
        (None, np.array([3.5, 4]), float, [3.5, 4.0], float),
        # Of an unknown number of dimensions, an item may be a number or an array.
        (np.ndarray, np.array([3, 4]), Any, [3, 4], Any),
        (npt.NDArray[np.int_], np.array([3, 4]), Any, [3, 4], Any),
    ],
)
def test_items_are_elements(annotation: Any, value: Any, item: Any, items: list[Any], with_default: Any) -> None:
    schema = None if annotation is None else pw.schema_from_types(v=annotation)
    table = pw.debug.table_from_pandas(pd.DataFrame({"v": [value]}), schema=schema)
    flat = table.flatten(table.v)
    assert flat.typehints()["v"] == item
    assert repr(rows(flat, "v")) == repr(items)
    parts = table.select(
        first=table.v[0],
        last=table.v[-1],
        there=table.v.get(1, default=-1),
        default=table.v.get(9, default=-1),
        none=table.v.get(9),
    )
    optional = Any if item is Any else item | None
    assert list(parts.typehints().values()) == [item, item, with_default, with_default, optional]
    (update,) = pw.testing.capture(parts)
    default = float(-1) if item is float else -1
    assert repr(list(update.row.values())) == repr([items[0], items[1], items[1], default, None])
    if item is not Any:
        assert rows(table.select(x=table.v[0] + 1), "x") == [items[0] + 1]
        assert rows(flat.reduce(x=pw.reducers.sum(flat.v)), "x") == [sum(items)]


def test_items_of_grids_are_lines() -> None:
    table = pw.debug.table_from_pandas(pd.DataFrame({"v": [np.array([[1.0, 2], [3, 4]])]}))
    lines = table.flatten(table.v)
    assert shown(lines.schema, "v") == "Array(1, FLOAT)"
    assert shown(lines.flatten(lines.v).schema, "v") == "FLOAT"
    assert rows(lines.flatten(lines.v), "v") == [1.0, 2.0, 3.0, 4.0]
    parts = table.select(line=table.v[0], number=table.v[1][0])
    assert [shown(parts.schema, name) for name in ("line", "number")] == ["Array(1, FLOAT)", "FLOAT"]
    assert rows(parts, "number") == [3.0]
    with pytest.raises(TypeError):
        table.select(x=table.v[0][0][0])


def test_reducers_know_the_dimensions() -> None:
    table = pw.debug.table_from_markdown("n | x\n1 | 0.5\n2 | 1.5")
    found = table.reduce(n=pw.reducers.ndarray(pw.this.n), x=pw.reducers.ndarray(pw.this.x))
    assert [shown(found.schema, name) for name in "nx"] == ["Array(1, INT)", "Array(1, FLOAT)"]
    assert rows(found.flatten(found.n), "n") == [1, 2]


def test_values_of_other_dimensions_are_refused() -> None:
    for annotation, value in (
        (GRID, np.array([1.0])),
        (LINE, np.array([[1]])),
        (np.ndarray[None, int], np.array([[1]])),  # type: ignore[type-var]
        (LINE, np.array([1.5])),
        (LINE, np.array(["a"])),
    ):
        with pytest.raises((TypeError, ValueError)):
            pw.debug.table_from_rows(pw.schema_from_types(v=annotation), [(value,)])
