"""The page of a run: what is on it, and that nothing of it is carried out."""

import html.parser
import logging
import sys
import threading
import urllib.error
import urllib.request
from http.client import HTTPMessage
from typing import Any

import pathway as pw
import pytest
from pathway._ground import environment
from pathway._running import status_page
from pathway._running.metrics_server import MetricsServer
from pathway._running.progress import END_OF_TIME

from tests.counters import Entry
from tests.processes import free_ports

NAME = "<script>alert('x')</script>&\x1b[31m\"lock\""


class Reading(html.parser.HTMLParser):
    """What a browser would make of a page: its elements, their attributes, and the texts of the cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[str] = []
        self.links: list[str] = []
        self.rows: list[list[str]] = []
        self.texts: dict[str, str] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag != "meta":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data
        elif self.open:
            self.texts[self.open[-1]] = self.texts.get(self.open[-1], "") + data


def test_what_is_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/home/me/<main>.py"])
    entries: Any = [
        Entry(NAME, "source", 1234, rejected=2, time=END_OF_TIME),
        Entry("map", "operator", 99),
        Entry("out.csv", "sink", 17, backlog=3),
    ]
    page = Reading(status_page.page(entries, 75.0))
    assert page.texts["h1"] == page.texts["title"]
    assert page.texts["p"].startswith("Running for 1 min 15 s")
    assert page.rows == [
        ["Name", "Rows", "Rejected", "Waiting", "Lag"],
        ["<script>alert('x')</script>&\\x1b[31m\"lock\"", "1,234", "2", "0", "ended"],
        ["Name", "Rows", "Rejected", "Waiting", "Lag"],
        ["out.csv", "17", "0", "3", ""],
    ]
    # Nothing from anywhere else, and nothing to be carried out.
    assert page.links == ["metrics"]
    assert set(page.elements).isdisjoint({"script", "img", "link", "iframe", "object", "form"})


def test_before_the_run_and_after_it() -> None:
    assert "There is no computation under way." in Reading(status_page.page(None, 0.0)).texts["p"]
    assert Reading(status_page.page([], 0.0)).rows == []


def test_the_name_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    class Main:
        __spec__: Any = None

    monkeypatch.setitem(sys.modules, "__main__", Main)  # type: ignore[arg-type]
    for arguments, name in [(["/a/main.py", "-x"], "main.py"), (["-c"], "python -c"), ([""], "python"), ([], "python")]:
        monkeypatch.setattr(sys, "argv", arguments)
        assert status_page.program_name() == name
    Main.__spec__ = type("Spec", (), {"name": "package.__main__"})
    monkeypatch.setattr(sys, "argv", ["/a/package/__main__.py"])
    assert status_page.program_name() == "python -m package"


class Asking(pw.io.python.ConnectorSubject):
    """Sends three rows, and asks for the page when they have arrived."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port
        self.arrived = threading.Event()
        self.page = ""
        self.headers: HTTPMessage | None = None
        self.head = b""

    def run(self) -> None:
        for number in range(3):
            self.next(a=number)
        self.commit()
        assert self.arrived.wait(30)
        address = f"http://127.0.0.1:{self.port}/"
        with urllib.request.urlopen(address, timeout=30) as answer:
            self.page, self.headers = answer.read().decode(), answer.headers
        with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=30) as answer:
            self.head = answer.read()


def test_the_page_of_a_run(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.INFO)
    # Process i uses the port + i.
    port = free_ports(2)
    monkeypatch.setenv("PATHWAY_MONITORING_HTTP_PORT", str(port))
    subject = Asking(port)
    table = pw.io.python.read(subject, schema=pw.schema_from_types(a=int), name=NAME)
    pw.io.subscribe(table, lambda **_: None, on_time_end=lambda time: subject.arrived.set(), name="taker")
    pw.run(with_http_server=True, monitoring_level=pw.MonitoringLevel.NONE)
    page = Reading(subject.page)
    rows = {row[0]: row[1] for row in page.rows}
    assert rows["<script>alert('x')</script>&\\x1b[31m\"lock\""] == "3"
    assert rows["taker"] == "3"
    assert subject.headers is not None
    assert subject.headers["Content-Type"] == "text/html; charset=utf-8"
    assert subject.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert subject.head == b""
    addresses = [record.getMessage() for record in caplog.records if "http://" in record.getMessage()]
    assert addresses[0] == (
        f"the progress is at http://127.0.0.1:{port}/ and the metrics at http://127.0.0.1:{port}/metrics "
        "while the run goes on"
    )


def test_the_page_while_there_is_no_run() -> None:
    port = free_ports(1)
    with MetricsServer("127.0.0.1", port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
            assert b"There is no computation under way." in answer.read()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/more", timeout=30)


def test_the_address_can_be_chosen(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.INFO)
    port = free_ports(1)
    monkeypatch.setenv("PATHWAY_MONITORING_HTTP_HOST", "0.0.0.0")
    with MetricsServer(environment.monitoring_host(), port):
        assert f" http://0.0.0.0:{port}/ " in caplog.messages[0]
        # One of the addresses that 0.0.0.0 stands for.
        with urllib.request.urlopen(f"http://127.0.0.2:{port}/", timeout=30) as answer:
            assert answer.status == 200
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1:\d+ .*PATHWAY_MONITORING_HTTP_HOST"):
        MetricsServer("192.0.2.1", port)
