"""Live computation on tables: describe it with `import pathway as pw`, run it with `pw.run()`.

Nothing here imports numpy or pandas; modules that need them are imported when they are first used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pathway._expressions.expression import ColumnExpression, ColumnReference
from pathway._expressions.functions import (
    apply,
    apply_with_type,
    cast,
    coalesce,
    declare_type,
    fill_error,
    if_else,
    make_tuple,
    require,
    unwrap,
)
from pathway._expressions.table_like import TableLike
from pathway._expressions.udfs import UDF, udf
from pathway._ground import exits as _exits  # noqa: F401 (takes its place among what `atexit` calls)
from pathway._ground import missing_names, other_package, tracebacks
from pathway._looking import formatters
from pathway._native import Pointer
from pathway._schemas.builders import (
    schema_builder,
    schema_from_csv,
    schema_from_dict,
    schema_from_types,
)
from pathway._schemas.columns import SchemaProperties, column_definition
from pathway._schemas.schema import Schema
from pathway._tables.functions import groupby, join, join_inner, join_left, join_outer, join_right
from pathway._tables.groups import GroupedTable
from pathway._tables.join_conditions import JoinMode
from pathway._tables.joinable import Joinable
from pathway._tables.joins import JoinResult
from pathway._tables.placeholders import left, right, this
from pathway._tables.slices import TableSlice
from pathway._tables.table import Table
from pathway._values.dtypes import Type
from pathway._values.json import Json
from pathway._values.objects import PyObjectWrapper, wrap_py_object

if TYPE_CHECKING:
    import pathway.debug as debug
    import pathway.demo as demo
    import pathway.io as io
    import pathway.persistence as persistence
    import pathway.reducers as reducers
    import pathway.testing as testing
    import pathway.udfs as udfs
    import pathway.universes as universes
    from pathway._ground.version import __version__ as __version__
    from pathway._looking.live import LiveTable
    from pathway._looking.plots import Plot
    from pathway._looking.views import TableView
    from pathway._running.background import RunHandle
    from pathway._running.configuration import set_license_key, set_monitoring_config
    from pathway._running.monitoring import MonitoringLevel
    from pathway._running.persisting import PersistenceMode, SnapshotAccess
    from pathway._running.run import run, run_all, start
    from pathway._tables.error_log import global_error_log
    from pathway._tables.transformers import assert_table_has_schema, table_transformer
    from pathway._values.datetimes import DateTimeNaive, DateTimeUtc, Duration

GroupedJoinResult = GroupedTable

other_package.refuse()
tracebacks.install()
missing_names.install()
formatters.install()

# What is imported when it is first asked for: name -> module, and name in it if it is not the module.
_LAZY: dict[str, tuple[str, str | None]] = {
    "debug": ("pathway.debug", None),
    "demo": ("pathway.demo", None),
    "io": ("pathway.io", None),
    "persistence": ("pathway.persistence", None),
    "reducers": ("pathway.reducers", None),
    "testing": ("pathway.testing", None),
    "udfs": ("pathway.udfs", None),
    "universes": ("pathway.universes", None),
    "DateTimeNaive": ("pathway._values.datetimes", "DateTimeNaive"),
    "DateTimeUtc": ("pathway._values.datetimes", "DateTimeUtc"),
    "Duration": ("pathway._values.datetimes", "Duration"),
    "LiveTable": ("pathway._looking.live", "LiveTable"),
    "MonitoringLevel": ("pathway._running.monitoring", "MonitoringLevel"),
    "Plot": ("pathway._looking.plots", "Plot"),
    "PersistenceMode": ("pathway._running.persisting", "PersistenceMode"),
    "RunHandle": ("pathway._running.background", "RunHandle"),
    "TableView": ("pathway._looking.views", "TableView"),
    "SnapshotAccess": ("pathway._running.persisting", "SnapshotAccess"),
    "assert_table_has_schema": ("pathway._tables.transformers", "assert_table_has_schema"),
    "global_error_log": ("pathway._tables.error_log", "global_error_log"),
    "run": ("pathway._running.run", "run"),
    "run_all": ("pathway._running.run", "run_all"),
    "set_license_key": ("pathway._running.configuration", "set_license_key"),
    "set_monitoring_config": ("pathway._running.configuration", "set_monitoring_config"),
    "start": ("pathway._running.run", "start"),
    "table_transformer": ("pathway._tables.transformers", "table_transformer"),
    "__version__": ("pathway._ground.version", "__version__"),
}

__all__ = [
    "UDF",
    "ColumnExpression",
    "ColumnReference",
    "DateTimeNaive",
    "DateTimeUtc",
    "Duration",
    "GroupedJoinResult",
    "GroupedTable",
    "JoinMode",
    "JoinResult",
    "Joinable",
    "Json",
    "LiveTable",
    "MonitoringLevel",
    "PersistenceMode",
    "Plot",
    "Pointer",
    "PyObjectWrapper",
    "RunHandle",
    "Schema",
    "SchemaProperties",
    "SnapshotAccess",
    "Table",
    "TableLike",
    "TableSlice",
    "TableView",
    "Type",
    "apply",
    "apply_with_type",
    "assert_table_has_schema",
    "cast",
    "coalesce",
    "column_definition",
    "debug",
    "declare_type",
    "demo",
    "fill_error",
    "global_error_log",
    "groupby",
    "if_else",
    "io",
    "join",
    "join_inner",
    "join_left",
    "join_outer",
    "join_right",
    "left",
    "make_tuple",
    "persistence",
    "reducers",
    "require",
    "right",
    "run",
    "run_all",
    "schema_builder",
    "schema_from_csv",
    "schema_from_dict",
    "schema_from_types",
    "set_license_key",
    "set_monitoring_config",
    "start",
    "table_transformer",
    "testing",
    "this",
    "udf",
    "udfs",
    "universes",
    "unwrap",
    "wrap_py_object",
]


if not TYPE_CHECKING:
    # Type checkers know the names that are there.
    @tracebacks.shortened
    def __getattr__(name: str) -> Any:
        if name not in _LAZY:
            # The frame between belongs to the decorator.
            missing_names.complain(__name__, name, sys._getframe(2))
        module_name, attribute = _LAZY[name]
        module = import_module(module_name)
        value = module if attribute is None else getattr(module, attribute)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
