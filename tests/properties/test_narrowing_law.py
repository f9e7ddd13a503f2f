"""A column whose type has lost its None, because of what a condition tells, has none in the rows where that counts."""

from __future__ import annotations

from typing import Any

import pathway as pw
from hypothesis import given
from hypothesis import strategies as st

VALUES = st.lists(st.tuples(st.none() | st.integers(-3, 3), st.none() | st.integers(-3, 3)), min_size=1, max_size=8)


def conditions() -> st.SearchStrategy[Any]:
    leaves = st.sampled_from([("none", "p"), ("some", "p"), ("none", "q"), ("some", "q")])
    return st.recursive(
        leaves,
        lambda inner: st.tuples(st.just("~"), inner) | st.tuples(st.sampled_from("&|"), inner, inner),
        max_leaves=5,
    )


def in_package(condition: Any, t: pw.Table[Any]) -> Any:
    match condition:
        case ("none", name):
            return t[name].is_none()
        case ("some", name):
            return t[name].is_not_none()
        case ("~", inner):
            return ~in_package(inner, t)
        case ("&", one, other):
            return in_package(one, t) & in_package(other, t)
        case (_, one, other):
            return in_package(one, t) | in_package(other, t)


def in_python(condition: Any, row: dict[str, Any]) -> bool:
    match condition:
        case ("none", name):
            return row[name] is None
        case ("some", name):
            return row[name] is not None
        case ("~", inner):
            return not in_python(inner, row)
        case ("&", one, other):
            return in_python(one, row) and in_python(other, row)
        case (_, one, other):
            return in_python(one, row) or in_python(other, row)


@given(condition=conditions(), values=VALUES)
def test_a_type_without_none_never_meets_one(condition: Any, values: list[tuple[int | None, int | None]]) -> None:
    """Whatever the condition: if the types let a branch compute with a column, its rows all have values there."""
    pw.testing.reset()
    t = pw.debug.table_from_rows(pw.schema_from_types(p=int | None, q=int | None), values)
    plain = [dict(zip("pq", value, strict=True)) for value in values]
    columns: dict[str, Any] = {}
    expected: dict[str, list[int]] = {}
    for name in "pq":
        for branch in (True, False):
            used = t[name] + 1
            chosen = pw.if_else(in_package(condition, t), *((used, 0) if branch else (0, used)))
            try:
                t.select(x=chosen)
            except TypeError:
                continue
            assert all(row[name] is not None for row in plain if in_python(condition, row) == branch)
            columns[f"{name}_{branch}"] = chosen
            expected[f"{name}_{branch}"] = [
                row[name] + 1 if in_python(condition, row) == branch else 0 for row in plain
            ]
    found = [update.row for update in pw.testing.capture(t.select(**columns))]
    wanted = [dict(zip(expected, cells, strict=True)) for cells in zip(*expected.values(), strict=True)]
    assert sorted(map(repr, found)) == sorted(map(repr, wanted or [{} for _ in plain]))
