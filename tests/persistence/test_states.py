"""Runs whose operators have their state kept, and go on from that."""

from __future__ import annotations

import json
import pathlib
import random
import shutil
from collections import Counter
from collections.abc import Callable
from typing import Any

import pathway as pw
import pytest
from pathway import _native
from pathway._running.backends import place_at

from tests.persistence import programs
from tests.persistence.programs import QUIET, Sends, config, counted, go, remaining, written


@pytest.fixture(autouse=True)
def keeps_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "kept", "state")


def state(folder: pathlib.Path) -> dict[str, Any]:
    return _native.inspect_state(place_at(str(folder / "state")), True)


def test_a_run_goes_on_behind_its_state_and_the_history_is_gone(tmp_path: pathlib.Path) -> None:
    for before, count in ((0, 4), (4, 7), (7, 9)):
        go(tmp_path, lambda folder, count=count: counted(folder, Sends(count), resume="replay"))
        found = state(tmp_path)
        assert found["snapshot"]["time"] >= found["last_time"] - 1
        assert not found["snapshot"]["has_journal"]
        # What came while the last snapshot was taken may be in the journal as well; what runs before have sent is not.
        assert all(kept["rows"] <= count - before for kept in found["connectors"])
    assert [int(row["number"]) for row in written(tmp_path / "rows.csv")] == list(range(9))
    assert remaining(tmp_path / "groups.csv") == [("a", "5", "20", "8"), ("b", "4", "16", "7")]


def test_another_program_is_refused_with_what_differs(tmp_path: pathlib.Path) -> None:
    def filtered(least: int) -> programs.Declare:
        def declare(folder: pathlib.Path) -> None:
            table = pw.io.python.read(
                Sends(4), schema=programs.Word, name="words", resume="replay", autocommit_duration_ms=None
            )
            table = table.filter(table.number >= least)
            pw.io.csv.write(table, folder / "rows.csv", name="rows")

        return declare

    go(tmp_path, filtered(1))
    go(tmp_path, filtered(1))
    pw.testing.reset()
    filtered(2)(tmp_path)
    with pytest.raises(ValueError, match="the program is not the one whose state is kept") as error:
        pw.run(monitoring_level=QUIET, persistence_config=config(tmp_path))
    assert "filter" in str(error.value)
    assert "test_states.py" in str(error.value)
    assert "PERSISTING" in str(error.value)
    go(tmp_path, filtered(1))
    assert [int(row["number"]) for row in written(tmp_path / "rows.csv")] == [1, 2, 3]


def test_what_sources_and_outputs_do_may_change(tmp_path: pathlib.Path) -> None:
    seen: list[int] = []

    def declare(subject: Sends, callback: Callable[..., None]) -> programs.Declare:
        def program(folder: pathlib.Path) -> None:
            table = pw.io.python.read(
                subject, schema=programs.Word, name="words", resume="replay", autocommit_duration_ms=None
            )
            pw.io.subscribe(table, callback, name="seen")

        return program

    class Others(Sends):
        """It does the same otherwise."""

    go(tmp_path, declare(Sends(2), lambda key, row, time, is_addition: seen.append(row["number"])))
    go(tmp_path, declare(Others(4), lambda key, row, time, is_addition: seen.append(10 * row["number"])))
    assert sorted(seen) == [0, 1, 20, 30]


def test_the_history_is_there_or_not(tmp_path: pathlib.Path) -> None:
    def program(count: int) -> programs.Declare:
        return lambda folder: counted(folder, Sends(count), resume="replay")

    history = {"persistence_mode": pw.PersistenceMode.PERSISTING}
    # A state with its history becomes one with snapshots, and not the other way round.
    go(tmp_path, program(3), **history)
    go(tmp_path, program(5))
    for mode in (pw.PersistenceMode.PERSISTING, pw.PersistenceMode.BATCH):
        pw.testing.reset()
        program(6)(tmp_path)
        with pytest.raises(ValueError, match="is not kept any more, only the state of the operators"):
            pw.run(monitoring_level=QUIET, persistence_config=config(tmp_path, persistence_mode=mode))
    go(tmp_path, program(9))
    assert remaining(tmp_path / "groups.csv") == [("a", "5", "20", "8"), ("b", "4", "16", "7")]


