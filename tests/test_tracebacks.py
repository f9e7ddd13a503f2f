"""What people read when a run fails or is stopped: their own frames, and one message."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable
from typing import Any

import pathway as pw
import pytest
from pathway._ground import tracebacks

from tests.processes import environment, free_ports, pathway
from tests.waiting import when

FAILING = """
import sys, threading
import pathway as pw

def invert(a):
    return 1 / a

@pw.udf
def inverted(a: int) -> float:
    return invert(a)

table = pw.debug.table_from_rows(pw.schema_from_types(a=int), [(0,)])
pw.io.null.write(table.select(b=inverted(table.a)))
"""

OURS = str(pathlib.Path(pw.__file__).parent)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=60, env=environment(), check=False
    )


def functions(text: str) -> list[str]:
    """The functions of the frames of a traceback."""
    return re.findall(r'^ +File ".*", line \d+, in (.*)$', text, re.MULTILINE)


@pytest.fixture
def script(tmp_path: pathlib.Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        path = tmp_path / "main.py"
        path.write_text(text)
        return str(path)

    return write


def test_a_script(script: Callable[[str], str]) -> None:
    done = run(script(FAILING + "pw.run(monitoring_level=pw.MonitoringLevel.NONE)\n"))
    assert done.returncode == 1
    assert OURS not in done.stderr
    assert functions(done.stderr) == ["<module>", "inverted", "invert"]
    assert done.stderr.count("ZeroDivisionError") == 1
    assert done.stderr.count("Traceback") == 1


def test_a_program_of_the_command_line() -> None:
    done = run("-c", FAILING + "pw.run(monitoring_level=pw.MonitoringLevel.NONE)\n")
    assert done.returncode == 1
    assert OURS not in done.stderr
    assert functions(done.stderr) == ["<module>", "inverted", "invert"]


def test_a_thread(script: Callable[[str], str]) -> None:
    done = run(script(FAILING + "thread = threading.Thread(target=pw.run)\nthread.start()\nthread.join()\n"))
    assert "Exception in thread Thread-1" in done.stderr
    assert OURS not in done.stderr
    assert functions(done.stderr)[-2:] == ["inverted", "invert"]
    assert done.stderr.count("Traceback") == 1


def test_pytest_itself(tmp_path: pathlib.Path) -> None:
    (tmp_path / "test_it.py").write_text(FAILING + "def test_it():\n    pw.run()\n")
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path / "test_it.py"))
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stdout
    assert f"{OURS}{os.sep}_" not in done.stdout
    assert not re.search(r"^\S*pathway/_running/\S+:\d+:", done.stdout, re.MULTILINE)
    assert "test_it.py:6: ZeroDivisionError" in done.stdout


def test_what_the_program_catches_reads_the_same(script: Callable[[str], str]) -> None:
    text = "import logging\ntry:\n    pw.run(monitoring_level=pw.MonitoringLevel.NONE)\nexcept Exception:\n"
    done = run(script(FAILING + text + "    logging.exception('it has failed')\n"))
    assert done.returncode == 0
    assert OURS not in done.stderr
    assert functions(done.stderr) == ["<module>", "inverted", "invert"]


def test_looking_at_a_table(script: Callable[[str], str]) -> None:
    for call in (
        "pw.debug.compute_and_print(t)",
        "pw.debug.compute_and_print_update_stream(t)",
        "pw.debug.table_to_pandas(t)",
        "pw.debug.table_to_dicts(t)",
        "pw.testing.capture(t)",
    ):
        done = run(script(FAILING + f"t = table.select(b=inverted(table.a))\n{call}\n"))
        assert functions(done.stderr) == ["<module>", "inverted", "invert"], call


def test_an_error_of_the_engine_is_at_the_line_of_the_run(script: Callable[[str], str]) -> None:
    text = """
import pathway as pw
table = pw.io.csv.read("not/there", schema=pw.schema_from_types(a=int), mode="static")
pw.io.null.write(table)
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
"""
    done = run(script(text))
    assert done.returncode == 1
    assert functions(done.stderr) == ["<module>"]
    assert "there is no file or folder not/there" in done.stderr


@pytest.mark.parametrize("arguments", ["debug=3", "nonsense=1", "max_expression_batch_size=0"])
def test_a_wrong_argument_is_at_the_line_of_the_run(script: Callable[[str], str], arguments: str) -> None:
    done = run(script(f"import pathway as pw\npw.run({arguments})\n"))
    assert done.returncode == 1
    assert functions(done.stderr) == ["<module>"]
    assert done.stderr.count("Error: ") == 1


@pytest.mark.parametrize(
    "line",
    [
        't.select(b=t.a + "x")',
        "t.a.dt.strftime(1, 2, 3)",
        "t.a.str.nonsense()",
        't.groupby("a")',
        "t.join(1)",
        "pw.io.csv.read(1, schema=2)",
        'pw.io.csv.write(t, "x.csv", nonsense=1)',
        "pw.reducers.sum()",
        "pw.debug.table_from_rows(t, 1)",
        "pw.testing.assert_equal_tables(1, 2)",
        'pw.schema_builder({"a": 1})',
    ],
)
def test_a_wrong_line_is_all_that_is_shown(script: Callable[[str], str], line: str) -> None:
    text = f"""
