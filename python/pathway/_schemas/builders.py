"""Schemas made by functions: from types, from dicts, from the first rows of a csv file."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from pathway._ground import arguments, tracebacks
from pathway._ground.origin import noting, user_place
from pathway._native import DType
from pathway._schemas import plain_values
from pathway._schemas.columns import ColumnDefinition, SchemaProperties
from pathway._schemas.schema import Schema, of_definitions
from pathway._values import dtypes

NO_PROPERTIES = SchemaProperties()


@arguments.explained
def schema_builder(
    columns: Mapping[str, Any],
    *,
    name: str | None = None,
    properties: SchemaProperties = NO_PROPERTIES,
    id_type: Any = None,
) -> type[Schema]:
    """A schema of column definitions.

    Args:
        columns: for each column what `column_definition` gives.
        name: the name of the schema.
        properties: what holds for all columns.
        id_type: the type of the key, such as `pw.Pointer[int]`; by default made of the primary key.

    >>> import pathway as pw
    >>> schema = pw.schema_builder(
    ...     {"key": pw.column_definition(dtype=int, primary_key=True), "text": pw.column_definition(dtype=str)}
    ... )
    >>> schema.primary_key_columns()
    ['key']
    """
    with noting(user_place()):
        for column, definition in columns.items():
            if not isinstance(definition, ColumnDefinition):
                raise TypeError(
                    f"the column {column} should be a column definition, found {definition!r}; write "
                    f"pw.column_definition(dtype={getattr(definition, '__name__', '...')})"
                )
        return of_definitions(
            columns, name or f"custom_schema({list(columns)})", append_only=properties.append_only, id_type=id_type
        )


def schema_of(types: Mapping[str, DType], *, append_only: bool, id_type: Any) -> type[Schema]:
    """The schema of a table that is computed."""
    definitions = {
        name: ColumnDefinition(dtype=dtype, append_only=append_only or None) for name, dtype in types.items()
    }
    annotations = {name: dtypes.to_python(dtype) for name, dtype in types.items()}
    return schema_builder(definitions, name=f"schema({annotations})", id_type=id_type)


@tracebacks.shortened
def schema_from_types(_name: str | None = None, **kwargs: Any) -> type[Schema]:
    """A schema of types.

    Args:
        _name: the name of the schema.
        kwargs: the type of each column.

    >>> import pathway as pw
    >>> print(pw.schema_from_types(a=int, b=str))
    id          | a   | b
    ANY_POINTER | INT | STR
    """
    if _name is not None and not isinstance(_name, str):
        advice = (
            "a dict of types is unpacked: schema_from_types(**types)"
            if isinstance(_name, Mapping)
            else "use schema_builder for a column _name"
        )
        raise TypeError(f"_name is the name of the schema, found {_name!r}; {advice}")
    definitions = {name: ColumnDefinition(dtype=_resolve(annotation)) for name, annotation in kwargs.items()}
    return schema_builder(definitions, name=_name or f"schema({kwargs})")


@arguments.explained
def schema_from_dict(
    columns: Mapping[str, Any],
    *,
    name: str | None = None,
    properties: Mapping[str, Any] | SchemaProperties = NO_PROPERTIES,
) -> type[Schema]:
    """A schema of a dict: for each column its type, the name of a type, or a dict with what `column_definition` takes.

    Args:
        columns: the dict.
        name: the name of the schema.
        properties: what holds for all columns, a `SchemaProperties` or a dict of its fields.

    >>> import pathway as pw
    >>> schema = pw.schema_from_dict({"a": "int", "b": {"dtype": "str", "default_value": "-"}})
    >>> schema.default_values()
    {'b': '-'}
    """
    definitions = {}
    for column, entry in columns.items():
        options = dict(entry) if isinstance(entry, Mapping) and not _is_json_type(entry) else {"dtype": entry}
        options["dtype"] = _resolve(options.get("dtype", Any))
        for name_of_value in ("default_value", "example"):
            serialized = f"_serialized_{name_of_value}"
            if serialized in options:
                options[name_of_value] = plain_values.from_plain(options.pop(serialized))
        definitions[column] = ColumnDefinition(**options)
    if isinstance(properties, Mapping):
        properties = SchemaProperties(**properties)
    return schema_builder(definitions, name=name, properties=properties)


@arguments.explained
def schema_from_csv(
    path: str,
    *,
    name: str | None = None,
    properties: SchemaProperties = NO_PROPERTIES,
    delimiter: str = ",",
    quote: str = '"',
    comment_character: str | None = None,
    escape: str | None = None,
    double_quote_escapes: bool = True,
    num_parsed_rows: int | None = None,
) -> type[Schema]:
    """The schema that fits a csv file: int, float or str for each column.

    Args:
        path: the file.
        name: the name of the schema.
        properties: what holds for all columns.
        delimiter: what is between cells.
        quote: what is around cells that hold delimiters.
        comment_character: lines that begin with it are left out.
        escape: what makes the next character ordinary.
        double_quote_escapes: whether two quotes in a cell stand for one.
        num_parsed_rows: how many rows are looked at; all, if None. Columns of which none was seen are Any.

    >>> import pathway as pw
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
    ...     _ = file.write("name,age\\nAda,36\\n")
    ...     file.flush()
    ...     print(pw.schema_from_csv(file.name))
    id          | name | age
    ANY_POINTER | STR  | INT
    """
    # Few programs have their schemas from files.
    import csv

    # Excel puts a byte order mark before the first name.
    with open(path, newline="", encoding="utf-8-sig") as file:
        lines = (line for line in file if comment_character is None or not line.startswith(comment_character))
        reader = csv.DictReader(
            lines, delimiter=delimiter, quotechar=quote, escapechar=escape, doublequote=double_quote_escapes
        )
        if reader.fieldnames is None:
            raise ValueError(f"can't generate a schema from the empty csv file {path}")
        kinds = {column: DType.INT for column in reader.fieldnames}
        seen = False
        for row in itertools.islice(reader, num_parsed_rows):
            seen = True
            for column in kinds:
                kinds[column] = _widened(kinds[column], row.get(column))
    definitions = {column: ColumnDefinition(dtype=kind if seen else DType.ANY) for column, kind in kinds.items()}
    return schema_builder(definitions, name=name or f"schema_from_csv({path!r})", properties=properties)


def _widened(kind: DType, text: str | None) -> DType:
    for candidate, parse in ((DType.INT, int), (DType.FLOAT, float)):
        if kind == DType.STR or text is None or (kind == DType.FLOAT and candidate == DType.INT):
            continue
        try:
            parse(text)
        except ValueError:
            continue
        return candidate
    return DType.STR


def _is_json_type(entry: Mapping[str, Any]) -> bool:
    return set(entry) <= {"type", "wrapped", "args", "n_dim"} and "type" in entry


def _resolve(annotation: Any) -> DType:
    if isinstance(annotation, Mapping) and _is_json_type(annotation):
        return dtypes.from_json(annotation)
    return dtypes.of_user(annotation)
