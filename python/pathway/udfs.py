"""`pw.udf`: Python functions as functions of columns."""

from __future__ import annotations

from pathway._expressions.udfs import UDF, udf

__all__ = ["UDF", "udf"]
