"""Every test begins with an empty graph."""

import signal
from collections.abc import Iterator

import pathway as pw
import pytest

pytest_plugins = ["tests.shapes"]

# A shell that starts programs in the background makes them ignore SIGINT, `nohup` makes them ignore SIGHUP, and what
# they start as well. The tests of signals are about programs that a person has started.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def empty_graph() -> Iterator[None]:
    pw.testing.reset()
    yield
    pw.testing.reset()
