"""From the body of a schema's class to its columns: annotations, `column_definition`s, what is wrong with them."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any, cast

from pathway._ground.origin import user_names
from pathway._schemas.columns import ColumnDefinition, ColumnSchema, ShownType
from pathway._values import dtypes


def columns_of_class(
    cls: type, name: str, bases: tuple[type, ...], namespace: dict[str, Any], append_only: bool | None
) -> tuple[dict[str, ColumnSchema], dict[str, str]]:
    """The columns by name, those of the bases first, and from the names in the class to those of the columns."""
    columns: dict[str, ColumnSchema] = {}
    attributes: dict[str, str] = {}
    for base in reversed(bases):
        columns.update(getattr(base, "__columns__", {}))
        attributes.update(getattr(base, "__attributes__", {}))
    if append_only is not None:
        for column, schema in columns.items():
            columns[column] = replace(schema, append_only=_append_only(column, append_only, schema.own_append_only))
    annotations = _annotations(namespace)
    names = _class_names(cls)
    bare = [
        attribute
        for attribute in namespace
        if attribute not in annotations
        and not is_dunder(attribute)
        and not (attribute in attributes and isinstance(namespace[attribute], ColumnDefinition))
        and attribute not in ("_abc_impl",)
    ]
    if bare:
        raise ValueError(f"definitions of columns {', '.join(bare)} lack type annotation")
    for attribute, annotation in annotations.items():
        definition = namespace.get(attribute, ColumnDefinition())
        if not isinstance(definition, ColumnDefinition):
            raise ValueError(
                f"`{attribute}` should be a column definition, found {type(definition)}; for a default value, write "
                f"{attribute}: ... = pw.column_definition(default_value={definition!r})"
            )
        try:
            annotation = dtypes.looked_up(annotation, names)
            dtype = dtypes.to_dtype(annotation, names)
        except TypeError as error:
            error.add_note(f"in the column {attribute} of the schema {name}")
            raise
        if definition.dtype is not None and dtypes.to_dtype(definition.dtype, names) != dtype:
            raise TypeError(f"type annotation of column `{attribute}` does not match column definition")
        final = definition.name or attribute
        inherited = columns[attributes[attribute]] if attribute in attributes else None
        if inherited is not None and inherited.dtype.dtype != dtype:
            raise TypeError(
                f"type annotation of column `{attribute}` does not match column definition: it is inherited as "
                f"{inherited.dtype!r}"
            )
        columns[final] = ColumnSchema(
            ShownType(dtype),
            final,
            definition.primary_key,
            definition.default_value,
            _append_only(attribute, append_only, definition.append_only),
            definition.description,
            definition.example,
            definition.source_component,
            definition.append_only,
        )
        attributes[attribute] = final
    return columns, attributes


def _append_only(column: str, of_all: bool | None, own: bool | None) -> bool:
    """Whether values of a column are never changed, by what its definition says and what the schema says of all."""
    if of_all is not None and own is not None and own != of_all:
        raise ValueError(
            f"ambiguous property: the schema has append_only={of_all}, its column {column} has append_only={own}"
        )
    return bool(of_all if own is None else own)


def _annotations(namespace: dict[str, Any]) -> dict[str, Any]:
    annotations = namespace.get("__annotations__")
    if annotations is None and sys.version_info >= (3, 14):
        # Earlier versions do not have it.
        import annotationlib

        annotate = annotationlib.get_annotate_from_class_namespace(namespace)
        if annotate is not None:
            annotations = annotationlib.call_annotate_function(annotate, annotationlib.Format.VALUE)
    return dict(cast("dict[str, Any]", annotations or {}))


def _class_names(cls: type) -> dict[str, Any]:
    """What annotations written as texts may name, the class itself among them."""
    module = sys.modules.get(cls.__module__)
    return {**(vars(module) if module is not None else {}), **user_names(), cls.__name__: cls}


def is_dunder(attribute: str) -> bool:
    """Whether a name is one of those that Python gives a meaning to."""
    return attribute.startswith("__") and attribute.endswith("__")
