"""Hostile tests: a short form runs with all others, a long one with `make attack`.

What is random comes from a seed that a failure shows; in the short form it is always the same one.
`PATHWAY_ATTACK_SEED` repeats it, `PATHWAY_ATTACK_ROUNDS` says how often a test tries (1 in the short form).
"""

import os
import random

import pytest

ROUNDS = int(os.environ.get("PATHWAY_ATTACK_ROUNDS", "1"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "attack_seed" in metafunc.fixturenames:
        chosen = os.environ.get("PATHWAY_ATTACK_SEED", "1" if ROUNDS == 1 else None)
        seeds = [int(chosen)] if chosen else [random.SystemRandom().randrange(2**32) for _ in range(ROUNDS)]
        metafunc.parametrize("attack_seed", seeds, ids=[f"seed{seed}" for seed in seeds])


@pytest.fixture
def attack_rounds() -> int:
    """How much a test with a fixed set of attacks may multiply them."""
    return ROUNDS
