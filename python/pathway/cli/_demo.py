"""``pathway demo``: a live computation to look at, without a program and without a checkout.

On a terminal the result is a table that changes in place, elsewhere a line for each change.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

    from pathway._native import Pointer

_INTERRUPTED = 130


class Result:
    """The rows of the result as they are now, on a terminal or in lines."""

    def __init__(self, live: Live | None) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.trades = 0
        self.begin = time.monotonic()
        self._live = live

    def change(self, key: Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
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
    # Rich takes long to import, and other commands show no tables.
    from rich.console import Console
    from rich.live import Live

    # Nor do they compute anything themselves.
    import pathway as pw
    from pathway.cli._trades import summary

    console = Console()
    table = summary(rows, seconds)
    interrupted = False
    with ExitStack() as stack:
        live = None
        # Colours may be forced upon a pipe; a table in place may not.
        if sys.stdout.isatty() and console.is_terminal and not console.is_dumb_terminal:
            live = stack.enter_context(Live(console=console, auto_refresh=False))
        result = Result(live)
        pw.io.subscribe(table, result.change, on_time_end=result.show, sort_by=[table.symbol])
        try:
            pw.run(monitoring_level=pw.MonitoringLevel.NONE)
        except KeyboardInterrupt:
            interrupted = True
    click.echo(f"{result.trades:,} trades in {time.monotonic() - result.begin:.1f} s.")
    click.echo("A program of your own to start from: pathway new connector NAME")
    return interrupted
