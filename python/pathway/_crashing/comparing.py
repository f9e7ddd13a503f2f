"""What two runs have written, compared.

Outputs with the columns `time` and `diff` hold changes. When they happened, and how they were put together into
commits, is another matter in every run; what they amount to is not.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from pathway._ground.words import counted

_FORMATS = {".csv": "csv", ".jsonl": "json", ".jsonlines": "json", ".ndjson": "json"}

# How the files of an output in parts are called, one of each worker.
_PART = re.compile(r"part-\d{5}(\.\w+)")

# How many rows a message names.
_SHOWN = 3


class Difference(NamedTuple):
    """How a file differs from that of a run that was not killed."""

    file: str
    reason: str
    lost: int = 0
    doubled: int = 0

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}"


class Change(NamedTuple):
    """A line of an output."""

    row: str
    time: int
    diff: int


class Wrong(Exception):
    """Why a file is none that an output writes."""


def difference(reference: Path, other: Path, ignore: Iterable[str], *, same_commits: bool) -> Difference | None:
    """The first difference between what a run has written and what one has that was not killed."""
    expected, found = (_outputs(folder, ignore) for folder in (reference, other))
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            return Difference(name, "it is missing")
        if name not in expected:
            return Difference(name, "it is not there in a run that was not killed")
        different = _of_outputs(name, expected[name], found[name], same_commits=same_commits)
        if different is not None:
            return different
    return None


def _outputs(folder: Path, ignore: Iterable[str]) -> dict[str, list[Path]]:
    """All files by their names, those of an output in parts by one."""
    outputs: defaultdict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if not path.is_file() or any(fnmatch(str(relative), pattern) for pattern in ignore):
            continue
        part = _PART.fullmatch(relative.name)
        name = relative if part is None else relative.with_name(f"part-*{part[1]}")
        outputs[str(name)].append(path)
    return outputs


def _of_outputs(name: str, reference: list[Path], other: list[Path], *, same_commits: bool) -> Difference | None:
    format = _FORMATS.get(Path(name).suffix)
    try:
        expected = None if format is None else [_changes(path, format) for path in reference]
    except Wrong:
        # It is something else, or not written by one of our outputs.
        expected = None
    if expected is None or format is None:
        return _of_bytes(name, reference, other)
    try:
        found = [_changes(path, format) for path in other]
    except Wrong as wrong:
        return Difference(name, str(wrong))
    return _of_changes(name, expected, found, same_commits=same_commits)


def _of_bytes(name: str, reference: list[Path], other: list[Path]) -> Difference | None:
    expected, found = (b"".join(path.read_bytes() for path in paths) for paths in (reference, other))
    if expected == found:
        return None
    pairs = enumerate(zip(expected, found, strict=False))
    first = next((at for at, (left, right) in pairs if left != right), min(len(expected), len(found)))
    return Difference(
        name,
        f"it has {counted(len(found), 'byte')}, and {len(expected)} in a run that was not killed; from byte {first} on "
        f"they differ: {found[first : first + 40]!r} instead of {expected[first : first + 40]!r}",
    )


def _changes(path: Path, format: str) -> list[Change]:
    content = path.read_bytes()
    whole, newline, rest = content.rpartition(b"\n")
    if rest:
        raise Wrong(f"its last line is half-written: {rest[-80:]!r}")
    try:
        text = (whole + newline).decode()
    except UnicodeDecodeError as error:
        raise Wrong(f"it is not UTF-8: {error}") from None
    return list(_of_csv(text) if format == "csv" else _of_json(text))


def _of_csv(text: str) -> Iterator[Change]:
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(lines, None)
        if header is None:
            return
        if "time" not in header or "diff" not in header:
            raise Wrong("it has no columns time and diff")
        time, diff = header.index("time"), header.index("diff")
        for line in lines:
            if len(line) != len(header):
                raise Wrong(f"a line has {counted(len(line), 'field')} and not {len(header)}: {line}")
            row = {name: cell for name, cell in zip(header, line, strict=True) if name not in ("time", "diff")}
            yield Change(json.dumps(row, ensure_ascii=False), int(line[time]), int(line[diff]))
    except (csv.Error, ValueError) as error:
        raise Wrong(f"it is no csv that an output has written: {error}") from None


def _of_json(text: str) -> Iterator[Change]:
    for line in text.split("\n")[:-1]:
        try:
            row = json.loads(line)
            time, diff = row.pop("time"), row.pop("diff")
        except (ValueError, KeyError, AttributeError):
            raise Wrong(f"it has a line that is no change of a row: {line[:80]!r}") from None
        yield Change(json.dumps(row, ensure_ascii=False, sort_keys=True), time, diff)


def _of_changes(
    name: str, expected: list[list[Change]], found: list[list[Change]], *, same_commits: bool
) -> Difference | None:
    for changes in found:
        for before, after in itertools.pairwise(changes):
            if after.time < before.time:
                return Difference(name, f"a change of time {after.time} comes after one of time {before.time}: {after}")
    wanted, there = _final(expected), _final(found)
    if wanted != there:
        lost, more = wanted - there, there - wanted
        doubled = Counter({row: count for row, count in more.items() if wanted[row] > 0})
        strange = more - doubled
        parts = [
            f"{rows.total()} {'row is' if rows.total() == 1 else 'rows are'} {what}, such as {_some(rows)}"
            for rows, what in (
                (lost, "lost"),
                (doubled, "doubled"),
                (strange, "not there in a run that was not killed"),
            )
            if rows
        ]
        return Difference(name, "; ".join(parts), lost.total(), doubled.total())
    most = _most(expected)
    repeated: Counter[Change] = Counter(change for changes in found for change in changes)
    for change, times in repeated.items():
        if times > 1 and most[change.row] <= 1:
            return Difference(name, f"a change is there {times} times: {change}", doubled=times - 1)
    if same_commits:
        return _of_commits(name, _commits(expected), _commits(found))
    return None


def _some(rows: Iterable[str]) -> str:
    return ", ".join(sorted(rows)[:_SHOWN])


def _final(parts: list[list[Change]]) -> Counter[str]:
    """How often each row is there at the end."""
    rows: Counter[str] = Counter()
    for change in (change for changes in parts for change in changes):
        rows[change.row] += change.diff
    return Counter({row: count for row, count in rows.items() if count})


def _most(parts: list[list[Change]]) -> Counter[str]:
    """How often each row was there at most, after any time."""
    rows: Counter[str] = Counter()
    most: Counter[str] = Counter()
    for commit in _commits(parts):
        for change, times in commit.items():
            rows[change.row] += change.diff * times
        for change in commit:
            most[change.row] = max(most[change.row], rows[change.row])
    return most


def _commits(parts: list[list[Change]]) -> list[Counter[Change]]:
    """The changes of each time, with the number of the commit instead of the time."""
    by_time: defaultdict[int, Counter[Change]] = defaultdict(Counter)
    for change in (change for changes in parts for change in changes):
        by_time[change.time][change] += 1
    return [
        Counter({change._replace(time=number): times for change, times in by_time[time].items()})
        for number, time in enumerate(sorted(by_time))
    ]


def _of_commits(name: str, expected: list[Counter[Change]], found: list[Counter[Change]]) -> Difference | None:
    for number, (wanted, there) in enumerate(zip(expected, found, strict=False)):
        if wanted != there:
            changed = (wanted - there) + (there - wanted)
            return Difference(name, f"commit {number} has other changes, such as {next(iter(changed))}")
    if len(expected) != len(found):
        return Difference(
            name, f"it has {counted(len(found), 'commit')}, and {len(expected)} in a run that was not killed"
        )
    return None
