"""Every hook of the user's raises all there is to raise, or never returns: the run ends soon, with what came first.

A hook is called at the end of a run, or ends it. Each program runs alone in a process, as it may hang.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

import pytest

pytestmark = pytest.mark.one_process("the programs are processes of their own")

PROGRAM = """
import asyncio, json, signal, sys, threading, time
import pathway as pw

class Mute(Exception):
    def __str__(self):
        raise ValueError("no words")
    __repr__ = __str__

class Outsider(BaseException):
    pass

class NotCopied(Exception):
    def __reduce__(self):
        raise TypeError("not to be pickled")

ERRORS = dict(
    plain=ValueError("plain"),
    exits=SystemExit(7),
    interrupt=KeyboardInterrupt(),
    generator=GeneratorExit(),
    cancelled=asyncio.CancelledError(),
    outsider=Outsider("out"),
    mute=Mute(),
    surrogate=ValueError("half \\udc80 of a pair"),
    uncopied=NotCopied("not copied"),
    escapes=ValueError("red \\x1b[31m [/x] \\r\\n"),
    stop=StopIteration("stop"),
)

def does(what):
    if what == "hangs":
        time.sleep(1000)
    elif what:
        raise ERRORS[what]

async def does_later(what):
    await asyncio.sleep(0)
    if what == "hangs":
        await asyncio.sleep(1000)
    elif what:
        raise ERRORS[what]

DO = json.loads(sys.argv[1])
stopped = threading.Event()

class Source(pw.io.python.ConnectorSubject):
    def start(self):
        does(DO.get("start"))
    def run(self):
        self.next(number=1)
        self.commit()
        does(DO.get("run"))
        if "waits" in DO:
            stopped.wait(100)
    def on_stop(self):
        stopped.set()
        does(DO.get("on_stop"))
    def end(self):
        does(DO.get("end"))

class Later(pw.io.python.ConnectorSubject):
    async def run(self):
        self.next(number=2)
        try:
            await does_later(DO.get("run_later"))
            if "waits" in DO:
                await asyncio.sleep(100)
        finally:
            await does_later(DO.get("finally_later"))
    async def on_stop(self):
        await does_later(DO.get("on_stop_later"))

class Yielding(pw.io.python.ConnectorSubject):
    async def run(self):
        try:
            yield dict(number=3)
            await does_later(DO.get("run_yielding"))
            if "waits" in DO:
                await asyncio.sleep(100)
        finally:
            await does_later(DO.get("finally_yielding"))

class Failing(pw.io.python.ConnectorSubject):
    def run(self):
        if "other" in DO:
            self.next(number=4)
            self.commit()
            assert stopped.wait(0.3) or True
            raise ERRORS[DO["other"]]

schema = pw.schema_from_types(number=int)
tables = [pw.io.python.read(kind(), schema=schema, autocommit_duration_ms=10) for kind in (Source, Later, Yielding)]
other = pw.io.python.read(Failing(), schema=schema)

def on_change(key, row, time, is_addition):
    does(DO.get("on_change"))

async def on_change_later(key, row, time, is_addition):
    await does_later(DO.get("on_change_later"))

def on_time_end(time):
    does(DO.get("on_time_end"))

def on_end():
    does(DO.get("on_end"))

def function(number):
    does(DO.get("function"))
    return number

pw.io.subscribe(other, on_change, on_end, on_time_end)
for table in tables:
    table = table.select(number=pw.apply_with_type(function, int, pw.this.number))
    pw.io.subscribe(table, on_change, on_end, on_time_end)
    pw.io.subscribe(table, on_change_later)
if "signal" in DO:
    threading.Timer(1.0, signal.raise_signal, (signal.SIGTERM,)).start()
began = time.monotonic()
try:
    pw.run(monitoring_level=pw.MonitoringLevel.IN_OUT)
    name = "nothing"
except BaseException as error:
    names = [name for name, each in ERRORS.items() if each is error]
    name = names[0] if names else type(error).__name__
