"""Orders are joined with their users, csv to csv."""

from pathlib import Path

import pathway as pw
from make_data import data_path


class Order(pw.Schema):
    """An order of a user."""

    order_id: int
    user_id: int
    amount: float


class User(pw.Schema):
    """A user with a name."""

    user_id: int
    name: str
    country: str


def main(data_dir: Path, output_dir: Path, rows: int) -> None:
    """Run the pipeline."""
    orders_path = data_path(data_dir, "orders", rows)
    users_path = data_path(data_dir, "users", rows // 5)
    orders = pw.io.csv.read(orders_path, schema=Order, mode="static")
    users = pw.io.csv.read(users_path, schema=User, mode="static")
    joined = orders.join(users, orders.user_id == users.user_id).select(
        orders.order_id, orders.amount, users.name, users.country
    )
    pw.io.csv.write(joined, output_dir / "output.csv")
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