@pytest.mark.one_process("the number of workers is the test's")
def test_any_number_of_workers_goes_on(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for count, workers in [(4, 1), (6, 3), (8, 2), (9, 1)]:
        monkeypatch.setenv("PATHWAY_THREADS", str(workers))
        go(tmp_path, lambda folder, count=count: counted(folder, Sends(count), resume="replay"))
    assert remaining(tmp_path / "groups.csv") == [("a", "5", "20", "8"), ("b", "4", "16", "7")]


@pytest.mark.one_process("the number of workers is the test's")
def test_an_output_in_parts_keeps_its_workers(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def program(folder: pathlib.Path) -> None:
        table = pw.io.python.read(
            Sends(8), schema=programs.Word, name="words", resume="replay", autocommit_duration_ms=None
        )
        pw.io.csv.write(table, folder / "parts", name="parts", partitioned=True)

    for workers in (2, 2):
        monkeypatch.setenv("PATHWAY_THREADS", str(workers))
        go(tmp_path, program)
    rows = [row["number"] for path in (tmp_path / "parts").glob("*.csv") for row in written(path)]
    assert sorted(rows) == [str(number) for number in range(8)]
    monkeypatch.setenv("PATHWAY_THREADS", "3")
    pw.testing.reset()
    program(tmp_path)
    with pytest.raises(ValueError, match="was written in 2 parts, and would be written in 3 now"):
        pw.run(monitoring_level=QUIET, persistence_config=config(tmp_path))


def test_what_a_function_has_answered_is_state(tmp_path: pathlib.Path) -> None:
    """A row is taken back with the number that it had, in another run."""

    @pw.udf(deterministic=False)
    def draw(word: str) -> float:
        return random.random()

    def program(folder: pathlib.Path, count: int) -> None:
        table = pw.io.python.read(
            Sends(count), schema=programs.Word, name="words", resume="replay", autocommit_duration_ms=None
        )
        latest = table.groupby(table.word).reduce(table.word, number=pw.reducers.max(table.number))
        drawn = latest.select(latest.word, latest.number, drawn=draw(latest.word))
        pw.io.csv.write(drawn, folder / "drawn.csv", name="drawn")

    for count in (2, 4, 8):
        go(tmp_path, lambda folder, count=count: program(folder, count))
    assert [row[:2] for row in remaining(tmp_path / "drawn.csv")] == [("a", "6"), ("b", "7")]


def test_every_operator_goes_on(tmp_path: pathlib.Path) -> None:
    """What comes out of many operators is that of one run, whatever is cut where."""

    def program(folder: pathlib.Path, count: int) -> None:
        table = pw.io.python.read(
            Sends(count), schema=programs.Word, name="words", resume="replay", autocommit_duration_ms=None
        )
        fixed = pw.debug.table_from_markdown(
            """
            word | more
            a    | 10
            b    | 20
            """
        )
        joined = table.join(fixed, table.word == fixed.word).select(table.word, table.number, fixed.more)
        groups = joined.groupby(joined.word).reduce(
            joined.word,
            least=pw.reducers.min(joined.number),
            greatest=pw.reducers.max(joined.number),
            average=pw.reducers.avg(joined.number),
            all=pw.reducers.sorted_tuple(joined.number),
            last=pw.reducers.latest(joined.number),
            which=pw.reducers.argmax(joined.number, joined.more),
        )
        pw.io.jsonlines.write(groups, folder / "groups.jsonl", name="groups")
        small = table.filter(table.number < 5).with_id_from(pw.this.number)
        large = (
            table.filter(table.number >= 3).with_id_from(pw.this.number).select(pw.this.word, number=-pw.this.number)
        )
        pw.io.jsonlines.write(small.update_rows(large), folder / "updated.jsonl", name="updated")
        pw.io.jsonlines.write(table.concat_reindex(large), folder / "both.jsonl", name="both")

    def changes(folder: pathlib.Path, name: str) -> Counter[str]:
        """What has come and gone, without the times."""
        counts: Counter[str] = Counter()
        for line in (folder / f"{name}.jsonl").open():
            row = json.loads(line)
            del row["time"]
            counts[json.dumps(row, sort_keys=True)] += 1
        return counts

    parts, whole = tmp_path / "parts", tmp_path / "whole"
    parts.mkdir()
    whole.mkdir()
    for count in (2, 4, 8, 8, 12):
        go(parts, lambda folder, count=count: program(folder, count))
    go(whole, lambda folder: program(folder, 12))
    for name in ("groups", "updated", "both"):
        assert changes(parts, name) == changes(whole, name)


def three_runs(folder: pathlib.Path) -> None:
    for count in (3, 6, 8):
        go(folder, lambda folder, count=count: counted(folder, Sends(count), resume="replay"))


def goes_on(kept: pathlib.Path, folder: pathlib.Path) -> str | None:
    """Why what is there was refused, if it was."""
    try:
        go(folder, lambda folder: counted(folder, Sends(9), resume="replay"))
    except OSError as error:
        for name in ("rows.csv", "groups.csv"):
            assert (folder / name).read_bytes() == (kept / name).read_bytes()
        return str(error)
    assert [int(row["number"]) for row in written(folder / "rows.csv")] == list(range(9))
    assert remaining(folder / "groups.csv") == [("a", "5", "20", "8"), ("b", "4", "16", "7")]
    return None


@pytest.mark.one_process("its runs are runs of one process")
def test_whatever_is_damaged_is_refused_by_name(tmp_path: pathlib.Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    three_runs(kept)
    files = [path.relative_to(kept) for path in (kept / "state").rglob("*") if path.is_file() and path.name != "lock"]
    assert {path.parent.name for path in files} == {"state", "journal", "snapshots"}
    chance = random.Random(1)
    for number in range(60):
        folder = tmp_path / str(number)
        shutil.copytree(kept, folder)
        file = folder / chance.choice(files)
        content = bytearray(file.read_bytes())
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        file.write_bytes(content)
        refused = goes_on(kept, folder)
        if refused is None:
            # It may be at the end, as a crash leaves it.
            assert file.parent.name == "journal"
        else:
            assert f"'{file.relative_to(folder / 'state')}'" in refused
    for file in files:
        folder = tmp_path / f"without {file.name}"
        shutil.copytree(kept, folder)
        (folder / file).unlink()
        with pytest.raises(OSError, match="is missing"):
            # Without the manifest, nothing says that the journal may begin late.
            go(folder, lambda folder: counted(folder, Sends(9), resume="replay"))
