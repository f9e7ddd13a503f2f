"""SQLite databases: opening them, what their tables are, and what values of ours are there.

| of ours | there | read as well |
|---|---|---|
| bool | INTEGER | texts that csv takes for one |
| int | INTEGER | |
| Duration | INTEGER, nanoseconds | |
| float | REAL; TEXT for NaN, which SQLite has not | INTEGER |
| str | TEXT | |
| bytes | BLOB | |
| DateTimeNaive, DateTimeUtc | TEXT in ISO 8601 | every form that csv takes |
| Pointer, Json, tuple, list, ndarray, PyObjectWrapper | TEXT, as in csv | |
"""

from __future__ import annotations

import math
import os
import pathlib
import sqlite3
import string
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pathway import _native

# How long a statement waits for others that write.
BUSY_SECONDS = 30.0

_STORED = {
    "bool": "INTEGER",
    "int": "INTEGER",
    "duration": "INTEGER",
    "float": "REAL",
    "bytes": "BLOB",
    "str": "TEXT",
    "pointer": "TEXT",
    "date_time_naive": "TEXT",
    "date_time_utc": "TEXT",
    "json": "TEXT",
    "tuple": "TEXT",
    "list": "TEXT",
    "array": "TEXT",
    "object": "TEXT",
}

_UPPER_TO_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def folded(name: str) -> str:
    """What is the same of names that SQLite takes for one."""
    return name.translate(_UPPER_TO_LOWER)


def quoted(name: str) -> str:
    """A name in a statement."""
    return '"' + name.replace('"', '""') + '"'


def check_table_name(table_name: object) -> str:
    if not isinstance(table_name, str):
        raise TypeError(f"parameter table_name has to be a string, found {table_name!r}")
    if not table_name or "\0" in table_name:
        raise ValueError(f"parameter table_name has to name a table, found {table_name!r}")
    return table_name


def check_not_folder(path: str) -> None:
    if os.path.isdir(path):
        raise ValueError(f"path {path!r} is a folder, and has to be the file of an SQLite database")


def check_distinct(names: list[str]) -> None:
    """Columns have names that SQLite tells from one another."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(folded(name), name)
        if other != name:
            raise ValueError(f"SQLite takes the columns {other!r} and {name!r} for one: give one another name")


def storage_class(name: str, dtype: _native.DType) -> str:
    """The type that the column of a table gets."""
    stored = _STORED.get(dtype.required.kind)
    if stored is None:
        raise TypeError(
            f"the column {name!r} has the type {dtype}, for which SQLite has no place; declare its type, or convert it"
        )
    return stored


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Failures of SQLite as those of the operating system, with what was to be done."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        hint = {
            sqlite3.SQLITE_BUSY: f": another program has not let go of it for {BUSY_SECONDS:g} seconds",
            sqlite3.SQLITE_NOTADB: ": the file is no SQLite database, or an encrypted one",
            sqlite3.SQLITE_CORRUPT: ": the file is damaged, or no SQLite database",
        }.get(code, "")
        raise OSError(f"{what}: {error}{hint}") from error


def connect(path: str, mode: str) -> sqlite3.Connection:
    """Opens a database; the mode is that of SQLite's addresses. Transactions are our own affair."""
    address = pathlib.Path(path).absolute().as_uri() + f"?mode={mode}"
    return sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


