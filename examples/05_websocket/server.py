"""A small stand-in for a service that sends trades over a websocket. It hangs up after every ten, as services do now
and then, and goes on when the client is back.

    python examples/05_websocket/server.py [port]
"""

import itertools
import json
import sys
import threading

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

SYMBOLS = ["OAK", "ELM", "YEW"]


class TradesServer:
    """Serves this machine only, at a port of the system's choice unless one is given."""

    def __init__(self, port: int = 0) -> None:
        self.numbers = itertools.count(1)
        self.stopped = threading.Event()
        self.server = serve(self.handle, "127.0.0.1", port)

    def handle(self, connection: ServerConnection) -> None:
        try:
            for number in itertools.islice(self.numbers, 10):
                connection.send(json.dumps(trade(number)))
                if self.stopped.wait(0.1):
                    return
        except ConnectionClosed:
            return

    def start(self) -> str:
        """Serves in a thread; gives the address."""
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self.address

    @property
    def address(self) -> str:
        return f"ws://127.0.0.1:{self.server.socket.getsockname()[1]}"


def trade(number: int) -> dict[str, object]:
    return {"number": number, "symbol": SYMBOLS[number % len(SYMBOLS)], "price": 100 + number * 7 % 11 / 2}


if __name__ == "__main__":
    server = TradesServer(int(sys.argv[1]) if len(sys.argv) > 1 else 8765)
    print(f"serving at {server.address}", flush=True)
    server.server.serve_forever()
