"""Processes that tests start: with the command `pathway`, in an environment of their own, at ports that are free."""

from __future__ import annotations

import csv
import itertools
import os
import pathlib
import socket
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack

PATHWAY = [sys.executable, "-m", "pathway.cli"]

# Options of the command.
SHAPES = [("-n", 1), ("-t", 4), ("-n", 2, "-t", 2), ("-n", 3)]


def environment(**changes: str) -> dict[str, str]:
    """Ours, but nothing about threads and processes except the changes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PATHWAY_")}
    return {**kept, "PYTHONUNBUFFERED": "1", **changes}


def pathway(*arguments: object, **changes: str) -> subprocess.CompletedProcess[str]:
    command = [*PATHWAY, *map(str, arguments)]
    return subprocess.run(command, env=environment(**changes), capture_output=True, text=True, timeout=60)


# Below the ports that the system gives to whoever asks for any. Test programs that run at the same time begin at
# different ones, far from each other also where their numbers are not (the golden ratio does that).
FIRST_PORTS = range(20011, 32000, 10)
_first_ports = itertools.cycle(FIRST_PORTS)
next(itertools.islice(_first_ports, int(os.getpid() * 0.618034 % 1 * len(FIRST_PORTS)), None))


def free_ports(number: int) -> int:
    """The first of some ports in a row, ten at most, that nobody uses."""
    for first in itertools.islice(_first_ports, len(FIRST_PORTS)):
        with ExitStack() as stack:
            try:
                for port in range(first, first + number):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return first
    raise AssertionError("no free ports")


def spawn(*arguments: object, port: int | None = None, **changes: str) -> subprocess.CompletedProcess[str]:
    """Starts processes at ports that are free, with the interpreter of the tests."""
    *options, script = arguments
    first = port or free_ports(4)
    return pathway("spawn", "--first-port", first, *options, sys.executable, script, **changes)


def one_by_one(scripts: list[pathlib.Path], port: int) -> list[subprocess.Popen[str]]:
    """Starts processes without the command, each with a script of its own."""
    return [
        subprocess.Popen(
            [sys.executable, script],
            env=environment(
                PATHWAY_PROCESSES=str(len(scripts)),
                PATHWAY_PROCESS_ID=str(number),
                PATHWAY_FIRST_PORT=str(port),
                PATHWAY_CLUSTER_SECRET="s",
            ),
            stderr=subprocess.PIPE,
            text=True,
        )
        for number, script in enumerate(scripts)
    ]


def final_rows(path: pathlib.Path) -> Counter[tuple[str, ...]]:
    """The rows that remain when all updates of a csv file are applied."""
    rows: Counter[tuple[str, ...]] = Counter()
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            cells = tuple(text for name, text in row.items() if name not in ("time", "diff"))
            rows[cells] += int(row["diff"])
    return +rows
