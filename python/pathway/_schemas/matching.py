"""Whether a schema can be used where another one is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathway._schemas.schema import SchemaMetaclass


def check(
    schema: SchemaMetaclass,
    other: SchemaMetaclass,
    *,
    allow_superset: bool,
    ignore_primary_keys: bool,
    allow_subtype: bool,
    ignore_properties: bool,
) -> None:
    """Raises AssertionError with the first difference that matters."""
    for name, wanted in other.__columns__.items():
        column = schema.__columns__.get(name)
        if column is None:
            raise AssertionError(f"the column {name} of {other.__name__} is missing in {schema.__name__}")
        own, expected = column.dtype.dtype, wanted.dtype.dtype
        if own != expected and not (allow_subtype and own.is_subtype_of(expected)):
            raise AssertionError(
                f"type of column {name} does not match - its type is {column.dtype!r} in {schema.__name__} and "
                f"{wanted.dtype!r} in {other.__name__}"
            )
        if not ignore_properties and column.append_only != wanted.append_only:
            raise AssertionError(f"the column {name} is append-only in only one of {schema.__name__}, {other.__name__}")
    extra = [name for name in schema.__columns__ if name not in other.__columns__]
    if extra and not allow_superset:
        raise AssertionError(f"there are extra columns {', '.join(extra)} that {other.__name__} does not have")
    keys = (schema.primary_key_columns(), other.primary_key_columns())
    if not ignore_primary_keys and keys[0] != keys[1]:
        raise AssertionError(
            f"primary keys in the schemas do not match - they are {keys[0]} in {schema.__name__} and {keys[1]} in "
            f"{other.__name__}"
        )
