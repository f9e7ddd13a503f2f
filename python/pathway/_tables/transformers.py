"""Functions from tables to tables whose schemas are checked."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

from pathway._ground import tracebacks
from pathway._schemas.schema import Schema, SchemaMetaclass
from pathway._tables.table import Table
from pathway._values import dtypes


@tracebacks.shortened
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


@tracebacks.shortened
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
    names = {**getattr(function, "__globals__", {}), **(locals or {})}
    schemas: dict[str, type[Schema]] = {}
    for argument, hint in getattr(function, "__annotations__", {}).items():
        try:
            table = dtypes.looked_up(hint, names)
        except TypeError:
            # An annotation for somebody else.
            continue
        origin: Any = typing.get_origin(table)
        if origin is Table:
            schema = dtypes.looked_up(typing.get_args(table)[0], names)
            if isinstance(schema, SchemaMetaclass):
                schemas[argument] = typing.cast("type[Schema]", schema)
    return schemas
