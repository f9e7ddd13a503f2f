"""Steps of pipelines: each is written twice, with the package and with dicts from key to row.

The second is the reference: plain, slow, and obviously right. Both take the table so far and another one, whose rows
have the columns `g`, `a`, `b`, and give such a table back.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import pathway as pw
from pathway._native import ERROR, pointer_from
from streams import Row, Rows

Table = pw.Table[Any]


class Step(NamedTuple):
    build: Callable[[Table, Table], Table]
    reference: Callable[[Rows, Rows], Rows]


STEPS: dict[str, Step] = {}


def step(reference: Callable[[Rows, Rows], Rows]) -> Callable[[Callable[[Table, Table], Table]], None]:
    """Registers a function that builds a step beside its reference, which has the same name and a final underscore."""

    def register(build: Callable[[Table, Table], Table]) -> None:
        STEPS[build.__name__] = Step(build, reference)

    return register


def or_else(value: Any, default: Any) -> Any:
    return default if value is None else value


def each(change: Callable[[pw.Pointer, Row], Row]) -> Callable[[Rows, Rows], Rows]:
    return lambda rows, _: {key: change(key, row) for key, row in rows.items()}


def only(condition: Callable[[Row], bool], rows: Rows) -> Rows:
    return {key: row for key, row in rows.items() if condition(row)}


def distinct(rows: Iterable[tuple[pw.Pointer, Row]]) -> Rows:
    """Rows whose keys are different."""
    rows = list(rows)
    result = dict(rows)
    assert len(result) == len(rows)
    return result


def groups(rows: Rows, *names: str) -> dict[pw.Pointer, list[tuple[pw.Pointer, Row]]]:
    """The rows of each group, in the order of their keys."""
    result: dict[pw.Pointer, list[tuple[pw.Pointer, Row]]] = {}
    for key in sorted(rows):
        result.setdefault(pointer_from([rows[key][name] for name in names]), []).append((key, rows[key]))
    return result


def none_first(value: Any) -> Any:
    return (value is not None, value)


# One row at a time.


@step(each(lambda key, row: {**row, "a": row["a"] * 3 - or_else(row["b"], 7)}))
def with_columns(table: Table, other: Table) -> Table:
    return table.with_columns(a=table.a * 3 - pw.coalesce(table.b, 7))


@step(each(lambda key, row: {"g": row["g"] + "x", "a": row["a"] // 2, "b": row["a"] if row["a"] > 0 else row["b"]}))
def select(table: Table, other: Table) -> Table:
    return table.select(g=pw.this.g + "x", a=pw.this.a // 2, b=pw.if_else(pw.this.a > 0, pw.this.a, pw.this.b))


@step(each(lambda key, row: {"g": row["g"], "a": len(row["g"]) + row["a"], "b": row["b"]}))
def rename(table: Table, other: Table) -> Table:
    renamed = table.rename(group=table.g).with_suffix("_").select(*pw.this.without(pw.this.a_), n=pw.this.a_)
    return renamed.select(g=pw.this.group_, a=pw.this.group_.str.len() + pw.this.n, b=pw.this.b_)


@step(each(lambda key, row: {"g": row["g"], "a": row["a"], "b": row["a"] - 1}))
def columns_of_an_earlier_table(table: Table, other: Table) -> Table:
    changed = table.with_columns(a=table.a - 1)
    return changed.select(changed.g, table.a, b=changed.a)


@pw.udf(deterministic=True)
def sign_of_parity(number: int) -> int:
    return number if number % 2 else -number


@step(each(lambda key, row: {**row, "a": row["a"] if row["a"] % 2 else -row["a"]}))
def user_function(table: Table, other: Table) -> Table:
    return table.with_columns(a=sign_of_parity(table.a))


@step(each(lambda key, row: {**row, "a": row["b"] + 1 if row["b"] is not None else -row["a"]}))
def known_not_to_be_none(table: Table, other: Table) -> Table:
    return table.with_columns(a=pw.if_else(table.b.is_none(), -table.a, table.b + 1))


@step(each(lambda key, row: {**row, "b": None if row["b"] is None else row["b"] * 2 + row["a"]}))
def required(table: Table, other: Table) -> Table:
    return table.with_columns(b=pw.require(table.b * 2 + table.a, table.b))


@step(each(lambda key, row: {**row, "a": 4 * (row["a"] + or_else(row["b"], 0)) if row["a"] > 0 else 1}))
def shared_parts(table: Table, other: Table) -> Table:
    once = table.a + pw.coalesce(table.b, 0)
    twice = once + once
    return table.with_columns(a=pw.if_else(table.a > 0, twice + twice, once - once + 1))


@step(each(lambda key, row: {"g": row["g"], "b": row["b"], "a": row["a"] * 2}))
def slices(table: Table, other: Table) -> Table:
    return table.select(**pw.this.without("a"), a=pw.this.with_prefix("my_").my_a * 2)


@step(each(lambda key, row: {**row, "b": row["a"]}))
def update_all_cells(table: Table, other: Table) -> Table:
    with warnings.catch_warnings():
        # That with_columns would do.
        warnings.simplefilter("ignore", UserWarning)
        return table.update_cells(table.select(b=table.a))


@step(lambda rows, _: rows)
def update_rows_of_a_part(table: Table, other: Table) -> Table:
    with warnings.catch_warnings():
        # That nothing is left of the first table.
        warnings.simplefilter("ignore", UserWarning)
        return table.filter(table.a > 0).with_columns(a=0).update_rows(table)


@step(lambda rows, _: rows)
def concat_with_nothing(table: Table, other: Table) -> Table:
    empty = pw.Table.empty(b=int | None, g=str, a=int)
    return empty.concat(table).select(pw.this.g, pw.this.a, pw.this.b).update_cells(empty)


# Some of the rows.


@step(lambda rows, _: only(lambda row: row["a"] % 2 == 0, rows))
def filter_numbers(table: Table, other: Table) -> Table:
    return table.filter(pw.this.a % 2 == 0)


@step(lambda rows, _: {key: {**row, "a": row["b"]} for key, row in rows.items() if row["b"] is not None})
def filter_nones(table: Table, other: Table) -> Table:
    kept = table.filter(table.b.is_not_none())
    return kept.select(kept.g, a=kept.b, b=table.b)


@step(each(lambda key, row: {**row, "a": 0} if row["a"] > 0 else row))
def split(table: Table, other: Table) -> Table:
    positive, rest = table.split(table.a > 0)
    return rest.concat(positive.with_columns(a=0))


@step(lambda rows, other: {key: row for key, row in rows.items() if key not in other})
def difference(table: Table, other: Table) -> Table:
    return table.difference(other)


@step(lambda rows, other: {key: {**row, "b": other[key]["a"]} for key, row in rows.items() if key in other})
def intersect(table: Table, other: Table) -> Table:
    common = table.intersect(other)
    return common.select(common.g, common.a, b=other.restrict(common).a)


# Rows of two tables.


@step(
    lambda rows, other: distinct(
        (pointer_from([key, number]), row) for number, rows in enumerate([rows, other]) for key, row in rows.items()
    )
)
def concat_reindex(table: Table, other: Table) -> Table:
    return table.concat_reindex(other)


@step(lambda rows, other: {**rows, **other})
def update_rows(table: Table, other: Table) -> Table:
    return table.update_rows(other)


@step(lambda rows, _: {key: {**row, "b": row["a"]} if row["a"] % 2 else row for key, row in rows.items()})
def update_cells(table: Table, other: Table) -> Table:
    odd = table.filter(table.a % 2 == 1)
    return table << odd.select(b=odd.a)


@step(lambda rows, other: {key: {**row, "b": other[key]["b"]} if key in other else row for key, row in rows.items()})
def update_cells_of_another(table: Table, other: Table) -> Table:
    return table.update_cells(other.intersect(table).select(pw.this.b))


def joined(left: bool, right: bool) -> Callable[[Rows, Rows], Rows]:
    def reference(rows: Rows, other: Rows) -> Rows:
        nobody = {"g": None, "a": None, "b": None}
        pairs: list[tuple[pw.Pointer | None, Row, pw.Pointer | None, Row]] = [
            (key, row, partner, found)
            for key, row in rows.items()
            for partner, found in other.items()
            if row["g"] == found["g"]
        ]
        if left:
            met = {pair[0] for pair in pairs}
            pairs += [(key, row, None, nobody) for key, row in rows.items() if key not in met]
        if right:
            met = {pair[2] for pair in pairs}
            pairs += [(None, nobody, key, row) for key, row in other.items() if key not in met]
        return distinct(
            (
                pointer_from([key, partner]),
                {"g": or_else(row["g"], found["g"]), "a": or_else(row["a"], -1), "b": found["a"]},
            )
            for key, row, partner, found in pairs
        )

    return reference


def join(how: pw.JoinMode) -> Callable[[Table, Table], Table]:
    def build(table: Table, other: Table) -> Table:
        other = other.copy()
        result = table.join(other, table.g == other.g, how=how)
        return result.select(g=pw.this.g, a=pw.coalesce(table.a, -1), b=pw.right.a).with_columns(g=pw.unwrap(pw.this.g))

    return build


for mode, sides in {
    pw.JoinMode.INNER: (False, False),
    pw.JoinMode.LEFT: (True, False),
    pw.JoinMode.RIGHT: (False, True),
    pw.JoinMode.OUTER: (True, True),
}.items():
    STEPS[f"join_{mode.name.lower()}"] = Step(join(mode), joined(*sides))


@step(lambda rows, other: joined_where(rows, other, lambda row, found: found["b"] is not None))
def filtered_join(table: Table, other: Table) -> Table:
    other = other.copy()
    pairs = table.join_left(other, table.g == other.g).filter(other.b.is_not_none())
    return pairs.select(table.g, table.a, b=other.b + 1)


@step(
    lambda rows, other: {
        key: {**row, "b": None if row["b"] is None else row["a"] + row["b"]}
        for key, row in joined(True, False)(rows, other).items()
    }
)
def required_side(table: Table, other: Table) -> Table:
    other = other.copy()
    pairs = table.join_left(other, table.g == other.g)
    return pairs.select(table.g, table.a, b=pw.require(other.a + table.a, other.id))


def joined_where(rows: Rows, other: Rows, condition: Callable[[Row, Row], bool]) -> Rows:
    """The pairs with equal `g`, with `b` of the second one more."""
    return distinct(
        (pointer_from([key, partner]), {"g": row["g"], "a": row["a"], "b": found["b"] + 1})
        for key, row in rows.items()
        for partner, found in other.items()
        if row["g"] == found["g"] and condition(row, found)
    )


def totals(rows: Rows) -> dict[str, int]:
    result: dict[str, int] = {}
    for row in rows.values():
        result[row["g"]] = result.get(row["g"], 0) + row["a"]
    return result


@step(lambda rows, other: {k: {**row, "b": totals(other).get(row["g"])} for k, row in rows.items()})
def join_with_id_of_the_left(table: Table, other: Table) -> Table:
    summed = other.groupby(other.g).reduce(other.g, total=pw.reducers.sum(other.a))
    return table.join_left(summed, table.g == summed.g, id=table.id).select(table.g, table.a, b=summed.total)


@step(lambda rows, other: {k: {**row, "b": totals(other).get(row["g"])} for k, row in rows.items()})
def ix_ref(table: Table, other: Table) -> Table:
    summed = other.groupby(other.g).reduce(other.g, total=pw.reducers.sum(other.a))
    return table.select(table.g, table.a, b=summed.ix_ref(table.g, allow_misses=True).total)


@step(lambda rows, _: {k: {**row, "b": instance_totals(rows)[row["g"], row["a"] % 2]} for k, row in rows.items()})
def ix_ref_of_an_instance(table: Table, other: Table) -> Table:
    split = table.select(table.g, table.a, odd=table.a % 2)
    summed = split.groupby(split.g, instance=split.odd).reduce(total=pw.reducers.sum(split.a))
    return table.select(
        table.g, table.a, b=pw.unwrap(summed.ix_ref(table.g, instance=table.a % 2, allow_misses=True).total)
    )


def instance_totals(rows: Rows) -> dict[tuple[str, int], int]:
    result: dict[tuple[str, int], int] = {}
    for row in rows.values():
        place = (row["g"], row["a"] % 2)
        result[place] = result.get(place, 0) + row["a"]
    return result


@step(lambda rows, _: {k: {**row, "a": totals(rows)[row["g"]]} for k, row in rows.items()})
def ix(table: Table, other: Table) -> Table:
    summed = table.groupby(table.g).reduce(total=pw.reducers.sum(table.a))
    found = summed.ix(summed.pointer_from(table.g), allow_misses=True)
    return table.with_columns(a=pw.unwrap(found.total))


# Other keys.


@step(lambda rows, _: distinct((pointer_from([row["g"], key]), row) for key, row in rows.items()))
def with_id_from(table: Table, other: Table) -> Table:
    return table.with_id_from(table.g, table.id)


def flattened(rows: Rows, name: str, items: Callable[[Row], Iterable[Any]]) -> Rows:
    """The key of an element is made of that of its row and of the position; its last 16 bits are those of the row."""
    result = []
    for key, row in rows.items():
        for position, item in enumerate(items(row)):
            number = int(pointer_from([key, position])) & ~0xFFFF | int(key) & 0xFFFF
            result.append((pw.Pointer(number), {**row, name: item}))
    return distinct(result)


@step(lambda rows, _: flattened(rows, "b", lambda row: [row["a"], row["b"], row["a"] + 1]))
def flatten_tuples(table: Table, other: Table) -> Table:
    items = pw.make_tuple(table.a, table.b, table.a + 1)
    flat = table.with_columns(item=pw.declare_type(list[int | None], items)).flatten(pw.this.item)
    return flat.select(flat.g, flat.a, b=flat.item)


@step(lambda rows, _: flattened(rows, "g", lambda row: row["g"]))
def flatten_texts(table: Table, other: Table) -> Table:
    return table.flatten(table.g)


# Groups.


def reduced(*, a: Callable[[list[Row]], Any], b: Callable[[list[Row]], Any]) -> Callable[[Rows, Rows], Rows]:
    def reference(rows: Rows, _: Rows) -> Rows:
        return {
            key: {"g": members[0][1]["g"], "a": a([row for _, row in members]), "b": b([row for _, row in members])}
            for key, members in groups(rows, "g").items()
        }

    return reference


@step(reduced(a=len, b=lambda rows: sum(row["a"] for row in rows)))
def count_and_sum(table: Table, other: Table) -> Table:
    return table.groupby(table.g).reduce(table.g, a=pw.reducers.count(), b=pw.reducers.sum(table.a))


@step(
    reduced(
        a=lambda rows: max(row["a"] for row in rows) - min(row["a"] for row in rows),
        b=lambda rows: min((row["b"] for row in rows), key=none_first),
    )
)
def extremes(table: Table, other: Table) -> Table:
    spread = pw.reducers.max(pw.this.a) - pw.reducers.min(pw.this.a)
    return table.groupby(pw.this.g).reduce(pw.this.g, a=spread, b=pw.reducers.min(pw.this.b))


@step(lambda rows, _: {k: {**row, "a": totals(rows)[row["g"]] + row["a"]} for k, row in rows.items()})
def groups_back_to_rows(table: Table, other: Table) -> Table:
    summed = table.groupby(table.g).reduce(table.g, total=pw.reducers.sum(table.a))
    return table.join(summed, table.g == summed.g, id=table.id).select(table.g, a=summed.total + table.a, b=table.b)


@step(reduced(a=lambda rows: sum(row["a"] for row in rows), b=len))
def two_reductions(table: Table, other: Table) -> Table:
    summed = table.groupby(table.g).reduce(table.g, total=pw.reducers.sum(table.a))
    counted = table.groupby(table.g).reduce(n=pw.reducers.count())
    return summed.select(summed.g, a=summed.total, b=counted.n)


def grouped_join(rows: Rows, other: Rows) -> Rows:
    pairs = joined(True, True)(rows, other)
    return reduced(a=lambda rows: sum(row["a"] for row in rows), b=len)(pairs, {})


@step(grouped_join)
def groupby_of_a_join(table: Table, other: Table) -> Table:
    other = other.copy()
    pairs = table.join_outer(other, table.g == other.g)
    grouped = pairs.groupby(pw.this.g).reduce(
        pw.this.g, a=pw.reducers.sum(pw.coalesce(table.a, -1)), b=pw.reducers.count()
    )
    return grouped.with_columns(g=pw.unwrap(pw.this.g))


def all_reducers_reference(rows: Rows) -> Rows:
    """What `all_reducers` gives."""
    result = {}
    for key, members in groups(rows, "g").items():
        a = [row["a"] for _, row in members]
        b = [row["b"] for _, row in members]
        by_b = sorted(members, key=lambda member: none_first(member[1]["b"]))
        result[key] = {
            "g": members[0][1]["g"],
            "count": len(a),
            "distinct": len(set(b)),
            "sum": sum(a),
            "avg": sum(a) / len(a),
            "halves": sum(a) * 0.5,
            "min": min(a),
            "max": max(b, key=none_first),
            "argmin": min(members, key=lambda member: (member[1]["a"], member[0]))[0],
            "argmax": by_b[-1][1]["b"],
            "any": members[-1][1]["a"],
            "any_b": members[-1][1]["b"],
            "unique": a[0] if len(set(a)) == 1 else ERROR,
            "tuple": tuple(a),
            "without_nones": tuple(value for value in b if value is not None),
            "sorted_tuple": tuple(sorted(b, key=none_first)),
            "in_order": tuple(row["a"] for _, row in by_b),
        }
    return result


def all_reducers(table: Table) -> Table:
    """Every reducer over a table; the last step of a pipeline."""
    grouped = table.groupby(table.g, sort_by=table.b).reduce(in_order=pw.reducers.tuple(table.a))
    result = table.groupby(table.g).reduce(
        table.g,
        count=pw.reducers.count(),
        distinct=pw.reducers.count_distinct(table.b),
        sum=pw.reducers.sum(table.a),
        avg=pw.reducers.avg(table.a),
        halves=pw.reducers.sum(table.a * 0.5),
        min=pw.reducers.min(table.a),
        max=pw.reducers.max(table.b),
        argmin=pw.reducers.argmin(table.a),
        argmax=pw.reducers.argmax(table.b, table.b),
        any=pw.reducers.any(table.a),
        any_b=pw.reducers.any(table.b),
        unique=pw.reducers.unique(table.a),
        tuple=pw.reducers.tuple(table.a),
        without_nones=pw.reducers.tuple(table.b, skip_nones=True),
        sorted_tuple=pw.reducers.sorted_tuple(table.b),
    )
    return result.join_left(grouped, result.id == grouped.id, id=result.id).select(*pw.left, grouped.in_order)
