"""Calls Python functions with the changes of a table."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from pathway._expressions.expression import ColumnReference
from pathway._ground import arguments
from pathway._ground.calls import failed_call
from pathway._native import Pointer
from pathway._tables import connecting
from pathway._tables.table import Table


class OnChangeCallback(Protocol):
    """Called with one change of one row."""

    def __call__(self, key: Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None: ...


class OnChangeCallbackAsync(Protocol):
    """Called with one change of one row; awaited together with the other changes of the same time."""

    async def __call__(self, key: Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None: ...


class OnTimeEndCallback(Protocol):
    """Called after the last change of a time."""

    def __call__(self, time: int) -> None: ...


class OnFinishCallback(Protocol):
    """Called after the last change of all."""

    def __call__(self) -> None: ...


@arguments.explained
def subscribe(
    table: Table[Any],
    on_change: OnChangeCallback | OnChangeCallbackAsync,
    on_end: OnFinishCallback | None = None,
    on_time_end: OnTimeEndCallback | None = None,
    *,
    name: str | None = None,
    sort_by: Iterable[ColumnReference] | None = None,
) -> None:
    """Calls functions with every change of a table.

    Changes that belong together (of one commit) have the same ``time`` and come one after the other. An updated row
    comes as the removal of the old one and the addition of the new one. An exception in a function ends the run and
    is raised by ``pw.run``, with a note that has the call and its arguments.

    Args:
        table: the table to follow.
        on_change: called with the keywords ``key`` (a Pointer), ``row`` (a dict), ``time`` (an even number of
            milliseconds) and ``is_addition``. If it is a coroutine function, it is awaited for all changes of one
            time at once.
        on_end: called without arguments after the last change.
        on_time_end: called with the time after the last change at that time.
        name: a name for monitoring.
        sort_by: columns of the table that order the changes of one time.

    Example:

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... city   | degrees | __time__
    ... Oslo   | 4       | 2
    ... Naples | 19      | 4
    ... ''')
    >>> pw.io.subscribe(
    ...     table,
    ...     on_change=lambda key, row, time, is_addition: print(time, row),
    ...     on_end=lambda: print("end"),
    ... )
    >>> pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    2 {'city': 'Oslo', 'degrees': 4}
    4 {'city': 'Naples', 'degrees': 19}
    end
    """
    connect(table, on_change, on_end=on_end, on_time_end=on_time_end, name=name, sort_by=sort_by)


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """What is called of an output that takes part in commits."""

    # Before anything else, with what a state calls the output if `recover` follows.
    on_begin: Callable[[str | None], object] | None = None
    prepare: Callable[[int], bytes | None] | None = None
    commit: Callable[[int, bytes | None], object] | None = None
    recover: Callable[[int | None, bytes | None], int | None] | None = None


def connect(
    table: Table[Any],
    on_change: OnChangeCallback | OnChangeCallbackAsync,
    *,
    on_end: OnFinishCallback | None = None,
    on_time_end: OnTimeEndCallback | None = None,
    name: str | None = None,
    sort_by: Iterable[ColumnReference] | None = None,
    hooks: Hooks | None = None,
    default_name: str | None = None,
) -> None:
    """Has the engine call functions with every change of a table, and at each commit."""
    change: Any = on_change
    time_end: Any = on_time_end
    hooks = hooks or Hooks()
    if not callable(on_change):
        raise TypeError(f"parameter on_change has to be callable, found {on_change!r}")
    _check_takes("on_change", on_change, key=None, row=None, time=None, is_addition=None)
    if _is_coroutine_function(on_change):
        if sort_by is not None:
            raise ValueError("Using sort_by with async observer is not supported")
        change, time_end = _gather_by_time(on_change, on_time_end)
    output = connecting.declared_output(table, sort_by)
    connecting.plan().subscribe(
        output.node,
        output.columns,
        on_change=change,
        on_time_end=time_end,
        on_end=on_end,
        skip_errors=True,
        sort_by=output.sort_by,
        name=connecting.check_name(name),
        origin=output.origin,
        default_name=default_name,
        on_begin=hooks.on_begin,
        prepare=hooks.prepare,
        commit=hooks.commit,
        recover=hooks.recover,
    )


def _check_takes(parameter: str, function: Callable[..., object], **given: object) -> None:
    """Complains of a function that cannot be called as it will be, rather than when the first row has come."""
    try:
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(**given)
    except TypeError as error:
        names = ", ".join(given)
        name = getattr(function, "__name__", repr(function))
        raise TypeError(
            f"{parameter} is called with {names}, each by its name, and {name} does not take that ({error}): write def "
            f"{parameter}({names})"
        ) from None


def _is_coroutine_function(function: Callable[..., object]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _gather_by_time(on_change: Any, on_time_end: OnTimeEndCallback | None) -> tuple[Any, Any]:
    """Callbacks that collect the coroutines of one time and run them together at its end."""
    waiting: list[Awaitable[None]] = []

    async def told(change: dict[str, Any]) -> None:
        __tracebackhide__ = True
        try:
            await on_change(**change)
        except Exception as error:
            call = failed_call("on_change", on_change, **change)
            if call is not None:
                error.add_note(f"It failed {call}")
            raise

    def collect(**change: Any) -> None:
        waiting.append(told(change))

    def run_all(time: int) -> None:
        coroutines = waiting.copy()
        waiting.clear()
        # Only coroutines need asyncio, which takes long to import.
        from pathway._ground import event_loop

        event_loop.run_together(coroutines)
        if on_time_end is not None:
            on_time_end(time)

    return collect, run_all
