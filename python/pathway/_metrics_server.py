"""The counters of a run over HTTP, as OpenMetrics text.

The server answers from `Run.statistics()`, the same snapshot that the panel shows. It takes its port before the run
starts, so that a port that is taken ends the program before any row was read; and it gives the run back before the
run is let go.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pathway import _monitoring

if TYPE_CHECKING:
    from pathway._native import Statistics

_CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

# name, type, meaning, and what it is for an entry.
_METRICS: tuple[tuple[str, str, str, Callable[[Statistics], int]], ...] = (
    ("pathway_rows_in", "counter", "Row updates that came in.", lambda entry: entry.rows_in),
    ("pathway_rows_out", "counter", "Row updates that went out.", lambda entry: entry.rows_out),
    ("pathway_rows_rejected", "counter", "Rows that were rejected.", lambda entry: entry.rejected),
    ("pathway_rows_waiting", "gauge", "Rows that wait.", lambda entry: entry.backlog),
    ("pathway_latency_ms", "gauge", "Age of the newest finished time in milliseconds.", lambda entry: latency(entry)),
)


class MetricsServer:
    """Listens on 127.0.0.1 from the moment it is made; has something to say between `serve` and `close`."""

    def __init__(self, port: int) -> None:
        self._statistics: Callable[[], Sequence[Statistics]] | None = None
        self._lock = threading.Lock()
        try:
            self._server = _Server(("127.0.0.1", port), self._handler())
        except OSError as error:
            raise OSError(
                error.errno,
                f"with_http_server: cannot listen on 127.0.0.1:{port} ({error.strerror}); another run may use the "
                "port, set the environment variable PATHWAY_MONITORING_HTTP_PORT to a free one",
            ) from None
        self._thread = threading.Thread(target=self._server.serve_forever, name="pathway:metrics", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def serve(self, statistics: Callable[[], Sequence[Statistics]]) -> None:
        """From now on the answers are about this run."""
        with self._lock:
            self._statistics = statistics

    def close(self) -> None:
        """Lets the run go; nothing of it is in use when this returns."""
        with self._lock:
            self._statistics = None

    def _text(self) -> str:
        with self._lock:
            return text([] if self._statistics is None else self._statistics())

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.partition("?")[0] not in ("/status", "/metrics"):
                    self.send_error(404)
                    return
                answer = server._text().encode()
                self.send_response(200)
                self.send_header("Content-Type", _CONTENT_TYPE)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                """Scrapes are no news."""

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Answers under way do not keep the run from ending.
    block_on_close = False


def text(statistics: Sequence[Statistics]) -> str:
    """The snapshot as OpenMetrics text."""
    return "".join(f"{line}\n" for line in _lines(statistics))


def _lines(statistics: Sequence[Statistics]) -> Iterator[str]:
    for name, role in (("input", "source"), ("output", "sink")):
        yield f"# HELP {name}_latency_ms A latency of {name} in milliseconds (-1 when finished)."
        yield f"# TYPE {name}_latency_ms gauge"
        yield f"{name}_latency_ms {_worst([latency(entry) for entry in statistics if entry.role == role])}"
    for name, kind, meaning, value in _METRICS:
        yield f"# HELP {name} {meaning}"
        yield f"# TYPE {name} {kind}"
        for number, entry in enumerate(statistics):
            labels = f'number="{number}",role="{entry.role}",name="{_escaped(entry.name)}"'
            yield f"{name}{'_total' if kind == 'counter' else ''}{{{labels}}} {value(entry)}"
    yield "# EOF"


def latency(entry: Statistics) -> int:
    """How long ago the newest time that is finished was, in milliseconds; -1 when all are finished."""
    if entry.time >= _monitoring.END_OF_TIME:
        return -1
    return 0 if entry.time == 0 else max(0, time.time_ns() // 1_000_000 - entry.time)


def _worst(latencies: Sequence[int]) -> int:
    """The longest; -1 when there is none or all have finished."""
    return max(latencies, default=-1)


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
