"""Outputs that are behind when everything is on disk already."""

from __future__ import annotations

import time
from pathlib import Path

import pathway as pw
import pytest

pytestmark = pytest.mark.usefixtures("kept_both_ways")


class Number(pw.Schema):
    number: int


class Numbers(pw.io.python.ConnectorSubject):
    def run(self) -> None:
        for number in range(3):
            self.next(number=number)
            self.commit()


@pytest.mark.one_process("runs of several processes are not kept yet")
@pytest.mark.timeout(30)
def test_an_output_that_comes_later_than_the_disk_is_written(tmp_path: Path) -> None:
    """The source has ended and all it has sent is on disk before the slow output has its rows."""

    @pw.udf
    def slowly(number: int) -> int:
        time.sleep(0.2)
        return number

    numbers = pw.io.python.read(Numbers(), schema=Number, name="numbers", autocommit_duration_ms=None, resume="replay")
    counts = numbers.groupby(numbers.number).reduce(numbers.number)
    slow = counts.select(number=slowly(counts.number))
    slow = slow.groupby(slow.number).reduce(slow.number)
    for table, name in ((numbers, "fast"), (slow, "slow")):
        pw.io.csv.write(table, tmp_path / f"{name}.csv", name=name)
    config = pw.persistence.Config(pw.persistence.Backend.filesystem(tmp_path / "state"))
    pw.run(persistence_config=config, monitoring_level=pw.MonitoringLevel.NONE)
    for name in ("fast", "slow"):
        assert len((tmp_path / f"{name}.csv").read_text().splitlines()) == 4
