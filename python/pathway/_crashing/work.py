"""What is run again and again, and killed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pathway._running.monitoring import MonitoringLevel
from pathway._running.persisting import Config
from pathway._running.run import run as run_outputs
from pathway._running.run import start as start_outputs

# How often is asked whether a pipeline without an end has done what it should.
_STEP_SECONDS = 0.02


def run(
    make_pipeline: Callable[[Path], Any], until: Callable[[Path], bool] | None, folder: Path, config: Config
) -> None:
    """Runs a pipeline that is kept, to its end or until it has done what it should."""
    make_pipeline(folder)
    if until is None:
        run_outputs(persistence_config=config, monitoring_level=MonitoringLevel.NONE)
        return
    # What a run has done that was killed may be all that is asked for. So nobody asks before this one has begun: it has
    # to finish what the other one has left.
    with start_outputs(persistence_config=config, monitoring_level=MonitoringLevel.NONE) as handle:
        while not handle.wait(_STEP_SECONDS) and not until(folder):
            pass
