"""An output in parts, when another number of workers goes on with it."""

from __future__ import annotations

import csv
from pathlib import Path

import pathway as pw
import pytest

pytestmark = pytest.mark.one_process("it chooses its threads itself")


class Number(pw.Schema):
    number: int


class Numbers(pw.io.python.ConnectorSubject):
    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def run(self) -> None:
        for number in range(self.limit):
            self.next(number=number)


def run(folder: Path, limit: int) -> None:
    pw.testing.reset()
    numbers = pw.io.python.read(Numbers(limit), schema=Number, name="numbers", resume="replay")
    # Groups are spread over the workers.
    groups = numbers.groupby(numbers.number).reduce(numbers.number)
    pw.io.csv.write(groups, folder / "parts", name="written", partitioned=True)
    config = pw.persistence.Config(pw.persistence.Backend.filesystem(folder / "state"))
    pw.run(persistence_config=config, monitoring_level=pw.MonitoringLevel.NONE)


def rows(folder: Path) -> list[int]:
    found = []
    for part in (folder / "parts").iterdir():
        with part.open() as file:
            found.extend(int(row["number"]) * int(row["diff"]) for row in csv.DictReader(file))
    return sorted(found)


@pytest.mark.parametrize("threads", [(2, 2), (1, 2), (2, 3), (3, 2), (2, 1, 2)])
def test_nothing_is_lost(threads: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, workers in enumerate(threads, start=1):
        monkeypatch.setenv("PATHWAY_THREADS", str(workers))
        run(tmp_path, 20 * number)
        assert rows(tmp_path) == list(range(20 * number))
