"""What tests of runs that go on have in common."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.persistence import buckets, containers, programs


@pytest.fixture(scope="session")
def bucket_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[buckets.Server]:
    """A server of S3 that nobody stops."""
    yield from buckets.started(tmp_path_factory.mktemp("bucket server"))


@pytest.fixture(scope="session")
def container_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[containers.Server]:
    """A server of Azure that nobody stops."""
    yield from containers.started(tmp_path_factory.mktemp("container server"))


@pytest.fixture(params=list(programs.KEPT))
def kept_both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test runs with all history kept, and with the state of the operators kept."""
    monkeypatch.setattr(programs, "kept", request.param)
    return str(request.param)


@pytest.fixture(params=[*programs.KEPT, "bucket", "container"])
def kept_everywhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, and with the state of the operators kept in a bucket, and in a container of Azure."""
    in_folder = request.param in programs.KEPT
    monkeypatch.setattr(programs, "kept", request.param if in_folder else "state")
    if not in_folder:
        monkeypatch.setattr(programs, "server", request.getfixturevalue(f"{request.param}_server"))
    if request.param == "container":
        monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", programs.server.endpoint)
    return str(request.param)
