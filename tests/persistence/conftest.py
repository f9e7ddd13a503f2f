"""What tests of runs that go on have in common."""

from __future__ import annotations

import pytest

from tests.persistence import programs


@pytest.fixture(params=list(programs.KEPT))
def kept_both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test runs with all history kept, and with the state of the operators kept."""
    monkeypatch.setattr(programs, "kept", request.param)
    return str(request.param)
