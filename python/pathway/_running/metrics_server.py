"""The counters of a run over HTTP: as OpenMetrics text for other programs, and as a page for people.

The server answers from `Run.statistics()`, the same snapshot that the panel shows, and from `Run.kept()` where the run
is kept: these are the figures of this process. It takes its port before the run
starts, so that a port that is taken ends the program before any row was read; and it gives the run back before the
run is let go.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pathway._ground import environment, forks
from pathway._ground.shown import shown
from pathway._running import progress, status_page
from pathway._values.times import FIRST_TIME_OF_DAY

if TYPE_CHECKING:
    from pathway._native import KeptFigures, Run, Statistics

logger = logging.getLogger("pathway")

_CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_CLIENTS = 64
"""How many may be connected at the same time."""

_SECONDS = 5.0
"""How long a client may take from the connection to the last byte of the answer."""

_BEGIN_SECONDS = 1.0
"""How long an answer waits for a run that is just beginning: its first rows may come before we hear of it."""

_REQUEST_BYTES = 1 << 14
"""How long a request may be."""

_PAGE_HEADERS = (
    # Whatever a name of a connector holds, nothing of it is carried out, and nothing is fetched from anywhere.
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Cache-Control: no-store\r\n"
)

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

# name, type, meaning, and what it is at a time of the clock. What a process cannot tell now is left out.
_KEPT_METRICS: tuple[tuple[str, str, str, Callable[[KeptFigures, float], float | None]], ...] = (
    (
        "pathway_durable_time_ms",
        "gauge",
        "The time up to which all that came in is on disk, in all processes.",
        lambda kept, now: kept.durable_time,
    ),
    (
        "pathway_durable_lag_seconds",
        "gauge",
        "How far that is behind the latest commit.",
        lambda kept, now: kept.lag_ms / 1000,
    ),
    (
        "pathway_journal_written_bytes",
        "counter",
        "Bytes of the journal that this run has written.",
        lambda kept, now: kept.journal_written,
    ),
    ("pathway_journal_bytes", "gauge", "Bytes of the journal that are kept.", lambda kept, now: kept.journal_bytes),
    (
        "pathway_snapshot_time_ms",
        "gauge",
        "The time of the last snapshot of the operators.",
        lambda kept, now: kept.snapshot_time,
    ),
    ("pathway_snapshot_age_seconds", "gauge", "How long ago that was.", lambda kept, now: _age(kept, now)),
    ("pathway_snapshot_duration_seconds", "gauge", "How long it took.", lambda kept, now: kept.snapshot_seconds),
    ("pathway_snapshot_bytes", "gauge", "How many bytes it has.", lambda kept, now: kept.snapshot_bytes),
    ("pathway_snapshot_parts", "gauge", "How many files it has.", lambda kept, now: kept.snapshot_parts),
)


def _age(kept: KeptFigures, now: float) -> float | None:
    """The age of the last snapshot, if its time is one of the day."""
    if kept.snapshot_time is None or kept.snapshot_time < FIRST_TIME_OF_DAY:
        return None
    return max(0.0, now - kept.snapshot_time / 1000)


class MetricsServer:
    """Listens from the moment it is made; has something to say between `serve` and `close`.

    One thread serves everybody. Whoever has not sent a request and taken the answer within a few seconds is gone, and
    so is the one that has been there longest when there are too many: a client can hold up neither the others nor the
    end of the run.
    """

    def __init__(self, host: str, port: int) -> None:
        self._native_run: Run | None = None
        self._lock = threading.Lock()
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._socket = socket.create_server((host, port), family=family, backlog=_CLIENTS)
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise OSError(
                getattr(error, "errno", None),
                f"with_http_server: cannot listen on {host}:{port} ({reason}); another run may use the port, set "
                "the environment variable PATHWAY_MONITORING_HTTP_PORT to a free one"
                + ("" if host == "127.0.0.1" else ", and PATHWAY_MONITORING_HTTP_HOST to an address of this machine"),
            ) from None
        self._start = time.monotonic()
        self._address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._clients: dict[asyncio.StreamWriter, None] = {}
        self._loop = asyncio.new_event_loop()
        # Whether the run has begun, or will not.
        self._begun = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="pathway:metrics", daemon=True)
        self._in_child = forks.undone_in_child(self._socket.close)

    def __enter__(self) -> Self:
        self._in_child.__enter__()
        self._thread.start()
        logger.info("the progress is at %s/ and the metrics at %s/metrics while the run goes on", *2 * [self._address])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._in_child.__exit__(None, None, None)

    def serve(self, native_run: Run) -> None:
        """From now on the answers are about this run."""
        with self._lock:
            self._native_run = native_run
        self._loop.call_soon_threadsafe(self._begun.set)

    def close(self) -> None:
        """Lets the run go; nothing of it is in use when this returns."""
        with self._lock:
            self._native_run = None

    def _run(self) -> None:
        """Everything the server's thread does."""
        start = asyncio.start_server(self._meet, sock=self._socket, limit=_REQUEST_BYTES)
        server = self._loop.run_until_complete(start)
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._leave())
        self._loop.close()

    async def _leave(self) -> None:
        for writer in list(self._clients):
            writer.transport.abort()
        tasks = asyncio.all_tasks(self._loop) - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while len(self._clients) >= _CLIENTS:
            longest = next(iter(self._clients))
            del self._clients[longest]
            longest.transport.abort()
        self._clients[writer] = None
        try:
            async with asyncio.timeout(_SECONDS):
                writer.transport.set_write_buffer_limits(0)
                request = await reader.readuntil(b"\r\n\r\n")
                with suppress(TimeoutError):
                    async with asyncio.timeout(_BEGIN_SECONDS):
                        await self._begun.wait()
                writer.write(self._answer(request))
                # Nothing is left to be written after this.
                await writer.drain()
        except (OSError, EOFError, asyncio.LimitOverrunError):
            # Whoever does not ask, or does not listen, gets no answer.
            writer.transport.abort()
        finally:
            self._clients.pop(writer, None)
            writer.close()

    def _answer(self, request: bytes) -> bytes:
        """The answer to a request."""
        method, _, rest = request.partition(b"\r\n")[0].partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method not in (b"GET", b"HEAD"):
            return _response("405 Method Not Allowed", "text/plain", b"")
        if path == b"/":
            answer = _response("200 OK", "text/html; charset=utf-8", _encoded(self._page()), _PAGE_HEADERS)
        elif path in (b"/status", b"/metrics"):
            answer = _response("200 OK", _CONTENT_TYPE, _encoded(self._text()))
        else:
            return _response("404 Not Found", "text/plain", b"there is a page at / and metrics at /metrics\n")
        return answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == b"HEAD" else answer

    def _text(self) -> str:
        with self._lock:
            native_run = self._native_run
            try:
                return text([]) if native_run is None else text(native_run.statistics(), native_run.kept())
            finally:
                # It is dropped where it is waited for.
                del native_run

    def _page(self) -> str:
        with self._lock:
            native_run = self._native_run
            try:
                statistics = None if native_run is None else native_run.statistics()
            finally:
                # It is dropped where it is waited for.
                del native_run
        return status_page.page(statistics, time.monotonic() - self._start)


