"""What an ``output.csv`` amounts to: its updates applied, without times and without order.

A run may split its updates over times as it likes and write them in any order; two runs agree
when the rows that remain are the same. The rows are not kept: each adds its hash times its diff
to a sum, so a file of any size takes no memory, and an insertion and its deletion cancel out.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

CHECKSUM_BITS = 64
SIGNIFICANT_DIGITS = 9


@dataclass(frozen=True)
class FinalState:
    """The rows that remain, in a form that can be compared within one process."""

    columns: tuple[str, ...]
    rows: int
    checksum: int


def rounded(cell: str) -> str:
    """Return the cell with a number cut to the digits on which different tools agree."""
    try:
        return f"{float(cell):.{SIGNIFICANT_DIGITS}g}"
    except ValueError:
        return cell


def final_state(path: Path, *, round_numbers: bool = False) -> FinalState:
    """Read the file of a run, or of a peer, which has neither times nor diffs."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        header = tuple(next(reader, ()))
        has_diffs = header[-2:] == ("time", "diff")
        columns = header[:-2] if has_diffs else header
        rows = checksum = 0
        for cells in reader:
            diff = int(cells[-1]) if has_diffs else 1
            values = cells[: len(columns)]
            if round_numbers:
                values = [rounded(cell) for cell in values]
            rows += diff
            checksum += diff * hash(tuple(values))
    return FinalState(columns, rows, checksum % 2**CHECKSUM_BITS)