import pathway as pw
t = pw.debug.table_from_rows(pw.schema_from_types(a=int), [(0,)])
def declare():
    {line}
declare()
"""
    done = run(script(text))
    assert done.returncode == 1
    assert functions(done.stderr) == ["<module>", "declare"]
    assert done.stderr.count("Error: ") == 1


def test_a_run_that_fails_within_a_block_is_at_the_line_of_the_block(script: Callable[[str], str]) -> None:
    done = run(script(FAILING + "with pw.start(monitoring_level=pw.MonitoringLevel.NONE) as handle:\n    pass\n"))
    assert done.returncode == 1
    assert functions(done.stderr) == ["<module>", "inverted", "invert"]
    assert done.stderr.count("Traceback") == 1


def test_a_source_of_the_user(script: Callable[[str], str]) -> None:
    text = """
import asyncio
import pathway as pw
class Rows(pw.io.python.ConnectorSubject):
    async def run(self):
        await asyncio.sleep(0)
        self.go_wrong()
    def go_wrong(self):
        raise ValueError("the sky is falling")
table = pw.io.python.read(Rows(), schema=pw.schema_from_types(a=int))
pw.io.null.write(table)
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
"""
    done = run(script(text))
    assert functions(done.stderr) == ["<module>", "run", "go_wrong"]
    assert done.stderr.count("Traceback") == 1
    # Before that a message names the connector.
    assert "python: the connector failed: ValueError: the sky is falling" in done.stderr.splitlines()[0]


def test_a_cause_is_shown_without_our_frames() -> None:
    def fail(a: int) -> float:
        try:
            return 1 / a
        except ZeroDivisionError as error:
            raise ValueError("no inverse") from error

    table = pw.debug.table_from_rows(pw.schema_from_types(a=int), [(0,)])
    pw.io.null.write(table.select(b=pw.apply_with_type(fail, float, table.a)))
    with pytest.raises(ValueError, match="no inverse") as raised:
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    text = "".join(traceback.format_exception(raised.value))
    assert OURS not in text
    assert "ZeroDivisionError" in text


def ours(body: str) -> Callable[..., Any]:
    """A function that stands in a file of the package."""
    names: dict[str, Any] = {}
    exec(compile(f"def ours(function=None):\n    {body}\n", f"{OURS}{os.sep}_running{os.sep}x.py", "exec"), names)
    return tracebacks.shortened(names["ours"])


def frames(error: BaseException) -> list[str]:
    """The functions of its frames, without those of this test."""
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)][1:]


def test_a_mistake_that_may_be_ours_keeps_all_frames() -> None:
    with pytest.raises(IndexError) as raised:
        ours("[][1]")()
    assert frames(raised.value) == ["called", "ours"]


def test_a_mistake_of_the_user_has_none_of_ours() -> None:
    def go_wrong() -> None:
        raise IndexError

    with pytest.raises(IndexError) as raised:
        ours("function()")(go_wrong)
    assert frames(raised.value) == ["go_wrong"]


@pytest.mark.parametrize(
    "body", ["raise OSError", "__tracebackhide__ = True; raise TypeError", "import json; json.loads('x')"]
)
def test_a_message_to_the_user_has_none_of_ours(body: str) -> None:
    with pytest.raises((OSError, TypeError, ValueError)) as raised:
        ours(body)()
    assert frames(raised.value) == []


def test_the_standard_library_counts_as_who_has_called_it() -> None:
    def parse() -> None:
        json.loads("x")

    with pytest.raises(ValueError, match="Expecting") as raised:
        ours("function()")(parse)
    assert frames(raised.value)[:2] == ["parse", "loads"]
    # Between ours and the user's it is machinery.
    with pytest.raises(ZeroDivisionError) as other:
        ours("import contextlib\n    with contextlib.ExitStack() as stack: stack.callback(function)")(lambda: 1 / 0)
    assert frames(other.value) == ["<lambda>"]


def test_groups_are_shortened_all_through() -> None:
    def fail() -> None:
        raise ValueError("one")

    body = "try: function()\n    except ValueError as error: raise ExceptionGroup('all', [error])"
    with pytest.raises(ExceptionGroup) as raised:
        ours(body)(fail)
    assert frames(raised.value) == []
    (one,) = raised.value.exceptions
    assert [frame.name for frame in traceback.extract_tb(one.__traceback__)] == ["fail"]


def test_a_cause_that_the_message_names_is_not_told_twice(tmp_path: pathlib.Path) -> None:
    (tmp_path / "x.db").write_text("not a database" * 100)
    table = pw.debug.table_from_rows(pw.schema_from_types(a=int), [(0,)])
    pw.io.sqlite.write(table, tmp_path / "x.db", "t")
    with pytest.raises(OSError, match="file is not a database") as raised:
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert raised.value.__cause__ is None
    assert "".join(traceback.format_exception(raised.value)).count("Traceback") == 1


ENDLESS = """
import threading
import pathway as pw

