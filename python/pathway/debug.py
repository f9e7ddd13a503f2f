"""Small tables in a program, and looking at what becomes of them.

Functions that give tables back start nothing. Those that print or return values run what the tables need, and no
other output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pathway._debugging.generator import StreamGenerator
from pathway._debugging.results import (
    compute,
    compute_and_print,
    compute_and_print_update_stream,
    table_to_arrow,
    table_to_dicts,
    table_to_pandas,
    table_to_parquet,
    table_to_polars,
)
from pathway._debugging.snapshots import Snapshot
from pathway._debugging.tables import table_from_markdown, table_from_pandas, table_from_parquet, table_from_rows
from pathway._ground import missing_names

__all__ = [
    "Snapshot",
    "StreamGenerator",
    "compute",
    "compute_and_print",
    "compute_and_print_update_stream",
    "table_from_markdown",
    "table_from_pandas",
    "table_from_parquet",
    "table_from_rows",
    "table_to_arrow",
    "table_to_dicts",
    "table_to_pandas",
    "table_to_parquet",
    "table_to_polars",
]

if not TYPE_CHECKING:
    # Type checkers know the names that are there.
    __getattr__ = missing_names.of(__name__)
