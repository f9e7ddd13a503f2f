"""The arguments of `pw.run` and `pw.run_all`, and the settings that hold for all runs."""

import asyncio
import inspect
import os
import re
import signal
import socket
import threading
import urllib.error
import urllib.request
from typing import Any, ClassVar

import pathway as pw
import pytest
from pathway._running import metrics_server

from tests.processes import free_ports

QUIET = pw.MonitoringLevel.NONE


def numbers() -> pw.Table[Any]:
    return pw.debug.table_from_markdown("a\n1\n2")


def test_both_functions_have_the_same_arguments() -> None:
    names = list(inspect.signature(pw.run).parameters)
    assert names == list(inspect.signature(pw.run_all).parameters)
    assert names == [
        "debug",
        "monitoring_level",
        "with_http_server",
        "default_logging",
        "persistence_config",
        "runtime_typechecking",
        "terminate_on_error",
        "max_expression_batch_size",
        "event_loop",
        "udf_cache_directory",
    ]
    assert all(value.kind is value.KEYWORD_ONLY for value in inspect.signature(pw.run).parameters.values())


@pytest.mark.parametrize("run", [pw.run, pw.run_all])
def test_wrong_arguments_are_named(run: Any) -> None:
    with pytest.raises(TypeError, match=rf"pw.{run.__name__}\(\) .*'threads'"):
        run(threads=4)
    with pytest.raises(TypeError):
        run(True)
    for name, value in {
        "debug": 1,
        "monitoring_level": "all",
        "with_http_server": None,
        "default_logging": "no",
        "runtime_typechecking": 3,
        "terminate_on_error": "yes",
        "max_expression_batch_size": "many",
        "event_loop": 5,
        "udf_cache_directory": 5,
    }.items():
        with pytest.raises(TypeError, match=f"argument {name} has to be"):
            run(**{name: value})
    with pytest.raises(ValueError, match="max_expression_batch_size"):
        run(max_expression_batch_size=0)
    with pytest.raises(TypeError, match=r"argument persistence_config has to be a pw\.persistence\.Config, found"):
        run(persistence_config=object())


@pytest.mark.parametrize("run", [pw.run, pw.run_all])
def test_accepted_arguments_change_nothing(run: Any) -> None:
    rows: list[Any] = []
    pw.io.subscribe(numbers(), lambda key, row, time, is_addition: rows.append(row["a"]))
    run(
        monitoring_level=QUIET,
        default_logging=False,
        runtime_typechecking=True,
        max_expression_batch_size=1,
        udf_cache_directory="/nonexistent/cache",
        persistence_config=None,
    )
    assert sorted(rows) == [1, 2]


# with_http_server


class Asking(pw.io.python.ConnectorSubject):
    """Sends three rows, then asks the server; `answers` has the status, the type and the text for each path."""

    def __init__(self, port: int, sent: threading.Event) -> None:
        super().__init__()
        self.port = port
        self.sent = sent
        self.answers: dict[str, tuple[int, str, str]] = {}

    def run(self) -> None:
        for number in range(3):
            self.next(a=number)
        self.commit()
        assert self.sent.wait(30)
        for path in ("/status", "/metrics", "/metrics?name=x", "/", "/metrics/more"):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
                    self.answers[path] = (answer.status, answer.headers["Content-Type"], answer.read().decode())
            except urllib.error.HTTPError as error:
                self.answers[path] = (error.code, "", "")


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    # Process i uses the port + i.
    number = free_ports(2)
    monkeypatch.setenv("PATHWAY_MONITORING_HTTP_PORT", str(number))
    return number


def test_the_counters_over_http(port: int) -> None:
    sent = threading.Event()
    subject = Asking(port, sent)
    table = pw.io.python.read(subject, schema=pw.schema_from_types(a=int), name='my "numbers"')
    pw.io.subscribe(table, lambda **_: None, on_time_end=lambda time: sent.set(), name="taker")
    pw.run(with_http_server=True, monitoring_level=QUIET)
    assert {path: status for path, (status, _, _) in subject.answers.items()} == {
        "/status": 200,
        "/metrics": 200,
        "/metrics?name=x": 200,
        "/": 200,
        "/metrics/more": 404,
    }
    _, kind, text = subject.answers["/metrics"]
    assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert text.endswith("# EOF\n")
    assert re.search(
        r'^pathway_rows_out_total\{number="\d+",role="source",name="my \\"numbers\\""\} 3$', text, re.MULTILINE
    )
    assert re.search(r'^pathway_rows_in_total\{number="\d+",role="sink",name="taker"\} 3$', text, re.MULTILINE)
    assert re.search(r"^input_latency_ms \d+$", text, re.MULTILINE)
    # Nobody listens any longer.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=30)


