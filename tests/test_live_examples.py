"""The examples that go on until they are ended: started as a newcomer does it, fed, watched, and interrupted."""

from __future__ import annotations

import json
import pathlib
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.processes import final_rows, free_ports

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"


class Program:
    """A program that runs, and what it prints."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.printed: list[str] = []

    def line(self, beginning: str) -> str:
        """Waits for a line that begins like this; pytest's timeout is the limit."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed.append(line)
            if line.startswith(beginning):
                return line
        raise AssertionError(f"it has ended without a line {beginning!r}:\n{''.join(self.printed)}")

    def interrupt(self) -> int:
        """Presses Ctrl-C; gives the exit status."""
        self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate(timeout=60)
        self.printed.append(rest)
        return self.process.returncode


@contextmanager
def started(*command: object) -> Iterator[Program]:
    process = subprocess.Popen(
        [sys.executable, "-u", *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield Program(process)
    finally:
        process.kill()
        process.communicate()


INTERRUPTED = (-signal.SIGINT, 128 + signal.SIGINT)


def test_watched_folder(tmp_path: pathlib.Path) -> None:
    folder, alerts = tmp_path / "readings", tmp_path / "alerts.jsonl"
    folder.mkdir()
    (folder / "monday.csv").write_text("gauge,metres\nnorth,2.6\nsouth,2.4\n")
    with started(EXAMPLES / "03_watched_folder" / "main.py", folder, alerts) as program:
        assert program.line("ALERT") == "ALERT: north\n"
        (folder / "tuesday.csv").write_text("gauge,metres\nnorth,2.9\nsouth,three\nsouth,3.0\n")
        assert "tuesday.csv, line 3" in program.line("cannot be read")
        assert program.line("ALERT") == "ALERT: south\n"
        (folder / "tuesday.csv").unlink()
        assert program.line("all clear") == "all clear: south\n"
        assert program.interrupt() in INTERRUPTED, program.printed
    # One alert for the north, although it has risen further.
    lines = [json.loads(line) for line in alerts.read_text().splitlines()]
    assert [(line["gauge"], line["diff"]) for line in lines] == [("north", 1), ("south", 1), ("south", -1)]


def test_watched_folder_as_it_is(tmp_path: pathlib.Path) -> None:
    """The readings that come with the example are below the limit; with another one there is an alert."""
    folder = EXAMPLES / "03_watched_folder"
    with started(folder / "main.py", folder / "readings", tmp_path / "alerts.jsonl", "2.15") as program:
        assert program.line("ALERT") == "ALERT: Marple\n"


def test_http_api_with_a_crash(tmp_path: pathlib.Path) -> None:
    folder = EXAMPLES / "04_http_api"
    counts, state = tmp_path / "counts.csv", tmp_path / "state"
    with started(folder / "server.py", "0") as server:
        address = server.line("serving at").split()[-1]
        with started(folder / "main.py", address, counts, state) as program:
            assert "503" in program.line("attempt 1 has failed")
            program.line("Bosley")
            program.process.kill()
            program.process.wait()
        with started(folder / "main.py", address, counts, state) as program:
            program.line("Bosley")
            assert program.interrupt() in INTERRUPTED, program.printed
    found = {lock: (int(boats), int(events)) for lock, boats, events in final_rows(counts)}
    last = sum(events for _, events in found.values())
    # Every event up to the last one has been counted once.
    wanted: dict[str, tuple[int, int]] = {}
    for number in range(1, last + 1):
        lock = ["Bosley", "Marple", "Hyde"][number % 3]
        boats, events = wanted.get(lock, (0, 0))
        wanted[lock] = boats + number % 2 + 1, events + 1
    assert found == wanted


def test_client_library_as_it_is(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tweepy")
    monkeypatch.chdir(tmp_path)
    with started(EXAMPLES / "02_client_library" / "main.py") as program:
        program.line("post 8: heron number 8")
        assert program.interrupt() in INTERRUPTED, program.printed
    assert [int(row[0]) for row in final_rows(tmp_path / "posts.csv")][:2] == [2, 8]


def test_websocket(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("websockets")
    folder = EXAMPLES / "05_websocket"
    spreads = tmp_path / "spreads.csv"
    with started(folder / "server.py", "0") as server:
        address = server.line("serving at").split()[-1]
        with started(folder / "main.py", address, spreads) as program:
            # The server has hung up before, after ten trades.
            program.line("OAK       4 trades")
            program.line("OAK       5 trades")
            assert program.interrupt() in INTERRUPTED, program.printed
    trades = {symbol: int(count) for symbol, count, _, _ in final_rows(spreads)}
    # They come in turn; none is missing and none is there twice.
    assert trades.keys() == {"OAK", "ELM", "YEW"}
    assert trades["ELM"] >= trades["YEW"] >= trades["OAK"] >= trades["ELM"] - 1


def test_websocket_as_it_is(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("websockets")
    monkeypatch.chdir(tmp_path)
    with started(EXAMPLES / "05_websocket" / "main.py") as program:
        program.line("ELM       1 trades")


def request(address: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(address, data, headers), timeout=10) as answer:
        return json.load(answer)


def test_fastapi(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    written = tmp_path / "totals.csv"
    port = free_ports(1)
    with started(EXAMPLES / "06_fastapi" / "main.py", port, written) as program:
        program.line("INFO:     Uvicorn running")
        address = f"http://127.0.0.1:{port}"
        assert request(f"{address}/totals") == []
        for shop, pounds in [("harbour", 12.5), ("market", 3.0), ("harbour", 2.5)]:
            request(f"{address}/orders", {"shop": shop, "pounds": pounds})
        wanted = [{"shop": "harbour", "pounds": 15.0, "orders": 2}, {"shop": "market", "pounds": 3.0, "orders": 1}]
        while request(f"{address}/totals") != wanted:
            time.sleep(0.01)
        with pytest.raises(urllib.error.HTTPError, match="422"):
            request(f"{address}/orders", {"shop": "harbour", "pounds": "much"})
        status = program.interrupt()
    assert status in (0, *INTERRUPTED), program.printed
    assert final_rows(written) == {("harbour", "15.0", "2"): 1, ("market", "3.0", "1"): 1}
