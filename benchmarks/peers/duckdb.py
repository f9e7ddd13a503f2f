"""The batch jobs in SQL, for DuckDB on one thread."""

from pathlib import Path

import duckdb
from make_data import data_path


def copy(query: str, output_dir: Path) -> None:
    """Write the result of a query to ``output.csv``, the rows in any order."""
    connection = duckdb.connect(
        config={"threads": 1, "preserve_insertion_order": False},
    )
    connection.execute(f"COPY ({query}) TO '{output_dir / 'output.csv'}' (HEADER)")


def wordcount(data_dir: Path, output_dir: Path, rows: int) -> None:
    """Count the words of a jsonlines file."""
    words = data_path(data_dir, "words", rows)
    copy(
        f"""
        SELECT word, count(*) AS count
        FROM read_json('{words}', format = 'newline_delimited', columns = {{word: 'VARCHAR'}})
        GROUP BY word
        """,
        output_dir,
    )


def join(data_dir: Path, output_dir: Path, rows: int) -> None:
    """Join orders with users."""
    orders = data_path(data_dir, "orders", rows)
    users = data_path(data_dir, "users", rows // 5)
    copy(
        f"""
        SELECT order_id, amount, name, country
        FROM read_csv(
            '{orders}', columns = {{order_id: 'BIGINT', user_id: 'BIGINT', amount: 'DOUBLE'}}
        )
        JOIN read_csv(
            '{users}', columns = {{user_id: 'BIGINT', name: 'VARCHAR', country: 'VARCHAR'}}
        )
        USING (user_id)
        """,
        output_dir,
    )


def csv_expressions(data_dir: Path, output_dir: Path, rows: int) -> None:
    """Compute, choose and filter."""
    sales = data_path(data_dir, "sales", rows)
    copy(
        f"""
        SELECT *
        FROM (
            SELECT
                sale,
                price * quantity * 1.2::DOUBLE + 1 AS total,
                upper(name) AS name,
                CASE WHEN quantity >= 10 THEN 'large' ELSE 'small' END AS size
            FROM read_csv(
                '{sales}',
                columns = {{
                    sale: 'BIGINT', price: 'DOUBLE', quantity: 'BIGINT', name: 'VARCHAR'
                }}
            )
        )
        WHERE total > 200
        """,
        output_dir,
    )
