"""What ``pathway demo`` computes: made-up trades, and for each symbol the mean and the range of the prices."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import pathway as pw

SYMBOLS = {"OAK": 120.0, "ELM": 80.0, "YEW": 45.0, "ASH": 64.0, "FIR": 23.0}

# How often the result changes.
COMMIT_SECONDS = 0.25


class Trade(pw.Schema):
    number: int = pw.column_definition(primary_key=True)
    symbol: str
    price: float


class Trades(pw.io.python.ConnectorSubject):
    """Makes up trades, the same in every run, and spreads them over some seconds."""

    def __init__(self, rows: int, seconds: float) -> None:
        super().__init__("trades")
        self.rows = rows
        self.seconds = seconds
        self.stopped = threading.Event()

    def run(self) -> None:
        begin = time.monotonic()
        next_commit = COMMIT_SECONDS
        for number, (symbol, price) in enumerate(trades(self.rows), start=1):
            self.next(number=number, symbol=symbol, price=price)
            moment = self.seconds * number / self.rows
            if moment >= next_commit:
                next_commit += COMMIT_SECONDS
                self.commit()
                if self.stopped.wait(begin + moment - time.monotonic()):
                    return

    def on_stop(self) -> None:
        self.stopped.set()


def trades(rows: int) -> Iterator[tuple[str, float]]:
    """Prices that wander up and down."""
    chance = random.Random(7)
    prices = dict(SYMBOLS)
    for _ in range(rows):
        symbol = chance.choice(list(prices))
        prices[symbol] *= 1 + chance.gauss(0, 0.002)
        yield symbol, round(prices[symbol], 2)


def summary(rows: int, seconds: float) -> pw.Table[Any]:
    """A row for each symbol, kept up to date."""
    source = pw.io.python.read(Trades(rows, seconds), schema=Trade, autocommit_duration_ms=None)
    return source.groupby(pw.this.symbol).reduce(
        pw.this.symbol,
        trades=pw.reducers.count(),
        mean=pw.reducers.avg(pw.this.price),
        lowest=pw.reducers.min(pw.this.price),
        highest=pw.reducers.max(pw.this.price),
    )
