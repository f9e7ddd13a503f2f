"""`pw.universes`: promises about the keys of tables, where the plan does not show how they relate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pathway._ground import missing_names
from pathway._ground.origin import declares
from pathway._tables.joinable import Joinable, take_tables

__all__ = ["promise_are_equal", "promise_are_pairwise_disjoint", "promise_is_subset_of"]

if not TYPE_CHECKING:
    # Type checkers know the names that are there.
    __getattr__ = missing_names.of(__name__)


@declares
def promise_are_equal(self: Joinable, *others: Joinable) -> None:
    """Promises that all the tables have the same keys.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... a
    ... 1
    ... ''')
    >>> other = table.filter(pw.this.a > 0).select(b=2)
    >>> pw.universes.promise_are_equal(table, other)
    >>> pw.debug.compute_and_print(table.select(pw.this.a, other.b), include_id=False)
    a | b
    1 | 2
    """
    take_tables("pw.universes.promise_are_equal()", [self, *others])
    for other in others:
        self.promise_universe_is_equal_to(other)


@declares
def promise_is_subset_of(self: Joinable, *others: Joinable) -> None:
    """Promises that every key of the first table is in each of the others.

    >>> import pathway as pw
    >>> one, two = pw.Table.empty(a=int), pw.Table.empty(a=int)
    >>> pw.universes.promise_is_subset_of(one, two)
    >>> updated = two.update_cells(one)
    """
    take_tables("pw.universes.promise_is_subset_of()", [self, *others])
    for other in others:
        self.promise_universe_is_subset_of(other)


@declares
def promise_are_pairwise_disjoint(self: Joinable, *others: Joinable) -> None:
    """Promises that no key is in two of the tables.

    >>> import pathway as pw
    >>> one, two = pw.Table.empty(a=int), pw.Table.empty(a=int)
    >>> pw.universes.promise_are_pairwise_disjoint(one, two)
    >>> both = one.concat(two)
    """
    tables = [self, *others]
    take_tables("pw.universes.promise_are_pairwise_disjoint()", tables)
    for position, table in enumerate(tables):
        for other in tables[position + 1 :]:
            table.promise_universes_are_disjoint(other)
