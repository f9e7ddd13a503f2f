"""Writes the changes of a table to one of an SQLite database.

Each time is a transaction. In a run that is kept, the transaction has the time itself, too, in a table of ours: after a
restart the database says how far it is, and nothing comes twice. See `pathway.io._subscribe.Hooks`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from pathway import _native
from pathway.io import _databases
from pathway.io._databases import folded, quoted
from pathway.io._subscribe import Hooks

# The table in which a database says up to which time it has each output of a run that is kept.
TIMES = "pathway: up to which time outputs are written"

# What a table of changes has besides the columns.
CHANGE_COLUMNS = {"time": "INTEGER", "diff": "INTEGER"}


@dataclass
class Output:
    """One table that is written."""

    label: str
    path: str
    table: str
    # By name.
    columns: dict[str, _native.DType]
    init_mode: str
    # The columns that tell rows apart, where the table has the present rows and not their changes.
    primary_key: list[str] | None
    max_batch_size: int | None

    # Of the run that goes on.
    _connection: sqlite3.Connection | None = None
    _name: str | None = None
    _rows: list[tuple[tuple[Any, ...], int, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        encoders = [(name, _databases.encoder(dtype)) for name, dtype in self.columns.items()]
        self._encoders: list[tuple[str, Callable[[Any], Any] | None]] = encoders
        names = [*self.columns] if self.primary_key is not None else [*self.columns, *CHANGE_COLUMNS]
        into = f"INSERT INTO {quoted(self.table)} ({', '.join(map(quoted, names))})"
        self._insert = f"{into} VALUES ({', '.join('?' * len(names))})"
        self._delete = ""
        if self.primary_key is not None:
            positions = list(self.columns)
            self._key = [positions.index(name) for name in self.primary_key]
            others = [name for name in self.columns if name not in self.primary_key]
            conflict = f" ON CONFLICT ({', '.join(map(quoted, self.primary_key))}) DO "
            updates = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in others)
            self._insert += conflict + (f"UPDATE SET {updates}" if others else "NOTHING")
            is_key = " AND ".join(f"{quoted(name)} = ?" for name in self.primary_key)
            self._delete = f"DELETE FROM {quoted(self.table)} WHERE {is_key}"

    def hooks(self) -> Hooks:
        return Hooks(on_begin=self.begin, commit=self.commit, recover=self.recover)

    # What the engine calls, in this order.

    def begin(self, name: str | None) -> None:
        """A run begins; it goes on with what a state has if the output has a name there."""
        self.end()
        self._rows.clear()
        self._name = name
        with self._explained("cannot open"):
            self._connection = _databases.connect(self.path, "rwc")
            # A file that is no database is noticed when it is read.
            self._connection.execute("SELECT 1 FROM sqlite_master LIMIT 1")
        if name is None:
            with self._transaction("cannot prepare the table in") as connection:
                self._initialize(connection)

    def recover(self, time: int | None, token: bytes | None) -> int | None:
        with self._transaction("cannot go on in") as connection:
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {quoted(TIMES)} (output TEXT PRIMARY KEY, time INTEGER NOT NULL)"
            )
            of_this = (self._name,)
            row = connection.execute(f"SELECT time FROM {quoted(TIMES)} WHERE output = ?", of_this).fetchone()
            if time is None and (row is None or self.init_mode == "replace"):
                connection.execute(f"DELETE FROM {quoted(TIMES)} WHERE output = ?", of_this)
                self._initialize(connection)
                return None
            remedy = "bring back the database that was written, or begin anew: reset the state and drop the table"
            if row is None:
                raise ValueError(
                    f"{self.label}: {self.path} has nothing of this output, of which everything up to time {time} was "
                    f"written; {remedy}"
                )
            table = _databases.Table.found(connection, self.table)
            if table is None:
                raise ValueError(
                    f"{self.label}: {self.path} has no table {self.table!r}, of which everything up to time {row[0]} "
                    f"was written; {remedy}"
                )
            self._check(table)
            return int(row[0])

    def on_change(self, key: _native.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        values = tuple(row[name] if encode is None else encode(row[name]) for name, encode in self._encoders)
        self._rows.append((values, time, is_addition))
        if self.max_batch_size is not None and self._name is None and len(self._rows) >= self.max_batch_size:
            self.commit(time, None)

    def commit(self, time: int, token: bytes | None) -> None:
        if not self._rows:
            return
        with self._transaction("cannot write to") as connection:
            if self.primary_key is None:
                changes = ((*values, time, 1 if is_addition else -1) for values, time, is_addition in self._rows)
                connection.executemany(self._insert, changes)
            else:
                self._write_present(connection)
            if self._name is not None:
                connection.execute(f"INSERT OR REPLACE INTO {quoted(TIMES)} VALUES (?, ?)", (self._name, time))
        self._rows.clear()

    def end(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # The steps of these.

    def _write_present(self, connection: sqlite3.Connection) -> None:
        """Rows that are removed and come again are replaced; who watches the table sees no gap."""
        present: dict[tuple[Any, ...], tuple[Any, ...] | None] = {}
        for values, _, is_addition in sorted(self._rows, key=lambda row: row[2]):
            present[tuple(values[position] for position in self._key)] = values if is_addition else None
        connection.executemany(self._delete, (key for key, values in present.items() if values is None))
        connection.executemany(self._insert, (values for values in present.values() if values is not None))

    def _initialize(self, connection: sqlite3.Connection) -> None:
        table = _databases.Table.found(connection, self.table)
        if table is not None and self.init_mode == "replace":
            connection.execute(f"DROP {'VIEW' if table.is_view else 'TABLE'} {quoted(table.name)}")
            table = None
        if table is not None:
            self._check(table)
        elif self.init_mode == "default":
            raise RuntimeError(
                f"{self.label}: {self.path} has no table {self.table!r}; create it, or let "
                "init_mode='create_if_not_exists' do so"
            )
        else:
            connection.execute(self._create())

    def _create(self) -> str:
        parts = []
        for name, dtype in self.columns.items():
            required = "" if dtype.is_optional else " NOT NULL"
            parts.append(f"{quoted(name)} {_databases.storage_class(name, dtype)}{required}")
        if self.primary_key is not None:
            parts.append(f"PRIMARY KEY ({', '.join(map(quoted, self.primary_key))})")
        else:
            parts.extend(f"{quoted(name)} {stored} NOT NULL" for name, stored in CHANGE_COLUMNS.items())
        return f"CREATE TABLE {quoted(self.table)} ({', '.join(parts)})"

    def _check(self, table: _databases.Table) -> None:
        """Whether the rows have a place in the table that is there."""
        what = f"{self.label}: the table {table.name!r} of {self.path}"
        if table.is_view:
            raise RuntimeError(f"{what} is a view; write to the table that it shows")
        written = [*self.columns] if self.primary_key is not None else [*self.columns, *CHANGE_COLUMNS]
        missing = [name for name in written if folded(name) not in table.columns]
        if missing:
            raise RuntimeError(
                f"{what} has no column {', '.join(map(repr, missing))}; add what is missing, or let "
                "init_mode='replace' make the table anew"
            )
        for name in written:
            column = table.columns[folded(name)]
            if column.is_generated:
                raise RuntimeError(f"{what} computes the column {column.name!r}, so it cannot be written")
            dtype = self.columns.get(name)
            if column.is_required and not table.is_rowid(column) and dtype is not None and dtype.is_optional:
                raise RuntimeError(f"{what} takes no NULL in the column {column.name!r}, of which the type is {dtype}")
        names = {folded(name) for name in written}
        for name, column in table.columns.items():
            is_filled = column.has_default or column.is_generated or table.is_rowid(column)
            if name not in names and column.is_required and not is_filled:
                raise RuntimeError(
                    f"{what} wants a value for the column {column.name!r}, which is not written; give it a default"
                )
        if self.primary_key is not None and {folded(name) for name in self.primary_key} not in table.unique:
            raise RuntimeError(
                f"{what} does not say that {', '.join(map(repr, self.primary_key))} is unique, as primary_key wants "
                "it: create a unique index"
            )

    def _explained(self, what: str) -> AbstractContextManager[None]:
        return _databases.explained(f"{self.label}: {what} {self.path}")

    @contextmanager
    def _transaction(self, what: str) -> Iterator[sqlite3.Connection]:
        assert self._connection is not None, "a run has begun"
        with self._explained(what), _databases.transaction(self._connection):
            yield self._connection
