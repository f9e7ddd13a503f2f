"""The tests run in the shape that they were asked to run in."""

import logging
import os

import pathway as pw
import pytest

from tests.shapes import PROCESSES


class Row(pw.Schema):
    number: int


def spread_rows() -> pw.Table[Row]:
    """Rows that all workers have some of."""
    rows = pw.debug.table_from_rows(Row, [(number,) for number in range(100)])
    return rows.groupby(rows.number).reduce(rows.number)


def test_the_work_is_shared() -> None:
    pids = spread_rows().select(pid=pw.apply_with_type(lambda number: os.getpid(), int, pw.this.number))
    assert len({update.row["pid"] for update in pw.testing.capture(pids)}) == PROCESSES


def test_what_the_other_process_says_is_heard(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def tell(number: int) -> int:
        print("printed", number)
        logging.getLogger("shapes").warning("logged %d", number)
        return number

    pw.testing.capture(spread_rows().select(number=pw.apply_with_type(tell, int, pw.this.number)))
    numbers = set(map(str, range(100)))
    assert {line.split()[1] for line in capsys.readouterr().out.splitlines()} == numbers
    assert {record.getMessage().split()[1] for record in caplog.records if record.name == "shapes"} == numbers


@pytest.mark.parametrize("in_child", [False, True])
def test_an_exception_is_raised_as_itself(in_child: bool) -> None:
    class OfOurOwn(Exception):
        pass

    pid = os.getpid()

    def fail(number: int) -> int:
        if in_child == (os.getpid() != pid):
            raise OfOurOwn("failed", number)
        return number

    failing = spread_rows().select(number=pw.apply_with_type(fail, int, pw.this.number))
    if in_child and PROCESSES == 1:
        pw.testing.capture(failing)
        return
    with pytest.raises(OfOurOwn, match="failed"):
        pw.testing.capture(failing)
