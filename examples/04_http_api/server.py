"""A small stand-in for a service: it gives the events after a number, and fails now and then, as services do.

python examples/04_http_api/server.py [port]
"""

import http.server
import itertools
import json
import sys
import threading
import time
import urllib.parse

LOCKS = ["Bosley", "Marple", "Hyde"]


class EventsHandler(http.server.BaseHTTPRequestHandler):
    """Answers `/events?after=7` with a list of what has happened since, which may be empty."""

    server: "EventsServer"

    def do_GET(self) -> None:
        if next(self.server.requests) % 5 == 0:
            self.send_error(503)
            return
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        after = int(query["after"][0])
        body = json.dumps([event(number) for number in range(after + 1, self.server.now() + 1)]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Is quiet: the interesting output is that of the client."""


def event(number: int) -> dict[str, object]:
    return {"number": number, "lock": LOCKS[number % len(LOCKS)], "boats": number % 2 + 1}


class EventsServer(http.server.ThreadingHTTPServer):
    """Serves this machine only, at a port of the system's choice unless one is given. Five events happen a second."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        self.requests = itertools.count()
        self.begin = time.monotonic()
        super().__init__(("127.0.0.1", port), EventsHandler)

    def now(self) -> int:
        """The number of the last event."""
        return int(5 * (time.monotonic() - self.begin))

    def start(self) -> str:
        """Serves in a thread; gives the address."""
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self.address

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


if __name__ == "__main__":
    with EventsServer(int(sys.argv[1]) if len(sys.argv) > 1 else 8765) as server:
        print(f"serving at {server.address}", flush=True)
        server.serve_forever()