@contextmanager
def transaction(connection: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    """All of it, or nothing."""
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # Some failures have rolled it back already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@dataclass
class Column:
    """A column of a table in a database."""

    name: str
    is_required: bool
    has_default: bool
    key_position: int
    is_generated: bool
    type: str


@dataclass
class Table:
    """What a table in a database is."""

    name: str
    is_view: bool
    has_rowid: bool
    columns: dict[str, Column]
    # Sets of columns of which no two rows have the same.
    unique: list[set[str]]

    @classmethod
    def found(cls, connection: sqlite3.Connection, name: str) -> Table | None:
        """The table or view of that name."""
        rows = connection.execute("SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
        kinds = {folded(there): (kind, there) for kind, there in rows}
        if folded(name) not in kinds:
            return None
        kind, there = kinds[folded(name)]
        columns = {}
        for _, column, type, is_required, default, key_position, hidden in connection.execute(
            f"PRAGMA table_xinfo({quoted(there)})"
        ):
            columns[folded(column)] = Column(
                column, bool(is_required), default is not None, key_position, hidden in (2, 3), type
            )
        unique = [{name for name, column in columns.items() if column.key_position}]
        has_rowid = kind == "table"
        for _, index, is_unique, _, is_partial in connection.execute(f"PRAGMA index_list({quoted(there)})").fetchall():
            names = [row[2] for row in connection.execute(f"PRAGMA index_info({quoted(index)})")]
            # An index on an expression has no name for it.
            if is_unique and not is_partial and None not in names:
                unique.append({folded(name) for name in names})
        if has_rowid:
            try:
                connection.execute(f"SELECT {cls.rowid_of(columns)} FROM {quoted(there)} LIMIT 0")
            except sqlite3.OperationalError:
                has_rowid = False
        return cls(there, kind == "view", has_rowid, columns, [names for names in unique if names])

    @staticmethod
    def rowid_of(columns: dict[str, Column]) -> str:
        """A name for the number of a row that no column has."""
        return next((name for name in ("_rowid_", "rowid", "oid") if name not in columns), "_rowid_")

    @property
    def rowid(self) -> str:
        return self.rowid_of(self.columns)

    def is_rowid(self, column: Column) -> bool:
        """Whether a column is the number of the row, which SQLite chooses."""
        keys = sum(1 for other in self.columns.values() if other.key_position)
        return self.has_rowid and column.key_position == 1 and keys == 1 and folded(column.type) == "integer"


def encoder(dtype: _native.DType) -> Callable[[Any], Any] | None:
    """What makes a value of ours one of SQLite's; nothing where it is one."""
    required = dtype.required
    if required.kind in ("bool", "int", "str", "bytes"):
        return None
    if required.kind == "float":
        return lambda value: "NaN" if value is not None and math.isnan(value) else value
    if required.kind == "duration":
        return lambda value: None if value is None else value.value
    if dtype.is_optional:
        return lambda value: None if value is None else required.text(value)
    return required.text


def decoder(dtype: _native.DType) -> Callable[[Any], Any]:
    """What makes a value of SQLite's one of ours, or says with a ValueError why it is none."""
    required = dtype.required
    kind = required.kind
    decode = _DECODERS.get(kind)
    if decode is None:

        def decode(value: Any, dtype: _native.DType) -> Any:
            if type(value) is not str:
                raise _misfit(value, dtype)
            return dtype.read(value)

    def decoded(value: Any) -> Any:
        if value is None:
            if dtype.is_optional or kind == "any":
                return None
            raise _misfit(value, dtype)
        return decode(value, required)

    return decoded


def _misfit(value: Any, dtype: _native.DType) -> ValueError:
    shown = "NULL" if value is None else repr(value)
    return ValueError(f"expected {dtype}, found {shown if len(shown) <= 60 else shown[:57] + '...'}")


def _plain(kind: type) -> Callable[[Any, _native.DType], Any]:
    def decode(value: Any, dtype: _native.DType) -> Any:
        if type(value) is not kind:
            raise _misfit(value, dtype)
        return value

    return decode


def _bool(value: Any, dtype: _native.DType) -> Any:
    if type(value) is int and value in (0, 1):
        return value == 1
    if type(value) is not str:
        raise _misfit(value, dtype)
    return dtype.read(value)


def _float(value: Any, dtype: _native.DType) -> Any:
    if type(value) is float:
        return value
    if type(value) is int:
        return float(value)
    if value == "NaN":
        return math.nan
    raise _misfit(value, dtype)


def _duration(value: Any, dtype: _native.DType) -> Any:
    if type(value) is not int:
        raise _misfit(value, dtype)
    return dtype.read(str(value))


_DECODERS: dict[str, Callable[[Any, _native.DType], Any]] = {
    "bool": _bool,
    "int": _plain(int),
    "float": _float,
    "str": _plain(str),
    "bytes": _plain(bytes),
    "duration": _duration,
    "any": lambda value, dtype: value,
}
