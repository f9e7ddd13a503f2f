"""Everything that reads tables from the outside world and writes them to it.

Those that need much of the standard library are imported when they are first asked for.
"""

from typing import TYPE_CHECKING

from pathway._ground import missing_names
from pathway.io import csv, fs, jsonlines, null, plaintext, python
from pathway.io._csv_settings import CsvParserSettings
from pathway.io._subscribe import (
    OnChangeCallback,
    OnChangeCallbackAsync,
    OnFinishCallback,
    OnTimeEndCallback,
    subscribe,
)

if TYPE_CHECKING:
    from pathway.io import s3, sqlite, stdout

__all__ = [
    "CsvParserSettings",
    "OnChangeCallback",
    "OnChangeCallbackAsync",
    "OnFinishCallback",
    "OnTimeEndCallback",
    "csv",
    "fs",
    "jsonlines",
    "null",
    "plaintext",
    "python",
    "s3",
    "sqlite",
    "stdout",
    "subscribe",
]

if not TYPE_CHECKING:
    # Type checkers know the names that are there.
    __getattr__ = missing_names.of(__name__, modules=("s3", "sqlite", "stdout"))


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
