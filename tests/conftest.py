"""Every test begins with an empty graph."""

from collections.abc import Iterator

import pathway as pw
import pytest


@pytest.fixture(autouse=True)
def empty_graph() -> Iterator[None]:
    pw.testing.reset()
    yield
    pw.testing.reset()
