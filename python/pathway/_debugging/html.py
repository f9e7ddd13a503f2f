"""Tables and schemas as HTML, for notebooks. Whatever comes from outside is escaped, and long cells are cut.

Nothing but elements and a few styles of their own: there are no scripts, and the colours are those of the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from pathway._ground.shown import shown
from pathway._native import ERROR
from pathway._values import texts

_NUMBERS = (int, float)
_QUIET = "font-weight: normal; opacity: 0.6"


def text(value: object) -> str:
    """A text of any origin, as part of a page."""
    return escape(shown(str(value)))


def note(words: str) -> str:
    """A line in small letters; `words` is HTML."""
    return f'<div style="font-size: smaller; opacity: 0.7">{words}</div>'


def cell(value: Any) -> str:
    """A cell of a table; whole if one points to it, up to a limit."""
    if value is None:
        return f'<td style="{_QUIET}">None</td>'
    whole = texts.cell(value, short=False)
    short = texts.cut(texts.cell(value, short=True))
    styles = []
    if isinstance(value, _NUMBERS) and not isinstance(value, bool):
        styles.append("text-align: right")
    else:
        styles.append("text-align: left")
    if value is ERROR:
        styles.append("color: #c00")
    title = f' title="{text(whole[:1000])}"' if short != whole else ""
    return f'<td style="{"; ".join(styles)}"{title}>{text(short)}</td>'


def table(
    headers: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]], *, height: int | None = None, notes: str = ""
) -> str:
    """A table. A header is a name and what is said below it, such as a type; `notes` are HTML and come last."""
    head = "".join(
        f'<th style="text-align: left">{text(name)}<div style="{_QUIET}">{text(kind)}</div></th>'
        for name, kind in headers
    )
    body = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
    scroll = "overflow: auto" if height is None else f"overflow: auto; max-height: {height}px"
    return f'<div style="{scroll}"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{notes}'


def listed(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]], notes: str = "") -> str:
    """Texts below each other under a title, such as the columns of a schema. `title` and `notes` are HTML."""
    head = "".join(f'<th style="text-align: left">{text(header)}</th>' for header in headers)
    body = "".join(
        "<tr>" + "".join(f'<td style="text-align: left">{text(item)}</td>' for item in row) + "</tr>" for row in rows
    )
    return f"<div>{title}</div><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}"
