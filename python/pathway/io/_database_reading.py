"""Reads a table of an SQLite database, and what becomes of it.

SQLite tells nobody what has changed, only that something has. Then the whole table is read and compared with what it
was.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from dataclasses import dataclass
from typing import Any

from pathway import _native
from pathway.io import _databases, _drive, _subject
from pathway.io._databases import folded, quoted

# The raw values of a row, and whether it was accepted.
Row = tuple[tuple[Any, ...], bool]


@dataclass
class Reading:
    """One table that is read."""

    label: str
    path: str
    table: str
    # By name.
    columns: dict[str, _native.DType]
    primary_key: list[str]
    # Whether it ends when the table has been read once.
    is_static: bool
    # How often is asked whether something has changed.
    period_seconds: float

    def check(self) -> None:
        """Whether there is such a table; ValueError if not."""
        if not os.path.exists(self.path):
            raise ValueError(f"{self.label}: there is no database {self.path!r}")
        _databases.check_not_folder(self.path)
        try:
            connection = self.connect()
            try:
                self.find(connection)
            finally:
                connection.close()
        except OSError as error:
            raise ValueError(str(error)) from error

    def connect(self) -> sqlite3.Connection:
        with _databases.explained(f"{self.label}: cannot open {self.path}"):
            connection = _databases.connect(self.path, "rw")
            connection.execute("PRAGMA query_only = 1")
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1")
        return connection

    def find(self, connection: sqlite3.Connection) -> _databases.Table:
        """The table; ValueError if it is not as the schema wants it."""
        with _databases.explained(f"{self.label}: cannot read {self.path}"):
            table = _databases.Table.found(connection, self.table)
        if table is None:
            raise ValueError(f"{self.label}: {self.path} has no table {self.table!r}")
        what = f"{self.label}: the table {table.name!r} of {self.path}"
        missing = [name for name in self.columns if folded(name) not in table.columns]
        if missing:
            raise ValueError(f"{what} has no column {', '.join(map(repr, missing))}")
        key = {folded(name) for name in self.primary_key}
        if not key and (table.is_view or not table.has_rowid):
            raise ValueError(
                f"{what} has no numbers of rows, being a {'view' if table.is_view else 'table WITHOUT ROWID'}; name "
                "what tells its rows apart with primary_key=True in the schema"
            )
        if key and not table.is_view and not any(unique <= key for unique in table.unique):
            raise ValueError(
                f"{what} does not say that {', '.join(map(repr, self.primary_key))} is unique, as the primary key of "
                "the schema has to be"
            )
        return table

    def query(self, table: _databases.Table) -> str:
        columns = [f"t.{quoted(name)}" for name in self.columns]
        if not self.primary_key:
            columns.append(f"t.{table.rowid}")
        return f"SELECT {', '.join(columns)} FROM {quoted(table.name)} AS t"


class Reader(_subject.ConnectorSubject):
    """Sends the rows of a table, and then the changes."""

    deletions_enabled = True

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading.label)
        self._reading = reading
        self._names = list(reading.columns)
        self._decoders = [_databases.decoder(dtype) for dtype in reading.columns.values()]
        self._key = [self._names.index(name) for name in reading.primary_key]
        self._stopped = threading.Event()
        self._connection: sqlite3.Connection | None = None
        # The rows by what tells them apart, as they were when they were read last.
        self._rows: dict[Any, Row] = {}
        # Keys of which it was said that several rows have them.
        self._repeated: set[Any] = set()
        self._current: Any = None

    def run(self) -> None:
        _drive.sending_from(self._place)
        self._rows, self._repeated = {}, set()
        self._stopped = threading.Event()
        if _subject.is_told_to_stop(self):
            # The event of before has heard of it.
            self._stopped.set()
        try:
            self._follow()
        except (OSError, ValueError):
            # What was interrupted has not failed.
            if not self._stopped.is_set():
                raise
        finally:
            if self._connection is not None:
                self._connection.close()

    def _follow(self) -> None:
        self._connection, file = self._reading.connect(), self._file()
        version = None
        while not self._stopped.is_set():
            if file != (file := self._file()):
                # Another file has come in the place of the one that is open.
                self._connection.close()
                self._connection, version = self._reading.connect(), None
            if version != (version := self._version()):
                self._read_all(self._reading.find(self._connection))
            if self._reading.is_static:
                break
            self._stopped.wait(self._reading.period_seconds)

    def on_stop(self) -> None:
        self._stopped.set()
        if self._connection is not None:
            # It may have been closed meanwhile.
            with contextlib.suppress(sqlite3.ProgrammingError):
                self._connection.interrupt()

    def _file(self) -> tuple[int, int]:
        """Which file it is."""
        try:
            status = os.stat(self._reading.path)
        except OSError as error:
            raise OSError(f"{self._reading.label}: {self._reading.path} is not there any more: {error}") from error
        return status.st_dev, status.st_ino

    def _version(self) -> int:
        """A number that is another one when something has changed."""
        assert self._connection is not None
        with _databases.explained(f"{self._reading.label}: cannot read {self._reading.path}"):
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(version)

    def _read_all(self, table: _databases.Table) -> None:
        """Sends what is another than it was, as one commit."""
        assert self._connection is not None
        before, self._rows = self._rows, {}
        what = f"{self._reading.label}: cannot read the table {self._reading.table!r} of {self._reading.path}"
        with _databases.explained(what):
            # All at once, so that others can write meanwhile.
            rows = self._connection.execute(self._reading.query(table)).fetchall()
        # Half of a change is not to be seen.
        self._disable_commits()
        for values in rows:
            self._read(values, before)
        for key, (values, is_there) in before.items():
            if is_there:
                self._current = key
                self._send(values, -1)
        _native.commit_whole(self)

    def _read(self, values: tuple[Any, ...], before: dict[Any, Row]) -> None:
        key: Any = values[-1]
        if self._key:
            key = tuple((type(values[position]), values[position]) for position in self._key)
        self._current = key
        if key in self._rows:
            if key not in self._repeated:
                self._send(values, 1, why="another row has the same key")
            self._repeated.add(key)
            return
        old = before.pop(key, None)
        if old is not None and _is_same(old[0], values):
            self._rows[key] = old
            return
        if old is not None and old[1]:
            self._send(old[0], -1)
        self._rows[key] = values, self._send(values, 1)

    def _send(self, values: tuple[Any, ...], diff: int, why: str | None = None) -> bool:
        """Adds or removes a row; whether it was accepted. If there is a reason why not, it is not."""
        row: dict[str, Any] = {}
        misfits: list[str] = []
        for name, decode, value in zip(self._names, self._decoders, values, strict=False):
            try:
                row[name] = decode(value)
            except ValueError as error:
                row[name] = _native.Misfit(str(error))
                misfits.append(name)
        if why is not None:
            row[self._reading.primary_key[0]] = _native.Misfit(why)
        key = None if self._key else _native.pointer_from((values[-1],))
        _subject.push(self, key, row, diff)
        if not misfits:
            return True
        return _native.keeps_bad_rows(self) and not any(name in self._reading.primary_key for name in misfits)

    def _place(self) -> str:
        """Which row is sent, for messages."""
        key = self._current
        if self._key:
            named = zip(self._reading.primary_key, key, strict=True)
            row = ", ".join(f"{name} = {value!r}" for name, (_, value) in named)
        else:
            row = f"rowid = {key}"
        return f"the row with {row} in the table {self._reading.table!r} of {self._reading.path}"


def _is_same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether two rows have the same values: 1 and 1.0 are two."""
    return one == other and all(type(a) is type(b) for a, b in zip(one, other, strict=True))