@pytest.mark.one_process("every process counts what its own workers do")
def test_the_counters_of_each_worker(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATHWAY_THREADS", "2")
    sent = threading.Event()
    subject = Asking(port, sent)
    table = pw.io.python.read(subject, schema=pw.schema_from_types(a=int), name="numbers")
    counts = table.groupby(table.a).reduce(table.a, count=pw.reducers.count())
    pw.io.subscribe(counts, lambda **_: None, on_time_end=lambda time: sent.set(), name="taker")
    pw.run(with_http_server=True, monitoring_level=QUIET)
    text = subject.answers["/metrics"][2]

    def of_workers(metric: str, name: str) -> dict[str, int]:
        found = re.findall(rf'^{metric}_total{{.*name="{name}",worker="(\d+)"}} (\d+)$', text, re.MULTILINE)
        return {worker: int(count) for worker, count in found}

    # One worker reads and one takes; between them the rows go to the worker that owns their group.
    assert of_workers("pathway_worker_rows_out", "numbers") == {"0": 3}
    assert of_workers("pathway_worker_rows_in", "taker") == {"0": 3, "1": 0}
    grouped = of_workers("pathway_worker_rows_in", "reduce")
    assert sorted(grouped) == ["0", "1"]
    assert sum(grouped.values()) == 3


def test_a_port_in_use_ends_the_program_before_anything_is_read(port: int) -> None:
    class Untouched(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            started.append(True)

    started: list[bool] = []
    pw.io.null.write(pw.io.python.read(Untouched(), schema=pw.schema_from_types(a=int)))
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(OSError, match=f"127.0.0.1:{port} .*PATHWAY_MONITORING_HTTP_PORT"):
            pw.run(with_http_server=True, monitoring_level=QUIET)
    assert started == []
    pw.run(with_http_server=True, monitoring_level=QUIET)
    assert started == [True]


def test_every_process_has_a_port_of_its_own(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from pathway._ground import environment

    monkeypatch.setenv("PATHWAY_PROCESS_ID", "2")
    monkeypatch.setenv("PATHWAY_MONITORING_HTTP_PORT", "20500")
    assert environment.monitoring_port() == 20502
    monkeypatch.setenv("PATHWAY_MONITORING_HTTP_PORT", "65534")
    with pytest.raises(ValueError, match="PATHWAY_MONITORING_HTTP_PORT"):
        environment.monitoring_port()


def test_finished_times_are_told_as_minus_one() -> None:
    class Entry:
        name, role, rows_in, rows_out, rejected, backlog, time = "s", "source", 1, 2, 3, 4, 2**63 - 1
        workers: ClassVar = [(0, 1, 2, 4)]

    text = metrics_server.text([Entry()])  # type: ignore[list-item]
    assert "\ninput_latency_ms -1\n" in text
    assert '\npathway_rows_rejected_total{number="0",role="source",name="s"} 3\n' in text
    assert '\npathway_rows_waiting{number="0",role="source",name="s"} 4\n' in text


# event_loop


def loop_of_callbacks_and_subject(**arguments: Any) -> tuple[asyncio.AbstractEventLoop, asyncio.AbstractEventLoop]:
    """Runs an asynchronous subject into an asynchronous callback; the loops that they found themselves in."""
    loops: dict[str, asyncio.AbstractEventLoop] = {}

    class Subject(pw.io.python.ConnectorSubject):
        async def run(self) -> None:
            loops["subject"] = asyncio.get_running_loop()
            await asyncio.sleep(0)
            self.next(a=1)

    async def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        await asyncio.sleep(0)
        loops["callback"] = asyncio.get_running_loop()

    pw.io.subscribe(pw.io.python.read(Subject(), schema=pw.schema_from_types(a=int)), on_change)
    pw.run(monitoring_level=QUIET, **arguments)
    return loops["subject"], loops["callback"]


@pytest.mark.one_process("processes that share the selector of a loop take each other's events")
def test_coroutines_run_in_the_loop_that_was_given() -> None:
    loop = asyncio.new_event_loop()
    assert loop_of_callbacks_and_subject(event_loop=loop) == (loop, loop)
    assert not loop.is_running()
    # It can be used again, by another run or by its owner.
    assert loop_of_callbacks_and_subject(event_loop=loop) == (loop, loop)
    assert loop.run_until_complete(asyncio.sleep(0, result=7)) == 7
    loop.close()
    with pytest.raises(ValueError, match="the loop is closed"):
        pw.run(event_loop=loop)


def test_a_loop_that_runs_already_keeps_running() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        found = await asyncio.to_thread(loop_of_callbacks_and_subject, event_loop=loop)
        assert found == (loop, loop)

    asyncio.run(main())


def test_a_loop_that_the_run_would_block_is_refused() -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match=r"asyncio\.to_thread"):
            pw.run(event_loop=asyncio.get_running_loop())

    asyncio.run(main())


def test_without_a_loop_the_callbacks_share_one() -> None:
    subject, callback = loop_of_callbacks_and_subject()
    assert subject is not callback
    assert loop_of_callbacks_and_subject()[1] is callback


def test_a_forked_process_has_a_loop_of_its_own() -> None:
    _, callback = loop_of_callbacks_and_subject()
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        status = 1
        try:
            _, own = loop_of_callbacks_and_subject()
            status = 0 if own is not callback else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    # That of this process is as it was.
    assert loop_of_callbacks_and_subject()[1] is callback


# debug


def test_debugged_tables_are_printed_only_in_debug_runs(capsys: pytest.CaptureFixture[str]) -> None:
    table = pw.debug.table_from_markdown("  | a | b | __time__ | __diff__\n1 | 7 | x | 2 | 1\n1 | 7 | x | 4 | -1")
    same = table.debug("seen")
    assert same is table
    pw.io.null.write(numbers())
    for _ in range(2):
        pw.run(monitoring_level=QUIET)
        assert capsys.readouterr().out == ""
        pw.run(debug=True, monitoring_level=QUIET)
        key = pw.debug.table_from_markdown("  | a\n1 | 0").select(k=pw.this.id)
        id = pw.testing.capture(key)[0].key
        assert capsys.readouterr().out.splitlines() == [
            f"[seen] @2 +1 id={id}, a=7, b='x'",
            f"[seen] @4 -1 id={id}, a=7, b='x'",
        ]


def test_debugged_tables_are_printed_by_the_functions_of_pw_debug(capsys: pytest.CaptureFixture[str]) -> None:
    table = numbers().debug("first")
    pw.debug.compute_and_print(table.reduce(n=pw.reducers.count()), include_id=False)
    *debugged, header, count = capsys.readouterr().out.splitlines()
    assert sorted(line.split(", ")[1] for line in debugged) == ["a=1", "a=2"]
    assert (header, count) == ("n", "2")
    pw.testing.capture(table)
    assert capsys.readouterr().out == ""


# The arguments in pw.debug


def test_the_functions_of_pw_debug_take_arguments_of_run(capsys: pytest.CaptureFixture[str]) -> None:
    table = numbers().select(x=1 // (pw.this.a - 1))
    with pytest.raises(ZeroDivisionError):
        pw.debug.compute_and_print(table)
    pw.debug.compute_and_print(
        table, include_id=False, terminate_on_error=False, runtime_typechecking=True, persistence_config=None
    )
    assert capsys.readouterr().out == "x\n1\nError\n"
    _, columns = pw.debug.table_to_dicts(table, terminate_on_error=False)
    assert len(columns["x"]) == 2
    with pytest.raises(TypeError, match="bogus"):
        pw.debug.compute_and_print(table, bogus=1)
    with pytest.raises(TypeError, match="persistence_config"):
        pw.debug.compute_and_print_update_stream(table, persistence_config=object())


def test_a_stream_generator_needs_no_persistence(capsys: pytest.CaptureFixture[str]) -> None:
    generator = pw.debug.StreamGenerator()
    table = generator.table_from_list_of_batches([[{"a": 1}], [{"a": 2}]], pw.schema_from_types(a=int))
    pw.debug.compute_and_print_update_stream(table, include_id=False, persistence_config=generator.persistence_config())
    assert capsys.readouterr().out.splitlines() == ["a | __time__ | __diff__", "1 | 2        | 1", "2 | 4        | 1"]
    rows: list[Any] = []
    pw.io.subscribe(table, lambda key, row, time, is_addition: rows.append((row["a"], time)))
    pw.run(monitoring_level=QUIET, persistence_config=generator.persistence_config())
    assert rows == [(1, 2), (2, 4)]


# Settings for all runs


def test_license_keys_are_accepted() -> None:
    pw.set_license_key("anything")
    pw.set_license_key(None)
    with pytest.raises(TypeError, match="argument key"):
        pw.set_license_key(5)  # type: ignore[arg-type]


def test_metrics_that_would_not_be_sent_are_refused() -> None:
    pw.set_monitoring_config()
    pw.set_monitoring_config(server_endpoint=None, detailed_metrics_dir=None)
    for name in ("server_endpoint", "detailed_metrics_dir"):
        with pytest.raises(NotImplementedError, match=name):
            pw.set_monitoring_config(**{name: "somewhere"})
