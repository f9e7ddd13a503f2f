"""Methods of texts: `expression.str`.

Every method is a function of the engine of the same name; `Namespace._call` makes the call.
"""

from __future__ import annotations

from collections.abc import Iterable

from pathway._expressions.expression import ColumnExpression
from pathway._expressions.namespace import Namespace
from pathway._ground import tracebacks


@tracebacks.shortened_class
class StringNamespace(Namespace):
    """Methods of texts; see `ColumnExpression.str`. Positions count characters from 0."""

    _prefix = "str"

    def lower(self) -> ColumnExpression:
        """The text in lower case.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=str), [('Ab',)])
        >>> pw.debug.compute_and_print(table.select(x=table.v.str.lower()), include_id=False)
        x
        ab
        """
        return self._call("lower")

    def upper(self) -> ColumnExpression:
        """The text in upper case.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=str), [('Ab',)])
        >>> pw.debug.compute_and_print(table.select(x=table.v.str.upper()), include_id=False)
        x
        AB
        """
        return self._call("upper")

    def title(self) -> ColumnExpression:
        """The text with every word capitalised.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=str), [('ab cd',)])
        >>> pw.debug.compute_and_print(table.select(x=table.v.str.title()), include_id=False)
        x
        Ab Cd
        """
        return self._call("title")

    def swapcase(self) -> ColumnExpression:
        """Upper case in lower case and the other way round.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=str), [('Ab',)])
        >>> pw.debug.compute_and_print(table.select(x=table.v.str.swapcase()), include_id=False)
        x
        aB
        """
        return self._call("swapcase")

    def reversed(self) -> ColumnExpression:
        """The text backwards.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=str), [('abc',)])
        >>> pw.debug.compute_and_print(table.select(x=table.v.str.reversed()), include_id=False)
        x
        cba
        """
        return self._call("reversed")

    def len(self) -> ColumnExpression:
        """The number of characters.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=str), [('abc',)])
        >>> pw.debug.compute_and_print(table.select(x=table.v.str.len()), include_id=False)
        x
        3
        """
        return self._call("len")

    def strip(self, chars: object = None) -> ColumnExpression:
        """The text without spaces, or these characters, at its ends.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=str), [('  ab ',)])
        >>> pw.debug.compute_and_print(table.select(x=table.v.str.strip()), include_id=False)
        x
        ab
        """
        return self._call("strip", chars)

    def count(self, sub: object, start: object = None, end: object = None) -> ColumnExpression:
        """How often a text occurs, without overlaps.

        Args:
            sub: the text to look for.
            start: where to begin; the start of the text by default.
            end: where to stop; the end of the text by default.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=str), [('abab',)])
        >>> pw.debug.compute_and_print(table.select(x=table.v.str.count("ab")), include_id=False)
        x
        2
        """
        return self._call("count", sub, start, end)

    def find(self, sub: object, start: object = None, end: object = None) -> ColumnExpression:
        """Where a text occurs first, or -1.

        Args:
            sub: the text to look for.
            start: where to begin; the start of the text by default.
            end: where to stop; the end of the text by default.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=str), [('abab',)])
        >>> pw.debug.compute_and_print(table.select(x=table.v.str.find("b")), include_id=False)
        x
        1
        """
        return self._call("find", sub, start, end)

    def rfind(self, sub: object, start: object = None, end: object = None) -> ColumnExpression:
        """Where a text occurs last, or -1.

        Args:
            sub: the text to look for.
            start: where to begin; the start of the text by default.
            end: where to stop; the end of the text by default.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=str), [('abab',)])
        >>> pw.debug.compute_and_print(table.select(x=table.v.str.rfind("b")), include_id=False)
        x
        3
        """
        return self._call("rfind", sub, start, end)

    def startswith(self, prefix: object) -> ColumnExpression:
        """Whether the text begins so.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=str), [('abc',)])
        >>> pw.debug.compute_and_print(table.select(x=table.v.str.startswith("ab")), include_id=False)
        x
        True
        """
        return self._call("startswith", prefix)

    def endswith(self, suffix: object) -> ColumnExpression:
        """Whether the text ends so.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=str), [('abc',)])
        >>> pw.debug.compute_and_print(table.select(x=table.v.str.endswith("ab")), include_id=False)
        x
        False
        """
        return self._call("endswith", suffix)

    def removeprefix(self, prefix: object, /) -> ColumnExpression:
        """The text without this beginning, if it has it.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=str), [('abc',)])
        >>> pw.debug.compute_and_print(table.select(x=table.v.str.removeprefix("a")), include_id=False)
        x
        bc
        """
        return self._call("removeprefix", prefix)

    def removesuffix(self, suffix: object, /) -> ColumnExpression:
        """The text without this ending, if it has it.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=str), [('abc',)])
        >>> pw.debug.compute_and_print(table.select(x=table.v.str.removesuffix("c")), include_id=False)
        x
        ab
        """
        return self._call("removesuffix", suffix)

    def replace(self, old_value: object, new_value: object, count: object = -1, /) -> ColumnExpression:
        """The text with one part replaced by another, `count` times or (-1) always.

        Args:
            old_value: the text to look for.
            new_value: the text to put there.
            count: how often at most; everywhere by default.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=str), [('abab',)])
        >>> pw.debug.compute_and_print(table.select(x=table.v.str.replace("a", "x", 1)), include_id=False)
        x
        xbab
        """
        return self._call("replace", old_value, new_value, count)

    def slice(self, start: object, end: object, /) -> ColumnExpression:
        """The part from one position up to another; negative ones count from the end.

        Args:
            start: the position of the first character.
            end: the position after the last one.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=str), [('abcd',)])
        >>> pw.debug.compute_and_print(table.select(x=table.v.str.slice(1, -1)), include_id=False)
        x
        bc
        """
        return self._call("slice", start, end)

    def parse_int(self, optional: bool = False) -> ColumnExpression:
        """The number that the text holds; a failure, or None if `optional`, if it holds none.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=str), [('42',)])
        >>> pw.debug.compute_and_print(table.select(x=table.v.str.parse_int()), include_id=False)
        x
        42
        """
        return self._call("parse_int_optional" if optional else "parse_int")

    def parse_float(self, optional: bool = False) -> ColumnExpression:
        """The number that the text holds; a failure, or None if `optional`, if it holds none.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=str), [('1.5',)])
        >>> pw.debug.compute_and_print(table.select(x=table.v.str.parse_float()), include_id=False)
        x
        1.5
        """
        return self._call("parse_float_optional" if optional else "parse_float")

    def parse_bool(
        self,
        true_values: Iterable[str] = ("on", "true", "yes", "1"),
        false_values: Iterable[str] = ("off", "false", "no", "0"),
        optional: bool = False,
    ) -> ColumnExpression:
        """The truth value that the text holds, whatever its case; a failure, or None if `optional`, if it holds none.

        Args:
            true_values: the texts that mean True.
            false_values: the texts that mean False.
            optional: whether any other text gives None; otherwise it is an error.

        >>> import pathway as pw
        >>> table = pw.debug.table_from_rows(pw.schema_from_types(v=str), [('Yes',)])
        >>> pw.debug.compute_and_print(table.select(x=table.v.str.parse_bool()), include_id=False)
        x
        True
        """
        function = "parse_bool_optional" if optional else "parse_bool"
        return self._call(function, tuple(true_values), tuple(false_values))
