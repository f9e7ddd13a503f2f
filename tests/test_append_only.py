"""Tables of which it is known, or vouched for, that rows are never removed."""

from typing import Any

import pathway as pw
import pytest
from support import changes


def coming() -> pw.Table[Any]:
    """A table whose rows only come, of which the plan does not know it."""
    table = pw.debug.table_from_markdown("id | a | __time__\n1 | x | 2\n2 | y | 4")
    return table.difference(pw.debug.table_from_markdown("id\n3"))


GOING = """
id | a | __time__ | __diff__
1  | x | 2        | 1
1  | x | 4        | -1
1  | z | 4        | 1
"""


def test_what_only_comes_passes() -> None:
    table = coming()
    asserted = table.assert_append_only()
    assert not table.is_append_only
    assert asserted.is_append_only
    assert changes(asserted) == ["2 +1 ('x',)", "4 +1 ('y',)"]


def test_what_comes_of_it_is_append_only_too() -> None:
    asserted = coming().assert_append_only()
    assert asserted.filter(asserted.a == "x").is_append_only
    assert not asserted.reduce(n=pw.reducers.count()).is_append_only
    latest = asserted.reduce(a=pw.reducers.latest(asserted.a))
    assert changes(latest) == ["2 +1 ('x',)", "4 -1 ('x',)", "4 +1 ('y',)"]


def test_a_row_that_goes_ends_the_run() -> None:
    table = pw.debug.table_from_markdown(GOING)
    key = pw.testing.capture(table)[0].key
    message = rf"Expected table to be append-only, but got diff=-1 for key: \{key}\."
    for terminate_on_error in (True, False):
        with pytest.raises(ValueError, match=message) as caught:
            pw.testing.capture(table.assert_append_only(), terminate_on_error=terminate_on_error)
    assert any("test_append_only.py" in note for note in caught.value.__notes__)


def test_columns_of_the_table_can_be_used_beside_it() -> None:
    table = coming()
    asserted = table.assert_append_only()
    assert changes(asserted.select(asserted.a, b=table.a)) == ["2 +1 ('x', 'x')", "4 +1 ('y', 'y')"]


def test_what_nobody_needs_is_not_checked() -> None:
    table = pw.debug.table_from_markdown(GOING)
    table.assert_append_only()
    pw.io.null.write(table)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
