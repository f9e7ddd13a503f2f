"""The end of the interpreter while a run goes on in a thread that it does not wait for: every end is an orderly one."""

from __future__ import annotations

import csv
import os
import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.one_process("the programs are processes of their own, and say how many threads they have")

PROGRAM = """
import asyncio, atexit, os, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
import pathway as pw

begun = threading.Event()

class Numbers(pw.io.python.ConnectorSubject):
    def run(self):
        number = 0
        while True:
            self.next(number=number, text=str(number))
            number += 1
            time.sleep(0.0005)

class Number(pw.Schema):
    number: int
    text: str

table = pw.io.python.read(Numbers(), schema=Number, autocommit_duration_ms=5)
sevenths = table.select(seventh=pw.this.number % 7)
counts = sevenths.groupby(pw.this.seventh).reduce(pw.this.seventh, count=pw.reducers.count())

def noted(*arguments, **keywords):
    begun.set()
    return arguments[0] if arguments else None

{entry}

def run():
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)

if __name__ == "__main__":
    threading.Thread(target=run, daemon=True).start()
    assert begun.wait(60)
    {ending}
"""

ENTRIES = {
    "subscribe": "pw.io.subscribe(counts, noted, on_time_end=noted)",
    "async": """
async def later(**change):
    await asyncio.sleep(0.001)
    begun.set()
pw.io.subscribe(counts, later)
""",
    "function": "pw.io.null.write(table.select(n=pw.apply_with_type(noted, int, pw.this.number)))",
    "batches": """
@pw.udf(max_batch_size=10)
def listed(numbers: list[int]) -> list[int]:
    begun.set()
    return numbers
pw.io.null.write(table.select(n=listed(pw.this.number)))
""",
    "objects": """
class Boat:
    def __init__(self, number):
        self.number = number
@pw.udf
def wrapped(number: int) -> pw.PyObjectWrapper:
    return pw.wrap_py_object(Boat(number % 5))
boats = table.select(boat=wrapped(pw.this.number))
pw.io.subscribe(boats.groupby(pw.this.boat).reduce(pw.this.boat, n=pw.reducers.count()), noted)
""",
    "log": """
class Wrong(pw.io.python.ConnectorSubject):
    def run(self):
        while True:
            self.next(number="no number")
            self.next(number=1)
            time.sleep(0.0005)
pw.io.subscribe(pw.io.python.read(Wrong(), schema=pw.schema_from_types(number=int), autocommit_duration_ms=5), noted)
""",
    "asynchronous subject": """
class Later(pw.io.python.ConnectorSubject):
    async def run(self):
        while True:
            self.next(number=1)
            await asyncio.sleep(0.0005)
pw.io.subscribe(pw.io.python.read(Later(), schema=pw.schema_from_types(number=int), autocommit_duration_ms=5), noted)
""",
    "partitions": """
class Parts(pw.io.python.ConnectorSubject):
    def partitions(self):
        return ["a", "b"]
    def run(self, partition):
        while True:
            self.next(number=1)
            time.sleep(0.0005)
pw.io.subscribe(pw.io.python.read(Parts(), schema=pw.schema_from_types(number=int), autocommit_duration_ms=5), noted)
""",
    # Threads that are inside a function when the end comes, and stay there.
    "a function that works": """
def busy(number):
    begun.set()
    while True:
        pass
pw.io.null.write(table.select(n=pw.apply_with_type(busy, int, pw.this.number)))
""",
    "a function that waits": """
def waiting(**change):
    begun.set()
    time.sleep(1000)
pw.io.subscribe(counts, waiting)
""",
    "a subject that works": """
class Busy(pw.io.python.ConnectorSubject):
    def run(self):
        begun.set()
        while True:
            pass
pw.io.null.write(pw.io.python.read(Busy(), schema=Number))
""",
    "an on_stop that waits": """
class Waiting(pw.io.python.ConnectorSubject):
    def run(self):
        begun.set()
        time.sleep(1000)
    def on_stop(self):
        time.sleep(1000)
pw.io.null.write(pw.io.python.read(Waiting(), schema=Number))
""",
}

ENDINGS = {
    "pass": 0,
    "sys.exit(3)": 3,
    "raise ValueError('the main thread has failed')": 1,
    "os._exit(4)": 4,
    "atexit.register(time.sleep, 0.05)": 0,
    "raise KeyboardInterrupt": -2,
}


def ends_well(program: str, *, status: int, threads: int, folder: pathlib.Path | None = None) -> str:
    """Runs a program to its end, and gives back what it has said."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", program],
        env={**os.environ, "PATHWAY_THREADS": str(threads)},
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
    )
    bad = [word for word in ("Fatal", "panicked", "not rethrown", "Segmentation") if word in done.stderr]
    assert (done.returncode, bad) == (status, []), done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("entry", ENTRIES)
def test_wherever_the_threads_are_the_end_is_orderly(entry: str, threads: int) -> None:
    ends_well(PROGRAM.format(entry=ENTRIES[entry], ending="pass"), status=0, threads=threads)


@pytest.mark.parametrize("ending", ENDINGS)
def test_however_the_program_ends_its_status_is_its_own(ending: str) -> None:
    ends_well(PROGRAM.format(entry=ENTRIES["subscribe"], ending=ending), status=ENDINGS[ending], threads=3)


def test_what_was_committed_is_in_the_file(tmp_path: pathlib.Path) -> None:
    entry = """
