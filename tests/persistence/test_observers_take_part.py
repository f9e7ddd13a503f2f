"""Observers with `prepare`, `commit` and `recover`: what they are called with, and each change once."""

from __future__ import annotations

import pathlib
from typing import Any

import pathway as pw
import pytest
from crash_pipelines import CONFIGS, Pipeline, crash

from tests.persistence.programs import QUIET, Declare, Sends, Stop, Word, config, go

Call = tuple[Any, ...]


class Told(pw.io.python.ConnectorObserver):
    """Notes what it is called with."""

    def __init__(self, calls: list[Call]) -> None:
        self.calls = calls

    def on_change(self, key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        self.calls.append(("change", row["number"]))

    def on_end(self) -> None:
        self.calls.append(("end",))


class TwoSteps(Told):
    def prepare(self, time: int) -> bytes:
        self.calls.append(("prepare",))
        return f"token {time}".encode()

    def commit(self, time: int, token: bytes | None) -> None:
        assert token == f"token {time}".encode()
        self.calls.append(("commit",))


class OneStep(Told):
    def commit(self, time: int, token: bytes | None) -> None:
        assert token is None
        self.calls.append(("commit",))


class Recovering(TwoSteps):
    """Answers what it is told to."""

    answer: Any = None
    last: int | None = None

    def commit(self, time: int, token: bytes | None) -> None:
        super().commit(time, token)
        Recovering.last = time

    def recover(self, time: int | None, token: bytes | None) -> int | None:
        assert token == (None if time is None else f"token {time}".encode())
        self.calls.append(("recover", time == Recovering.last if time is not None else None))
        return self.answer  # type: ignore[no-any-return]


def declare(observer: Told, count: int, fails: bool = False) -> Declare:
    def program(folder: pathlib.Path) -> None:
        # One row at a time, so that the order of calls is known.
        table = pw.io.python.read(
            Sends(count, fails=fails), schema=Word, name="words", resume="replay", autocommit_duration_ms=None
        )
        pw.io.python.write(table.filter(table.number % 2 == 0), observer, name="told")

    return program


def test_in_a_run_that_is_not_kept_times_are_committed_as_they_end() -> None:
    calls: list[Call] = []
    declare(TwoSteps(calls), 4)(pathlib.Path())
    pw.run(monitoring_level=QUIET)
    step = [("prepare",), ("commit",)]
    assert calls == [("change", 0), *step, ("change", 2), *step, ("end",)]


@pytest.mark.parametrize("kind", [OneStep, TwoSteps])
@pytest.mark.usefixtures("kept_everywhere")
def test_in_a_run_that_is_kept_each_time_comes_once(tmp_path: pathlib.Path, kind: type[Told]) -> None:
    calls: list[Call] = []
    step = [("commit",)] if kind is OneStep else [("prepare",), ("commit",)]
    go(tmp_path, declare(kind(calls), 4, fails=True), fails=Stop)
    assert calls == [("change", 0), *step, ("change", 2), *step]
    calls.clear()
    go(tmp_path, declare(kind(calls), 8))
    # What was noted last may be committed again, where nobody says that it need not be.
    again = [("commit",)] if kind is TwoSteps else []
    assert calls == [*again, ("change", 4), *step, ("change", 6), *step, ("end",)]
    calls.clear()
    go(tmp_path, declare(kind(calls), 8))
    assert calls == [*again, ("end",)]


def test_tables_of_the_program_come_once(tmp_path: pathlib.Path) -> None:
    calls: list[Call] = []

    def program(folder: pathlib.Path) -> None:
        table = pw.debug.table_from_rows(pw.schema_from_types(number=int), [(7,)])
        pw.io.python.write(table, TwoSteps(calls), name="told")

    go(tmp_path, program)
    assert calls == [("change", 7), ("prepare",), ("commit",), ("end",)]
    calls.clear()
    go(tmp_path, program)
    assert calls == [("commit",), ("end",)]


def test_an_observer_says_where_to_go_on(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Call] = []

    def run(answer: Any, count: int) -> list[Call]:
        calls.clear()
        monkeypatch.setattr(Recovering, "answer", answer)
        go(tmp_path, declare(Recovering(calls), count))
        return [call for call in calls if call[0] in ("recover", "change")]

    assert run(None, 4) == [("recover", None), ("change", 0), ("change", 2)]
    assert run(None, 4) == [("recover", True)]
    assert run(-1, 4) == [("recover", True), ("change", 0), ("change", 2)]
    first = Recovering.last
    assert first is not None
    assert run(first - 1, 6) == [("recover", True), ("change", 2), ("change", 4)]
    for answer in ("2", True, 1.5):
        with pytest.raises(TypeError, match=r"recover\(\) returns a time or None, found"):
            run(answer, 6)
    with pytest.raises(ValueError, match=r"told: it has everything up to time .*, and the state .* ends at time"):
        run(first + 10**9, 6)


def test_what_is_not_computed_again_cannot_be_asked_for(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = CONFIGS["state"]
    go(tmp_path, declare(Recovering([]), 4), **kept)
    assert Recovering.last is not None
    for answer, has in ((Recovering.last - 1, "has everything up to time .* only"), (-1, "has nothing")):
        monkeypatch.setattr(Recovering, "answer", answer)
        pw.testing.reset()
        declare(Recovering([]), 6)(tmp_path)
        with pytest.raises(ValueError, match=f"told: it {has}, and what comes of .* is not computed again"):
            pw.run(monitoring_level=QUIET, persistence_config=config(tmp_path, **kept))
    calls: list[Call] = []
    monkeypatch.setattr(Recovering, "answer", None)
    go(tmp_path, declare(Recovering(calls), 6), **kept)
    assert [call for call in calls if call[0] in ("recover", "change")] == [("recover", True), ("change", 4)]


def test_an_observer_of_another_state_is_refused(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recovering, "answer", 4)
    for _ in range(2):
        pw.testing.reset()
        declare(Recovering([]), 4)(tmp_path)
        with pytest.raises(ValueError, match="the run goes on with knows nothing of it: they do not belong together"):
            pw.run(monitoring_level=QUIET, persistence_config=config(tmp_path))


def test_a_run_that_only_records_or_plays_asks_nothing(tmp_path: pathlib.Path) -> None:
    calls: list[Call] = []
    step = [("prepare",), ("commit",)]
    for count in (4, 2):
        calls.clear()
        go(tmp_path, declare(Recovering(calls), count), snapshot_access=pw.SnapshotAccess.RECORD)
        assert calls == [("change", 0), *step, ("change", 2), *step, ("end",)][: 3 * count // 2] + calls[-1:]
    calls.clear()
    settings = {"snapshot_access": pw.SnapshotAccess.REPLAY, "continue_after_replay": False}
    go(tmp_path, declare(Recovering(calls), 4), **settings)
    assert [call for call in calls if call[0] == "change"] == [("change", 0), ("change", 2), ("change", 0)]
    assert calls.count(("commit",)) == 3
    assert "recover" not in {call[0] for call in calls}


def test_a_commit_that_fails_comes_again(tmp_path: pathlib.Path) -> None:
    calls: list[Call] = []

    class Failing(TwoSteps):
        def commit(self, time: int, token: bytes | None) -> None:
            raise Stop

    go(tmp_path, declare(Failing(calls), 4), fails=Stop)
    assert calls == [("change", 0), ("prepare",)]
    calls.clear()
    go(tmp_path, declare(TwoSteps(calls), 4))
    assert calls == [("commit",), ("change", 2), ("prepare",), ("commit",), ("end",)]


def test_coroutines_are_awaited(tmp_path: pathlib.Path) -> None:
    calls: list[Call] = []

    class Asynchronous(pw.io.python.AsyncConnectorObserver):
        async def on_change(self, key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
            calls.append(("change", row["number"]))

        async def prepare(self, time: int) -> bytes | None:  # type: ignore[override]
            calls.append(("prepare",))
            return None

        async def commit(self, time: int, token: bytes | None) -> None:  # type: ignore[override]
            calls.append(("commit", token))

    def program(folder: pathlib.Path) -> None:
        table = pw.io.python.read(Sends(4), schema=Word, name="words", resume="replay", autocommit_duration_ms=None)
        pw.io.python.write(table.filter(table.number % 2 == 0), Asynchronous(), name="told")

    go(tmp_path, program)
    step = [("prepare",), ("commit", None)]
    assert calls == [("change", 0), *step, ("change", 2), *step]


def test_methods_of_these_names_that_are_called_otherwise_are_the_users_own(tmp_path: pathlib.Path) -> None:
    calls: list[Call] = []

    class Own(Told):
        def commit(self) -> None:  # type: ignore[override]
            calls.append(("own",))

        def on_time_end(self, time: int) -> None:
            self.commit()

    go(tmp_path, declare(Own(calls), 4))
    assert calls == [("change", 0), ("own",), ("change", 2), ("own",), ("end",)]


def test_what_does_not_fit_is_refused(tmp_path: pathlib.Path) -> None:
    class Half(Told):
        def prepare(self, time: int) -> bytes | None:
            return None

    with pytest.raises(TypeError, match=r"Half defines prepare\(self, time\) and no commit"):
        declare(Half([]), 4)(tmp_path)

    class Text(TwoSteps):
        def prepare(self, time: int) -> Any:
            return "text"

    pw.testing.reset()
    declare(Text([]), 4)(tmp_path)
    with pytest.raises(TypeError, match=r"prepare\(\) returns bytes or None, found 'text'"):
        pw.run(monitoring_level=QUIET, persistence_config=config(tmp_path))


@pytest.mark.one_process("the pipelines run in processes of their own")
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("processes", "threads"), [(1, 1), (1, 2), (2, 1)])
@pytest.mark.parametrize("kept", CONFIGS)
def test_nothing_is_lost_and_nothing_doubled(
    kept: str, processes: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATHWAY_THREADS", str(threads))
    source = "replay" if threads == 1 else "seek"
    settings = CONFIGS[kept]
    report = crash(Pipeline(source, "observer"), kills=8, seed=threads, processes=processes, **settings)
    assert report.kills == 8
