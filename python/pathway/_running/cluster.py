"""This process among those that compute together.

Every process builds the same tables and has its share of the workers. The first reads the sources and writes the
outputs. Which runs belong together is told by their order: every process runs the same program.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from pathway._ground.environment import Cluster
from pathway._running.waiting import Signals

_runs = itertools.count()


@dataclass(frozen=True)
class Member:
    """What the engine needs to know to find the other processes."""

    process: int
    addresses: list[str]
    secret: str = field(repr=False)
    # Seconds.
    timeout: float
    silence: float
    run: int
    is_interrupted: Callable[[], bool]


def member_of_run(described: Cluster, signals: Signals) -> Member:
    """This process in the next run of those that the environment describes."""
    return Member(
        process=described.process_id,
        addresses=described.addresses,
        secret=described.secret,
        timeout=described.timeout,
        silence=described.silence,
        run=next(_runs),
        is_interrupted=lambda: signals.noted,
    )
