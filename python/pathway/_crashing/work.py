"""What is run again and again, and killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pathway._running.monitoring import MonitoringLevel
from pathway._running.persisting import Config
from pathway._running.run import run as run_outputs

# How often is asked whether a pipeline without an end has done what it should.
_STEP_SECONDS = 0.02


def run(
    make_pipeline: Callable[[Path], Any], until: Callable[[Path], bool] | None, folder: Path, config: Config
) -> None:
    """Runs a pipeline that is kept, to its end or until it has done what it should."""
    make_pipeline(folder)
    stopping = None
    try:
        if until is not None:
            stopping = _Stopping(until, folder)
        run_outputs(persistence_config=config, monitoring_level=MonitoringLevel.NONE)
    except KeyboardInterrupt:
        if stopping is None or not stopping.has_stopped:
            raise
    if stopping is not None and stopping.failure is not None:
        raise stopping.failure


class _Stopping:
    """Ends the run as Ctrl-C would, once a function of the user's says so."""

    def __init__(self, until: Callable[[Path], bool], folder: Path) -> None:
        self.has_stopped = False
        self.failure: BaseException | None = None
        self._until = until
        self._folder = folder
        threading.Thread(target=self._watch, name="crash test: until", daemon=True).start()

    def _watch(self) -> None:
        try:
            # Until the run takes care of it, the signal would end the process.
            while signal.getsignal(signal.SIGINT) is signal.default_int_handler or not self._until(self._folder):
                time.sleep(_STEP_SECONDS)
        except BaseException as error:
            self.failure = error
        self.has_stopped = True
        os.kill(os.getpid(), signal.SIGINT)
