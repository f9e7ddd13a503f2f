"""Clients of the metrics that ask nothing, ask slowly, or do not listen: they hold up neither others nor the end."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator

import pathway as pw
import pytest

pytestmark = pytest.mark.one_process("one port")


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        found: int = server.getsockname()[1]
    monkeypatch.setenv("PATHWAY_MONITORING_HTTP_PORT", str(found))
    return found


class Waiting(pw.io.python.ConnectorSubject):
    def __init__(self) -> None:
        super().__init__()
        self.begun, self.ended = threading.Event(), threading.Event()

    def run(self) -> None:
        self.next(number=1)
        self.begun.set()
        self.ended.wait(60)


@contextlib.contextmanager
def served() -> Iterator[None]:
    """A run with a metrics server, which ends in time."""
    subject = Waiting()
    pw.io.null.write(pw.io.python.read(subject, schema=pw.schema_from_types(number=int), name='a "name" \x1b[31m\n'))
    settings = {"monitoring_level": pw.MonitoringLevel.NONE, "with_http_server": True}
    thread = threading.Thread(target=pw.run, kwargs=settings)
    thread.start()
    assert subject.begun.wait(30)
    try:
        yield
    finally:
        began = time.monotonic()
        subject.ended.set()
        thread.join(30)
    assert not thread.is_alive()
    assert time.monotonic() - began < 4


def asked(port: int, path: str = "metrics") -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=3) as answer:
        text: str = answer.read().decode()
    return text


def test_three_hundred_clients_that_hold_on(port: int) -> None:
    with served(), contextlib.ExitStack() as stack:
        threads, files = len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))
        clients = []
        for number in range(300):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=3))
            clients.append(client)
            if number % 3 == 1:
                client.sendall(b"G")
            elif number % 3 == 2:
                # Asks, and never reads the answer.
                client.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert 'name="a \\"name\\"' in asked(port)
        assert len(os.listdir("/proc/self/task")) <= threads + 1
        # Theirs, which are in this process, and ours.
        assert len(os.listdir("/proc/self/fd")) <= files + 300 + 70
        # A byte now and then does not help.
        with contextlib.suppress(OSError):
            for client in clients:
                client.sendall(b"E")
        assert asked(port).endswith("# EOF\n")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /metrics HTTP/1.0\r\n\r\n", b"200"),
        (b"GET /status?a=b HTTP/1.1\r\nHost: x\r\n\r\n", b"200"),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", b"200"),
        (b"GET /other HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 100000000000\r\n\r\n", b"405"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"405"),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", b""),
        (b"", b""),
    ],
    ids=lambda part: part[:20],
)
def test_what_is_asked_and_answered(port: int, request_: bytes, status: bytes) -> None:
    with served():
        answer = b""
        with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            client.sendall(request_)
            client.shutdown(socket.SHUT_WR)
            while part := client.recv(1 << 16):
                answer += part
        assert answer[9:12] == status
        assert (b"\x1b" in answer, answer.endswith(b"# EOF\n")) == (False, status == b"200" and b"GET" in request_)
        assert "# EOF" in asked(port)
