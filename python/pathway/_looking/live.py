"""`Table.live`: the rows of a table that is computed in the background, whenever somebody asks for them."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pathway._debugging.snapshots import HasRows, Snapshot
from pathway._ground import tracebacks
from pathway._ground.shown import of_error
from pathway._ground.words import counted
from pathway._looking import computations
from pathway._looking.computations import Computation
from pathway._tables.table import Table

LEFT_SECONDS = 1.0
"""So long a run goes on when nobody has its live table any more: the cell may be run again that has asked for it."""

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa  # type: ignore[import-untyped,import-not-found,unused-ignore]


@tracebacks.shortened_class
class LiveTable(HasRows):
    """The rows of a table while it is computed in the background, as ``Table.live`` has started it.

    Each question is answered with the rows after the last commit that is complete; `snapshot` gives all of them as they
    are at one time. Whatever takes Arrow data takes a live table, as it takes a `pw.debug.Snapshot`. Any thread may use
    it. As a context manager it ends with the block; it ends as well a second after nobody has it any more.

    With several processes, the first has the rows.

    >>> import threading
    >>> import pathway as pw
    >>> class Boats(pw.io.python.ConnectorSubject):
    ...     stopped = threading.Event()
    ...     def run(self):
    ...         for lock in ["Marple", "Bosley", "Marple"]:
    ...             self.next(lock=lock)
    ...         self.stopped.wait()
    ...     def on_stop(self):
    ...         self.stopped.set()
    >>> boats = pw.io.python.read(Boats(), schema=pw.schema_from_types(lock=str), autocommit_duration_ms=10)
    >>> traffic = boats.groupby(boats.lock).reduce(boats.lock, n=pw.reducers.count())
    >>> with traffic.live() as live:
    ...     print(live.wait_for(lambda rows: sum(row["n"] for row in rows) == 3))
    ...     print(len(live), live.is_running, live.failed())
    lock   | n
    Bosley | 1
    Marple | 2
    2 True False
    >>> live.is_running
    False
    >>> live.to_pandas(include_id=False)["n"].tolist() in ([1, 2], [2, 1])
    True
    """

    _kind = "a live table"

    def __init__(self, computation: Computation) -> None:
        if not isinstance(computation, Computation):
            raise TypeError("a live table is made by the method live() of a table")
        self._computation = computation
        self._content = computation.content
        self._handle = computation.handle
        weakref.finalize(self, computation.leave, computation.viewed(), LEFT_SECONDS).atexit = False

    # The rows.

    def snapshot(self) -> Snapshot:
        """All rows as they are now. What becomes of the table later does not change them.

        >>> import pathway as pw
        >>> with pw.Table.empty(a=int).live() as live:
        ...     len(live.snapshot())
        0
        """
        return self._content.snapshot()

    def wait_for(self, condition: Callable[[Snapshot], object], timeout: float | None = None) -> Snapshot:
        """Waits until something is true of the rows.

        Args:
            condition: called with a snapshot at first, and whenever the rows have changed.
            timeout: for how many seconds at most; None is for as long as the run goes on.

        Returns:
            The snapshot of which it is true.

        Raises:
            TimeoutError: it was not true in time.
            RuntimeError: the run has ended, and it is not true.
            Exception: what has ended the run.
        """
        if not callable(condition):
            raise TypeError(
                f"wait_for() takes a function of the rows, such as lambda rows: len(rows) > 3, found {condition!r}"
            )
        until = None if timeout is None else time.monotonic() + timeout
        with self._handle._awaited():
            while True:
                has_ended = not self._handle.is_running
                snapshot = self.snapshot()
                if has_ended and self._handle.error is not None:
                    # Not all of its rows have come.
                    self._handle.wait(0)
                if condition(snapshot):
                    return snapshot
                if has_ended:
                    self._handle.wait(0)
                    raise RuntimeError(
                        f"the run has ended, and what was waited for is not true of its {len(self)} rows"
                    )
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError(f"what was waited for is not true after {timeout} s; there are {len(self)} rows")
                self._wait_for_change(snapshot, left)

    def _wait_for_change(self, snapshot: Snapshot, seconds: float | None) -> None:
        # That a run has failed, no change tells.
        step = 0.1 if seconds is None else min(seconds, 0.1)
        with self._content.changed:
            if self._content.snapshot() is snapshot:
                self._content.changed.wait(step)

    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows, a dict each.

        >>> import pathway as pw
        >>> with pw.Table.empty(a=int).live() as live:
        ...     live.to_dicts()
        []
        """
        return self.snapshot().to_dicts()

    def to_pandas(self, include_id: bool = True) -> pd.DataFrame:
        """The rows as a pandas DataFrame.

        Args:
            include_id: whether the keys are the index; otherwise rows are numbered.
        """
        return self.snapshot().to_pandas(include_id)

    def to_polars(self, include_id: bool = False) -> pl.DataFrame:
        """The rows as a polars DataFrame; `pw.debug.table_to_arrow` says what the columns become.

        Args:
            include_id: whether the keys come first, as texts in a column ``id``.

        >>> import pathway as pw
        >>> with pw.Table.empty(a=int).live() as live:
        ...     live.to_polars().height
        0
        """
        return self.snapshot().to_polars(include_id)

    def to_arrow(self, include_id: bool = False) -> pa.Table:
        """The rows as a ``pyarrow.Table``; `pw.debug.table_to_arrow` says what the columns become.

        Args:
            include_id: whether the keys come first, as texts in a column ``id``.

        >>> import pathway as pw
        >>> with pw.Table.empty(a=int).live() as live:
        ...     live.to_arrow().num_rows
        0
        """
        return self.snapshot().to_arrow(include_id)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.snapshot().__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        return len(self.snapshot())

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.snapshot())

    # The run.

    @property
    def is_running(self) -> bool:
        """Whether rows may still change.

        >>> import pathway as pw
        >>> with pw.Table.empty(a=int).live() as live:
        ...     len(live)
        0
        >>> live.is_running
        False
        """
        return self._handle.is_running

    def frontier(self) -> int | None:
        """The time of the last change; 0 before the first, and None when there can be no more.

        >>> import pathway as pw
        >>> with pw.Table.empty(a=int).live() as live:
        ...     live.wait()
        True
        >>> live.frontier() is None
        True
        """
        return None if not self.is_running else self.snapshot().frontier

    def failed(self) -> bool:
        """Whether the run has ended with an error."""
        return self._handle.error is not None

    @property
    def error(self) -> BaseException | None:
        """What the run has ended with, if it has failed.

        >>> import pathway as pw
        >>> with pw.Table.empty(a=int).live() as live:
        ...     live.wait()
        True
        >>> live.error is None
        True
        """
        return self._handle.error

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the run has ended; see `pw.RunHandle.wait`.

        Args:
            timeout: for how many seconds at most; None is for as long as it takes.

        Returns:
            Whether it has ended.
        """
        return self._handle.wait(timeout)

    def stop(self, timeout: float | None = None) -> bool:
        """Ends the run well, and waits for that; see `pw.RunHandle.stop`. The rows stay as they are then.

        Args:
            timeout: for how many seconds to wait at most; the run goes on ending after that.

        Returns:
            Whether it has ended.

        >>> import pathway as pw
        >>> pw.Table.empty(a=int).live().stop()
        True
        """
        return self._handle.stop(timeout)

    def __enter__(self) -> LiveTable:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.__exit__(kind, error, trace)

    def _names(self) -> list[str]:
        return list(self._content.dtypes)

    # How it looks.

    def _state(self) -> str:
        if self._handle.error is not None:
            return f"the run has failed: {of_error(self._handle.error)}"
        return "kept up to date" if self.is_running else "the run has ended"

    def __repr__(self) -> str:
        return f"{self.snapshot()!r}\n[{counted(len(self), 'row')}, {self._state()}]"

    def _repr_html_(self) -> str:
        return self.snapshot()._html(f"{self._state()}, as it was when the cell was run")


def live(table: Table[Any]) -> LiveTable:
    """The live table of a table, which is started unless it goes on already."""
    return computations.of(table).view(LiveTable)
