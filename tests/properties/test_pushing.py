"""However rows are pushed, and wherever commits end, the same table comes of it."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pathway as pw
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pathway._native import pointer_from
from streams import SCRIPTS, Base, Change, Rows, accumulated, states, updates

Sent = dict[str, Any]
EXAMPLES = settings.default.max_examples


class Keyed(pw.Schema):
    key: int = pw.column_definition(primary_key=True)
    name: str = pw.column_definition(primary_key=True)
    level: float
    open: bool
    note: str | None
    unit: str = pw.column_definition(default_value="m")


ARROW = pyarrow.schema(
    {
        "key": pyarrow.int64(),
        "name": pyarrow.string(),
        "level": pyarrow.float64(),
        "open": pyarrow.bool_(),
        "note": pyarrow.string(),
    }
)
# Not the zero below zero, which some writings of a number lose.
LEVELS = st.floats(allow_nan=False, allow_infinity=False).map(lambda level: level + 0.0)
TEXTS = st.text(max_size=4)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "key": st.integers(0, 3) | st.integers(-(2**63), 2**63 - 1),
            "name": st.sampled_from(["", "a"]) | TEXTS,
            "level": LEVELS,
            "open": st.booleans(),
            "note": st.none() | TEXTS,
        }
    ),
    max_size=8,
)


class Pushing(pw.io.python.ConnectorSubject):
    """Commits after each batch; batches are pushed one after the other."""

    def __init__(self, batches: Sequence[list[Sent]], push: Callable[[Any, list[Sent]], object], **keywords: Any):
        super().__init__(**keywords)
        self.batches = batches
        self.push = push

    def run(self) -> None:
        for batch in self.batches:
            self.push(self, batch)
            self.commit()


def arrow(rows: list[Sent]) -> pyarrow.Table:
    return pyarrow.Table.from_pylist(rows, schema=ARROW)


def columns(rows: list[Sent]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in ARROW.names}


WAYS: dict[str, Callable[[Any, list[Sent]], object]] = {
    "next": lambda subject, rows: [subject.next(**row) for row in rows],
    "next_json of texts": lambda subject, rows: [subject.next_json(json.dumps(row)) for row in rows],
    "next_json of dicts": lambda subject, rows: [subject.next_json(row) for row in rows],
    "next_bytes": lambda subject, rows: [
        subject.next_bytes(json.dumps(row, ensure_ascii=False).encode()) for row in rows
    ],
    "next_batch": lambda subject, rows: subject.next_batch(rows),
    "next_columns": lambda subject, rows: subject.next_columns(columns(rows)),
    "next_arrow": lambda subject, rows: subject.next_arrow(arrow(rows)),
}


def arrived(row: Sent) -> Sent:
    """Rows are pushed with their fields in any order, and without the last one."""
    return {**{name: row[name] for name in ARROW.names}, "unit": "m"}


def key_of(row: Sent) -> pw.Pointer:
    return pointer_from([row["key"], row["name"]])


def received(
    push: Callable[[Any, list[Sent]], object], batches: Sequence[list[Sent]], session: Any, schema: Any
) -> list[list[tuple[pw.Pointer, Sent, int]]]:
    """What comes of the batches: for each commit that changed something, the updates."""
    pw.testing.reset()
    subject = Pushing(batches, push, session_type=session)
    captured = pw.testing.capture(pw.io.python.read(subject, schema=schema, autocommit_duration_ms=None))
    times = sorted({update.time for update in captured})
    return [[(u.key, u.row, u.diff) for u in captured if u.time == time] for time in times]


def as_texts(commits: list[list[Any]]) -> list[list[str]]:
    """Types and signs of zeros count."""
    return [sorted(map(repr, commit)) for commit in commits]


@settings(max_examples=EXAMPLES // 2)
@given(st.lists(ROWS, max_size=3), st.sampled_from(["native", "upsert"]))
def test_every_way_is_the_same(batches: list[list[Sent]], session: str) -> None:
    found = {way: as_texts(received(push, batches, session, Keyed)) for way, push in WAYS.items()}
    for way in WAYS:
        assert found[way] == found["next"], way


@settings(max_examples=EXAMPLES // 2)
@given(st.lists(ROWS, max_size=3))
def test_rows_without_a_primary_key_get_the_same_keys_in_every_way(batches: list[list[Sent]]) -> None:
    schema = pw.schema_from_types(**{name: hint for name, hint in Keyed.typehints().items() if name != "unit"})
    found = {way: received(push, batches, "native", schema) for way, push in WAYS.items()}
    for way in WAYS:
        assert as_texts(found[way]) == as_texts(found["next"]), way
    keys = [key for commit in found["next"] for key, _, _ in commit]
    assert len(keys) == len(set(keys)) == sum(map(len, batches))


@given(st.lists(ROWS, max_size=4), st.sampled_from(sorted(WAYS)))
def test_a_native_session_adds_every_row(batches: list[list[Sent]], way: str) -> None:
    found: Counter[str] = Counter()
    for commit in received(WAYS[way], batches, "native", Keyed):
        for key, row, diff in commit:
            found[repr((key, row))] += diff
    assert found == Counter(repr((key_of(row), arrived(row))) for rows in batches for row in rows)


@given(st.lists(ROWS, max_size=4), st.sampled_from(sorted(WAYS)))
def test_an_upsert_session_has_the_last_row_of_every_key(batches: list[list[Sent]], way: str) -> None:
    """After each commit, and without updates that change nothing."""
    states: list[dict[str, str]] = [{}]
    for rows in batches:
        states.append({**states[-1], **{repr(key_of(row)): repr(arrived(row)) for row in rows}})
    wanted = [after for before, after in itertools.pairwise(states) if after != before]
    current: dict[str, str] = {}
    found = []
    for commit in received(WAYS[way], batches, "upsert", Keyed):
        for key, row, diff in commit:
            if diff < 0:
                assert current.pop(repr(key)) == repr(row)
            else:
                assert current.setdefault(repr(key), repr(row)) == repr(row)
        assert len({(repr(key), repr(row)) for key, row, _ in commit}) == len(commit)
        found.append(dict(current))
    assert found == wanted


class Playing(pw.io.python.ConnectorSubject):
    """Plays the first table of a script: what changes is deleted and sent anew."""

    deletions_enabled = True

    def __init__(self, commits: list[list[tuple[int, tuple[Any, ...]]]], **keywords: Any) -> None:
        super().__init__(**keywords)
        self.commits = commits

    def run(self) -> None:
        for commit in self.commits:
            for diff, row in commit:
                send = self.next if diff > 0 else self.delete
                send(**dict(zip(Base.column_names(), row, strict=True)))
            self.commit()


def played(script: list[list[Change]], **keywords: Any) -> tuple[list[pw.testing.Update], list[pw.testing.Update]]:
    """The table of the subject, and its totals by group."""
    pw.testing.reset()
    commits: list[list[tuple[int, tuple[Any, ...]]]] = [[] for _ in script]
    for commit, diff, row in updates(script, 0):
        commits[commit].append((diff, row))
    table = pw.io.python.read(Playing(commits, **keywords), schema=Base, autocommit_duration_ms=None)
    return pw.testing.capture(table, table.groupby(table.g).reduce(table.g, total=pw.reducers.sum(table.a)))


def distinct_states(all_states: list[Rows]) -> list[Rows]:
    """Without those equal to the one before: a commit that changes nothing leaves no trace."""
    result: list[Rows] = [{}]
    for state in all_states:
        if state != result[-1]:
            result.append(state)
    return result[1:]


@pytest.mark.parametrize("session", ["native", "upsert"])
@given(script=SCRIPTS)
def test_deletes_take_rows_back(session: str, script: list[list[Change]]) -> None:
    table, totals = played(script, session_type=session)
    found = accumulated(table, sorted({update.time for update in table}))
    assert found == distinct_states([first for first, _ in states(script)])
    wanted: Counter[str] = Counter()
    groups = set()
    for row in states(script)[-1][0].values():
        wanted[row["g"]] += row["a"]
        groups.add(row["g"])
    final = accumulated(totals, sorted({update.time for update in totals}))[-1:] or [{}]
    assert {row["g"]: row["total"] for row in final[0].values()} == {g: wanted[g] for g in groups}


@given(script=SCRIPTS, data=st.data())
def test_where_a_subject_commits_makes_no_difference(script: list[list[Change]], data: st.DataObject) -> None:
    changes = [change for commit in script for change in commit]
    ends = sorted(data.draw(st.sets(st.integers(0, len(changes)), max_size=5), label="ends") | {0, len(changes)})
    other = [changes[start:end] for start, end in itertools.pairwise(ends)] or [[]]
    finals = []
    for version in (script, other):
        finals.append([accumulated(seen, sorted({u.time for u in seen}))[-1:] or [{}] for seen in played(version)])
    assert finals[0] == finals[1]
