"""What people see of a run that is kept: its metrics, and its log lines when it goes on."""

from __future__ import annotations

import logging
import pathlib
import re
import time
import urllib.request
from types import SimpleNamespace
from typing import Any

import pathway as pw
import pytest
from pathway._running import metrics_server

from tests.persistence.programs import Sends, Word, config, counted, go
from tests.processes import free_ports
from tests.shapes import PROCESSES

STATE_OF_OPERATORS: dict[str, Any] = {
    "persistence_mode": pw.PersistenceMode.OPERATOR_PERSISTING,
    "snapshot_interval_ms": 1,
}


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    # Process i uses the port + i.
    number = free_ports(2)
    monkeypatch.setenv("PATHWAY_MONITORING_HTTP_PORT", str(number))
    return number


def asked(port: int) -> dict[str, float]:
    """The metrics about what is kept."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    assert text.endswith("\n# EOF\n")
    found = re.findall(r"^pathway_((?:durable|journal|snapshot)\w+) (\S+)$", text, re.MULTILINE)
    return {name: float(value) for name, value in found}


class Watches(pw.io.python.ConnectorSubject):
    """Sends a row, waits until the metrics say what it expects, and notes them."""

    def __init__(self, port: int, expected: set[str]) -> None:
        super().__init__()
        self.port, self.expected = port, expected

    def wait(self, port: int, name: str, before: dict[str, float]) -> dict[str, float]:
        """The metrics when one of them has grown."""
        deadline = time.monotonic() + 30
        while True:
            found = asked(port)
            if found.get(name, 0) > before.get(name, 0):
                return found
            assert time.monotonic() < deadline, found

    def run(self) -> None:
        # Of the run before, if there was one; the server may know nothing of this one yet.
        deadline = time.monotonic() + 30
        while not (before := asked(self.port)):
            assert time.monotonic() < deadline
        self.next(word="a", number=1)
        self.commit()
        found = self.wait(self.port, "durable_time_ms", before)
        if "snapshot_time_ms" in self.expected:
            found = self.wait(self.port, "snapshot_duration_seconds", {})
            if PROCESSES == 2:
                # The other process has a part in it, and does not know how large all of it is.
                other = self.wait(self.port + 1, "snapshot_duration_seconds", {})
                assert other.keys() | {"durable_time_ms"} == self.expected - {"snapshot_bytes", "snapshot_parts"}
        assert found.keys() == self.expected
        assert found["durable_lag_seconds"] == 0
        assert found["journal_written_bytes_total"] > 0
        assert found["journal_bytes"] > 0
        if "snapshot_time_ms" in found:
            assert 0 <= found["snapshot_age_seconds"] < 60
            assert 0 < found["snapshot_duration_seconds"] < 60
            assert found["snapshot_bytes"] > 0
            assert found["snapshot_parts"] >= 1
        else:
            assert found["journal_bytes"] >= found["journal_written_bytes_total"]


KEPT = {"durable_time_ms", "durable_lag_seconds", "journal_written_bytes_total", "journal_bytes"}
SNAPSHOT = {f"snapshot_{name}" for name in ("time_ms", "age_seconds", "duration_seconds", "bytes", "parts")}


@pytest.mark.parametrize(
    ("settings", "expected"), [({}, KEPT), (STATE_OF_OPERATORS, KEPT | SNAPSHOT)], ids=["journal", "snapshots"]
)
def test_the_metrics_of_a_kept_run(
    tmp_path: pathlib.Path, port: int, settings: dict[str, Any], expected: set[str]
) -> None:
    for _ in range(2):
        pw.testing.reset()
        counted(tmp_path, Watches(port, expected))
        pw.run(
            monitoring_level=pw.MonitoringLevel.NONE,
            with_http_server=True,
            persistence_config=config(tmp_path, **settings),
        )


def test_a_run_that_is_not_kept_has_no_such_metrics(port: int) -> None:
    class Asks(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            assert asked(port) == {}

    pw.io.null.write(pw.io.python.read(Asks(), schema=Word))
    pw.run(monitoring_level=pw.MonitoringLevel.NONE, with_http_server=True)


def test_the_text_of_the_metrics() -> None:
    kept: Any = SimpleNamespace(
        durable_time=1_700_000_000_000,
        lag_ms=1500,
        journal_written=100,
        journal_bytes=250,
        snapshot_time=1_699_999_990_000,
        snapshot_seconds=0.25,
        snapshot_bytes=5000,
        snapshot_parts=3,
    )
    text = metrics_server.text([], kept, clock=lambda: 1_700_000_002.5)
    assert [line for line in text.splitlines() if not line.startswith(("#", "input", "output"))] == [
        "pathway_durable_time_ms 1700000000000",
        "pathway_durable_lag_seconds 1.5",
        "pathway_journal_written_bytes_total 100",
        "pathway_journal_bytes 250",
        "pathway_snapshot_time_ms 1699999990000",
        "pathway_snapshot_age_seconds 12.5",
        "pathway_snapshot_duration_seconds 0.25",
        "pathway_snapshot_bytes 5000",
        "pathway_snapshot_parts 3",
    ]
    # Of a table in a program, in a process that is not the first.
    kept.snapshot_time, kept.snapshot_bytes, kept.snapshot_parts, kept.snapshot_seconds = 4, None, None, None
    text = metrics_server.text([], kept)
    assert re.findall("^pathway_snapshot.*$", text, re.MULTILINE) == ["pathway_snapshot_time_ms 4"]


def recovered(caplog: pytest.LogCaptureFixture) -> list[re.Match[str]]:
    """The lines that say so, one of each process that has something to recover."""
    pattern = re.compile(
        r"recovered (\d+) rows that were kept (?:after the snapshot of time (\d+) \((\d+) bytes\) )?up to time (\d+) "
        r"in \d+\.\d{3} s"
    )
    messages = [record.getMessage() for record in caplog.records if record.getMessage().startswith("recovered")]
    found = [pattern.fullmatch(message) for message in messages]
    assert None not in found, messages
    return [match for match in found if match]


def test_one_line_says_what_was_recovered(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    go(tmp_path, lambda path: counted(path, Sends(6)))
    assert recovered(caplog) == []
    go(tmp_path, lambda path: counted(path, Sends(2)))
    (line,) = recovered(caplog)
    assert line.group(1, 2) == ("6", None)
    last_time = int(line.group(4))
    caplog.clear()
    go(tmp_path, lambda path: counted(path, Sends(2)))
    (line,) = recovered(caplog)
    assert line.group(1) == "8"
    assert int(line.group(4)) > last_time


def test_the_line_says_which_snapshot_it_goes_on_from(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    go(tmp_path, lambda path: counted(path, Sends(6)), **STATE_OF_OPERATORS)
    go(tmp_path, lambda path: counted(path, Sends(2)), **STATE_OF_OPERATORS)
    (line,) = recovered(caplog)
    assert line.group(1) == "0", "all of it is in the snapshot that was taken at the end"
    assert int(line.group(2)) <= int(line.group(4))
    assert int(line.group(3)) > 0
