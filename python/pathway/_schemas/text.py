"""Schemas as text: printed, as plain dicts, as the source of a class."""

from __future__ import annotations

from types import GenericAlias
from typing import TYPE_CHECKING, Any

from pathway._ground.shown import shown
from pathway._schemas import plain_values
from pathway._schemas.columns import ColumnSchema
from pathway._values import dtypes

if TYPE_CHECKING:
    from pathway._schemas.schema import SchemaMetaclass


def lines(schema: SchemaMetaclass) -> str:
    """Two lines: the names of the columns and their types."""
    names = ["id", *map(shown, schema.__columns__)]
    types = [
        dtypes.name(dtypes.to_dtype(schema.__id_type__)),
        *(repr(column.dtype) for column in schema.__columns__.values()),
    ]
    widths = [max(len(name), len(kind)) for name, kind in zip(names, types, strict=True)]
    return "\n".join(
        " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        for cells in (names, types)
    )


def representation(schema: SchemaMetaclass) -> str:
    """One line: the types as Python has them."""
    types = ", ".join(f"{name!r}: {_type_text(hint)}" for name, hint in schema.typehints().items())
    return f"<pathway.Schema types={{{types}}}, id_type={_type_text(schema.__id_type__)}>"


def _type_text(annotation: Any) -> str:
    if isinstance(annotation, type) and not isinstance(annotation, GenericAlias):
        return repr(annotation)
    return dtypes.display(annotation)


def plain_columns(schema: SchemaMetaclass) -> dict[str, dict[str, Any]]:
    """The columns as plain dicts."""
    columns = {}
    for name, column in schema.__columns__.items():
        entry: dict[str, Any] = {
            "dtype": dtypes.to_json(column.dtype.dtype),
            "name": name,
            "primary_key": column.primary_key,
            "append_only": column.append_only,
            "description": column.description,
            "source_component": column.source_component,
        }
        if column.has_default:
            _add_value(entry, "default_value", column.default_value)
        if column.example is not None:
            _add_value(entry, "example", column.example)
        columns[name] = entry
    return columns


def _add_value(entry: dict[str, Any], name: str, value: object) -> None:
    try:
        plain = plain_values.to_plain(value)
    except TypeError:
        # An object of the user's, which only this process knows.
        entry[name] = value
    else:
        entry[name if plain_values.is_plain(value) else f"_serialized_{name}"] = plain


def class_source(schema: SchemaMetaclass, class_name: str | None, generate_imports: bool) -> str:
    """The text of a class that is this schema."""
    class_name = class_name or schema.__name__
    if not class_name.isidentifier():
        class_name = "CustomSchema"
    lines = [f"class {class_name}(pw.Schema):"]
    for number, column in enumerate(schema.__columns__.values()):
        attribute = column.name if column.name.isidentifier() else f"column_{number}"
        arguments = _definition(column, attribute)
        definition = f" = pw.column_definition({', '.join(arguments)})" if arguments else ""
        lines.append(f"    {attribute}: {dtypes.display(column.typehint)}{definition}")
    if len(lines) == 1:
        lines.append("    pass")
    text = "\n".join(lines)
    if not generate_imports:
        return text
    imports = [line for word, line in _IMPORTS if word in text]
    return "\n".join([*imports, "import pathway as pw"]) + "\n\n\n" + text


# What is in a text that needs an import.
_IMPORTS = (
    ("collections.abc.", "import collections.abc"),
    ("Any", "from typing import Any"),
    ("np.", "import numpy as np"),
)


def _definition(column: ColumnSchema, attribute: str) -> list[str]:
    """The arguments of `column_definition` that say more of the column than its type."""
    arguments: dict[str, object] = {}
    if column.name != attribute:
        arguments["name"] = column.name
    if column.primary_key:
        arguments["primary_key"] = True
    if column.has_default:
        arguments["default_value"] = column.default_value
    if column.append_only:
        arguments["append_only"] = True
    if column.description is not None:
        arguments["description"] = column.description
    if column.example is not None:
        arguments["example"] = column.example
    if column.source_component != "payload":
        arguments["source_component"] = column.source_component
    return [f"{name}={value!r}" for name, value in arguments.items()]
