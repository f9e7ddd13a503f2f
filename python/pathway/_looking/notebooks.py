"""What notebooks show of tables, schemas and what is made of tables, when it stands at the end of a cell."""

from __future__ import annotations

from typing import Any

from pathway._debugging import html, printing
from pathway._ground.words import counted
from pathway._looking import previews
from pathway._schemas.schema import SchemaMetaclass
from pathway._tables.groups import GroupedTable
from pathway._tables.joins import JoinResult
from pathway._tables.table import Table
from pathway._values import dtypes, texts

_ROWS = 10
_COLUMNS = 200


def types(table: Table[Any]) -> list[tuple[str, str]]:
    """The columns with their types, as one would write them."""
    return [(name, dtypes.describe(table._plan.dtype(column))) for name, column in table._columns.items()]


def bundle_of_table(table: Table[Any]) -> dict[str, str]:
    """A table by the kind of text: its columns with their types, and its first rows if there is a preview."""
    snapshot, reason = previews.preview(table)
    columns = types(table)
    if snapshot is None or not columns or len(columns) > _COLUMNS:
        return {"text/plain": repr(table), "text/html": _columns(table, columns, reason)}
    rows = snapshot._in_order()
    notes = html.note(
        f"{counted(len(rows), 'row')}{f', of which the first {_ROWS} are shown' if len(rows) > _ROWS else ''}"
        f" · key: {html.text(dtypes.describe(dtypes.to_dtype(table._id_type)))}"
    )
    return {
        "text/plain": "\n".join([repr(table), *printing.preview(snapshot.column_names, rows, _ROWS)]),
        "text/html": html.table(columns, [row for _, row in rows[:_ROWS]], notes=notes),
    }


def _columns(table: Table[Any], columns: list[tuple[str, str]], reason: str) -> str:
    title = f"<b>pathway.Table</b> · key: {html.text(dtypes.describe(dtypes.to_dtype(table._id_type)))}"
    more = html.note(printing.more(len(columns) - _COLUMNS, "column")) if len(columns) > _COLUMNS else ""
    return html.listed(title, ["column", "type"], columns[:_COLUMNS], more + html.note(html.text(reason)))


def html_of_schema(schema: SchemaMetaclass) -> str:
    """The columns of a schema with their types and what else is said of them."""
    rows = []
    for name, column in schema.columns().items():
        words = ["primary key"] if column.primary_key else []
        if column.has_default:
            words.append(f"default {texts.cut(repr(column.default_value))}")
        if column.append_only:
            words.append("append-only")
        if column.description:
            words.append(column.description)
        rows.append((name, dtypes.describe(column.dtype.dtype), ", ".join(words)))
    title = f"<b>{html.text(schema.__name__)}</b> · key: {html.text(dtypes.describe(dtypes.to_dtype(schema.id_type)))}"
    return html.listed(title, ["column", "type", ""], rows)


def html_of_groups(grouped: GroupedTable) -> str:
    """By what a table is grouped."""
    by = ", ".join(f"<code>{html.text(column.name)}</code>" for column in grouped._grouping) or "all rows in one group"
    return f"<div><b>pathway.GroupedTable</b> by {by}</div>" + html.note(
        "a table is made of it with <code>reduce</code>"
    )


def html_of_join(join: JoinResult) -> str:
    """The columns that a join offers, with the side they come from."""
    rows = [(name, side) for side, table in (("left", join._left), ("right", join._right)) for name in table._names()]
    return html.listed("<b>pathway.JoinResult</b>", ["column", "side"], rows) + html.note(
        "a table is made of it with <code>select</code>"
    )
