"""How hard the laws are tried: the same examples everywhere, unless somebody asks for other ones.

`pytest tests/properties --hypothesis-profile=explore` tries many more, other ones at each run. Between processes
fewer are tried, as each run has to find the other process first.
"""

import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests import shapes

# The fixture that empties the graph runs once a test, not once an example; the laws empty it themselves.
SUPPRESSED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile(
    "laws", max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=SUPPRESSED
)
settings.register_profile("processes", settings.get_profile("laws"), max_examples=8)
settings.register_profile("explore", max_examples=400, deadline=None, database=None, suppress_health_check=SUPPRESSED)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--hypothesis-profile") is None:
        settings.load_profile("processes" if shapes.PROCESSES > 1 else "laws")


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Error cells are wanted here; a line in the log for each of them is not."""
    logger = logging.getLogger("pathway")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)
