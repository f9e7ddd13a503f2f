"""Start one measurement in a process of its own, and learn what the process cost.

The kernel counts what the parent holds until ``exec`` towards the child's peak memory, so nothing
large may be imported or kept on this side.
"""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEASURE = Path(__file__).parent / "measure.py"
ONE_THREAD = {"POLARS_MAX_THREADS": "1"}
# Without bytecode on the disk every run would compile each module again, and measure that.
NOT_OURS_TO_MEASURE = "PYTHONDONTWRITEBYTECODE"
BYTES_PER_MAXRSS = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Cost:
    """What one run said about itself and what it cost from outside."""

    figures: dict[str, Any]
    """The line of JSON: always ``seconds`` and ``rows``."""
    process_seconds: float
    """From the start of the interpreter to its end."""
    peak_megabytes: float
    """The most memory it held at once."""
    processor_seconds: float = 0.0
    """What it computed, on all cores, with the processes it has started."""


class RunFailed(Exception):
    """A measurement that did not end well, with the end of what it said."""


def environment() -> dict[str, str]:
    """Return our environment without settings that would make the two sides differ."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PATHWAY_") and name != NOT_OURS_TO_MEASURE
    }
    return ours | ONE_THREAD


def run(python: Path, arguments: list[str], log_dir: Path, timeout: float) -> Cost:
    """Run ``measure.py`` in the given interpreter and wait for it."""
    return run_command([str(python), str(MEASURE), *arguments], environment(), log_dir, timeout)


def run_command(command: list[str], environment: dict[str, str], log_dir: Path, timeout: float) -> Cost:
    """Run a command whose last line of output in braces is its figures, and wait for it."""
    stdout_path, stderr_path = log_dir / "stdout", log_dir / "stderr"
    with stdout_path.open("wb") as stdout, stderr_path.open("wb") as stderr:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr, env=environment)
        timer = threading.Timer(timeout, process.kill)
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        finally:
            timer.cancel()
        process_seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)

    lines = [line for line in stdout_path.read_text(errors="replace").splitlines() if line.startswith("{")]
    if process.returncode != 0 or not lines:
        last_words = stderr_path.read_text(errors="replace").strip().splitlines()[-8:]
        reason = f"exit status {process.returncode}"
        if process_seconds >= timeout:
            reason = f"not done after {timeout:.0f} s"
        raise RunFailed("\n".join([f"{' '.join(command)}: {reason}", *last_words]))
    return Cost(
        figures=json.loads(lines[-1]),
        process_seconds=process_seconds,
        peak_megabytes=usage.ru_maxrss * BYTES_PER_MAXRSS / 1e6,
        processor_seconds=usage.ru_utime + usage.ru_stime,
    )
