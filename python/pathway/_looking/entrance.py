"""By which tables, which stand below, come to what shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pathway._expressions.expression import ColumnReference
from pathway._looking import live as live_tables
from pathway._looking import notebooks
from pathway._looking.live import LiveTable
from pathway._looking.plots import Plot
from pathway._looking.views import Look, TableView
from pathway._tables.connecting import check_table
from pathway._tables.groups import GroupedTable
from pathway._tables.joins import JoinResult

__all__ = ["LiveTable", "Plot", "TableView", "bundle_of", "html_of", "live", "plot", "show"]


def html_of(shown: object) -> str:
    """What a notebook shows of a table, or of what tables are made of."""
    if isinstance(shown, GroupedTable):
        return notebooks.html_of_groups(shown)
    if isinstance(shown, JoinResult):
        return notebooks.html_of_join(shown)
    return bundle_of(shown)["text/html"]


def bundle_of(table: object) -> dict[str, str]:
    """The same of a table, by the kind of text."""
    return notebooks.bundle_of_table(check_table(table))


def show(
    table: object,
    *,
    snapshot: bool,
    include_id: bool,
    short_pointers: bool,
    sorters: Sequence[dict[str, str]] | None,
    page_size: int,
    table_height: int,
) -> TableView:
    """See `Table.show`."""
    look = Look(
        snapshot=snapshot,
        include_id=include_id,
        short_pointers=short_pointers,
        sorters=list(sorters or []),
        page_size=page_size,
        table_height=table_height,
    )
    return TableView(check_table(table), look)


def plot(
    table: object, function: Callable[[Any], Any], sorting_col: ColumnReference | str | None, frame: str | None
) -> Plot:
    """See `Table.plot`."""
    return Plot(check_table(table), function, sorting_col, frame)


def live(table: object) -> LiveTable:
    """See `Table.live`."""
    return live_tables.live(check_table(table))
