"""A run with many rows that fail: some messages of each kind are logged, and the others are counted."""

import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pathway._running import repeats as repeats_module
from pathway._running.repeats import Repeats

from tests.counters import Clock
from tests.processes import environment


def record(text: str, level: int = logging.ERROR) -> logging.LogRecord:
    """As the engine logs it."""
    return logging.LogRecord("pathway", level, "", 0, "%s", (text,), None)


def let_through(repeats: Repeats, texts: list[str]) -> list[str]:
    records = [record(text) for text in texts]
    return [each.getMessage() for each in records if repeats.filter(each)]


def test_of_messages_that_differ_in_their_row_the_first_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    repeats = Repeats(clock)
    lines = let_through(repeats, [f'row {n}: "{n}" is no int, in f(a={n}), for the row ^0{n}' for n in range(10_000)])
    assert len(lines) == 20
    assert lines[0] == 'row 0: "0" is no int, in f(a=0), for the row ^00'
    assert lines[19].endswith(" (messages like it are counted from now on)")
    repeats.tell_the_rest()
    (last,) = [each.getMessage() for each in caplog.records]
    assert last == '9,980 more messages like this one: row 9999: "9999" is no int, in f(a=9999), for the row ^09999'
    # And that is all.
    repeats.tell_the_rest()
    assert len(caplog.records) == 1


def test_other_kinds_are_not_crowded_out() -> None:
    repeats = Repeats(Clock())
    let_through(repeats, ["division by zero"] * 100)
    assert let_through(repeats, ["no such key"]) == ["no such key"]


def test_messages_of_ever_new_kinds_are_counted_as_well(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    repeats = Repeats(clock)
    words = ["".join(chr(ord("a") + int(digit)) for digit in str(number)) for number in range(3000)]
    lines = let_through(repeats, [f"no station {word}" for word in words])
    assert len(lines) == 200
    repeats.tell_the_rest()
    told = [each.getMessage() for each in caplog.records]
    assert len(told) == 21
    assert told[0].startswith("1 more message like this one: no station ")
    assert told[-1] == "2,780 more messages of other kinds"
    # A minute later there is room for some.
    clock.now = 60.0
    assert let_through(repeats, ["no station x"]) == ["no station x"]


def test_what_was_left_out_keeps_its_level(caplog: pytest.LogCaptureFixture) -> None:
    repeats = Repeats(Clock())
    for _ in range(50):
        repeats.filter(record("a row comes twice", logging.WARNING))
    repeats.tell_the_rest()
    assert [each.levelno for each in caplog.records] == [logging.WARNING]


def test_a_long_message_costs_no_more_than_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = []

    class Looking:
        def sub(self, pattern: str, by: str, text: str) -> str:
            looked_at.append(len(text))
            return re.sub(pattern, by, text)

    monkeypatch.setattr(repeats_module, "re", Looking())
    repeats = Repeats(Clock())
    assert let_through(repeats, ["x" * 1_000_000])
    assert looked_at == [500]
    (kind,) = repeats._kinds.items()
    assert len(kind[0]) <= 500
    assert len(kind[1].last) < 300


def test_after_a_while_one_more_is_logged_with_how_many_there_were(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    repeats = Repeats(clock)
    let_through(repeats, [f"row {number}" for number in range(50)])
    clock.now = 9.0
    assert let_through(repeats, ["row 50"]) == []
    clock.now = 15.0
    assert let_through(repeats, ["row 51", "row 52"]) == ["row 51 (and 31 messages like it before)"]
    # A month later there are as many as at first.
    clock.now = 1e6
    assert len(let_through(repeats, ["row 1"] * 50)) == 20


def test_what_is_no_warning_and_what_is_no_message_of_the_engine_is_left_alone() -> None:
    repeats = Repeats(Clock())
    assert all(repeats.filter(record("100 rows from posts", logging.INFO)) for _ in range(100))
    named = logging.LogRecord("pathway", logging.ERROR, "", 0, "%s has failed", ("posts",), None)
    assert all(repeats.filter(named) for _ in range(100))


@pytest.mark.parametrize("setting", ["", "import logging; logging.basicConfig()\n"])
def test_ten_thousand_rows_that_fail_can_be_read(setting: str, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        f"""{setting}
import pathway as pw
class Numbers(pw.io.python.ConnectorSubject):
    def run(self):
        for number in range(10_000):
            self.next(number=number)
            self.next(number="x")
numbers = pw.io.python.read(Numbers(), schema=pw.schema_from_types(number=int), name="numbers")
pw.io.csv.write(numbers.select(inverse=numbers.number // 0), "inverses.csv")
pw.run(terminate_on_error=False)
"""
    )
    command = [sys.executable, str(tmp_path / "main.py")]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=environment(), cwd=tmp_path, check=False
    )
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert len(lines) < 100
    assert any("more messages like this one: division by zero" in line for line in lines)
