"""``pathway demo``: a live computation to look at, without a program and without a checkout.

Made-up trades come in, and a table with the mean and the range of each symbol is kept up to date: in place on a
terminal, a line for each change elsewhere.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

import pathway as pw

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

SYMBOLS = {"OAK": 120.0, "ELM": 80.0, "YEW": 45.0, "ASH": 64.0, "FIR": 23.0}

# How often the result changes.
COMMIT_SECONDS = 0.25

_INTERRUPTED = 130


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


class Result:
    """The rows of the result as they are now, on a terminal or in lines."""

    def __init__(self, live: Live | None) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.trades = 0
        self.begin = time.monotonic()
        self._live = live

    def change(self, key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        """A row that changes is removed and added, at one time."""
        if is_addition:
            self.rows[row["symbol"]] = row
            if self._live is None:
                click.echo(
                    f"{row['symbol']}  {row['trades']:>6} trades  mean {row['mean']:>8.2f}  "
                    f"from {row['lowest']:.2f} to {row['highest']:.2f}"
                )

    def show(self, time: int) -> None:
        """All changes of a time are there."""
        self.trades = sum(row["trades"] for row in self.rows.values())
        if self._live is not None:
            self._live.update(self._table(), refresh=True)

    def _table(self) -> Table:
        # Most commands show no tables, and rich takes long to import.
        from rich.table import Table

        table = Table(title=f"{self.trades:,} trades in {time.monotonic() - self.begin:.1f} s", title_justify="left")
        table.add_column("symbol")
        for name in ("trades", "mean", "lowest", "highest"):
            table.add_column(name, justify="right")
        for symbol, row in sorted(self.rows.items()):
            numbers = (f"{row[name]:.2f}" for name in ("mean", "lowest", "highest"))
            table.add_row(symbol, f"{row['trades']:,}", *numbers)
        return table


@click.command()
@click.option("--rows", type=click.IntRange(min=1), default=2000, show_default=True, help="How many rows there are.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    default=8.0,
    show_default=True,
    help="Over how many seconds they are spread; 0: as fast as can be.",
)
@click.pass_context
def demo(context: click.Context, rows: int, seconds: float) -> None:
    """Show a live computation, for some seconds.

    Trades come in, and the number, the mean and the range of the prices of each symbol are kept up to date. Ctrl-C ends
    it before.

    \b
    Example:
        pathway demo --rows 100000 --seconds 5
    """
    try:
        interrupted = compute(rows, seconds)
    except BrokenPipeError:
        # Whoever has read the lines has seen enough, as `head`. Nothing is left to be written when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    if interrupted:
        context.exit(_INTERRUPTED)


def compute(rows: int, seconds: float) -> bool:
    """Runs it and says what has happened; whether somebody has pressed Ctrl-C."""
    # Most commands show nothing, and rich takes long to import.
    from rich.console import Console
    from rich.live import Live

    console = Console()
    source = pw.io.python.read(Trades(rows, seconds), schema=Trade, autocommit_duration_ms=None)
    summary = source.groupby(pw.this.symbol).reduce(
        pw.this.symbol,
        trades=pw.reducers.count(),
        mean=pw.reducers.avg(pw.this.price),
        lowest=pw.reducers.min(pw.this.price),
        highest=pw.reducers.max(pw.this.price),
    )
    interrupted = False
    with ExitStack() as stack:
        live = None
        # Colours may be forced upon a pipe; a table in place may not.
        if sys.stdout.isatty() and console.is_terminal and not console.is_dumb_terminal:
            live = stack.enter_context(Live(console=console, auto_refresh=False))
        result = Result(live)
        pw.io.subscribe(summary, result.change, on_time_end=result.show, sort_by=[summary.symbol])
        try:
            pw.run(monitoring_level=pw.MonitoringLevel.NONE)
        except KeyboardInterrupt:
            interrupted = True
    click.echo(f"{result.trades:,} trades in {time.monotonic() - result.begin:.1f} s.")
    click.echo("A program of your own to start from: pathway new connector NAME")
    return interrupted