class Endless(pw.io.python.ConnectorSubject):
    def __init__(self):
        super().__init__()
        self.stopped = threading.Event()
    def run(self):
        self.next(a=1)
        self.commit()
        self.stopped.wait()
    def on_stop(self):
        self.stopped.set()

table = pw.io.python.read(Endless(), schema=pw.schema_from_types(a=int))
pw.io.subscribe(table, lambda **_: print("ready", flush=True))
"""

QUIET = "pw.run(monitoring_level=pw.MonitoringLevel.NONE)\n"


def interrupted(command: list[str], number: int = signal.SIGINT) -> tuple[int, list[str]]:
    """The exit status of a program that gets a signal when it is ready, and what it says after that."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    return process.returncode, errors.splitlines()


def test_ctrl_c_is_one_line(script: Callable[[str], str]) -> None:
    path = script(ENDLESS + QUIET)
    # A shell says 130 of it.
    for command in ([sys.executable, path], [sys.executable, "-c", ENDLESS + QUIET]):
        status, lines = interrupted(command)
        assert status == -signal.SIGINT
        (line,) = lines
        assert line.endswith("WARNING:Interrupted: shutting down the computation gracefully")
    shell = ["sh", "-c", f"{sys.executable} {path}; exit $?"]
    with subprocess.Popen(
        shell, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        # As a terminal does it, which sends it to all that it runs.
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT)


@pytest.mark.parametrize("processes", [1, 3])
def test_ctrl_c_is_one_line_of_several_processes(script: Callable[[str], str], processes: int) -> None:
    path = script(ENDLESS + QUIET)
    command = [sys.executable, "-m", "pathway.cli", "spawn", "-n", str(processes)]
    status, lines = interrupted([*command, "--first-port", str(free_ports(processes)), sys.executable, path])
    assert status == 130
    # Where another process was quicker it says that the computation was shut down.
    (line,) = lines
    assert "WARNING:Interrupted: " in line


def test_a_program_may_catch_ctrl_c(script: Callable[[str], str]) -> None:
    text = "try:\n    " + QUIET + "except KeyboardInterrupt:\n    raise SystemExit(7)\n"
    assert interrupted([sys.executable, script(ENDLESS + text)])[0] == 7


def test_what_goes_wrong_after_ctrl_c_is_not_silent(script: Callable[[str], str]) -> None:
    text = "try:\n    " + QUIET + "finally:\n    raise ValueError('while cleaning up')\n"
    status, lines = interrupted([sys.executable, script(ENDLESS + text)])
    assert status == 1
    assert lines[-1] == "ValueError: while cleaning up"


def test_another_ctrl_c_has_its_traceback(script: Callable[[str], str]) -> None:
    text = "try:\n    " + QUIET + "except KeyboardInterrupt:\n    pass\nraise KeyboardInterrupt\n"
    status, lines = interrupted([sys.executable, script(ENDLESS + text)])
    assert status == -signal.SIGINT
    assert lines[-1] == "KeyboardInterrupt"
    assert any(line.startswith("Traceback") for line in lines)


def test_a_hook_of_the_program_stays(script: Callable[[str], str]) -> None:
    hook = "import sys\nsys.excepthook = lambda kind, error, trace: print('hook', kind.__name__, file=sys.stderr)\n"
    status, lines = interrupted([sys.executable, script(hook + ENDLESS + QUIET)])
    assert status == -signal.SIGINT
    assert lines[-1] == "hook KeyboardInterrupt"


def test_a_failure_in_a_process_is_told_once(script: Callable[[str], str]) -> None:
    path = script(FAILING + QUIET)
    done = pathway("spawn", "-n", 2, "--first-port", free_ports(2), sys.executable, path)
    assert done.returncode == 1
    assert OURS not in done.stderr
    assert "invert" in functions(done.stderr)


def test_ctrl_c_while_other_processes_are_waited_for_is_one_line(script: Callable[[str], str]) -> None:
    port = free_ports(2)
    variables = {"PATHWAY_PROCESSES": "2", "PATHWAY_PROCESS_ID": "0", "PATHWAY_FIRST_PORT": str(port)}
    command = [sys.executable, script(ENDLESS + QUIET)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment(**variables)) as process:
        when(lambda: is_listened_at(port))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert "Traceback" not in errors
    # Besides a word about the stranger that this test is.
    (line,) = [line for line in errors.splitlines() if "Interrupted" in line]
    assert line.endswith("WARNING:Interrupted: the computation had not begun")


def is_listened_at(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=60).close()
    except OSError:
        return False
    return True
