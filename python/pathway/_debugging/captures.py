"""Running what some tables need, and nothing else, and getting back what happened to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pathway import _native
from pathway._debugging import endings
from pathway._ground import hints
from pathway._native import Pointer
from pathway._running.monitoring import MonitoringLevel
from pathway._running.run import run_captures
from pathway._running.settings import RunSettings
from pathway._tables import connecting
from pathway._tables.table import Table


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
    outputs = [connecting.output(connecting.check_table(table, call)) for table in tables]
    plan = connecting.plan()
    captures = [
        plan.capture(output.node, [column for _, column in output.columns], output.origin) for output in outputs
    ]
    with endings.awaited(tables, call):
        run_captures(captures, settings, call)
    return [
        updates_of(captured, [name for name, _ in output.columns])
        for output, captured in zip(outputs, captures, strict=True)
    ]


def updates_of(captured: _native.Capture, names: Sequence[str]) -> list[Update]:
    """What has happened to a table with columns of these names."""
    return [
        Update(key, dict(zip(names, values, strict=True)), time, diff) for key, values, time, diff in captured.updates()
    ]
