"""Rows of a csv file pass through built-in expressions and a filter, and go to a csv file."""

from pathlib import Path

import pathway as pw
from make_data import data_path


class Sale(pw.Schema):
    """A sale of some pieces of a thing."""

    sale: int
    price: float
    quantity: int
    name: str


def main(data_dir: Path, output_dir: Path, rows: int) -> None:
    """Run the pipeline."""
    sales = pw.io.csv.read(data_path(data_dir, "sales", rows), schema=Sale, mode="static")
    priced = sales.select(
        sales.sale,
        total=sales.price * sales.quantity * 1.2 + 1,
        name=sales.name.str.upper(),
        size=pw.if_else(sales.quantity >= 10, "large", "small"),
    )
    pw.io.csv.write(priced.filter(priced.total > 200.0), output_dir / "output.csv")
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
