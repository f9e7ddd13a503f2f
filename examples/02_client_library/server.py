"""A small stand-in for a service that streams posts over HTTP: one JSON object a line, with a blank line now and then
to keep the connection alive, until the client goes away.

    python examples/02_client_library/server.py [port]
"""

import http.server
import itertools
import json
import sys
import threading

WORDS = ["tide", "heron", "lantern", "quay", "gannet", "rope"]


class PostsHandler(http.server.BaseHTTPRequestHandler):
    """Answers any GET with the stream."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for number in itertools.count(1):
                self._send(self._post(number))
                if number % 5 == 0:
                    self._send(b"\r\n")
                if self.server.stopped.wait(0.02):
                    self._send(b"")
                    return
        except OSError:
            # The client has disconnected.
            self.close_connection = True

    def _send(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):X}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    @staticmethod
    def _post(number: int) -> bytes:
        text = f"{WORDS[(number - 1) % len(WORDS)]} number {number}, seen from the pier"
        return json.dumps({"data": {"id": str(number), "text": text}}).encode() + b"\r\n"

    def log_message(self, format: str, *arguments: object) -> None:
        """Is quiet: the interesting output is that of the client."""


class PostsServer(http.server.ThreadingHTTPServer):
    """Serves the stream on this machine only, at a port of the system's choice unless one is given."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        self.stopped = threading.Event()
        super().__init__(("127.0.0.1", port), PostsHandler)

    def start(self) -> str:
        """Serves in a thread, until the program ends; gives the address."""
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self.address

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


if __name__ == "__main__":
    with PostsServer(int(sys.argv[1]) if len(sys.argv) > 1 else 8765) as server:
        print(f"streaming at {server.address}", flush=True)
        server.serve_forever()
