"""The crash test itself: it kills where it says, repeats what it has done, and finds what is wrong."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import crash_faults
import pathway as pw
import pytest
from crash_pipelines import Pipeline
from pathway._crashing import comparing, crashes
from pathway._crashing.kills import Kills

pytestmark = [
    pytest.mark.one_process("the pipelines run in processes of their own"),
    pytest.mark.timeout(120),
]


def same(reference: Path, other: Path) -> None:
    names = {path.name for path in reference.iterdir()}
    assert names == {path.name for path in other.iterdir()} == {"readings.csv", "counts.csv"}


def unhappy(reference: Path, other: Path) -> None:
    raise AssertionError("I do not like it")


def test_a_report_says_what_was_done() -> None:
    report = pw.testing.crash_test(Pipeline("seek", "csv"), kills=6, seed=3, compare=same)
    assert (report.kills, report.seed) == (6, 3)
    assert report.restarts >= 6
    assert len(report.at_instants) + sum(report.at_points.values()) == 6
    assert set(report.at_points) <= set(pw._native.fail_points())
    text = str(report)
    assert "6 kills in" in text
    assert "seed 3" in text


def test_a_seed_draws_the_same_kills() -> None:
    draws = [
        [kills.draw(number, attempt) for number in range(20) for attempt in range(kills.in_round(number))]
        for kills in (Kills(1), Kills(1), Kills(2))
    ]
    assert draws[0] == draws[1] != draws[2]
    assert any(kill.point for kill in draws[0])
    assert any(kill.point is None for kill in draws[0])


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("anew", "doubled"),
        ("offset_first", r"readings.csv: \d+ rows are lost, such as .*\(\d+ rows lost, 0 rows doubled\)"),
        ("restless", "the first .* rows have to be those of the run before"),
        ("fickle", "a run that was not killed either differs"),
        ("observed", "observed.txt: it has .* bytes"),
    ],
)
def test_it_finds(fault: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message) as caught:
        pw.testing.crash_test(getattr(crash_faults, fault), kills=60, seed=1)
    text = str(caught.value)
    assert "crash_test(seed=1), round" in text
    assert "killed" in text
    (note,) = caught.value.__notes__
    folder = Path(note.rpartition(" ")[2])
    assert (folder / "not-killed" / "files").is_dir()


def test_files_can_be_left_out() -> None:
    pw.testing.crash_test(crash_faults.observed, kills=5, seed=1, ignore=["observed.*"])


def test_a_check_of_the_user_is_heard() -> None:
    with pytest.raises(AssertionError, match=r"compare\(\) says: I do not like it"):
        pw.testing.crash_test(Pipeline("seek", "csv"), kills=1, seed=1, compare=unhappy)


def test_a_pipeline_that_fails_by_itself() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)fails without being killed.*LookupError: there is no such thing"):
        pw.testing.crash_test(crash_faults.failing)


def test_a_pipeline_without_an_end() -> None:
    with pytest.raises(TimeoutError, match="has no end"):
        pw.testing.crash_test(crash_faults.endless, timeout=0.5)


def test_a_run_that_hangs_after_a_kill() -> None:
    with pytest.raises(AssertionError, match="had not ended within"):
        pw.testing.crash_test(crash_faults.hanging, kills=3, seed=1, timeout=3, ignore=["again"])


def test_functions_that_cannot_be_found_again() -> None:
    with pytest.raises(ValueError, match=r"cannot find .*<locals>.*define it at the top of a module"):
        pw.testing.crash_test(lambda folder: None)
    program = "import pathway as pw\ndef pipeline(folder): pass\npw.testing.crash_test(pipeline)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert "in a notebook, or in what was typed" in done.stderr


MAIN = """
import pathway as pw
class Numbers(pw.io.python.ConnectorSubject):
    def run(self):
        for number in range(100):
            self.next(number=number)
            self.commit()
class Number(pw.Schema):
    number: int
def pipeline(folder):
    table = pw.io.python.read(Numbers(), schema=Number, name="numbers", resume="replay")
    pw.io.jsonlines.write(table, folder / "numbers.jsonl", name="written")
