"""Everything that reads tables from the outside world and writes them to it."""

from typing import Any

from pathway._ground import not_there_yet
from pathway.io import csv, fs, jsonlines, null, plaintext, python, s3, sqlite, stdout
from pathway.io._csv_settings import CsvParserSettings
from pathway.io._subscribe import (
    OnChangeCallback,
    OnChangeCallbackAsync,
    OnFinishCallback,
    OnTimeEndCallback,
    subscribe,
)

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


def __getattr__(name: str) -> Any:
    raise AttributeError(not_there_yet.of_io(name) or f"module 'pathway.io' has no attribute {name!r}")
