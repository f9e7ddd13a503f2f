"""Rows from polars and DuckDB in, results for DuckDB and polars out, without a loop over rows.

`next_arrow` takes whatever speaks the Arrow C interface: a polars frame, a pandas frame, a pyarrow table, a DuckDB
query. The columns are taken as they are, without a Python object for each value. The results come out as a pandas
frame, which DuckDB queries in place and polars takes.

    python examples/08_duckdb_polars_arrow/main.py [rows]

The libraries are polars, duckdb and pyarrow (`pip install polars duckdb pyarrow`).
"""

import sys

import duckdb
import pathway as pw
import polars


class Trips(pw.io.python.ConnectorSubject):
    """A query of DuckDB, in batches of Arrow: it is never in memory as a whole."""

    def __init__(self, rows: int) -> None:
        super().__init__("trips")
        self.rows = rows

    def run(self) -> None:
        query = f"SELECT range AS trip, range % 3 AS boat, 5 + range % 50 AS minutes FROM range({self.rows})"
        with duckdb.connect() as database:
            self.next_arrow(database.sql(query))


class Trip(pw.Schema):
    trip: int
    boat: int
    minutes: int


class Boats(pw.io.python.ConnectorSubject):
    """A polars frame."""

    def run(self) -> None:
        self.next_arrow(polars.DataFrame({"boat": [0, 1, 2], "name": ["Freja", "Maud", "Linnea"]}))


class Boat(pw.Schema):
    boat: int = pw.column_definition(primary_key=True)
    name: str


def main(rows: str = "100000") -> None:
    trips = pw.io.python.read(Trips(int(rows)), schema=Trip)
    boats = pw.io.python.read(Boats("boats"), schema=Boat)
    hours = (
        trips.join(boats, pw.left.boat == pw.right.boat)
        .groupby(pw.right.name)
        .reduce(pw.right.name, trips=pw.reducers.count(), hours=pw.reducers.sum(pw.left.minutes) / 60)
    )
    frame = pw.debug.table_to_pandas(hours, include_id=False)
    # DuckDB finds the frame by the name of the variable.
    print(duckdb.sql("SELECT name, trips, round(hours, 1) AS hours FROM frame ORDER BY name"))
    print(polars.from_pandas(frame).sort("hours", descending=True).head(1))


if __name__ == "__main__":
    main(*sys.argv[1:])
