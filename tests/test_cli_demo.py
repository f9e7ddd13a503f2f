"""`pathway demo`: in a pipe, on a terminal, ended before its end."""

from __future__ import annotations

import re
import signal
import subprocess
from collections import Counter

from pathway.cli._trades import trades

from tests.processes import PATHWAY, environment, pathway
from tests.terminals import Terminal

LINE = re.compile(
    r"(?P<symbol>[A-Z]{3}) +(?P<trades>\d+) trades +mean +(?P<mean>[\d.]+) +from (?P<lowest>\S+) to (\S+)"
)


def test_a_pipe_gets_a_line_for_each_change() -> None:
    done = pathway("demo", "--rows", 1000, "--seconds", 0)
    assert (done.returncode, done.stderr) == (0, "")
    *lines, summary, hint = done.stdout.splitlines()
    matches = [match for match in map(LINE.fullmatch, lines) if match is not None]
    assert len(matches) == len(lines)
    last = {match["symbol"]: match for match in matches}
    prices: dict[str, list[float]] = {}
    for symbol, price in trades(1000):
        prices.setdefault(symbol, []).append(price)
    assert {symbol: int(match["trades"]) for symbol, match in last.items()} == Counter(
        symbol for symbol, _ in trades(1000)
    )
    for symbol, found in prices.items():
        assert abs(float(last[symbol]["mean"]) - sum(found) / len(found)) < 0.006
        assert float(last[symbol]["lowest"]) == min(found)
    assert summary.startswith("1,000 trades in ")
    assert "pathway new connector" in hint


def test_it_takes_as_long_as_it_is_told() -> None:
    """The result changes several times, each time with more trades."""
    done = pathway("demo", "--rows", 100, "--seconds", 0.8)
    counts = [int(match["trades"]) for match in LINE.finditer(done.stdout) if match["symbol"] == "OAK"]
    assert len(counts) >= 3
    assert counts == sorted(counts)
    assert float(done.stdout.split(" trades in ")[1].split()[0]) >= 0.5


def test_a_terminal_gets_a_table_in_place() -> None:
    terminal = Terminal([*PATHWAY, "demo", "--rows", "200", "--seconds", "0.6"])
    assert terminal.read_to_the_end() == 0
    text = terminal.written
    assert text.count("lowest") >= 2
    # The cursor goes up, so that the next table takes the place of the one before.
    assert "\x1b[1A" in text
    assert "200 trades in " in text


def test_who_has_seen_enough_may_close_the_pipe() -> None:
    process = subprocess.Popen(
        [*PATHWAY, "demo", "--rows", "1000", "--seconds", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert LINE.match(process.stdout.readline())
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(60) == 0


def test_ctrl_c_ends_it_with_what_there_is() -> None:
    process = subprocess.Popen(
        [*PATHWAY, "demo", "--rows", "100000", "--seconds", "1000"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.search(r"^\d+ trades in ", rest, re.MULTILINE)


def test_options_that_make_no_sense_are_refused() -> None:
    for option, value in (("--rows", "0"), ("--seconds", "-1"), ("--rows", "many")):
        done = pathway("demo", option, value)
        assert done.returncode == 2
        assert option in done.stderr
