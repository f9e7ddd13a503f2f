"""The page that a browser shows of a run: what the program is, and how far its sources and outputs are.

It needs nothing from anywhere else, and no script: it asks to be loaded again every few seconds. What is not ours in
it, such as the names of connectors, is escaped.
"""

from __future__ import annotations

import html
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pathway._ground import environment
from pathway._ground.shown import shown
from pathway._ground.version import __version__
from pathway._running.progress import END_OF_TIME, duration, lags

if TYPE_CHECKING:
    from pathway._native import Statistics

_RELOAD_SECONDS = 2

_STYLE = """
:root { color-scheme: light dark; }
body { font-family: system-ui, sans-serif; margin: 2rem auto; max-width: 50rem; padding: 0 1rem; }
h1 { font-size: 1.3rem; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin-bottom: 0.3rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #8886; padding: 0.3rem 0.8rem 0.3rem 0; text-align: right; }
th:first-child, td:first-child { overflow-wrap: anywhere; text-align: left; }
td { font-variant-numeric: tabular-nums; }
"""


def program_name() -> str:
    """What people call the program that runs: the file or module that was started."""
    name = sys.argv[0] if sys.argv else ""
    if name == "-c":
        return "python -c"
    main = sys.modules.get("__main__")
    module = getattr(getattr(main, "__spec__", None), "name", None)
    if module:
        return f"python -m {module.removesuffix('.__main__')}"
    return os.path.basename(name) or "python"


def page(statistics: Sequence[Statistics] | None, seconds: float) -> str:
    """The page as HTML.

    Args:
        statistics: how far everything is; None before the run begins and after it has ended.
        seconds: how long the program has been at it.
    """
    name = html.escape(shown(program_name()))
    process = "" if environment.is_first_process() else f", {environment.log_prefix().strip(' []')}"
    state = html.escape(f"Running for {duration(seconds)}{process}, towpath {__version__}.")
    if statistics is None:
        body = "<p>There is no computation under way.</p>"
    else:
        body = _table("Sources", "source", statistics) + _table("Outputs", "sink", statistics)
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="refresh" content="{_RELOAD_SECONDS}">'
        f"<title>{name}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>{name}</h1>\n"
        f"<p>{state}</p>\n{body}"
        '<p><a href="metrics">Metrics</a> as OpenMetrics text, for Prometheus and others.</p>\n'
        "</body></html>\n"
    )


def _table(title: str, role: str, statistics: Sequence[Statistics]) -> str:
    rows = [_row(entry, lag) for entry, lag in zip(statistics, lags(statistics), strict=True) if entry.role == role]
    if not rows:
        return f"<h2>{title}</h2>\n<p>None.</p>\n"
    head = "".join(f'<th scope="col">{header}</th>' for header in ("Name", "Rows", "Rejected", "Waiting", "Lag"))
    return f"<h2>{title}</h2>\n<table><thead><tr>{head}</tr></thead>\n<tbody>\n" + "".join(rows) + "</tbody></table>\n"


def _row(entry: Statistics, lag: float | None) -> str:
    rows = entry.rows_in if entry.role == "sink" else entry.rows_out
    behind = "ended" if entry.time >= END_OF_TIME else "" if lag is None else f"{lag:.1f} s"
    cells = (shown(entry.name), f"{rows:,}", f"{entry.rejected:,}", f"{entry.backlog:,}", behind)
    return f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>\n"