def _encoded(body: str) -> bytes:
    return body.encode("utf-8", "backslashreplace")


def _response(status: str, content_type: str, body: bytes, headers: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{headers}"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


def text(statistics: Sequence[Statistics], kept: KeptFigures | None = None, clock: progress.Clock = time.time) -> str:
    """The snapshot as OpenMetrics text."""
    lines = [*_lines(statistics), *([] if kept is None else _of_kept(kept, clock())), "# EOF"]
    return "".join(f"{line}\n" for line in lines)


def _lines(statistics: Sequence[Statistics]) -> Iterator[str]:
    lags = [
        -1 if entry.time >= progress.END_OF_TIME else round(1000 * (lag or 0.0))
        for entry, lag in zip(statistics, progress.lags(statistics), strict=True)
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


def _of_workers(statistics: Sequence[Statistics]) -> Iterator[str]:
    """What each worker of this process has done; workers are numbered among those of all processes."""
    first = environment.first_worker()
    for name, kind, meaning, of in _WORKER_METRICS:
        yield f"# HELP {name} {meaning}"
        yield f"# TYPE {name} {kind}"
        for number, entry in enumerate(statistics):
            for worker, *counts in entry.workers:
                labels = (
                    f'number="{number}",role="{entry.role}",name="{_escaped(entry.name)}",worker="{first + worker}"'
                )
                yield f"{name}{'_total' if kind == 'counter' else ''}{{{labels}}} {counts[of]}"


def _of_kept(kept: KeptFigures, now: float) -> Iterator[str]:
    """What this process has kept; the time is that of the day."""
    for name, kind, meaning, of in _KEPT_METRICS:
        value = of(kept, now)
        if value is not None:
            yield f"# HELP {name} {meaning}"
            yield f"# TYPE {name} {kind}"
            yield f"{name}{'_total' if kind == 'counter' else ''} {value}"


def _escaped(label: str) -> str:
    # What is not printable is written out. The end of a line has a form of its own.
    label = "\n".join(shown(line) for line in label.split("\n"))
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
