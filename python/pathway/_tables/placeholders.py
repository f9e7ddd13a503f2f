"""`pw.this`, `pw.left`, `pw.right`: the table a method is called on, before there is one."""

from __future__ import annotations

from pathway._expressions.expression import ColumnExpression
from pathway._ground import tracebacks
from pathway._tables.column_sets import WithNamespace
from pathway._tables.deferred import Deferred
from pathway._tables.lookups import Lookup
from pathway._tables.pointers import Indexed, Keyed


@tracebacks.shortened_class
class Placeholder(Deferred, WithNamespace, Keyed, Indexed[Lookup]):
    """Stands for a table. `pw.this`: the one the method is called on; `pw.left`, `pw.right`: the sides of a join.

    >>> import pathway as pw
    >>> table = pw.debug.table_from_markdown('''
    ... a | b
    ... 1 | 2
    ... ''')
    >>> pw.debug.compute_and_print(table.select(*pw.this.without("b"), c=pw.this.b + 1), include_id=False)
    a | c
    1 | 3
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __repr__(self) -> str:
        return f"pathway.{self._kind}"

    def _reference_text(self, names: dict[int, str]) -> str:
        return repr(self)

    def _look_up(self, pointer: ColumnExpression, optional: bool, allow_misses: bool, context: object) -> Lookup:
        return Lookup(self, pointer, optional, allow_misses)


this = Placeholder("this")
left = Placeholder("left")
right = Placeholder("right")
