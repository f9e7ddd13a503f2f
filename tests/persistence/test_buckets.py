"""Runs whose state is in a bucket: they go on where they have ended, whatever has ended them."""

from __future__ import annotations

import json
import logging
import os
import pathlib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pathway as pw
import pytest

from tests.persistence import buckets
from tests.persistence.buckets import Server
from tests.persistence.programs import QUIET, Sends, Stop, Word, counted, remaining, times, written

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from buckets.started(tmp_path_factory.mktemp("server"))


@pytest.fixture
def place(request: pytest.FixtureRequest) -> str:
    """Where the test keeps its state in the bucket."""
    return f"tests/{request.node.name}"


def go(
    backend: pw.persistence.Backend,
    declare: Callable[[], None],
    fails: tuple[type[BaseException], str] | None = None,
    **settings: Any,
) -> None:
    """Starts a program, as if it were a new process."""
    pw.testing.reset()
    declare()
    config = pw.persistence.Config(backend, **settings)
    if fails is None:
        pw.run(monitoring_level=QUIET, persistence_config=config)
        return
    with pytest.raises(fails[0], match=fails[1]):
        pw.run(monitoring_level=QUIET, persistence_config=config)


@pytest.mark.parametrize("mode", [pw.PersistenceMode.PERSISTING, pw.PersistenceMode.OPERATOR_PERSISTING])
def test_a_run_goes_on(server: Server, place: str, tmp_path: pathlib.Path, mode: pw.PersistenceMode) -> None:
    def kept(count: int, **others: Any) -> None:
        def declare() -> None:
            counted(tmp_path, Sends(count, fails="fails" in others), resume="replay")

        go(server.backend(place), declare, others.get("fails"), persistence_mode=mode)

    kept(4)
    kept(6, fails=(Stop, "^$"))
    kept(8)
    # Both outputs have each change once.
    assert [row["number"] for row in written(tmp_path / "rows.csv")] == [str(number) for number in range(8)]
    groups = remaining(tmp_path / "groups.csv")
    assert groups == [("a", "4", "12", "6"), ("b", "4", "16", "7")]


def test_a_run_is_recorded_and_played(server: Server, place: str, tmp_path: pathlib.Path) -> None:
    backend = server.backend(f"s3://{buckets.BUCKET}/{place}")
    go(backend, lambda: counted(tmp_path, Sends(4)), snapshot_access=pw.SnapshotAccess.RECORD)
    played = tmp_path / "played"
    played.mkdir()
    go(
        backend,
        lambda: counted(played, Sends(100)),
        snapshot_access=pw.SnapshotAccess.REPLAY,
        persistence_mode=pw.PersistenceMode.SPEEDRUN_REPLAY,
        continue_after_replay=False,
    )
    assert (played / "rows.csv").read_text() == (tmp_path / "rows.csv").read_text()


PROGRAM = """
import pathlib, sys
from tests.persistence.test_buckets import go
from tests.persistence.programs import Sends, counted
import pathway as pw

endpoint, place, folder = sys.argv[1:]
settings = pw.io.s3.AwsS3Settings(bucket_name="states", endpoint=endpoint, with_path_style=True)
backend = pw.persistence.Backend.s3(place, settings)
go(backend, lambda: counted(pathlib.Path(folder), Sends(12), resume="replay"))
"""


def program(server: Server, place: str, folder: pathlib.Path, point: str | None) -> subprocess.Popen[bytes]:
    """A process of its own, with the credentials of the environment, that is killed at a point."""
    environment = os.environ | server.environment()
    if point is not None:
        environment["TOWPATH_FAIL_POINT"] = point
    return subprocess.Popen([sys.executable, "-c", PROGRAM, server.endpoint, place, str(folder)], env=environment)


@pytest.mark.one_process("the programs are processes of their own")
def test_a_process_that_is_killed_is_started_again(server: Server, place: str, tmp_path: pathlib.Path) -> None:
    for point in ("journal.sync.after=kill:1", "journal.append.before=kill:2", "journal.header.before=kill"):
        assert program(server, place, tmp_path, point).wait() == -9
    # It does not wait for the lease: its holder is dead.
    assert program(server, place, tmp_path, None).wait() == 0
    assert [row["number"] for row in written(tmp_path / "rows.csv")] == [str(number) for number in range(12)]


@pytest.mark.one_process("the storage is asked for by the first process")
def test_a_second_run_is_refused_by_name(server: Server, place: str, tmp_path: pathlib.Path) -> None:
    refused: list[str] = []
    backend = server.backend(place)

    class Asking(Sends):
        def run(self) -> None:
            pw.io.null.write(other)
            config = pw.persistence.Config(backend)
            with pytest.raises(OSError, match="has used it since") as error:
                pw.run(monitoring_level=QUIET, persistence_config=config)
            refused.append(str(error.value))
            super().run()

    pw.testing.reset()
    other = pw.debug.table_from_rows(pw.schema_from_types(a=int), [(1,)])
    counted(tmp_path, Asking(2), resume="replay")
    pw.run(monitoring_level=QUIET, persistence_config=pw.persistence.Config(backend))
    assert len(refused) == 1
    assert f"the state at s3://states/{place}: process {os.getpid()} on " in refused[0]


