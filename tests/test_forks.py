"""Processes that are forked while a run goes on are processes of their own: nothing of the run acts in them."""

from __future__ import annotations

import os
import subprocess
import sys

import pathway as pw
import pytest

pytestmark = pytest.mark.one_process("the programs are processes of their own, and say how many threads they have")

PROGRAM = """
import multiprocessing, os, signal, subprocess, sys, threading, time, warnings
warnings.simplefilter("ignore")
import pathway as pw

fork = multiprocessing.get_context("fork")

def square(number):
    return number * number

def sleep(ready):
    ready.set()
    time.sleep(1000)

def ended_by(number):
    '''How a child ends that is sent a signal.'''
    ready = fork.Event()
    child = fork.Process(target=sleep, args=(ready,))
    child.start()
    if number == signal.SIGINT:
        # Sooner, any child of Python may lose it.
        ready.wait(10)
    os.kill(child.pid, number)
    child.join(10)
    code = child.exitcode
    child.kill()
    return code

def pooled():
    with fork.Pool(2) as pool:
        return pool.map(square, range(5))

def forked(work):
    '''The status of a child that does this, and would go on if it could.'''
    child = os.fork()
    if child == 0:
        work()
        return None
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def report(*what):
    print(*what, flush=True)

def attempt():
    {attempt}

class Numbers(pw.io.python.ConnectorSubject):
    def run(self):
        {in_subject}
        for number in range(3):
            self.next(number=number)

def called(number):
    if number == 0:
        {in_function}
    return number

def on_change(key, row, time, is_addition):
    if row["number"] == 0:
        {in_callback}

if __name__ == "__main__":
    rows = []
    table = pw.io.python.read(Numbers(), schema=pw.schema_from_types(number=int))
    table = table.select(number=pw.apply_with_type(called, int, pw.this.number))
    pw.io.subscribe(table, on_change)
    pw.io.subscribe(table, lambda key, row, time, is_addition: rows.append(row["number"]))
    {around}
    print("ROWS", sorted(rows), flush=True)
"""

AROUND = "pw.run(monitoring_level=pw.MonitoringLevel.NONE)"
PLACES = ("in_subject", "in_function", "in_callback")

ATTEMPTS = {
    "report(ended_by(signal.SIGTERM))": "-15\n",
    "report(ended_by(signal.SIGINT) not in (None, 0))": "True\n",
    "report(pooled())": "[0, 1, 4, 9, 16]\n",
    "report(subprocess.run([sys.executable, '-c', 'exit(5)'], preexec_fn=os.getpid).returncode)": "5\n",
    # Children that end by themselves.
    "report(forked(lambda: os._exit(7)))": "7\n",
    "report(forked(lambda: pw.debug.compute_and_print(pw.debug.table_from_markdown('a\\n1'), include_id=False)"
    " or os._exit(8)))": "a\n1\n8\n",
    # Children that would come back into the computation.
    "status = forked(lambda: sys.exit(9)); report(status)": "9\n",
}


def said(*, where: str, attempt: str, around: str = AROUND, threads: int = 2) -> tuple[str, str]:
    places = {place: "attempt()" if place == where else "pass" for place in PLACES}
    program = PROGRAM.format(attempt=attempt, around=around, **places)
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", program],
        env={**os.environ, "PATHWAY_THREADS": str(threads)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.endswith("ROWS [0, 1, 2]\n"), (done.stdout, done.stderr[-3000:])
    return done.stdout.removesuffix("ROWS [0, 1, 2]\n"), done.stderr


@pytest.mark.parametrize("attempt", ATTEMPTS)
@pytest.mark.parametrize("where", PLACES)
def test_a_child_of_the_users_code_is_a_process_of_its_own(where: str, attempt: str) -> None:
    output, errors = said(where=where, attempt=attempt)
    assert output == ATTEMPTS[attempt], errors


@pytest.mark.parametrize("where", ["in_function", "in_callback"])
def test_a_child_that_returns_into_the_computation_ends_there(where: str) -> None:
    attempt = "status = forked(lambda: None)\n    if status is not None: report(status)"
    output, errors = said(where=where, attempt=attempt)
    assert output == "1\n"
    assert errors.count("goes on in its parent alone: it ends here") == 1, errors


@pytest.mark.parametrize("where", PLACES)
def test_a_child_that_fails_shows_the_frames_of_the_program(where: str) -> None:
    output, errors = said(where=where, attempt="report(forked(lambda: 1 // 0))")
    assert output == "1\n"
    assert errors.count("Traceback") == 1, errors
    assert "in attempt\n" in errors
    assert errors.rstrip().endswith("ZeroDivisionError: integer division or modulo by zero")
    assert os.path.dirname(pw.__file__) not in errors


@pytest.mark.parametrize("attempt", ["report(ended_by(signal.SIGTERM))", "report(pooled())"])
def test_a_child_of_the_main_thread_beside_a_run(attempt: str) -> None:
    around = f"""
    thread = threading.Thread(target=pw.run, kwargs=dict(monitoring_level=pw.MonitoringLevel.NONE))
    thread.start()
    {attempt}
    thread.join()
"""
    output, errors = said(where="", attempt="pass", around=around)
    assert output == ATTEMPTS[attempt], errors


def test_a_child_may_run_what_its_parent_is_running() -> None:
    around = """
    thread = threading.Thread(target=pw.run, kwargs=dict(monitoring_level=pw.MonitoringLevel.NONE))
    thread.start()
    def again():
        pw.testing.reset()
        pw.io.subscribe(pw.debug.table_from_markdown("a\\n1"), lambda key, row, time, is_addition: report(row))
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
        os._exit(6)
    report(forked(again))
    thread.join()
"""
    output, _errors = said(where="", attempt="pass", around=around)
    assert output == "{'a': 1}\n6\n"


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_ways_to_start_a_process(method: str) -> None:
    attempt = f"""
    with multiprocessing.get_context("{method}").Pool(1) as pool:
        report(pool.map(abs, [-3]))
"""
    assert said(where="in_subject", attempt=attempt)[0] == "[3]\n"


def test_a_child_does_not_keep_the_port_of_the_counters() -> None:
    around = """
    import socket
    os.environ["PATHWAY_MONITORING_HTTP_PORT"] = str(port := socket.create_server(("127.0.0.1", 0)).getsockname()[1])
    child = []
    def begin():
        child.append(fork.Process(target=time.sleep, args=(1000,)))
        child[0].start()
    attempt = begin
    pw.run(monitoring_level=pw.MonitoringLevel.NONE, with_http_server=True)
    socket.create_server(("127.0.0.1", port)).close()
    child[0].terminate()
    child[0].join(10)
    report(child[0].exitcode)
"""
    assert said(where="in_subject", attempt="pass", around=around)[0] == "-15\n"
