"""Objects that cannot be pickled are equal to themselves alone, and are never told by their address."""

from __future__ import annotations

from typing import Any

import pathway as pw
from pathway._values.object_numbers import number_of

from tests import shapes


class Plain:
    pass


def test_a_number_outlives_its_address() -> None:
    value = Plain()
    number, address = number_of(value), id(value)
    assert number_of(value) == number
    del value
    for _ in range(1000):
        # Sooner or later an object is where the first was.
        value = Plain()
        assert number_of(value) != number
        if id(value) == address:
            return
        del value


def test_what_allows_no_weak_references_has_numbers_too() -> None:
    assert number_of((lambda: None,)) != number_of((lambda: None,))


def test_groups_of_objects_that_cannot_be_pickled() -> None:
    if shapes.PROCESSES > 1:
        # They stay in their process.
        return

    class Row(pw.Schema):
        value: Any
        n: int

    one, other = (pw.wrap_py_object(value) for value in ((lambda: 1), (lambda: 2)))
    table = pw.debug.table_from_rows(Row, [(one, 1), (other, 2), (one, 3)])
    groups = table.groupby(table.value).reduce(n=pw.reducers.sorted_tuple(table.n))
    assert sorted(update.row["n"] for update in pw.testing.capture(groups)) == [(1, 3), (2,)]
