"""Methods of numbers: `expression.num`.

Every method is a function of the engine of the same name; `Namespace._call` makes the call.
"""

from __future__ import annotations

from pathway._expressions.expression import ColumnExpression
from pathway._expressions.namespace import Namespace
from pathway._ground import tracebacks


@tracebacks.shortened_class
class NumberNamespace(Namespace):
    """Methods of numbers; see `ColumnExpression.num`."""

    _prefix = "num"

    def abs(self) -> ColumnExpression:
        """The number without its sign.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=int), [(-3,)])
        >>> pw.debug.compute_and_print(table.select(x=table.v.num.abs()), include_id=False)
        x
        3
        """
        return abs(self._expression)

    def round(self, decimals: object = 0) -> ColumnExpression:
        """The number rounded to so many decimals, halves to even.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=float), [(2.345,)])
        >>> pw.debug.compute_and_print(table.select(x=table.v.num.round(1)), include_id=False)
        x
        2.3
        """
        return self._call("round", decimals)

    def fill_na(self, default_value: object) -> ColumnExpression:
        """The number, or the default where it is None or NaN.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=float | None), [(None,)])
        >>> pw.debug.compute_and_print(table.select(x=table.v.num.fill_na(0.5)), include_id=False)
        x
        0.5
        """
        return self._call("fill_na", default_value)
