"""The long form of the crash tests, `make crash`: many kills over all combinations, and a table of what came of them.

PATHWAY_CRASH_SEED repeats a run, PATHWAY_CRASH_KILLS says how many kills there are in all (1000).
"""

from __future__ import annotations

import itertools
import logging
import math
import os
import random
import sys
from typing import Any

from crash_pipelines import CONFIGS, FORMATS, OUTSIDE, SOURCES, Pipeline, crash
from pathway._crashing.crashes import Differs

# How long a source pauses after a commit, in seconds. Outputs note each second how far they are, so some runs take
# longer.
PAUSE = "PATHWAY_CRASH_PAUSE"
QUICK, SLOW = 0.002, 0.06

# Threads of each process, and processes.
SHAPES = [(1, 1), (2, 1), (1, 2)]


def main() -> int:
    logging.basicConfig(level=logging.WARNING)
    kills = int(os.environ.get("PATHWAY_CRASH_KILLS", "1000"))
    chosen = os.environ.get("PATHWAY_CRASH_SEED")
    seed = int(chosen) if chosen else random.SystemRandom().randrange(2**32)
    outputs = [*FORMATS, *OUTSIDE]
    combinations = list(itertools.product(SHAPES, CONFIGS, SOURCES, outputs))
    each = math.ceil(kills / len(combinations))
    print(f"{each} kills of each of {len(combinations)} combinations; PATHWAY_CRASH_SEED={seed} repeats them\n")
    line = "{:<8} {:<10} {:<8} {:<11} {:<10} {:>7} {:>6} {:>9} {:>5} {:>8} {:>8} {:>8}"
    head = ("threads", "processes", "kept", "source", "output", "run (s)", "kills", "restarts", "lost", "doubled")
    print(line.format(*head, "p50 (s)", "p99 (s)"))
    total, failures = 0, []
    for (threads, processes), kept, source, output in combinations:
        os.environ["PATHWAY_THREADS"] = str(threads)
        slow = each // 4
        for count, pause in ((each - slow, QUICK), (slow, SLOW)):
            if count == 0:
                continue
            os.environ[PAUSE] = str(pause)
            settings: dict[str, Any] = {"kills": count, "seed": seed, "processes": processes, **CONFIGS[kept]}
            try:
                report = crash(Pipeline(source, output), **settings)
            except Differs as differs:
                failures.append(differs)
                cells = ("", differs.kills, "", differs.lost, differs.doubled, "FAILED", "")
                total += differs.kills
            else:
                recovery = [f"{seconds or 0:.3f}" for seconds in (report.recovery_p50, report.recovery_p99)]
                cells = (f"{report.seconds:.1f}", report.kills, report.restarts, 0, 0, *recovery)
                total += report.kills
            print(line.format(threads, processes, kept, source, output, *cells), flush=True)
    for failure in failures:
        print("", failure, *failure.__notes__, sep="\n")
    print(f"\n{total} kills, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
