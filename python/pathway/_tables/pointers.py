"""What pointers point into: `pointer_from`, `ix` and `ix_ref`, for whatever stands for a table."""

from __future__ import annotations

from typing import Generic, TypeVar

from pathway._expressions.expression import ColumnExpression, wrap
from pathway._expressions.nodes import PointerExpression
from pathway._expressions.table_like import TableLike
from pathway._ground import tracebacks
from pathway._ground.origin import declares

Found = TypeVar("Found", covariant=True)


@tracebacks.shortened_class
class Keyed(TableLike):
    """What has rows under keys that values make."""

    def pointer_from(
        self, *args: object, optional: bool = False, instance: ColumnExpression | None = None
    ) -> ColumnExpression:
        """The key of the row that has these values as its primary key, or that a group-by by them makes.

        With `optional`, it is None where a value is None; with `instance`, the row is kept together with
        others of the same instance, as by `groupby(..., instance=...)`.

        Args:
            args: the values.
            optional: whether values may be None.
            instance: see above.

        >>> import pathway as pw
        >>> ages = pw.debug.table_from_markdown('''
        ... name | age
        ... Ada  | 36
        ... Bob  | 7
        ... ''').with_id_from(pw.this.name)
        >>> pets = pw.debug.table_from_markdown('''
        ... pet | owner
        ... Rex | Bob
        ... ''')
        >>> result = pets.select(pets.pet, age=ages.ix(ages.pointer_from(pets.owner)).age)
        >>> pw.debug.compute_and_print(result, include_id=False)
        pet | age
        Rex | 7
        >>> own = ages.select(own=pw.this.id == pw.this.pointer_from(pw.this.name))
        >>> pw.debug.compute_and_print(own, include_id=False)
        own
        True
        True
        """
        return _pointer(args, optional, instance)


@tracebacks.shortened_class
class Indexed(TableLike, Generic[Found]):
    """What has rows, or columns of rows, that pointers can point to."""

    def _look_up(self, pointer: ColumnExpression, optional: bool, allow_misses: bool, context: object) -> Found:
        """What a pointer points to, see `ix`."""
        raise NotImplementedError

    @declares
    def ix(
        self,
        expression: ColumnExpression,
        *,
        optional: bool = False,
        context: TableLike | None = None,
        allow_misses: bool = False,
    ) -> Found:
        """The row of this table that a pointer points to, for every row of the table that has the pointer.

        A pointer to no row is an error, or all None if `allow_misses`; a pointer that is None is allowed,
        and gives None, if `optional`. Of a slice, it gives the columns of the slice.

        Args:
            expression: the pointers.
            optional: whether a pointer may be None.
            context: accepted; the table that has the pointers is found where the result is used.
            allow_misses: whether a pointer may point to no row.

        >>> import pathway as pw
        >>> ages = pw.debug.table_from_markdown('''
        ... name | age
        ... Ada  | 36
        ... Bob  | 7
        ... ''').with_id_from(pw.this.name)
        >>> pets = pw.debug.table_from_markdown('''
        ... pet | owner
        ... Rex | Bob
        ... ''')
        >>> pointer = ages.pointer_from(pets.owner)
        >>> pw.debug.compute_and_print(pets.select(pets.pet, ages.ix(pointer).age), include_id=False)
        pet | age
        Rex | 7
        >>> pw.debug.compute_and_print(pets.select(*ages.slice.without("name").ix(pointer)), include_id=False)
        age
        7
        >>> pw.debug.compute_and_print(ages.select(same=pw.this.ix(pw.this.id).age), include_id=False)
        same
        7
        36
        """
        return self._look_up(wrap(expression), optional, allow_misses, context)

    @declares
    def ix_ref(
        self,
        *args: object,
        optional: bool = False,
        context: TableLike | None = None,
        instance: ColumnExpression | None = None,
        allow_misses: bool = False,
    ) -> Found:
        """The row of this table that has these values as its primary key (or group).

        Args:
            args: the values; none at all for the one row of a global `reduce`.
            optional: whether a value may be None.
            context: accepted; the table that has the values is found where the result is used.
            instance: the instance that the key was made with.
            allow_misses: whether there may be no such row.

        >>> import pathway as pw
        >>> cats = pw.debug.table_from_markdown('''
        ... genus | count
        ... felis | 1
        ... lynx  | 2
        ... ''')
        >>> total = cats.reduce(all=pw.reducers.sum(cats.count))
        >>> shares = cats.select(cats.genus, share=cats.count / total.ix_ref().all)
        >>> pw.debug.compute_and_print(shares.filter(pw.this.genus == "lynx"), include_id=False)
        genus | share
        lynx  | 0.6666666666666666
        >>> pw.debug.compute_and_print(cats.select(cats.genus, *total.slice.ix_ref()), include_id=False)
        genus | all
        felis | 3
        lynx  | 3
        """
        return self._look_up(_pointer(args, optional, instance), optional, allow_misses, context)


def _pointer(values: tuple[object, ...], optional: bool, instance: object) -> ColumnExpression:
    return PointerExpression([wrap(value) for value in values], None if instance is None else wrap(instance), optional)