"""


def test_functions_of_a_program(tmp_path: Path) -> None:
    def run(end: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "program.py").write_text(MAIN + end)
        command = [sys.executable, str(tmp_path / "program.py")]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    test = "print(pw.testing.crash_test(pipeline, kills=2, seed=1, same_commits=True))"
    done = run(f'if __name__ == "__main__":\n    {test}\n')
    assert done.stdout.startswith("2 kills in"), done.stderr
    done = run(test)
    assert 'under `if __name__ == "__main__":`' in done.stderr


def test_arguments_are_checked() -> None:
    for arguments, message in (
        ({"kills": 0}, "kills"),
        ({"timeout": 0}, "timeout"),
        ({"kills": "3"}, "kills"),
        ({"ignore": "*.csv"}, "ignore"),
        ({"processes": 0}, "processes"),
        ({"snapshot_interval_ms": -1}, "snapshot_interval_ms"),
    ):
        with pytest.raises((TypeError, ValueError), match=f"argument {message} has to be"):
            pw.testing.crash_test(crash_faults.anew, **arguments)  # type: ignore[arg-type]


HEADER = "word,count,time,diff\n"


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ("a,1,8,1\nb,1,8,1\na,1,10,-1\na,2,10,1\n", None),
        ("a,2,4,1\nb,1,4,1\n", None),
        ("a,2,4,1\n", "1 row is lost, such as"),
        ("a,2,4,1\nb,1,4,1\nb,1,6,1\n", "1 row is doubled, such as"),
        ("a,2,4,1\nb,1,4,1\nc,1,6,1\n", "1 row is not there in a run that was not killed"),
        ("a,2,4,1\nb,1,4,1\nb,1,4,1\nb,1,6,-1\n", "a change is there 2 times"),
        ("a,2,6,1\nb,1,4,1\n", "comes after one of time 6"),
        ("a,2,4,1\nb,1,4,1", "its last line is half-written: b'b,1,4,1'"),
        ("a,2,4,1\nb,1,4\n", "a line has 3 fields and not 4"),
    ],
)
def test_changes_are_compared(tmp_path: Path, found: str, message: str | None) -> None:
    expected = "a,1,2,1\nb,1,2,1\na,1,4,-1\na,2,4,1\n"
    for name, text in (("reference", expected), ("other", found)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "counts.csv").write_text(HEADER + text)
    difference = comparing.difference(tmp_path / "reference", tmp_path / "other", (), same_commits=False)
    assert difference is None if message is None else message in str(difference)


def test_commits_are_compared_where_they_have_to_be_the_same(tmp_path: Path) -> None:
    for name, times in (("reference", (2, 4)), ("other", (8, 9)), ("third", (8, 8))):
        (tmp_path / name).mkdir()
        lines = [f'{{"n":{number},"diff":1,"time":{time}}}\n' for number, time in enumerate(times)]
        (tmp_path / name / "n.jsonl").write_text("".join(lines))
    reference = tmp_path / "reference"
    assert comparing.difference(reference, tmp_path / "other", (), same_commits=True) is None
    assert comparing.difference(reference, tmp_path / "third", (), same_commits=False) is None
    difference = comparing.difference(reference, tmp_path / "third", (), same_commits=True)
    assert "commit 0 has other changes" in str(difference)


def test_parts_of_an_output_are_one(tmp_path: Path) -> None:
    for name, parts in (("reference", ("a", "b")), ("other", ("b", "a"))):
        (tmp_path / name / "parts").mkdir(parents=True)
        for number, word in enumerate(parts):
            path = tmp_path / name / "parts" / f"part-{number:05}.csv"
            path.write_text(f"{HEADER}{word},1,2,1\n")
    assert comparing.difference(tmp_path / "reference", tmp_path / "other", (), same_commits=False) is None


def processes_with(token: str) -> list[int]:
    """The processes that have this in their environment."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        # Some end meanwhile, and those that have ended have none.
        with contextlib.suppress(OSError):
            if token.encode() in environment.read_bytes():
                found.append(int(environment.parent.name))
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("processes", [1, 2])
def test_no_process_is_left(
    number: signal.Signals, processes: int, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # Processes that have come so far keep a secret there for those that come later.
    runtime = tmp_path_factory.mktemp("runtime")
    program = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n" + (
        "import crash_faults, pathway as pw\n"
        f"pw.testing.crash_test(crash_faults.endless, timeout=1000, processes={processes})"
    )
    token = f"TOKEN={tmp_path.name}-{time.monotonic_ns()}"
    name, _, text = token.partition("=")
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, name: text, "TMPDIR": str(tmp_path), "XDG_RUNTIME_DIR": str(runtime)},
        stderr=subprocess.PIPE,
    )
    with process:
        # The nursery and what it has forked are there.
        until = time.monotonic() + 30
        while len(processes_with(token)) < 2 + processes and time.monotonic() < until:
            time.sleep(0.02)
        assert len(processes_with(token)) == 2 + processes
        process.send_signal(number)
        process.wait(20)
        until = time.monotonic() + 10
        while processes_with(token) and time.monotonic() < until:
            time.sleep(0.02)
        assert processes_with(token) == []
        assert number == signal.SIGKILL or list(tmp_path.iterdir()) == []


def test_the_work_says_how_far_it_is(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crashes, "_LOG_SECONDS", 0.0)
    caplog.set_level(logging.INFO, logger="pathway")
    pw.testing.crash_test(Pipeline("seek", "csv"), kills=2, seed=1)
    assert "crash test: 2 of 2 kills" in caplog.text
