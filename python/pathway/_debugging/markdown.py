"""Tables written as text in a program: `a | b` and rows below.

A cell is text; what it means is found out a column at a time (or told by a schema): whole numbers, numbers, truth
values, else text. Nothing, `None`, `NaN`, `NA` and `NULL` mean None.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pathway._native import DType, Pointer

_MISSING = frozenset({"", "None", "nan", "NaN", "NA", "NULL"})
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE | re.ASCII)
_RULE = re.compile(r":?-{3,}:?|:-+:?|-+:")
_WORDS = {"true": True, "false": False}


class Cells(NamedTuple):
    """A table as text."""

    names: list[str]
    rows: list[list[str]]
    ids: list[str] | None
    """The cells of the id column, if there is one."""


def split(text: str, *, split_on_whitespace: bool) -> Cells:
    """The cells of a table. A first column whose header is empty, missing or `id` holds the ids; where all of it is
    empty, there is a bar at the beginning of the lines, as in Markdown."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise ValueError("the text holds no table: at least a line with the names of the columns is needed")
    separate = _at_whitespace if split_on_whitespace else _at_bars
    header, *rows = (separate(line) for line in lines)
    if rows and all(_RULE.fullmatch(cell) for cell in rows[0] if cell) and any(rows[0]):
        # The line below the header.
        del lines[1], rows[0]
    if len(header) > 1 and not header[-1] and all(len(row) < len(header) or not row[-1] for row in rows):
        # A bar at the end of the lines.
        header, rows = header[:-1], [row[: len(header) - 1] for row in rows]
    if len(header) > 1 and rows and not any(row[0] for row in (header, *rows)):
        header, rows = header[1:], [row[1:] for row in rows]
    ids = header[0] in ("", "id") or any(len(row) == len(header) + 1 for row in rows)
    names = header[1:] if header[0] in ("", "id") else header
    if not all(names):
        raise ValueError(f"a column has no name in the line {lines[0].strip()!r}")
    if len(set(names)) != len(names):
        raise ValueError(f"two columns have the same name: {', '.join(names)}")
    width = len(names) + ids
    for line, row in zip(lines[1:], rows, strict=True):
        if len(row) > width:
            raise ValueError(f"there are {len(row)} cells, but {width} columns, in the line {line.strip()!r}")
        row.extend([""] * (width - len(row)))
    return Cells(names, [row[ids:] for row in rows], [row[0] for row in rows] if ids else None)


def _at_whitespace(line: str) -> list[str]:
    # Between two bars there is always a cell, even an empty one; at the ends of the line there is none.
    return [cell for part in line.split("|") for cell in part.split() or [""]]


def _at_bars(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")]


def infer(texts: Sequence[str]) -> tuple[DType, list[Any]]:
    """The type of a column and its values. Numbers that are all whole are ints, as in `1e3` and `2.0`."""
    present = [text for text in texts if text not in _MISSING]
    if not present:
        return DType.NONE, [None] * len(texts)
    dtype, read = _reader(present)
    if len(present) < len(texts):
        dtype = DType.optional(dtype)
    return dtype, [None if text in _MISSING else read(text) for text in texts]


def _reader(present: Sequence[str]) -> tuple[DType, Callable[[str], Any]]:
    if all(text.lower() in _WORDS for text in present):
        return DType.BOOL, lambda text: _WORDS[text.lower()]
    if all(_NUMBER.fullmatch(text) for text in present):
        if all(_is_whole(text) for text in present):
            return DType.INT, _whole
        # More digits than fit would silently be another number.
        if not any(text.lstrip("+-").isdigit() and not _is_whole(text) for text in present):
            return DType.FLOAT, float
    return DType.STR, str


def _is_whole(text: str) -> bool:
    try:
        return -(2**63) <= _whole(text) < 2**63 and float(text).is_integer()
    except (ValueError, OverflowError):
        return False


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return int(float(text))


def read(text: str, dtype: DType, column: str) -> Any:
    """A cell of a column whose type a schema tells. ValueError, with the names in it, if it does not fit."""
    if text in _MISSING and dtype.kind in ("optional", "none", "any"):
        return None
    required = dtype.required
    try:
        return required.convert(_READERS.get(required.kind, _any)(text))
    except (TypeError, ValueError) as error:
        raise ValueError(f"column {column}: {text!r} does not fit the type of the column: {error}") from None


def _boolean(text: str) -> bool:
    if text.lower() not in _WORDS:
        raise ValueError("neither True nor False")
    return _WORDS[text.lower()]


def _int(text: str) -> int:
    if not _NUMBER.fullmatch(text) or not _is_whole(text):
        raise ValueError("not a whole number")
    return _whole(text)


def _date(text: str) -> Any:
    # Nothing imports pandas before it is needed.
    import pandas

    return pandas.Timestamp(text)


def _duration(text: str) -> Any:
    # Nothing imports pandas before it is needed.
    import pandas

    return pandas.Timedelta(text)


def _any(text: str) -> Any:
    return infer([text])[1][0]


_READERS: dict[str, Callable[[str], Any]] = {
    "bool": _boolean,
    "int": _int,
    "float": float,
    "str": str,
    "bytes": str.encode,
    "json": json.loads,
    "pointer": Pointer,
    "date_time_naive": _date,
    "date_time_utc": _date,
    "duration": _duration,
    "tuple": json.loads,
    "list": json.loads,
}
