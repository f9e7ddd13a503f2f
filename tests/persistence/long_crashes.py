"""The long form of the crash tests, `make crash`: many kills over all combinations, and a table of what came of them.

PATHWAY_CRASH_SEED repeats a run, PATHWAY_CRASH_KILLS says how many kills there are in all (1000).
"""

from __future__ import annotations

import logging
import math
import os
import random
import sys
import time
from typing import Any

import pathway as pw
from crash_pipelines import FORMATS, SOURCES, Pipeline, is_complete
from pathway._crashing.crashes import Differs

# Threads of each process, and processes.
SHAPES = [(1, 1), (2, 1), (1, 2)]


def main() -> int:
    logging.basicConfig(level=logging.WARNING)
    kills = int(os.environ.get("PATHWAY_CRASH_KILLS", "1000"))
    chosen = os.environ.get("PATHWAY_CRASH_SEED")
    seed = int(chosen) if chosen else random.SystemRandom().randrange(2**32)
    combinations = [(shape, source, format) for shape in SHAPES for source in SOURCES for format in FORMATS]
    each = math.ceil(kills / len(combinations))
    print(f"{each} kills of each of {len(combinations)} combinations; PATHWAY_CRASH_SEED={seed} repeats them\n")
    line = "{:<8} {:<10} {:<11} {:<10} {:>6} {:>9} {:>5} {:>8} {:>9} {:>9} {:>6}"
    head = ("threads", "processes", "source", "format", "kills", "restarts", "lost", "doubled", "p50 (s)", "p99 (s)")
    print(line.format(*head, "(s)"))
    total, failures = 0, []
    for (threads, processes), source, format in combinations:
        os.environ["PATHWAY_THREADS"] = str(threads)
        begun = time.monotonic()
        settings: dict[str, Any] = {"kills": each, "seed": seed, "processes": processes}
        if source == "followed":
            settings["until"] = is_complete
        try:
            report = pw.testing.crash_test(Pipeline(source, format), **settings)
        except Differs as differs:
            failures.append(differs)
            cells = (differs.kills, "", differs.lost, differs.doubled, "FAILED", "")
            total += differs.kills
        else:
            recovery = [f"{seconds or 0:.3f}" for seconds in (report.recovery_p50, report.recovery_p99)]
            cells = (report.kills, report.restarts, 0, 0, *recovery)
            total += report.kills
        print(line.format(threads, processes, source, format, *cells, f"{time.monotonic() - begun:.0f}"), flush=True)
    for failure in failures:
        print("", failure, *failure.__notes__, sep="\n")
    print(f"\n{total} kills, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
