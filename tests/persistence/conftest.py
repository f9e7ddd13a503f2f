"""What tests of runs that go on have in common."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.persistence import buckets, programs


@pytest.fixture(scope="session")
def bucket_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[buckets.Server]:
    """A server of S3 that nobody stops."""
    yield from buckets.started(tmp_path_factory.mktemp("bucket server"))


@pytest.fixture(params=list(programs.KEPT))
def kept_both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test runs with all history kept, and with the state of the operators kept."""
    monkeypatch.setattr(programs, "kept", request.param)
    return str(request.param)


@pytest.fixture(params=[*programs.KEPT, "bucket"])
def kept_everywhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, and with the state of the operators kept in a bucket."""
    in_bucket = request.param == "bucket"
    monkeypatch.setattr(programs, "kept", "state" if in_bucket else request.param)
    if in_bucket:
        monkeypatch.setattr(programs, "server", request.getfixturevalue("bucket_server"))
    return str(request.param)
