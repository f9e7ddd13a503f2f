"""`StreamGenerator`: streams out of batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pathway._debugging import static
from pathway._debugging.static import DIFF, SHARD, TIME
from pathway._debugging.tables import table_from_markdown, table_from_pandas
from pathway._ground import tracebacks
from pathway._running.settings import Replay
from pathway._schemas.schema import Schema
from pathway._tables.table import Table

if TYPE_CHECKING:
    import pandas as pd


_STREAM_COLUMNS = {"_time": TIME, "_diff": DIFF, "_worker": SHARD}


@tracebacks.shortened_class
class StreamGenerator:
    """Makes streams out of batches: each batch is a commit of its own.

    Example:

    >>> import pathway as pw
    >>> class Drop(pw.Schema):
    ...     litres: int
    >>> stream = pw.debug.StreamGenerator().table_from_list_of_batches(
    ...     [[{"litres": 1}, {"litres": 2}], [{"litres": 5}]], Drop
    ... )
    >>> total = stream.reduce(total=pw.reducers.sum(stream.litres))
    >>> pw.debug.compute_and_print_update_stream(total, include_id=False)
    total | __time__ | __diff__
    3     | 2        | 1
    3     | 4        | -1
    8     | 4        | 1
    """

    def persistence_config(self) -> Any:
        """What the original wants for ``pw.run`` and ``compute_and_print``; accepted there, needed for nothing.

        >>> import pathway as pw
        >>> generator = pw.debug.StreamGenerator()
        >>> table = generator.table_from_list_of_batches([[{"a": 1}]], pw.schema_from_types(a=int))
        >>> pw.debug.compute_and_print(table, include_id=False, persistence_config=generator.persistence_config())
        a
        1
        """
        return Replay()

    def table_from_list_of_batches(
        self, batches: Sequence[Sequence[Mapping[str, Any]]], schema: type[Schema]
    ) -> Table[Any]:
        """A table to which each batch of rows (dicts) adds at a time of its own: 2, 4, and so on.

        Args:
            batches: the batches.
            schema: the columns.
        """
        names = list(static.column_dtypes(schema))
        rows: list[tuple[Any, ...]] = []
        times: list[int] = []
        for number, batch in enumerate(batches, start=1):
            for row in batch:
                if set(row) != set(names):
                    raise ValueError(f"the row {row!r} does not have the columns of the schema: {', '.join(names)}")
                rows.append(tuple(row[name] for name in names))
                times.append(2 * number)
        return static.static_table(schema, rows, times=times, name="batches")

    def table_from_list_of_batches_by_workers(
        self, batches: Sequence[Mapping[int, Sequence[Mapping[str, Any]]]], schema: type[Schema]
    ) -> Table[Any]:
        """The same, where a batch says which worker reads which rows. Results never depend on it.

        Args:
            batches: for each batch the rows by the number of the worker.
            schema: the columns.

        >>> import pathway as pw
        >>> table = pw.debug.StreamGenerator().table_from_list_of_batches_by_workers(
        ...     [{0: [{"a": 1}], 1: [{"a": 2}]}, {0: [{"a": 3}]}], pw.schema_from_types(a=int)
        ... )
        >>> pw.debug.compute_and_print_update_stream(table, include_id=False)
        a | __time__ | __diff__
        1 | 2        | 1
        2 | 2        | 1
        3 | 4        | 1
        """
        return self.table_from_list_of_batches(
            [[row for rows in batch.values() for row in rows] for batch in batches], schema
        )

    def table_from_pandas(
        self,
        df: pd.DataFrame,
        id_from: Sequence[str] | None = None,
        unsafe_trusted_ids: bool = False,
        schema: type[Schema] | None = None,
    ) -> Table[Any]:
        """A stream from a DataFrame with the columns ``_time``, ``_diff`` and ``_worker``, each of them optional.

        Args:
            df: the data.
            id_from: columns that give the rows their keys.
            unsafe_trusted_ids: the index holds the keys themselves, as numbers.
            schema: the types; otherwise those of the values.

        >>> import pandas as pd
        >>> import pathway as pw
        >>> frame = pd.DataFrame({"a": [1, 2], "_time": [2, 4]})
        >>> table = pw.debug.StreamGenerator().table_from_pandas(frame)
        >>> pw.debug.compute_and_print_update_stream(table, include_id=False)
        a | __time__ | __diff__
        1 | 2        | 1
        2 | 4        | 1
        """
        renamed = df.rename(columns=_STREAM_COLUMNS)
        if TIME not in renamed.columns:
            renamed[TIME] = 2
        return table_from_pandas(renamed, id_from=id_from, unsafe_trusted_ids=unsafe_trusted_ids, schema=schema)

    def table_from_markdown(
        self,
        table: str,
        id_from: Sequence[str] | None = None,
        unsafe_trusted_ids: bool = False,
        schema: type[Schema] | None = None,
    ) -> Table[Any]:
        """A stream from text with the columns ``_time``, ``_diff`` and ``_worker``, each of them optional.

        Args:
            table: the text.
            id_from: columns that give the rows their keys.
            unsafe_trusted_ids: ids are the keys themselves, as numbers.
            schema: the types; otherwise found out as by `pw.debug.table_from_markdown`.

        >>> import pathway as pw
        >>> table = pw.debug.StreamGenerator().table_from_markdown('''
        ... a | _time
        ... 1 | 2
        ... 2 | 4
        ... ''')
        >>> pw.debug.compute_and_print_update_stream(table, include_id=False)
        a | __time__ | __diff__
        1 | 2        | 1
        2 | 4        | 1
        """
        header, newline, rows = table.strip("\n").partition("\n")
        words = [_STREAM_COLUMNS.get(word, word) for word in header.replace("|", " | ").split()]
        if header.lstrip().startswith("|") or header.startswith(" "):
            words = [" ", *words]
        return table_from_markdown(
            " ".join(words) + newline + rows, id_from=id_from, unsafe_trusted_ids=unsafe_trusted_ids, schema=schema
        )