@pytest.mark.one_process("a child ends where it begins")
def test_a_forked_process_does_not_give_the_lease_back(server: Server, place: str, tmp_path: pathlib.Path) -> None:
    class Forking(Sends):
        def run(self) -> None:
            for number in range(self.count):
                self.next(word="a", number=number)
                self.commit()
                child = os.fork()
                if child == 0:
                    os._exit(0)
                assert os.waitpid(child, 0)[1] == 0

    go(server.backend(place), lambda: counted(tmp_path, Forking(6)))
    assert len(written(tmp_path / "rows.csv")) == 6
    kept = command(server, "show", f"s3://{buckets.BUCKET}/{place}", "--json")
    assert kept["is_held"] is False


class Waits(logging.Handler):
    """Notes that a request has failed some times."""

    def __init__(self) -> None:
        super().__init__()
        self.has_failed = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if "is made again and again" in record.getMessage():
            self.has_failed.set()


@pytest.mark.one_process("its runs are runs of one process")
def test_a_server_that_is_stopped_and_comes_back_is_waited_for(
    server: Server, place: str, tmp_path: pathlib.Path
) -> None:
    waits = Waits()

    class Stopping(Sends):
        def run(self) -> None:
            server.stop()
            self.next(word="a", number=1)
            self.commit()
            assert waits.has_failed.wait(30)
            server.start()
            super().run()

    logging.getLogger("pathway").addHandler(waits)
    try:
        go(server.backend(place), lambda: counted(tmp_path, Stopping(4)))
    finally:
        logging.getLogger("pathway").removeHandler(waits)
    assert len(written(tmp_path / "rows.csv")) == 5
    go(server.backend(place), lambda: counted(tmp_path, Sends(2)))
    assert len(written(tmp_path / "rows.csv")) == 7


@pytest.mark.one_process("its runs are runs of one process")
def test_a_server_that_stays_away_ends_the_run(
    server: Server, place: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Pausing(Sends):
        def run(self) -> None:
            super().run()
            server.pause()
            self.next(word="a", number=4)
            self.commit()

    monkeypatch.setenv("PATHWAY_STORAGE_TIMEOUT", "1")
    go(server.backend(place), lambda: counted(tmp_path, Sends(2), resume="replay"))
    try:
        message = "in 'journal/.*'.*: it was asked .* in . s without success"
        go(server.backend(place), lambda: counted(tmp_path, Pausing(4), resume="replay"), (OSError, message))
    finally:
        server.go_on()
    # What was not told to be durable is in no file, and comes again.
    monkeypatch.delenv("PATHWAY_STORAGE_TIMEOUT")
    go(server.backend(place), lambda: counted(tmp_path, Sends(6), resume="replay"))
    assert [row["number"] for row in written(tmp_path / "rows.csv")] == [str(number) for number in range(6)]


@pytest.mark.one_process("the storage is asked for by the first process")
def test_a_server_that_never_answers_is_named(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATHWAY_STORAGE_TIMEOUT", "0.5")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = pw.io.s3.AwsS3Settings(
            bucket_name="states",
            access_key="key",
            secret_access_key="secret",
            endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}",
        )
        backend = pw.persistence.Backend.s3("state", settings)
        message = "the state at s3://states/state.* asked once in 1 s without success: .*(timed out|no answer)"
        go(backend, lambda: counted(tmp_path, Sends(2)), (OSError, message))
    # Nobody listens there any more.
    go(backend, lambda: counted(tmp_path, Sends(2)), (OSError, "without success: .*Connection refused"))


@pytest.mark.one_process("the storage is asked for by the first process")
def test_wrong_settings_are_named(server: Server, place: str, tmp_path: pathlib.Path) -> None:
    for others, message in [
        ({"secret_access_key": "wrong"}, "refuses the credentials: SignatureDoesNotMatch"),
        ({"access_key": "nobody"}, "refuses the credentials: InvalidAccessKeyId"),
        ({"bucket_name": "elsewhere"}, "the state at s3://elsewhere/.*there is no such bucket: NoSuchBucket"),
    ]:
        go(server.backend(place, **others), lambda: counted(tmp_path, Sends(2)), (OSError, message))
    assert not (tmp_path / "rows.csv").exists()


