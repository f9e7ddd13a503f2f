"""Messages of a websocket, with asyncio.

`run` is an asynchronous generator: what it yields is a row, here the JSON of a message as it came, which is never
parsed in Python. When the connection is lost, `websockets` makes a new one, after a while that grows with each attempt.
The library is websockets (`pip install websockets`).

    python examples/05_websocket/main.py                                  # against the server in server.py
    python examples/05_websocket/main.py ws://127.0.0.1:8765 spreads.csv

Ctrl-C cancels the coroutine where it waits, which closes the connection.
"""

import sys
from collections.abc import AsyncIterator
from typing import Any

import pathway as pw
from server import TradesServer
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


class Trades(pw.io.python.ConnectorSubject):
    """Yields every message of a websocket."""

    def __init__(self, address: str) -> None:
        super().__init__("trades")
        self.address = address

    async def run(self) -> AsyncIterator[str | bytes]:
        async for connection in connect(self.address):
            try:
                async for message in connection:
                    yield message
            except ConnectionClosed:
                # The loop connects again.
                continue


class Trade(pw.Schema):
    number: int = pw.column_definition(primary_key=True)
    symbol: str
    price: float


def main(address: str | None = None, output: str = "spreads.csv") -> None:
    if address is None:
        address = TradesServer().start()
    trades = pw.io.python.read(Trades(address), schema=Trade, autocommit_duration_ms=200)
    spreads = trades.groupby(trades.symbol).reduce(
        trades.symbol,
        trades=pw.reducers.count(),
        lowest=pw.reducers.min(trades.price),
        highest=pw.reducers.max(trades.price),
    )
    pw.io.csv.write(spreads, output)
    pw.io.subscribe(spreads, on_change=show)
    pw.run()


def show(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
    if is_addition:
        print(f"{row['symbol']:<6} {row['trades']:>4} trades, {row['lowest']} to {row['highest']}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
