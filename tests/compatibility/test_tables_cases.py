"""Programs whose results are known, in files beside this one: what a script written for the API has to see.

A line is a case: a fragment of a program that leaves the table `result`, and sometimes tables `also` that
run with it; and what is expected: rows that remain, all updates, or an error. The fragment is a module of its own, in
which `pw`, `np`, `pd`, `typing` and `T` (`pw.debug.table_from_markdown`) are there. With `errors_as_data`, the first
error does not end the run.

Values are written in JSON: tuples, lists and the like as arrays; what JSON has no way for, as an object with one member
that says what it is.
"""

from __future__ import annotations

import collections
import json
import math
import sys
import types
import typing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pathway as pw
import pytest
from pathway._native import ERROR

FILES = [Path(__file__).parent / "tables_cases.jsonl", Path(__file__).parent / "algebra_cases.jsonl"]

CASES: dict[str, dict[str, Any]] = {
    case["name"]: case for file in FILES for case in map(json.loads, file.read_text().splitlines())
}

# What these need of the API is not there yet. A case that begins to pass has to be taken out.
NOT_THERE_YET = {
    # sort, diff, interpolate
    "sort_neighbours",
    "sort_updates_only_neighbours",
    "diff_per_instance",
    "diff_late_row",
    "interpolate_inside_and_ends",
    # deduplicate
    "dedup_threshold",
    "dedup_per_instance_id",
    "dedup_batch_goes_in_value_order",
    # to_stream, stream_to_table, unpack_snapshots
    "to_stream_of_updates",
    "stream_to_table_upserts_and_deletes",
    "unpack_snapshots_each_time",
    # iterate
    "iterate_limit_counts_rounds",
    "iterate_only_the_fixpoint_is_emitted",
    "iterate_rows_may_grow",
    "iterate_rows_change_unannounced",
    # reducers of the user's, and one that estimates
    "count_distinct_of_pairs",
    "accumulator_without_retract",
    "accumulator_sort_by_orders_a_batch",
    "stateful_single_in_time_order",
    "stateful_many_sees_consolidated_rows",
    # asynchronous functions
    "udf_retries_then_succeeds",
    "future_column_awaited",
    "async_transformer_success_and_failure",
    # local_error_log
    "error_local_log",
    # SQL and YAML
    "sql_group_having",
    "sql_subquery_in_where",
    "sql_updates",
    "yaml_builds_a_pipeline",
    # The library of utilities, graphs, indexes and machine learning
    "pandas_transformer_keeps_universe",
    "unpack_json_columns",
    "apply_all_rows_and_majority",
    "shortest_paths",
    "page_ranks",
    "nearest_as_of_now",
    "full_text_matches",
    "viterbi_path",
    "fuzzy_match_of_two_tables",
}


def marks(name: str) -> list[pytest.MarkDecorator]:
    if name in NOT_THERE_YET:
        return [pytest.mark.xfail(strict=True, reason="not there yet")]
    return []


def parameters() -> list[Any]:
    return [pytest.param(case, id=name, marks=marks(name)) for name, case in CASES.items()]


def test_all_that_is_not_there_is_a_case() -> None:
    assert not NOT_THERE_YET - CASES.keys()


@pytest.mark.parametrize("case", parameters())
def test_case(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    expected = case["expected"]
    if "error" in expected:
        check_error(case, expected["error"], monkeypatch)
        return
    result, also = built(case, monkeypatch)
    assert result.column_names() == expected["columns"]
    updates = run(case, result, also)
    if "rows" in expected:
        assert same(remaining(updates), expected["rows"])
    else:
        assert same(all_updates(updates), expected["updates"])


def check_error(case: dict[str, Any], expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    when = "build"
    try:
        tables = built(case, monkeypatch)
        when = "run"
        run(case, *tables)
    except Exception as error:
        caught = error
    else:
        pytest.fail("nothing was raised")
    assert when == expected["when"], caught
    if expected["type"] != "EngineError":
        assert type(caught).__name__ == expected["type"], caught
    missing = [word for word in expected["words"] if word.lower() not in str(caught).lower()]
    assert not missing, caught


def built(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> tuple[pw.Table[Any], list[pw.Table[Any]]]:
    """The tables that the program of a case leaves."""
    name = f"case_{case['name']}"
    module = types.ModuleType(name)
    # Classes of the program are looked up in their module.
    monkeypatch.setitem(sys.modules, name, module)
    names = vars(module)
    names.update(pw=pw, np=np, pd=pd, typing=typing, T=pw.debug.table_from_markdown)
    exec(compile(case["python"], f"{name}.py", "exec"), names)
    return names["result"], names.get("also", [])


def run(case: dict[str, Any], result: pw.Table[Any], also: list[pw.Table[Any]]) -> list[pw.testing.Update]:
    strict = not case.get("errors_as_data", False)
    if not also:
        return pw.testing.capture(result, terminate_on_error=strict)
    first, *_ = pw.testing.capture(result, *also, terminate_on_error=strict)
    return first


def text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def remaining(updates: list[pw.testing.Update]) -> list[Any]:
    counts: collections.Counter[str] = collections.Counter()
    for update in updates:
        counts[text([plain(value) for value in update.row.values()])] += update.diff
    assert all(count >= 0 for count in counts.values()), counts
    return [json.loads(row) for row in sorted(counts.elements())]


def all_updates(updates: list[pw.testing.Update]) -> list[Any]:
    rows = [
        [*map(plain, update.row.values()), update.time, 1 if update.diff > 0 else -1]
        for update in updates
        for _ in range(abs(update.diff))
    ]
    return sorted(rows, key=lambda row: (row[-2], row[-1], text(row[:-2])))


def plain(value: Any) -> Any:
    """A value as the file has it."""
    match value:
        case pw.PyObjectWrapper():
            return plain(value.value)
        case None | bool() | int() | str():
            return value
        case float() if math.isfinite(value):
            return value
        case float():
            return {"float": "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"}
        case tuple() | list():
            return [plain(item) for item in value]
        case np.ndarray():
            return {"ndarray": value.tolist()}
        case pw.Json():
            return {"json": value.value}
        case pd.Timedelta():
            return {"duration_ns": value.value}
        case pd.Timestamp():
            return {"datetime": value.isoformat()}
        case bytes():
            return {"bytes": value.hex()}
    if value is ERROR:
        return {"error": True}
    raise AssertionError(f"cases know no {value!r}")


def same(found: Any, expected: Any) -> bool:
    """Whether both are equal, floats up to a billionth."""
    if isinstance(found, float) or isinstance(expected, float):
        return type(found) in (int, float) and math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)
    if type(found) is not type(expected):
        return False
    if isinstance(found, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(found, dict):
        return found.keys() == expected.keys() and all(same(found[name], expected[name]) for name in found)
    return bool(found == expected)
