"""Schemas made by functions: from types, from dicts, from the first rows of a csv file."""

from __future__ import annotations

import functools
import inspect
import itertools
import typing
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pathway import _dtypes, _schema_json
from pathway._native import DType
from pathway._origin import noting, user_frame, user_place
from pathway._schema import Schema, SchemaMetaclass
from pathway._schema_class import is_dunder
from pathway._schema_columns import ColumnDefinition, SchemaProperties

if TYPE_CHECKING:
    from pathway._table import Table

NO_PROPERTIES = SchemaProperties()


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
        annotations = {}
        namespace: dict[str, Any] = {}
        for number, (column, definition) in enumerate(columns.items()):
            if not isinstance(definition, ColumnDefinition):
                raise TypeError(
                    f"the column {column} should be a column definition, found {definition!r}; write "
                    f"pw.column_definition(dtype={getattr(definition, '__name__', '...')})"
                )
            # Names such as `__module__` mean something in the body of a class.
            attribute = f"column_{number}_of_{len(columns)}" if is_dunder(column) else column
            annotations[attribute] = Any if definition.dtype is None else definition.dtype
            namespace[attribute] = definition if definition.name else replace(definition, name=column)
        return typing.cast(
            "type[Schema]",
            SchemaMetaclass(
                name or f"custom_schema({list(columns)})",
                (Schema,),
                {**namespace, "__annotations__": annotations, "__module__": __name__},
                append_only=properties.append_only,
                id_dtype=id_type,
            ),
        )


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
        raise TypeError(f"_name is the name of the schema, found {_name!r}; use schema_builder for a column _name")
    definitions = {name: ColumnDefinition(dtype=_resolve(annotation)) for name, annotation in kwargs.items()}
    return schema_builder(definitions, name=_name or f"schema({kwargs})")


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
                options[name_of_value] = _schema_json.from_plain(options.pop(serialized))
        definitions[column] = ColumnDefinition(**options)
    if isinstance(properties, Mapping):
        properties = SchemaProperties(**properties)
    return schema_builder(definitions, name=name, properties=properties)


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


def assert_table_has_schema(
    table: Table[Any],
    schema: type[Schema],
    *,
    allow_superset: bool = True,
    ignore_primary_keys: bool = True,
    allow_subtype: bool = True,
) -> None:
    """Raises AssertionError unless the table has the columns of the schema.

    Args:
        table: the table.
        schema: what it should be.
        allow_superset: whether the table may have more columns.
        ignore_primary_keys: whether primary keys may differ.
        allow_subtype: whether types of the table may be narrower.

    >>> import pathway as pw
    >>> pw.assert_table_has_schema(pw.Table.empty(a=int, b=str), pw.schema_from_types(a=int))
    """
    table.schema.assert_matches_schema(
        schema, allow_superset=allow_superset, ignore_primary_keys=ignore_primary_keys, allow_subtype=allow_subtype
    )


def table_transformer(
    func: Callable[..., Any] | None = None,
    *,
    allow_superset: bool | Mapping[str, bool] = True,
    ignore_primary_keys: bool | Mapping[str, bool] = True,
    allow_subtype: bool | Mapping[str, bool] = True,
    locals: Mapping[str, Any] | None = None,
) -> Any:
    """Decorates a function from tables to tables: those annotated `pw.Table[SomeSchema]` are checked.

    The options of `assert_table_has_schema` can be given for all, or by the name of the argument
    (`return` for the result).

    Args:
        func: the function.
        allow_superset: whether tables may have more columns.
        ignore_primary_keys: whether primary keys may differ.
        allow_subtype: whether types may be narrower.
        locals: names that annotations written as texts may use.

    >>> import pathway as pw
    >>> class Numbers(pw.Schema):
    ...     a: int
    >>> @pw.table_transformer
    ... def doubled(table: pw.Table[Numbers]) -> pw.Table[Numbers]:
    ...     return table.select(a=table.a * 2)
    >>> result = doubled(pw.Table.empty(a=int))
    """
    if func is None:
        return functools.partial(
            table_transformer,
            allow_superset=allow_superset,
            ignore_primary_keys=ignore_primary_keys,
            allow_subtype=allow_subtype,
            locals=locals,
        )
    schemas = _table_schemas(func, locals)
    signature = inspect.signature(func)
    options = {
        "allow_superset": allow_superset,
        "ignore_primary_keys": ignore_primary_keys,
        "allow_subtype": allow_subtype,
    }

    def check(argument: str, value: Any) -> None:
        if argument in schemas:
            chosen = {
                option: given.get(argument, True) if isinstance(given, Mapping) else given
                for option, given in options.items()
            }
            try:
                assert_table_has_schema(value, schemas[argument], **chosen)
            except AssertionError as error:
                what = "the result" if argument == "return" else f"argument {argument}"
                raise AssertionError(f"{what} of {func.__name__}() has another schema: {error}") from None

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        for argument, value in signature.bind(*args, **kwargs).arguments.items():
            check(argument, value)
        result = func(*args, **kwargs)
        check("return", result)
        return result

    return wrapped


def _table_schemas(function: Callable[..., Any], locals: Mapping[str, Any] | None) -> dict[str, type[Schema]]:
    """The schemas of arguments, and of the result, that are annotated as tables of one."""
    from pathway._table import Table

    names = {**getattr(function, "__globals__", {}), **(locals or {})}
    schemas: dict[str, type[Schema]] = {}
    for argument, hint in getattr(function, "__annotations__", {}).items():
        try:
            table = _dtypes.looked_up(hint, names)
        except TypeError:
            # An annotation for somebody else.
            continue
        origin: Any = typing.get_origin(table)
        if origin is Table:
            schema = _dtypes.looked_up(typing.get_args(table)[0], names)
            if isinstance(schema, SchemaMetaclass):
                schemas[argument] = typing.cast("type[Schema]", schema)
    return schemas


def _is_json_type(entry: Mapping[str, Any]) -> bool:
    return set(entry) <= {"type", "wrapped", "args", "n_dim"} and "type" in entry


def _resolve(annotation: Any) -> DType:
    if isinstance(annotation, Mapping) and _is_json_type(annotation):
        return _dtypes.from_json(annotation)
    frame = user_frame()
    names = None if frame is None else {**frame.f_globals, **frame.f_locals}
    return _dtypes.to_dtype(annotation, names)
