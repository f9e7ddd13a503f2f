"""One graph is run again and again, and ends well or badly: no threads, files or memory stay behind."""

from __future__ import annotations

import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest

pytestmark = pytest.mark.one_process("the programs are processes of their own")

PROGRAM = """
import asyncio, gc, json, logging, os, sys, threading, time
import pathway as pw

RUNS, KIND = int(sys.argv[1]), sys.argv[2]
logging.disable()

class Numbers(pw.io.python.ConnectorSubject):
    def run(self):
        for number in range(200):
            self.next(number=number, text="x" * 100)
        if KIND == "failing subject":
            raise ValueError("fails")

class Later(pw.io.python.ConnectorSubject):
    async def run(self):
        self.next(number=1000, text="")
        await asyncio.sleep(0)

class Parts(pw.io.python.ConnectorSubject):
    def partitions(self):
        return ["a", "b"]
    def run(self, partition):
        self.next(number=hash(partition), text="")

class Number(pw.Schema):
    number: int
    text: str

def function(number):
    if KIND == "failing function" and number == 100:
        raise ValueError("fails")
    return number

async def later(**change):
    if KIND == "failing callback":
        raise ValueError("fails")
    await asyncio.sleep(0)

table = pw.io.python.read(Numbers(), schema=Number)
counts = table.groupby(pw.this.text).reduce(
    pw.this.text, count=pw.reducers.count(), all=pw.reducers.tuple(pw.this.number)
)
pw.io.csv.write(table.select(number=pw.apply_with_type(function, int, pw.this.number)), "out.csv")
pw.io.jsonlines.write(counts.join(table, pw.left.text == pw.right.text).select(pw.right.number), "out.jsonl")
pw.io.subscribe(counts, later)
for kind in (Later, Parts):
    pw.io.subscribe(pw.io.python.read(kind(), schema=Number), lambda **change: None)

def run():
    try:
        pw.run(monitoring_level=pw.MonitoringLevel.NONE, with_http_server=KIND == "served")
        return "well"
    except ValueError as error:
        return str(error)

def counted():
    gc.collect()
    # Threads that have done their work may take a moment to be gone.
    until = time.monotonic() + 5
    while time.monotonic() < until:
        threads = len(os.listdir("/proc/self/task"))
        if threads <= counted.threads:
            break
        time.sleep(0.01)
    with open("/proc/self/statm") as file:
        memory = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return dict(threads=threads, files=len(os.listdir("/proc/self/fd")), memory=memory)

counted.threads = 0
ends = set()
for _ in range(RUNS // 4):
    ends.add(run())
before = counted()
counted.threads = before["threads"]
for _ in range(RUNS):
    ends.add(run())
print(json.dumps([sorted(ends), before, counted()]))
"""


@pytest.mark.parametrize(
    "kind", ["well", "served", "failing subject", "failing function", "failing callback"], ids=lambda kind: kind
)
def test_nothing_stays_behind(kind: str, attack_rounds: int, tmp_path: pathlib.Path) -> None:
    runs = 40 if attack_rounds == 1 else 200
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(runs), kind],
        capture_output=True,
        text=True,
        timeout=110,
        cwd=tmp_path,
        env={**os.environ, "PATHWAY_THREADS": "2", "PATHWAY_MONITORING_HTTP_PORT": str(port)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    ends, before, after = json.loads(done.stdout)
    assert ends == (["fails"] if kind.startswith("failing") else ["well"])
    assert (after["threads"], after["files"]) == (before["threads"], before["files"])
    # 200 rows of 100 letters, several times, would be a megabyte with the first few runs.
    assert after["memory"] - before["memory"] < runs * 50_000, (before, after)