class Ten(pw.io.python.ConnectorSubject):
    stopped = threading.Event()
    def run(self):
        for number in range(10):
            self.next(number=number, text="")
        self.commit()
        begun.set()
        self.stopped.wait(60)
    def on_stop(self):
        self.stopped.set()
pw.io.csv.write(pw.io.python.read(Ten(), schema=Number, autocommit_duration_ms=None), "out.csv")
"""
    ends_well(PROGRAM.format(entry=entry, ending="pass"), status=0, threads=2, folder=tmp_path)
    with (tmp_path / "out.csv").open(newline="") as file:
        assert sorted(int(row["number"]) for row in csv.DictReader(file)) == list(range(10))


FINITE = """
import threading, time
from concurrent.futures import ThreadPoolExecutor
import pathway as pw

class Slow(pw.io.python.ConnectorSubject):
    def run(self):
        for number in range(20):
            self.next(number=number)
            time.sleep(0.01)

seen = []
table = pw.io.python.read(Slow(), schema=pw.schema_from_types(number=int), autocommit_duration_ms=5)
pw.io.subscribe(table, lambda key, row, time, is_addition: seen.append(row["number"]))

def run():
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    print(len(seen), flush=True)

{start}
"""


@pytest.mark.parametrize(
    "start",
    [
        "threading.Thread(target=run).start()",
        "ThreadPoolExecutor().submit(run)",
        "import asyncio; asyncio.run(asyncio.to_thread(run))",
    ],
)
def test_a_run_in_a_thread_that_python_waits_for_comes_to_its_own_end(start: str) -> None:
    assert ends_well(FINITE.format(start=start), status=0, threads=2) == "20\n"


def test_the_end_of_pytest(tmp_path: pathlib.Path) -> None:
    test = PROGRAM.format(entry=ENTRIES["subscribe"], ending="pass")
    test += """
def test_it():
    threading.Thread(target=run, daemon=True).start()
    assert begun.wait(60)
"""
    (tmp_path / "test_it.py").write_text(test)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "test_it.py")],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert (done.returncode, "1 passed" in done.stdout, "Fatal" in done.stderr) == (0, True, False), done


def test_a_run_that_begins_when_the_end_has_come_is_not_waited_for() -> None:
    program = """
import atexit, threading, time
import pathway as pw
pw.run()

def late():
    pw.debug.compute_and_print(pw.debug.table_from_markdown("a\\n1"))

# What is registered first is called last.
"""
    ends_well("import atexit\natexit.register(lambda: late())\n" + program, status=0, threads=2)


AT_EXIT = """
def report():
    table = pw.debug.table_from_rows(pw.schema_from_types(a=int), [(41,)])
    pw.io.subscribe(table.select(b=pw.apply(lambda a: a + 1, pw.this.a)), lambda **change: print(change["row"]))
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
"""


def test_a_function_that_is_registered_with_atexit_may_run_something() -> None:
    program = f"import atexit\nimport pathway as pw\n{AT_EXIT}\natexit.register(report)\npw.run()"
    done = ended(program)
    assert (done.returncode, done.stdout) == (0, "{'b': 42}\n")


def test_what_is_called_after_the_end_is_refused() -> None:
    program = f"import atexit\natexit.register(lambda: report())\nimport pathway as pw\n{AT_EXIT}\npw.run()"
    done = ended(program)
    assert "RuntimeError: pw.run() is called while the interpreter ends" in done.stderr
    assert done.stdout == ""


def ended(program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


SENDERS = {
    "columns of pandas": 'subject.next_columns({"a": pd.Series([1, 2])})',
    "arrow of pandas": 'subject.next_arrow(pd.DataFrame({"a": [1, 2]}))',
    "a generator": 'subject.next_batch({"a": number} for number in range(1000))',
    "a bad row": "subject.next(a=object())",
    "a zone of the user": "subject.next(a=datetime.datetime(2024, 1, 1, tzinfo=Zone()))",
}


@pytest.mark.parametrize("sends", SENDERS)
def test_threads_of_the_program_that_go_on_sending(sends: str) -> None:
    program = f"""
import contextlib, datetime, logging, threading, time
import pandas as pd
import pathway as pw

logging.disable(logging.CRITICAL)

class Zone(datetime.tzinfo):
    def utcoffset(self, moment):
        return datetime.timedelta(hours=1)

class Short(pw.io.python.ConnectorSubject):
    def run(self):
        time.sleep(0.2)

subject = Short()
pw.io.null.write(pw.io.python.read(subject, schema=pw.schema_from_types(a=int)))

def send():
    while True:
        with contextlib.suppress(Exception):
            {SENDERS[sends]}

for _ in range(2):
    threading.Thread(target=send, daemon=True).start()
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
"""
    ends_well(program, status=0, threads=1)


def test_a_capture_that_is_being_read() -> None:
    program = """
import threading, time
import pathway as pw

class Endless(pw.io.python.ConnectorSubject):
    def run(self):
        while True:
            self.next(a={"x": 1})

table = pw.io.python.read(Endless(), schema=pw.schema_from_types(a=pw.Json))
threading.Thread(target=lambda: pw.testing.capture(table), daemon=True).start()
time.sleep(0.3)
"""
    ends_well(program, status=0, threads=1)
