"""Run one workload in this interpreter and print one line of JSON with its seconds and rows.

``python benchmarks/measure.py connector_next`` measures whatever this interpreter finds as
``pathway``; ``--peer duckdb`` measures the same job written for a peer. The line holds the time
of the workload's ``main``, without imports; the runner measures the whole process from outside.
"""

import argparse
import json
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from make_data import DATA_DIR, ensure
from workloads import find


def job(name: str, peer: str | None) -> Callable[..., dict[str, Any] | None]:
    """Return the main function of the workload, or its counterpart of a peer."""
    if peer is None:
        return import_module(f"workloads.{name}").main
    return getattr(import_module(f"peers.{peer}"), name)


def command_line() -> None:
    """Read the arguments, make the data that is missing, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workload")
    parser.add_argument("--peer", help="a module in peers/")
    parser.add_argument("--rows", type=int, help="the default is the full size")
    parser.add_argument("--seconds", type=float, help="for slow_sink: when to stop")
    parser.add_argument("--data", type=Path, default=DATA_DIR)
    parser.add_argument("--output", type=Path, help="the default is thrown away")
    arguments = parser.parse_args()

    workload = find(arguments.workload)
    rows = arguments.rows or workload.rows
    for name, share in workload.data.items():
        ensure(arguments.data, name, int(rows * share))
    options = {} if arguments.seconds is None else {"seconds": arguments.seconds}
    main = job(workload.name, arguments.peer)
    with TemporaryDirectory() as temporary:
        output_dir = arguments.output or Path(temporary)
        output_dir.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        figures = main(arguments.data, output_dir, rows, **options) or {}
        seconds = round(time.perf_counter() - start, 4)
    line = {"workload": workload.name, "rows": rows, "seconds": seconds, **figures}
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    command_line()
