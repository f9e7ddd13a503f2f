"""`Table.show`: the rows of a table, or its latest changes."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pathway._debugging import html, printing
from pathway._debugging.captures import capture_updates, quiet
from pathway._ground import environment, notebook_shell, tracebacks
from pathway._ground.words import counted
from pathway._looking import content, notebooks, previews
from pathway._looking.displays import Display
from pathway._looking.refreshing import Refresher
from pathway._native import Pointer
from pathway._tables.table import Table
from pathway._values import texts

NOTEBOOK_SECONDS = 0.25
TERMINAL_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a table is shown; `Table.show` says what each means."""

    snapshot: bool = True
    include_id: bool = True
    short_pointers: bool = True
    sorters: list[dict[str, str]] = field(default_factory=list)
    page_size: int = 10
    table_height: int = 400

    def __post_init__(self) -> None:
        for name in ("page_size", "table_height"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"argument {name} of show() has to be a whole number above zero, found {value!r}")

    def check(self, columns: Sequence[str]) -> None:
        """ValueError if the sorters do not fit the columns."""
        known = ["id", *columns, *([] if self.snapshot else ["time", "diff"])]
        for sorter in self.sorters:
            if not isinstance(sorter, dict) or not {"field"} <= set(sorter) <= {"field", "dir"}:
                raise ValueError(
                    f'each of the sorters is a dict such as {{"field": "price", "dir": "desc"}}, found {sorter!r}'
                )
            if sorter["field"] not in known:
                raise ValueError(
                    f"a sorter names the column {sorter['field']!r}, which is not shown; there are {', '.join(known)}"
                )
            if sorter.get("dir", "asc") not in ("asc", "desc"):
                raise ValueError(f"the 'dir' of a sorter is 'asc' or 'desc', found {sorter['dir']!r}")


@tracebacks.shortened_class
class TableView(Display):
    """A table that is shown, as ``Table.show`` has made it. In a notebook it may be shown in other cells, too.

    >>> import pathway as pw
    >>> rivers = pw.debug.table_from_markdown('''
    ... river | km
    ... Ob    | 3650
    ... ''')
    >>> view = rivers.show(include_id=False)
    river | km
    Ob    | 3650
    >>> isinstance(view, pw.TableView)
    True
    """

    def __init__(self, table: Table[Any], look: Look | None = None) -> None:
        super().__init__("show")
        look = look or Look()
        self._look = look
        self._types = notebooks.types(table)
        look.check([name for name, _ in self._types])
        self._content = content.of_table(table, changes=0 if look.snapshot else look.page_size)
        self._is_static = previews.is_static(table)
        self._printed: str | None = None
        if self._is_static:
            self._compute(table)
        else:
            content.tell_if_read(table, self._origin)
            is_printed = not notebook_shell.is_here()
            refresher = Refresher(
                self._print if is_printed else self._update,
                TERMINAL_SECONDS if is_printed else NOTEBOOK_SECONDS,
                what=f"the table of {self._origin} cannot be shown",
                # What is over soon is printed once.
                is_patient=is_printed,
            )
            content.follow(table, self._content, name="show", on_time_end=refresher.poke, on_end=refresher.finish)
        # Elsewhere there is nothing to print yet. Every process has computed what is static.
        if (self._is_static or notebook_shell.is_here()) and environment.is_first_process():
            self._show()

    def _compute(self, table: Table[Any]) -> None:
        (updates,) = capture_updates([table], quiet("Table.show"), "Table.show")
        for number, update in enumerate(updates):
            self._content.change(update.key, update.row, update.time, update.diff > 0)
            if number + 1 == len(updates) or updates[number + 1].time != update.time:
                self._content.time_ended(update.time)
        self._content.ended()

    def __repr__(self) -> str:
        return f"<pathway.TableView of {self._place}, {counted(len(self._content), 'row')}>"

    def _bundle(self) -> dict[str, str]:
        items, more = self._items()
        look = self._look
        names = [name for name, _ in self._types] + ([] if look.snapshot else ["time", "diff"])
        keys, rows = [key for key, _ in items], [row for _, row in items]
        lines, hidden = printing.lines(names, keys, rows, ids=look.include_id, short=look.short_pointers, is_cut=True)
        headers = [*self._types, *([] if look.snapshot else [("time", ""), ("diff", "")])]
        if look.include_id:
            headers = [("id", ""), *headers]
            rows = [(texts.pointer(key, look.short_pointers), *row) for key, row in items]
        what = "row" if look.snapshot else "earlier change"
        return {
            "text/plain": "\n".join(filter(None, [*lines, printing.more(more, what, hidden)])),
            "text/html": html.table(
                headers, rows, height=look.table_height, notes=html.note(self._state(len(items), more, what))
            ),
        }

    def _items(self) -> tuple[list[tuple[Pointer, tuple[Any, ...]]], int]:
        """What is shown, in order, and how much more there is."""
        look = self._look
        if look.snapshot:
            items = self._content.snapshot()._in_order()
            return self._sorted(items)[: look.page_size], max(0, len(items) - look.page_size)
        updates, earlier = self._content.latest()
        changes = [(update.key, (*update.row.values(), update.time, update.diff)) for update in updates]
        return self._sorted(changes), earlier

    def _sorted(self, items: list[tuple[Pointer, tuple[Any, ...]]]) -> list[tuple[Pointer, tuple[Any, ...]]]:
        names = [name for name, _ in self._types] + ["time", "diff"]
        for sorter in reversed(self._look.sorters):
            position = None if sorter["field"] == "id" else names.index(sorter["field"])

            def value(item: tuple[Pointer, tuple[Any, ...]], position: int | None = position) -> Any:
                return item[0] if position is None else printing.sort_key((item[1][position],))

            try:
                items = sorted(items, key=value, reverse=sorter.get("dir") == "desc")
            except (TypeError, ValueError):
                items = sorted(items, key=lambda item: str(value(item)), reverse=sorter.get("dir") == "desc")
        return items

    def _state(self, shown: int, more: int, what: str) -> str:
        words = [counted(shown + more, "row" if self._look.snapshot else "change")]
        if more:
            words.append(f"of which {shown:,} are shown")
        if not self._is_static and not self._content.has_ended:
            is_new = self._content.snapshot().frontier == 0
            words.append(
                "they come with <code>pw.run()</code> or <code>pw.start()</code>" if is_new else "kept up to date"
            )
        return ", ".join(words)

    def _print(self) -> None:
        text = self._text()
        if self._is_static:
            print(text, flush=True)
            return
        now = datetime.datetime.now().strftime("%H:%M:%S")
        end = ", at the end" if self._content.has_ended else ""
        state = f"[{self._place}] {now}, {counted(len(self._content), 'row')}{end}"
        # What is above already is not repeated.
        print(state if text == self._printed else f"{state}\n{text}", flush=True)
        self._printed = None if self._content.has_ended else text
