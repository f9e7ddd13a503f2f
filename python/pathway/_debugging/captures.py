"""Running what some tables need, and nothing else, and getting back what happened to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from pathway import _native
from pathway._debugging import endings
from pathway._ground import garbage, hints
from pathway._native import Pointer
from pathway._running.monitoring import MonitoringLevel
from pathway._running.run import run_captures
from pathway._running.settings import RunSettings
from pathway._tables import connecting
from pathway._tables.table import Table

Rows: TypeAlias = dict[Pointer, tuple[Any, ...]]
LiveRows: TypeAlias = dict[Pointer, list[tuple[Any, ...]]]
"""While updates come, a key may have several."""


class Update(NamedTuple):
    """One change of a table: the row appeared (``diff`` above zero) or went away (below).

    >>> import pathway as pw
    >>> (update,) = pw.testing.capture(pw.debug.table_from_markdown('''
    ... a
    ... 1
    ... '''))
    >>> update.row, update.time, update.diff
    ({'a': 1}, 0, 1)
    """

    key: Pointer
    row: dict[str, Any]
    time: int
    diff: int


def quiet(call: str, own: Sequence[str] = (), **settings: Any) -> RunSettings:
    """The settings of a run that shows no progress, unless they ask for it; `call` is what the user has called, which
    has arguments of its `own`."""
    unknown = [name for name in settings if name not in RunSettings.__dataclass_fields__]
    if unknown:
        # Who calls it passes on what is not an argument of its own.
        names = [*RunSettings.__dataclass_fields__, *own]
        close = hints.nearest(unknown[0], names)
        raise TypeError(
            f"{call}() has no argument {', '.join(unknown)}"
            + (f". Did you mean {close!r}?" if close else "; those of pw.run() are arguments of it, too")
        )
    return RunSettings(**{"monitoring_level": MonitoringLevel.NONE, "default_logging": False, **settings})


def capture_updates(tables: Sequence[Table[Any]], settings: RunSettings, call: str) -> list[list[Update]]:
    """What `capture` does, with a list for each table however many there are; `call` is what the user has called."""
    __tracebackhide__ = True
    captures = _captured(tables, settings, call)
    return [updates_of(captured, table.column_names()) for table, captured in zip(tables, captures, strict=True)]


def capture_rows(tables: Sequence[Table[Any]], settings: RunSettings, call: str) -> list[Rows]:
    """The rows that remain of each table; KeyError if that is not at most one for each key."""
    __tracebackhide__ = True
    return [rows_of(captured) for captured in _captured(tables, settings, call)]


def _captured(tables: Sequence[Table[Any]], settings: RunSettings, call: str) -> list[_native.Capture]:
    __tracebackhide__ = True
    outputs = [connecting.output(connecting.check_table(table, call)) for table in tables]
    plan = connecting.plan()
    captures = [
        plan.capture(output.node, [column for _, column in output.columns], output.origin) for output in outputs
    ]
    with endings.awaited(tables, call):
        run_captures(captures, settings, call)
    return captures


def updates_of(captured: _native.Capture, names: Sequence[str]) -> list[Update]:
    """What has happened to a table with columns of these names."""
    with garbage.not_looked_for():
        return [
            Update(key, dict(zip(names, values, strict=True)), time, diff)
            for key, values, time, diff in captured.updates()
        ]


def rows_of(captured: _native.Capture) -> Rows:
    """The rows that remain of a table; KeyError if that is not at most one for each key."""
    with garbage.not_looked_for():
        updates = captured.updates()
        rows = {key: values for key, values, _, diff in updates if diff == 1}
        if len(rows) == len(updates):
            # Nothing was ever removed.
            return rows
        live: LiveRows = {}
        for key, values, _, diff in updates:
            if not apply(live, key, values, diff):
                raise KeyError(f"a row was removed that does not exist, key {key}")
    for key, those in live.items():
        if len(those) > 1:
            raise KeyError(f"duplicated entries for key {key}")
    return {key: those[0] for key, those in live.items() if those}


def apply(live: LiveRows, key: Pointer, row: tuple[Any, ...], diff: int) -> bool:
    """One change of the rows under each key; False if a row that it removes was not there."""
    those = live.setdefault(key, [])
    those.extend([row] * diff)
    were_there = True
    for _ in range(-diff):
        position = next((number for number, other in enumerate(those) if _same(other, row)), None)
        were_there = were_there and position is not None
        if position is not None:
            del those[position]
    return were_there


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    # Arrays and NaN do not compare to a truth value, or not to the right one; their text does.
    return one is other or repr(one) == repr(other)
