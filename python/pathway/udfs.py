"""`pw.udf`: Python functions as functions of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pathway._expressions.udfs import UDF, udf
from pathway._ground import missing_names

__all__ = ["UDF", "udf"]

if not TYPE_CHECKING:
    # Type checkers know the names that are there.
    __getattr__ = missing_names.of(__name__)