@pytest.mark.one_process("the storage is asked for by the first process")
def test_settings_that_make_no_sense_are_refused(tmp_path: pathlib.Path) -> None:
    backend = pw.persistence.Backend.azure("state", "account", "no key, as keys are base64", "container")
    go(backend, lambda: counted(tmp_path, Sends(2)), (ValueError, "the settings of the storage make no sense"))
    settings = pw.io.s3.AwsS3Settings(bucket_name="b")
    for make, error in [
        (lambda: pw.persistence.Backend.s3("s3://c/state", settings), "is in the bucket 'c'"),
        (lambda: pw.persistence.Backend.s3("state", pw.io.s3.AwsS3Settings()), "no bucket is named"),
        (lambda: pw.persistence.Backend.azure("state", "", "cGFzcw==", "c"), "account is empty"),
        (lambda: pw.io.s3.AwsS3Settings(access_key="key"), "belong together"),
        (lambda: pw.io.s3.AwsS3Settings.new_from_path("bucket/path"), "Incorrect S3 path: bucket/path"),
    ]:
        with pytest.raises(ValueError, match=error):
            make()
    for wrong in [
        lambda: pw.persistence.Backend.s3("state", "bucket"),  # type: ignore[arg-type]
        lambda: pw.persistence.Backend.azure("state", "a", 7, "c"),  # type: ignore[arg-type]
        lambda: pw.io.s3.AwsS3Settings(bucket_name=7),  # type: ignore[arg-type]
    ]:
        with pytest.raises(TypeError):
            wrong()


def test_secrets_are_not_shown() -> None:
    settings = pw.io.s3.AwsS3Settings(bucket_name="b", access_key="hidden", secret_access_key="hidden")
    config = pw.persistence.Config(pw.persistence.Backend.s3("state", settings))
    azure = pw.persistence.Backend.azure("state", "account", "hidden", "container")
    assert "hidden" not in f"{settings}{config}{azure}"


def command(server: Server, *arguments: str) -> Any:
    """What `pathway state` prints, as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "pathway.cli", "state", *arguments],
        env=os.environ | server.environment(),
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.one_process("its runs are runs of one process")
def test_the_state_command_takes_a_bucket(server: Server, place: str, tmp_path: pathlib.Path) -> None:
    go(server.backend(place), lambda: counted(tmp_path, Sends(4), resume="replay"))
    path = f"s3://{buckets.BUCKET}/{place}"
    kept = command(server, "show", path, "--json")
    assert (kept["location"], kept["is_held"], kept["ended_well"]) == (path, False, True)
    assert command(server, "verify", path, "--json")["rows"] == 4
    assert command(server, "reset", path, "--yes", "--json") == {"reset": path}
    other = tmp_path / "again"
    other.mkdir()
    go(server.backend(place), lambda: counted(other, Sends(2)))
    assert len(written(other / "rows.csv")) == 2


EVENT = pw.persistence.SnapshotEvent
A, B = pw.Pointer(1), pw.Pointer(2)
EVENTS = {
    ("words", 0): [
        EVENT.insert(A, ["a", 1]),
        EVENT.advance_time(2),
        EVENT.insert(B, ["b", 2]),
        EVENT.advance_time(4),
        EVENT.delete(A, ["a", 1]),
        EVENT.FINISHED,
    ]
}


@pytest.mark.parametrize("continues", [False, True])
@pytest.mark.parametrize("mode", [pw.PersistenceMode.SPEEDRUN_REPLAY, pw.PersistenceMode.BATCH])
def test_events_of_a_mock_are_played(tmp_path: pathlib.Path, mode: pw.PersistenceMode, continues: bool) -> None:
    def declare() -> None:
        table = pw.io.python.read(Sends(1), schema=Word, name="words", autocommit_duration_ms=None)
        pw.io.csv.write(table, tmp_path / "rows.csv", name="rows")

    go(
        pw.persistence.Backend.mock(EVENTS),
        declare,
        snapshot_access=pw.SnapshotAccess.REPLAY,
        persistence_mode=mode,
        continue_after_replay=continues,
    )
    rows = [(row["word"], row["number"], row["diff"]) for row in written(tmp_path / "rows.csv")]
    live = [("a", "0", "1")] if continues else []
    if mode is pw.PersistenceMode.BATCH:
        assert remaining(tmp_path / "rows.csv") == sorted([("b", "2"), *(row[:2] for row in live)])
        assert set(times(tmp_path / "rows.csv")[:3]) == {times(tmp_path / "rows.csv")[0]}
    else:
        assert rows == [("a", "1", "1"), ("b", "2", "1"), ("a", "1", "-1"), *live]
        assert times(tmp_path / "rows.csv")[:3] == [0, 2, 4]


def test_a_mock_that_does_not_fit_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="only played"):
        pw.persistence.Config(pw.persistence.Backend.mock({}))
    for events, error in [
        ({("other", 0): []}, "a source 'other'|a source \"other\""),
        ({("words", 0): [EVENT.insert(A, ["a"])]}, "has 1 values, and its rows have 2 columns"),
    ]:
        backend = pw.persistence.Backend.mock(events)
        go(backend, lambda: counted(tmp_path, Sends(1)), (ValueError, error), snapshot_access=pw.SnapshotAccess.REPLAY)
    with pytest.raises(TypeError, match="has to be a pw"):
        pw.persistence.Backend.mock({("words", 0): ["insert"]})  # type: ignore[list-item]
