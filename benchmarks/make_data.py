"""Deterministic data for the benchmarks, generated into ``.data`` once and kept there.

A data set is a function that yields the lines of one file, with an entry in ``DATA_SETS``. The
same name and number of rows always give the same bytes.
"""

import argparse
import random
import string
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from workloads import WORKLOADS

DATA_DIR = Path(__file__).parent / ".data"
LINES_PER_WRITE = 100_000

GENERA = ("felis", "lynx", "panthera", "puma", "prionailurus", "leopardus", "caracal", "neofelis")
EPITHETS = ("catus", "silvestris", "manul", "rufus", "onca", "tigris", "pardus", "serval", "uncia")
COUNTRIES = ("PT", "FR", "PL", "NO", "JP", "BR", "KE", "NZ")


def species(rows: int) -> Iterator[str]:
    """Objects as a connector would receive them: an integer and two short strings."""
    choose = random.Random(1)
    for key in range(rows):
        genus, epithet = choose.choice(GENERA), choose.choice(EPITHETS)
        yield f'{{"key": {key}, "genus": "{genus}", "epithet": "{epithet}"}}'


def words(rows: int) -> Iterator[str]:
    """One word an object, ten thousand different words."""
    choose = random.Random(2)
    letters = string.ascii_lowercase
    vocabulary = sorted({"".join(choose.choices(letters, k=7)) for _ in range(10_000)})
    for _ in range(rows):
        yield f'{{"word": "{choose.choice(vocabulary)}"}}'


def orders(rows: int) -> Iterator[str]:
    """Orders, each of one of the users of ``users(rows // 5)``."""
    choose = random.Random(3)
    users_count = max(rows // 5, 1)
    yield "order_id,user_id,amount"
    for order in range(rows):
        user = int(choose.random() * users_count)
        yield f"{order},{user},{choose.random() * 500:.2f}"


def users(rows: int) -> Iterator[str]:
    """Users with a unique name and a country."""
    choose = random.Random(4)
    yield "user_id,name,country"
    for user in range(rows):
        yield f"{user},user {user:06},{choose.choice(COUNTRIES)}"


def sales(rows: int) -> Iterator[str]:
    """Rows of an integer, a float, an integer and a string."""
    choose = random.Random(5)
    yield "sale,price,quantity,name"
    for row in range(rows):
        price, quantity = choose.random() * 100, int(choose.random() * 20)
        yield f"{row},{price:.2f},{quantity},{choose.choice(EPITHETS)} {row % 1000}"


DATA_SETS: dict[str, tuple[str, Callable[[int], Iterator[str]]]] = {
    "species": ("jsonl", species),
    "words": ("jsonl", words),
    "orders": ("csv", orders),
    "users": ("csv", users),
    "sales": ("csv", sales),
}


def data_path(data_dir: Path, name: str, rows: int) -> Path:
    """Return where the data set of this size is kept."""
    extension, _ = DATA_SETS[name]
    return data_dir / f"{name}-{rows}.{extension}"


def ensure(data_dir: Path, name: str, rows: int) -> Path:
    """Write the data set unless it is there already, and return its path."""
    path = data_path(data_dir, name, rows)
    if path.exists():
        return path
    data_dir.mkdir(parents=True, exist_ok=True)
    _, generate = DATA_SETS[name]
    unfinished = path.with_suffix(".unfinished")
    lines = generate(rows)
    with unfinished.open("w", encoding="utf-8", newline="\n") as file:
        while chunk := list(islice(lines, LINES_PER_WRITE)):
            file.write("\n".join(chunk) + "\n")
    unfinished.rename(path)
    return path


def scaled(rows: int, scale: float) -> int:
    """Return the rows of a workload at this scale: round numbers, never less than a thousand."""
    return max(1000, round(rows * scale / 1000) * 1000)


def main() -> None:
    """Generate every data set at one scale."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--data", type=Path, default=DATA_DIR)
    arguments = parser.parse_args()
    for workload in WORKLOADS:
        rows = scaled(workload.rows, arguments.scale)
        for name, share in workload.data.items():
            print(ensure(arguments.data, name, int(rows * share)))


if __name__ == "__main__":
    main()