print(json.dumps([name, time.monotonic() - began]), flush=True)
"""

# Those that are always called.
HOOKS = (
    "start",
    "run",
    "on_stop",
    "end",
    "run_later",
    "on_stop_later",
    "run_yielding",
    "finally_yielding",
    "on_change",
    "on_change_later",
    "on_time_end",
    "on_end",
    "function",
)
ERRORS = (
    "plain",
    "exits",
    "interrupt",
    "generator",
    "cancelled",
    "outsider",
    "mute",
    "surrogate",
    "uncopied",
    "escapes",
    "stop",
)


def attempt(do: dict[str, Any], threads: int = 2) -> tuple[str, float, str]:
    """What the run has ended with, after how many seconds, and what was said."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", PROGRAM, json.dumps(do)],
        capture_output=True,
        timeout=60,
        env={**os.environ, "PATHWAY_THREADS": str(threads)},
    )
    errors = done.stderr.decode()
    assert done.returncode == 0, (do, errors[-3000:])
    assert not [word for word in ("Fatal", "panicked", "Logging error") if word in errors], (do, errors[-3000:])
    assert "\x1b" not in errors
    name, seconds = json.loads(done.stdout.decode().splitlines()[-1])
    return name, seconds, errors


def expected(hook: str, error: str) -> set[str]:
    if error == "stop" and hook in (
        "run_later",
        "on_stop_later",
        "run_yielding",
        "finally_yielding",
        "on_change_later",
    ):
        # Python itself says so: a coroutine raised StopIteration.
        return {"RuntimeError"}
    if error == "generator" and hook in ("run_yielding", "finally_yielding"):
        return {error, "RuntimeError", "nothing"}
    return {error}


@pytest.mark.parametrize("hook", HOOKS)
def test_what_a_hook_raises_is_what_the_run_raises(hook: str, attack_rounds: int) -> None:
    # A different one for each hook in the short form; all of them in the long one.
    first = HOOKS.index(hook)
    errors = ERRORS if attack_rounds > 1 else [ERRORS[(first * 3 + step) % len(ERRORS)] for step in range(2)]
    for error in errors:
        name, seconds, said = attempt({hook: error})
        assert name in expected(hook, error), (hook, error, name, said[-2000:])
        assert seconds < 4, (hook, error, seconds)


HANGING = (
    "on_stop",
    "end",
    "on_change",
    "on_change_later",
    "on_time_end",
    "on_end",
    "function",
    "on_stop_later",
    "finally_later",
    "finally_yielding",
    "start",
)


@pytest.mark.parametrize("hook", HANGING)
def test_a_hook_that_never_returns_does_not_hide_the_error_of_another(hook: str) -> None:
    name, seconds, said = attempt({hook: "hangs", "other": "plain", "waits": True})
    assert name == "plain", said[-2000:]
    assert seconds < 10, said[-2000:]


@pytest.mark.parametrize("hook", ["on_stop", "end", "on_stop_later", "finally_later", "finally_yielding"])
def test_a_hook_of_a_source_that_never_returns_does_not_keep_a_run_from_stopping(hook: str) -> None:
    name, seconds, said = attempt({hook: "hangs", "signal": True, "waits": True})
    assert name == "SystemExit", said[-2000:]
    assert seconds < 10, said[-2000:]


def test_the_first_error_is_the_one_that_is_raised() -> None:
    name, seconds, said = attempt({"run": "plain", "on_stop": "outsider", "end": "mute"})
    assert (name, seconds < 4) == ("plain", True), said[-2000:]


def test_time_to_end_is_short() -> None:
    began = time.monotonic()
    assert attempt({})[0] == "nothing"
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("failing", "hanging"),
    [
        ("run", "on_stop"),
        ("run", "end"),
        ("run_later", "on_stop_later"),
        ("run_later", "on_stop"),
        ("start", "on_stop"),
        ("run_yielding", "on_stop"),
    ],
)
def test_a_hook_that_never_returns_does_not_hide_the_error_of_its_own_source(failing: str, hanging: str) -> None:
    name, seconds, said = attempt({failing: "plain", hanging: "hangs"})
    assert name == "plain", said[-2000:]
    assert seconds < 10, said[-2000:]


@pytest.mark.parametrize("hook", ["on_stop", "end", "on_stop_later"])
def test_a_hook_that_never_returns_after_run_has_does_not_keep_a_run_from_ending(hook: str) -> None:
    name, seconds, said = attempt({hook: "hangs"})
    assert name == "nothing", said[-2000:]
    assert seconds < 8, said[-2000:]
    assert f"{hook.removesuffix('_later')}() has not returned within 2 seconds after run() has ended" in said
