"""The rows that a table has at one time, in the forms that other libraries take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from pathway._debugging import html, printing
from pathway._ground import garbage, hints, tracebacks
from pathway._ground.words import counted
from pathway._native import DType, Pointer
from pathway._tables.table import Table
from pathway._values import dtypes

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa  # type: ignore[import-untyped,import-not-found,unused-ignore]

_SHOWN_ROWS = 20


class HasRows:
    """Answers for the names that what has rows has not."""

    _kind = ""

    def _names(self) -> list[str]:
        raise NotImplementedError

    if not TYPE_CHECKING:
        # Type checkers know the names that are there.
        def __getitem__(self, name: object) -> NoReturn:
            raise TypeError(f"{self._kind} is no frame; to_pandas() and to_polars() make one: to_pandas()[{name!r}]")

        def __getattr__(self, name: str) -> NoReturn:
            missing = f"{type(self).__name__!r} object has no attribute {name!r}"
            if name.startswith("_"):
                raise AttributeError(missing)
            not_there_yet = hints.missing(f"{type(self).__name__}.{name}")
            if not_there_yet is not None:
                raise AttributeError(not_there_yet, name=name)
            if hasattr(Table, name) or name in self._names():
                raise AttributeError(
                    f"{self._kind} has rows, and no {name} to compute with: use that of the table it was made of"
                )
            if hints.instead("table", name) is not None:
                raise AttributeError(f"{missing}. It has rows for others: to_pandas(), to_polars(), to_arrow()")
            close = hints.nearest(name, hints.public(self))
            raise AttributeError(f"{missing}. Did you mean {close!r}?" if close else missing, name=name)


@tracebacks.shortened_class
class Snapshot(HasRows):
    """The rows that a table has at one time. Nothing changes it.

    To go through it gives the rows as dicts, in no particular order. Whatever takes Arrow data takes a snapshot:
    ``polars.DataFrame(snapshot)``, ``pyarrow.table(snapshot)``, ``duckdb.sql("from snapshot")``; pyarrow has to be
    installed. `pw.debug.table_to_arrow` says what the columns become.

    >>> import pathway as pw
    >>> snapshot = pw.debug.compute(pw.debug.table_from_markdown('''
    ... bird  | grams
    ... wren  | 9
    ... raven | 1200
    ... '''))
    >>> len(snapshot)
    2
    >>> sorted(row["grams"] for row in snapshot)
    [9, 1200]
    >>> snapshot
    bird  | grams
    raven | 1200
    wren  | 9
    """

    _kind = "a snapshot"

    def __init__(
        self, rows: Mapping[Pointer, tuple[Any, ...]], types: Mapping[str, DType], frontier: int | None = None
    ) -> None:
        self._rows = rows
        self._dtypes = dict(types)
        self._frontier = frontier
        self._arrow: pa.Table | None = None

    @property
    def column_names(self) -> list[str]:
        """The names of the columns, in their order.

        >>> import pathway as pw
        >>> snapshot = pw.debug.compute(pw.debug.table_from_markdown('''
        ... a
        ... 7
        ... '''))
        >>> snapshot.column_names
        ['a']
        """
        return list(self._dtypes)

    @property
    def keys(self) -> list[Pointer]:
        """The keys of the rows, in their order.

        >>> import pathway as pw
        >>> snapshot = pw.debug.compute(pw.debug.table_from_markdown('''
        ... a
        ... 7
        ... '''))
        >>> len(snapshot.keys)
        1
        """
        return list(self._rows)

    @property
    def data(self) -> list[tuple[Pointer, list[Any]]]:
        """Each row as its key and its values.

        >>> import pathway as pw
        >>> snapshot = pw.debug.compute(pw.debug.table_from_markdown('''
        ... a
        ... 7
        ... '''))
        >>> [values for key, values in snapshot.data]
        [[7]]
        """
        return [(key, list(row)) for key, row in self._rows.items()]

    @property
    def frontier(self) -> int | None:
        """The time of the last change that is in it; None if no run goes on that could change anything.

        >>> import pathway as pw
        >>> snapshot = pw.debug.compute(pw.debug.table_from_markdown('''
        ... a
        ... 7
        ... '''))
        >>> snapshot.frontier is None
        True
        """
        return self._frontier

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        names = self.column_names
        return (dict(zip(names, row, strict=True)) for row in self._rows.values())

    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows, a dict each.

        >>> import pathway as pw
        >>> pw.debug.compute(pw.debug.table_from_markdown('''
        ... a
        ... 7
        ... ''')).to_dicts()
        [{'a': 7}]
        """
        return list(self)

    def to_pandas(self, include_id: bool = True) -> pd.DataFrame:
        """The rows as a pandas DataFrame. A column with an Error in it holds objects, as they are.

        Args:
            include_id: whether the keys are the index; otherwise rows are numbered.

        >>> import pathway as pw
        >>> snapshot = pw.debug.compute(pw.debug.table_from_markdown('''
        ... a
        ... 7
        ... '''))
        >>> snapshot.to_pandas(include_id=False)
           a
        0  7
        """
        # It imports pandas.
        from pathway._debugging import frames

        with garbage.not_looked_for():
            return frames.frame(self.keys if include_id else None, self._columns(), self._dtypes)

    def to_arrow(self, include_id: bool = False) -> pa.Table:
        """The rows as a ``pyarrow.Table``; `pw.debug.table_to_arrow` says what the columns become.

        Args:
            include_id: whether the keys come first, as texts in a column ``id``.

        Raises:
            ValueError: a cell has no value in Arrow; the message names the column and the row.
            ImportError: pyarrow is not installed.

        >>> import pathway as pw
        >>> snapshot = pw.debug.compute(pw.debug.table_from_markdown('''
        ... a
        ... 7
        ... '''))
        >>> snapshot.to_arrow().schema
        a: int64
        """
        require("pyarrow")
        # It imports pyarrow.
        from pathway._debugging import arrow

        arrow.check(self._dtypes)
        if self._arrow is None or include_id:
            with garbage.not_looked_for():
                found = arrow.table(self._columns(), self._dtypes, self.keys, with_keys=include_id)
            if include_id:
                return found
            self._arrow = found
        return self._arrow

    def to_polars(self, include_id: bool = False) -> pl.DataFrame:
        """The rows as a polars DataFrame; `pw.debug.table_to_arrow` says what the columns become.

        Args:
            include_id: whether the keys come first, as texts in a column ``id``.

        Raises:
            ValueError: a cell has no value in Arrow; the message names the column and the row.
            ImportError: polars or pyarrow is not installed.

        >>> import pathway as pw
        >>> snapshot = pw.debug.compute(pw.debug.table_from_markdown('''
        ... a
        ... 7
        ... '''))
        >>> snapshot.to_polars()["a"].to_list()
        [7]
        """
        require("polars")
        # Nothing imports polars before it is needed.
        import polars as pl

        return pl.DataFrame(self.to_arrow(include_id))

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows for whoever takes Arrow data, in Arrow's own protocol."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        return "\n".join(printing.preview(self.column_names, self._in_order(), _SHOWN_ROWS))

    def _repr_html_(self) -> str:
        return self._html()

    def _html(self, state: str = "") -> str:
        """The first rows for a notebook, and in what state they are."""
        rows = [row for _, row in self._in_order()]
        words = [counted(len(rows), "row")]
        if len(rows) > _SHOWN_ROWS:
            words.append(f"of which {_SHOWN_ROWS} are shown")
        types = [(name, dtypes.describe(dtype)) for name, dtype in self._dtypes.items()]
        notes = html.note(html.text(", ".join([*words, *([state] if state else [])])))
        return html.table(types, rows[:_SHOWN_ROWS], notes=notes)

    def _names(self) -> list[str]:
        return self.column_names

    def _in_order(self) -> list[tuple[Pointer, tuple[Any, ...]]]:
        """The rows with their keys, in the order of their values."""
        return printing.in_order(
            list(self._rows.items()), lambda item: (printing.sort_key(item[1]), item[0]), lambda item: item[0]
        )

    def _columns(self) -> dict[str, list[Any]]:
        return {name: [row[position] for row in self._rows.values()] for position, name in enumerate(self.column_names)}


def require(package: str) -> None:
    """ImportError, with what to do, if a package is not installed."""
    # Only who converts needs it.
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise ImportError(f"this needs {package}, which is not installed: pip install {package}", name=package)
