"""Whatever kills a process, its outputs are those of one to which nothing happened; in a short form.

`make crash` runs the long one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pathway as pw
import pytest
from crash_pipelines import CONFIGS, FORMATS, SOURCES, Pipeline, crash
from pathway import _native
from pathway._crashing import comparing
from pathway._crashing.crashes import FAIL_POINT
from pathway._crashing.nursery import Nursery, Order, Outcome
from pathway._crashing.program import portable

pytestmark = [pytest.mark.one_process("the pipelines run in processes of their own"), pytest.mark.timeout(120)]

KILLED = -9

# So often that snapshots are put together within a run.
STATE_OFTEN = {**CONFIGS["state"], "snapshot_interval_ms": 1}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(("threads", "output"), list(zip([1, 2], FORMATS, strict=True)))
@pytest.mark.parametrize("kept", CONFIGS)
def test_nothing_is_lost_and_nothing_doubled(
    source: str, threads: int, output: str, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATHWAY_THREADS", str(threads))
    seed = int(os.environ.get("PATHWAY_CRASH_SEED", "1"))
    crash(Pipeline(source, output), kills=5, seed=seed, **CONFIGS[kept])


@pytest.mark.parametrize(("source", "format"), [("seek", "csv"), ("partitions", "jsonlines")])
@pytest.mark.parametrize("kept", CONFIGS)
def test_several_processes_are_killed_together_or_one_of_them(source: str, format: str, kept: str) -> None:
    report = pw.testing.crash_test(Pipeline(source, format), kills=4, seed=1, processes=2, **CONFIGS[kept])
    assert report.kills == 4


class Sweep:
    """Runs of one pipeline in a process of its own, and of another one beside it."""

    def __init__(self, nursery: Nursery, other: Nursery, folder: Path) -> None:
        self.nursery = nursery
        self.other = other
        self.folder = folder
        self.run("reference")

    def run(self, name: str, point: str | None = None, *, beside: bool = False) -> Outcome:
        files = self.folder / name / "files"
        files.mkdir(parents=True, exist_ok=True)
        environment = {} if point is None else {FAIL_POINT: point}
        printed = files.parent / ("beside.txt" if beside else "printed.txt")
        printed.unlink(missing_ok=True)
        order = Order(files, files.parent / "state", printed, environment, None, 60.0, config=STATE_OFTEN)
        return (self.other if beside else self.nursery).run(order)

    def stopped(self) -> int | None:
        """The process that has stopped, if one has."""
        nursery = self.nursery._process.pid
        for child in Path(f"/proc/{nursery}/task/{nursery}/children").read_text().split():
            # It may have ended.
            with contextlib.suppress(OSError):
                # Behind the name, in which anything may be.
                if Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "T":
                    return int(child)
        return None

    def printed(self, name: str, file: str = "printed.txt") -> str:
        return (self.folder / name / file).read_text()

    def difference(self, name: str) -> comparing.Difference | None:
        reference, other = (self.folder / each / "files" for each in ("reference", name))
        return comparing.difference(reference, other, (), same_commits=True)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    program = portable("the sweep", (Pipeline("steady", "csv"), None))
    with Nursery(program) as nursery, Nursery(program) as other:
        yield Sweep(nursery, other, tmp_path_factory.mktemp("sweep"))


@pytest.fixture(scope="module")
def runs() -> Iterator[ThreadPoolExecutor]:
    """A thread for the run that stops."""
    with ThreadPoolExecutor(1) as threads:
        yield threads


@pytest.mark.parametrize("action", ["kill", "fail"])
@pytest.mark.parametrize("point", _native.fail_points())
def test_every_point(sweep: Sweep, point: str, action: str) -> None:
    name = f"{point} {action}"
    statuses = []
    # The first time it is there, then in what that has left behind, then later.
    for count in (1, 1, 3):
        outcome = sweep.run(name, f"{point}={action}:{count}")
        assert not outcome.has_hung, sweep.printed(name)
        statuses.append(outcome.status)
        if action == "fail" and outcome.status != 0:
            assert f"a test lets '{point}' fail" in sweep.printed(name)
    outcome = sweep.run(name)
    assert outcome.status == 0, sweep.printed(name)
    assert sweep.difference(name) is None
    reached = {KILLED if action == "kill" else 1} & set(statuses)
    assert reached, statuses


@pytest.mark.parametrize("point", _native.fail_points())
def test_one_that_stops_at_any_point_holds_what_it_has(sweep: Sweep, runs: ThreadPoolExecutor, point: str) -> None:
    name = f"{point} stop"
    has_stopped = False
    for count in (1, 1, 3):
        other: Outcome | None = None
        run = runs.submit(sweep.run, name, f"{point}=stop:{count}")
        while not run.done():
            stopped = sweep.stopped()
            if stopped is None:
                time.sleep(0.005)
                continue
            has_stopped = True
            # Another run is refused, unless the one that has stopped had nothing yet; nothing waits for it.
            other = sweep.run(name, beside=True)
            if other.status != 0:
                assert not other.has_hung
                assert "wait until that process" in sweep.printed(name, "beside.txt")
            os.kill(stopped, signal.SIGCONT)
            run.result()
        if run.result().status != 0:
            # The other one was faster.
            assert other is not None, sweep.printed(name)
            assert other.status == 0, sweep.printed(name)
    assert has_stopped
    assert sweep.run(name).status == 0, sweep.printed(name)
    assert sweep.difference(name) is None
