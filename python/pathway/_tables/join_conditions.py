"""What a join is given: which rows it keeps, which columns of its sides are to be equal, and whose keys pairs have."""

from __future__ import annotations

import enum
from typing import TypedDict

from pathway import _native
from pathway._expressions.expression import Call, ColumnReference
from pathway._tables.binder import about
from pathway._tables.deferred import DeferredSlice
from pathway._tables.joinable import Joinable
from pathway._tables.placeholders import Placeholder
from pathway._tables.slices import chosen


class JoinMode(enum.Enum):
    """Which rows without a partner a join keeps.

    >>> import pathway as pw
    >>> one, two = pw.Table.empty(a=int), pw.Table.empty(b=int)
    >>> result = one.join(two, one.a == two.b, how=pw.JoinMode.LEFT).select(one.a, two.b)
    >>> result.typehints()["b"]
    int | None
    """

    INNER = 0
    """None."""
    LEFT = 1
    """Those of the left table."""
    RIGHT = 2
    """Those of the right table."""
    OUTER = 3
    """Those of both tables."""


class JoinOptions(TypedDict, total=False):
    """What the joins of a fixed kind take beside their tables and conditions, see `JoinMethods.join`."""

    id: ColumnReference | None
    left_instance: ColumnReference | None
    right_instance: ColumnReference | None
    left_exactly_once: bool
    right_exactly_once: bool


class AnyJoinOptions(JoinOptions, total=False):
    """The same with the kind of the join."""

    how: JoinMode


def equal_columns(
    left_side: Joinable, right_side: Joinable, condition: object
) -> tuple[_native.Column, _native.Column]:
    """The columns of the sides that a condition makes equal."""
    if (
        not isinstance(condition, Call)
        or condition._function != "=="
        or not all(isinstance(side, ColumnReference) for side in condition._children)
    ):
        raise ValueError(
            "join condition should be of form <left_table>.<column> == <right_table>.<column>, "
            f"found {condition!r}; select() expressions into columns first"
        )
    one, other = (side for side in condition._children if isinstance(side, ColumnReference))
    left, right = _side_column(left_side, "left", one), _side_column(right_side, "right", other)
    if left is None or right is None:
        if _side_column(left_side, "left", other) is not None and (_side_column(right_side, "right", one) is not None):
            raise ValueError(
                "The join condition is not properly ordered: the left part should refer to the left table and the "
                f"right one to the right table, e.g. t1.join(t2, t1.bar == t2.foo); found {condition!r}"
            )
        stranger, name = (one, "left") if left is None else (other, "right")
        raise ValueError(f"{stranger!r} in the join condition {condition!r} is no column of the {name} table")
    plan = left_side._plan
    with about(condition, "join"):
        plan.dtype(left).check_equal(plan.dtype(right))
    return left, right


def _side_column(side: Joinable, kind: str, reference: ColumnReference) -> _native.Column | None:
    table = reference._table
    if isinstance(table, DeferredSlice):
        base = table._table
        if isinstance(base, Placeholder) and base._kind in (kind, "this"):
            columns = chosen(side._slice("this"), table._choices)
            return side._local(columns[reference._name])
        return None
    if isinstance(table, Placeholder):
        # In a condition, pw.this is whichever side the position says.
        return side._column(reference._name) if table._kind in (kind, "this") else None
    return found(side, reference)


def side_of_id(left: Joinable, right: Joinable, id: ColumnReference, how: JoinMode) -> str:
    """The side whose keys the pairs have."""
    if not isinstance(id, ColumnReference) or id.name != "id":
        raise ValueError(f"id= of a join is the id of one of its tables, as in id=left.id; found {id!r}")
    table = id._table
    if isinstance(table, Placeholder) and table._kind in ("left", "right"):
        side = table._kind
    elif table is left or (left._find(id, True) is not None):
        side = "left"
    elif table is right or (right._find(id, True) is not None):
        side = "right"
    else:
        raise ValueError(f"id={id!r} is the id of none of the joined tables")
    if how is JoinMode.OUTER or how is {"left": JoinMode.RIGHT, "right": JoinMode.LEFT}[side]:
        raise KeyError(f"Cannot assign id's for this join type: {how.name} keeps rows that have no {side} side.")
    return side


def found(side: Joinable, reference: ColumnReference) -> _native.Column | None:
    """The column of a reference: to this very table, or to one with the same rows."""
    column = side._find(reference, True)
    return side._find(reference, False) if column is None else column
