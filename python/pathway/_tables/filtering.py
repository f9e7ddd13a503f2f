"""Filters: the rows for which a condition is True, and what that tells of their columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from pathway import _native
from pathway._expressions.expression import ColumnExpression
from pathway._expressions.narrowing import Narrowing
from pathway._ground.origin import user_origin
from pathway._tables.binder import Binder, about
from pathway._tables.joinable import Joinable

Moved: TypeAlias = "Callable[[_native.Column], _native.Column]"


def filtered(scope: Joinable, condition: ColumnExpression, method: str) -> tuple[_native.Node, Moved]:
    """The node of the rows for which the condition is True, and where columns of the scope are there.

    Columns that the condition tells to be never None there have narrower types.
    """
    if not isinstance(condition, ColumnExpression):
        raise TypeError(f"{method}() takes a condition over columns, found {condition!r}")
    plan = scope._plan
    binder = Binder(scope, [condition], scope._carried())
    bound = binder.bind(condition)
    with about(condition, method):
        node = plan.filter(binder.node, plan.define(binder.node, bound), user_origin())
    narrower: dict[_native.Column, _native.Column] = {}
    for reference in Narrowing().facts(condition).if_true:
        column = scope._local(reference)
        for implied, dtype in ({} if column is None else scope._implied(column)).items():
            here = plan.expression(binder.column(implied))
            narrower[implied] = plan.define(node, _native.Expression.declare(here, dtype))

    def moved(column: _native.Column) -> _native.Column:
        return narrower[column] if column in narrower else binder.column(column)

    return node, moved
