"""Prints the changes of a table, a line each, for a quick look at what happens."""

from __future__ import annotations

import datetime
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pathway._expressions.expression import ColumnReference
from pathway._ground import arguments, missing_names, pipes, streams
from pathway._ground.shown import shown
from pathway._native import Pointer
from pathway._tables import connecting
from pathway._tables.table import Table
from pathway._values import texts
from pathway._values.times import FIRST_TIME_OF_DAY

__all__ = ["write"]

if not TYPE_CHECKING:
    # Type checkers know the names that are there.
    __getattr__ = missing_names.of(__name__)

_GREEN, _RED, _PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[0m"

_ALIGNED = 40
"""Columns are aligned up to this width."""

_NARROWEST = 8
"""Cells are not cut to less than this, however narrow a terminal is."""


@arguments.explained
def write(
    table: Table[Any],
    *,
    include_id: bool = False,
    name: str | None = None,
    sort_by: Iterable[ColumnReference] | None = None,
) -> None:
    """Prints the changes of a table, a line each: ``+`` for a row that comes and ``-`` for one that goes, the time, and
    the values.

    The changes of one commit are printed together. Times are those of the day, where you are; in tables with
    ``__time__`` they are its numbers. On a terminal the signs have colours, unless the environment variable NO_COLOR is
    set, and long values are cut, to less where the terminal is narrow. In a pipe every line is complete, with control
    characters such as line breaks written out; where nobody reads it any more, as with ``| head``, the program ends, as
    others do.

    Args:
        table: the table to print.
        include_id: whether to print the keys.
        name: a name for monitoring.
        sort_by: columns of the table that order the changes of one time.

    Example:

    >>> import pathway as pw
    >>> passages = pw.debug.table_from_markdown('''
    ... lock   | boats | __time__
    ... Marple | 2     | 2
    ... Marple | 3     | 4
    ... Bosley | 1     | 4
    ... ''')
    >>> traffic = passages.groupby(pw.this.lock).reduce(pw.this.lock, boats=pw.reducers.sum(pw.this.boats))
    >>> pw.io.stdout.write(traffic, sort_by=[traffic.lock])
    >>> pw.run(monitoring_level=pw.MonitoringLevel.NONE)
      time | lock   | boats
    + 2    | Marple | 2
    - 4    | Marple | 2
    + 4    | Bosley | 1
    + 4    | Marple | 5
    """
    connecting.check_flag("include_id", include_id)
    output = connecting.declared_output(table, sort_by)
    printer = _Printer([column for column, _ in output.columns], include_id)
    connecting.plan().subscribe(
        output.node,
        output.columns,
        on_change=printer.change,
        on_time_end=printer.time_ended,
        on_end=None,
        skip_errors=False,
        sort_by=output.sort_by,
        name=connecting.check_name(name),
        origin=output.origin,
        default_name="stdout.write",
    )


class _Printer:
    """Makes lines of changes."""

    def __init__(self, names: Sequence[str], include_id: bool) -> None:
        self._header = ["time", *(["id"] if include_id else []), *map(shown, names)]
        self._include_id = include_id
        self._widths = [0] * len(self._header)
        self._changes: list[tuple[str, list[str]]] = []
        self._has_begun = False

    def change(self, key: Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        keys = [str(key)] if self._include_id else []
        cells = [_time(time), *keys, *(shown(texts.cell(value, short=False)) for value in row.values())]
        self._changes.append(("+" if is_addition else "-", cells))

    def time_ended(self, _time: int) -> None:
        if not self._changes:
            return
        if sys.stdout is None:
            self._changes = []
            return
        lines, self._changes = self._changes, []
        if not self._has_begun:
            lines.insert(0, (" ", self._header))
            self._has_begun = True
        for _, cells in lines:
            self._widths = [
                max(known, min(texts.width(cell), texts.WIDEST))
                for known, cell in zip(self._widths, cells, strict=True)
            ]
        is_terminal = streams.is_terminal(sys.stdout)
        is_coloured = is_terminal and not os.environ.get("NO_COLOR")
        room = shutil.get_terminal_size((0, 0)).columns if is_terminal else 0
        # Before the cells comes the sign.
        widest = texts.widest_cell(self._widths, room - 2, _NARROWEST) if room else texts.WIDEST
        widths = [min(width, widest, _ALIGNED) for width in self._widths]
        if is_terminal:
            lines = [(sign, [texts.cut(cell, widest) for cell in cells]) for sign, cells in lines]
        text = "".join(_line(sign, cells, widths, room, is_coloured and sign != " ") for sign, cells in lines)
        try:
            # What it cannot write becomes what one would type in Python.
            encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
            sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
            sys.stdout.flush()
        except BrokenPipeError:
            pipes.leave()


def _line(sign: str, cells: Sequence[str], widths: Sequence[int], room: int, is_coloured: bool) -> str:
    line = " | ".join(map(texts.padded, cells, widths)).rstrip()
    if room:
        # Of some tables, not even the columns have room.
        line = texts.cut(line, max(1, room - 2))
    if is_coloured:
        sign = f"{_GREEN if sign == '+' else _RED}{sign}{_PLAIN}"
    return f"{sign} {line}".rstrip() + "\n"


def _time(time: int) -> str:
    if time < FIRST_TIME_OF_DAY:
        return str(time)
    moment = datetime.datetime.fromtimestamp(time / 1000)
    return f"{moment:%H:%M:%S}.{time % 1000:03}"
