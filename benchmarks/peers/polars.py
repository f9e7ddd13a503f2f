"""The batch jobs for polars' streaming engine.

The runner sets POLARS_MAX_THREADS to 1, which polars reads when it is imported.
"""

from pathlib import Path

import polars as pl
from make_data import data_path


def sink(frame: pl.LazyFrame, output_dir: Path) -> None:
    """Write the result to ``output.csv``, the rows in any order."""
    frame.sink_csv(output_dir / "output.csv", maintain_order=False)


def wordcount(data_dir: Path, output_dir: Path, rows: int) -> None:
    """Count the words of a jsonlines file."""
    words = pl.scan_ndjson(data_path(data_dir, "words", rows), schema={"word": pl.String})
    sink(words.group_by("word").agg(pl.len().alias("count")), output_dir)


def join(data_dir: Path, output_dir: Path, rows: int) -> None:
    """Join orders with users."""
    orders = pl.scan_csv(
        data_path(data_dir, "orders", rows),
        schema={"order_id": pl.Int64, "user_id": pl.Int64, "amount": pl.Float64},
    )
    users = pl.scan_csv(
        data_path(data_dir, "users", rows // 5),
        schema={"user_id": pl.Int64, "name": pl.String, "country": pl.String},
    )
    joined = orders.join(users, on="user_id")
    sink(joined.select("order_id", "amount", "name", "country"), output_dir)


def csv_expressions(data_dir: Path, output_dir: Path, rows: int) -> None:
    """Compute, choose and filter."""
    sales = pl.scan_csv(
        data_path(data_dir, "sales", rows),
        schema={
            "sale": pl.Int64,
            "price": pl.Float64,
            "quantity": pl.Int64,
            "name": pl.String,
        },
    )
    size = pl.when(pl.col("quantity") >= 10).then(pl.lit("large")).otherwise(pl.lit("small"))
    priced = sales.select(
        "sale",
        total=pl.col("price") * pl.col("quantity") * 1.2 + 1,
        name=pl.col("name").str.to_uppercase(),
        size=size,
    )
    sink(priced.filter(pl.col("total") > 200), output_dir)
