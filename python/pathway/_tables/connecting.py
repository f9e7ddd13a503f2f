"""Between the tables users see and the nodes of the native plan, for everything that reads or writes.

Connectors use these few functions and nothing else of a table's inside.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from pathway import _native
from pathway._expressions.expression import ColumnReference
from pathway._ground.origin import user_origin, user_place, warn
from pathway._schemas.schema import Schema
from pathway._tables import forgotten, strangers
from pathway._tables.graph import LiveSource, current_graph
from pathway._tables.outputs import Output
from pathway._tables.table import Table


def check_schema(schema: object) -> type[Schema]:
    """The schema, or the error for what was passed instead."""
    if schema is None:
        raise ValueError(
            "Schema must be specified. It says which columns there are: schema=Row after class Row(pw.Schema): name: "
            "str, or schema=pw.schema_from_types(name=str); pw.schema_from_csv(path) makes one of a file"
        )
    if not (isinstance(schema, type) and issubclass(schema, Schema)):
        advice = ""
        if isinstance(schema, Mapping):
            advice = ": write schema=pw.schema_from_types(**types), with a dict of types by name"
        elif isinstance(schema, type):
            advice = f": write class {schema.__name__}(pw.Schema)"
        raise TypeError(f"parameter schema has to be a subclass of pw.Schema, found {schema!r}{advice}")
    return schema


def check_table(table: object, call: str | None = None) -> Table[Any]:
    """The table, or the error for what was passed instead to a call of the user's."""
    if not isinstance(table, Table):
        taker = "parameter table has to be a pw.Table" if call is None else f"{call}() takes a pw.Table"
        raise TypeError(f"{taker}, found {strangers.described(table)}")
    return table


def check_name(name: object) -> str | None:
    if name is not None and not isinstance(name, str):
        raise TypeError(f"parameter name has to be a string, found {name!r}")
    return name


def check_flag(parameter: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"parameter {parameter} has to be True or False, found {value!r}")
    return value


def check_positive(parameter: str, value: object) -> int | None:
    """An optional number above zero."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"parameter {parameter} has to be an int or None, found {value!r}")
    if value <= 0:
        raise ValueError(f"parameter {parameter} has to be above zero, found {value}")
    return value


def check_debug_data(data: object) -> None:
    """Rows for runs with `debug=True`: nothing but data frames, as in the original."""
    if data is None:
        return
    # Only who has given a frame needs it.
    import pandas

    if not isinstance(data, pandas.DataFrame):
        raise TypeError(f"parameter debug_data has to be a pandas DataFrame, found {type(data).__name__}")
    current_graph().has_debug_data = True


def fields(schema: type[Schema], source: str) -> list[_native.Field]:
    """The columns of a schema, as a native source of this name wants them."""
    for column in schema.__columns__.values():
        if column.source_component != "payload":
            raise ValueError(
                f"the column {column.name!r} has the unsupported source component {column.source_component!r}: "
                f"messages of {source} have nothing but a payload"
            )
    if "id" in schema.__columns__:
        warn(
            f"the column 'id' of {source} cannot be used in expressions, where id is the key of the row; give it "
            "another name with table.rename({'id': ...})"
        )
    return schema._fields()


def is_append_only(schema: type[Schema]) -> bool:
    """Whether the schema promises that no row is ever changed or removed."""
    columns = schema.columns()
    return bool(columns) and all(column.append_only for column in columns.values())


def source_table(node: int, schema: type[Schema], keys: Iterable[_native.Pointer] | None = None) -> Table[Any]:
    """The table of a native source that has the columns of the schema, and exactly these keys if they are known."""
    graph = current_graph()
    for source in graph.plan.sources(node):
        # Who looks at a table is told by it what there is to wait for.
        assert source in graph.static_sources or source in graph.live_sources, "call note_static or note_live before"
    universe = None if keys is None else graph.static_universe(keys)
    return Table._from_source(node, schema, universe)


def note_static(node: int, data: int | str) -> None:
    """Notes that a source has all its rows when a run begins: so many, or those in the files at a path."""
    graph = current_graph()
    for source in graph.plan.sources(node):
        graph.static_sources[source] = data


def note_live(
    node: int,
    name: str,
    *,
    is_endless: bool,
    has_static_mode: bool,
    is_being_read: Callable[[], bool] = lambda: False,
) -> None:
    """Notes what is known of a source that may get more rows while a run goes on, see `LiveSource`."""
    graph = current_graph()
    source = LiveSource(
        name=name,
        place=user_place(),
        is_endless=is_endless,
        has_static_mode=has_static_mode,
        is_being_read=is_being_read,
    )
    graph.live_sources.update(dict.fromkeys(graph.plan.sources(node), source))


def note_endless(table: Table[Any]) -> None:
    """Notes that the live sources of a table go on until they are told to stop."""
    graph = table._graph
    for node in graph.plan.sources(table._node):
        graph.live_sources[node] = replace(graph.live_sources[node], is_endless=True)


def live_sources(table: Table[Any]) -> list[LiveSource]:
    """What is known of the sources of a table that may get more rows while a run goes on."""
    graph = table._graph
    found = (graph.live_sources.get(node) for node in graph.plan.sources(table._node))
    return [source for source in found if source is not None]


def output(table: object, sort_by: Iterable[ColumnReference] | None = None) -> Output:
    checked = check_table(table)
    checked._require_current()
    names = list(checked._columns)
    return Output(
        node=checked._node,
        columns=list(checked._columns.items()),
        sort_by=[names.index(name) for name in column_names("sort_by", checked, sort_by or ())],
        origin=user_origin(),
    )


def declared_output(table: object, sort_by: Iterable[ColumnReference] | None = None) -> Output:
    """The same for a sink that the user declares, and that is expected to run before the program ends."""
    found = output(table, sort_by)
    forgotten.note(found.origin)
    return found


def column_types(table: object) -> dict[str, _native.DType]:
    """The types of the columns that are written, by name."""
    return {name: plan().dtype(column) for name, column in check_table(table)._columns.items()}


def column_names(parameter: str, table: Table[Any], references: Iterable[ColumnReference]) -> list[str]:
    """The names of columns of the table that a parameter refers to."""
    return [_name(parameter, table, reference) for reference in references]


def _name(parameter: str, table: Table[Any], reference: ColumnReference) -> str:
    if not isinstance(reference, ColumnReference):
        raise TypeError(f"{parameter} takes columns of the table, found {reference!r}")
    if reference.table is not table or reference.name not in table._columns:
        raise ValueError(f"The column {reference!r} doesn't belong to the target table {table!r}")
    return reference.name


def path_text(parameter: str, path: str | os.PathLike[str]) -> str:
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{parameter} is a path, a str or os.PathLike, found {path!r}")
    text = os.fspath(path)
    if not text:
        raise ValueError(f"{parameter} is empty: it has to name a file or folder")
    return text


def plan() -> _native.Plan:
    """The plan that new tables belong to."""
    return current_graph().plan
