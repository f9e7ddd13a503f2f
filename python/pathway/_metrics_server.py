"""The counters of a run over HTTP, as OpenMetrics text.

The server answers from `Run.statistics()`, the same snapshot that the panel shows. It takes its port before the run
starts, so that a port that is taken ends the program before any row was read; and it gives the run back before the
run is let go.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pathway import _environment, _monitoring

if TYPE_CHECKING:
    from pathway._native import Statistics

_CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

# name, type, meaning, and what it is for an entry.
_METRICS: tuple[tuple[str, str, str, Callable[[Statistics], int]], ...] = (
    ("pathway_rows_in", "counter", "Row updates that came in.", lambda entry: entry.rows_in),
    ("pathway_rows_out", "counter", "Row updates that went out.", lambda entry: entry.rows_out),
    ("pathway_rows_rejected", "counter", "Rows that were rejected.", lambda entry: entry.rejected),
    ("pathway_rows_waiting", "gauge", "Rows that wait.", lambda entry: entry.backlog),
)

# name, type, meaning, and which of a worker's counts it is.
_WORKER_METRICS = (
    ("pathway_worker_rows_in", "counter", "Row updates that came in, by worker.", 0),
    ("pathway_worker_rows_out", "counter", "Row updates that went out, by worker.", 1),
    ("pathway_worker_rows_waiting", "gauge", "Rows that wait, by worker.", 2),
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
    lags = [
        -1 if entry.time >= _monitoring.END_OF_TIME else round(1000 * (lag or 0.0))
        for entry, lag in zip(statistics, _monitoring.lags(statistics), strict=True)
    ]
    for name, role in (("input", "source"), ("output", "sink")):
        yield f"# HELP {name}_latency_ms A latency of {name} in milliseconds (-1 when finished)."
        yield f"# TYPE {name}_latency_ms gauge"
        own = (lag for entry, lag in zip(statistics, lags, strict=True) if entry.role == role)
        yield f"{name}_latency_ms {max(own, default=-1)}"
    metrics = [(name, kind, meaning, [value(entry) for entry in statistics]) for name, kind, meaning, value in _METRICS]
    metrics.append(("pathway_latency_ms", "gauge", "How far behind it is in milliseconds (-1 when finished).", lags))
    for name, kind, meaning, values in metrics:
        yield f"# HELP {name} {meaning}"
        yield f"# TYPE {name} {kind}"
        for number, (entry, value) in enumerate(zip(statistics, values, strict=True)):
            labels = f'number="{number}",role="{entry.role}",name="{_escaped(entry.name)}"'
            yield f"{name}{'_total' if kind == 'counter' else ''}{{{labels}}} {value}"
    yield from _of_workers(statistics)
    yield "# EOF"


def _of_workers(statistics: Sequence[Statistics]) -> Iterator[str]:
    """What each worker of this process has done; workers are numbered among those of all processes."""
    first = _environment.first_worker()
    for name, kind, meaning, of in _WORKER_METRICS:
        yield f"# HELP {name} {meaning}"
        yield f"# TYPE {name} {kind}"
        for number, entry in enumerate(statistics):
            for worker, *counts in entry.workers:
                labels = (
                    f'number="{number}",role="{entry.role}",name="{_escaped(entry.name)}",worker="{first + worker}"'
                )
                yield f"{name}{'_total' if kind == 'counter' else ''}{{{labels}}} {counts[of]}"


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
