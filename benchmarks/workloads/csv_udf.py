"""Each row of a csv file passes through a Python function."""

from pathlib import Path

import pathway as pw
from make_data import data_path


class Sale(pw.Schema):
    """A sale of some pieces of a thing."""

    sale: int
    price: float
    quantity: int
    name: str


@pw.udf
def label(price: float, quantity: int, name: str) -> str:
    """Say in one word how big a sale is."""
    size = "bulk" if quantity >= 10 else "retail"
    return f"{size} {name} {price * quantity:.1f}"


def main(data_dir: Path, output_dir: Path, rows: int) -> None:
    """Run the pipeline."""
    sales = pw.io.csv.read(data_path(data_dir, "sales", rows), schema=Sale, mode="static")
    labelled = sales.select(sales.sale, label=label(sales.price, sales.quantity, sales.name))
    pw.io.csv.write(labelled, output_dir / "output.csv")
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
