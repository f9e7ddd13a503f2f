"""The command `pathway`: what the processes are told, and what is refused.

The programs are small scripts that show their environment.
"""

import json
import os
import pathlib
import shlex
import socket
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.processes import PATHWAY, environment, free_ports, pathway


@pytest.fixture
def port() -> int:
    return free_ports(3)


SHOW = """
import json, os, sys
about = {name.removeprefix("PATHWAY_"): text for name, text in os.environ.items() if name.startswith("PATHWAY_")}
print(json.dumps({**about, "argv": sys.argv[1:], "other": os.environ.get("OTHER")}) + "\\n", end="")
"""


@pytest.fixture
def show(tmp_path: pathlib.Path) -> pathlib.Path:
    """A script that shows its arguments and environment."""
    path = tmp_path / "show.py"
    path.write_text(SHOW)
    return path


def shown(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """What the processes have shown, in their order."""
    assert done.returncode == 0, done.stderr
    return sorted((json.loads(line) for line in done.stdout.splitlines()), key=lambda about: int(about["PROCESS_ID"]))


def test_version_and_help() -> None:
    done = pathway("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("pathway, version ")
    for arguments in (["--help"], ["spawn", "--help"], ["spawn-from-env", "--help"]):
        done = pathway(*arguments)
        assert done.returncode == 0
        # Examples can be copied: nothing has refilled their lines.
        assert any(line.startswith("      pathway spawn") for line in done.stdout.splitlines()), done.stdout


def test_python_runs_the_package_as_the_command() -> None:
    for arguments in (["--version"], ["--help"], ["spawn", "--help"]):
        command = [sys.executable, "-m", "pathway", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=60)
        assert (done.returncode, done.stdout) == (0, pathway(*arguments).stdout)


def test_the_list_of_commands_is_in_whole_sentences() -> None:
    for arguments in (["--help"], ["state", "--help"]):
        listed = pathway(*arguments).stdout.partition("Commands:")[2]
        assert "..." not in listed
        assert listed.rstrip().endswith(".")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["spwan", "main.py"], "No such command 'spwan'. Did you mean 'spawn'?"),
        (["state", "verfy", "."], "No such command 'verfy'. Did you mean 'verify'?"),
        (["main.py"], "No such command 'main.py'. To run a program: pathway spawn python main.py"),
        (["xyzzy"], "No such command 'xyzzy'. There are "),
        (["spawn", "--thread", "2", "main.py"], "'--threads'"),
    ],
)
def test_slips_of_the_pen(arguments: list[str], message: str) -> None:
    done = pathway(*arguments)
    assert done.returncode == 2
    assert message in done.stderr


# What the processes are told.


def test_one_process_by_default(show: pathlib.Path) -> None:
    (about,) = shown(pathway("spawn", sys.executable, show))
    assert (about["THREADS"], about["PROCESSES"], about["PROCESS_ID"]) == ("1", "1", "0")


def test_every_process_is_told_its_place(show: pathlib.Path, port: int) -> None:
    before = time.time_ns() // 1_000_000 - 2
    processes = shown(pathway("spawn", "-t", 2, "-n", 3, "--first-port", port, sys.executable, show, OTHER="passed"))
    after = time.time_ns() // 1_000_000
    assert [about["PROCESS_ID"] for about in processes] == ["0", "1", "2"]
    for name in ("RUN_ID", "START_TIMESTAMP_MS", "CLUSTER_SECRET"):
        assert len({about[name] for about in processes}) == 1
    for about in processes:
        assert (about["THREADS"], about["PROCESSES"], about["FIRST_PORT"]) == ("2", "3", str(port))
        assert about["other"] == "passed"
        assert "ADDRESSES" not in about
    start = int(processes[0]["START_TIMESTAMP_MS"])
    assert before <= start <= after
    assert start % 2 == 0
    assert len(processes[0]["CLUSTER_SECRET"]) == 64


def test_secrets_and_names_are_made_anew_unless_they_are_given(show: pathlib.Path) -> None:
    names = ("RUN_ID", "CLUSTER_SECRET", "START_TIMESTAMP_MS")
    first, second = (shown(pathway("spawn", show))[0] for _ in range(2))
    assert first["RUN_ID"] != second["RUN_ID"]
    assert first["CLUSTER_SECRET"] != second["CLUSTER_SECRET"]
    given = {"PATHWAY_RUN_ID": "a", "PATHWAY_CLUSTER_SECRET": "b", "PATHWAY_START_TIMESTAMP_MS": "1000"}
    (about,) = shown(pathway("spawn", show, **given))
    assert [about[name] for name in names] == ["a", "b", "1000"]
    (about,) = shown(pathway("spawn", show, **dict.fromkeys(given, "")))
    assert all(about[name] for name in names)


def test_what_follows_the_program_belongs_to_it(show: pathlib.Path) -> None:
    arguments = ["a b", "-n", "5", "--threads", "x", "--help", "--", "", "$HOME"]
    (about,) = shown(pathway("spawn", "-t", 2, show, *arguments))
    assert (about["argv"], about["THREADS"], about["PROCESSES"]) == (arguments, "2", "1")


def test_addresses_take_the_place_of_ports_and_number(show: pathlib.Path, port: int) -> None:
    addresses = f"127.0.0.1:{port},localhost:{port + 1}"
    processes = shown(pathway("spawn", "--addresses", addresses, show))
    assert [(about["ADDRESSES"], about["PROCESSES"]) for about in processes] == [(addresses, "2")] * 2


def test_one_of_several_machines(show: pathlib.Path, port: int) -> None:
    # The address of the other machine is not looked at.
    options = ["--addresses", f"192.0.2.1:{port},127.0.0.1:{port}", "--process-id", 1]
    (about,) = shown(pathway("spawn", *options, show, PATHWAY_CLUSTER_SECRET="s"))
    assert (about["PROCESS_ID"], about["PROCESSES"], about["CLUSTER_SECRET"]) == ("1", "2", "s")
    # Each machine would make up another.
    assert "RUN_ID" not in about
    assert "START_TIMESTAMP_MS" not in about


def test_options_come_from_the_environment_too(show: pathlib.Path, port: int) -> None:
    told = {"PATHWAY_THREADS": "3", "PATHWAY_PROCESSES": "2", "PATHWAY_FIRST_PORT": str(port)}
    assert [about["THREADS"] for about in shown(pathway("spawn", show, **told))] == ["3", "3"]
    assert [about["THREADS"] for about in shown(pathway("spawn", "-t", 1, "-n", 1, show, **told))] == ["1"]
    told = {"PATHWAY_ADDRESSES": f"127.0.0.1:{port},192.0.2.1:1", "PATHWAY_PROCESS_ID": "0"}
    assert len(shown(pathway("spawn", show, PATHWAY_CLUSTER_SECRET="s", **told))) == 1


def test_a_spawned_program_may_spawn(show: pathlib.Path) -> None:
    (about,) = shown(pathway("spawn", *PATHWAY, "spawn", "-t", 2, show))
    assert about["THREADS"] == "2"


def test_an_executable_script_is_run_as_it_says(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "main.py"
    path.write_text("#!/bin/sh\necho shell\n")
    path.chmod(0o755)
    assert pathway("spawn", path).stdout == "shell\n"


def test_what_the_shell_has_opened_reaches_the_program(show: pathlib.Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"rows")
    os.close(writer)
    command = [*PATHWAY, "spawn", "cat", f"/dev/fd/{reader}"]
    done = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, timeout=60, pass_fds=[reader])
    os.close(reader)
    assert done.stdout == b"rows"


def test_standard_input_goes_to_process_0(port: int) -> None:
    script = 'printf "%s %s\\n" "$PATHWAY_PROCESS_ID" "$(cat)"'
    command = [*PATHWAY, "spawn", "-n", "2", "--first-port", str(port), "sh", "-c", script]
    done = subprocess.run(command, env=environment(), input="rows", capture_output=True, text=True, timeout=60)
    assert sorted(done.stdout.splitlines()) == ["0 rows", "1 "]


# The arguments in the environment.


def test_spawn_from_env(show: pathlib.Path) -> None:
    arguments = f"--threads 2 {shlex.quote(str(show))} 'a b' \"c\" -n 7"
    (about,) = shown(pathway("spawn-from-env", PATHWAY_SPAWN_ARGS=arguments))
    assert (about["THREADS"], about["argv"]) == ("2", ["a b", "c", "-n", "7"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (None, "PATHWAY_SPAWN_ARGS is not set"),
        ("", "PATHWAY_SPAWN_ARGS is not set"),
        ("python 'main.py", "PATHWAY_SPAWN_ARGS: No closing quotation"),
        ("--threads 0 python", "0 is not in the range 1<=x<=1024"),
        ("--threads 2", "Missing argument 'PROGRAM'"),
    ],
)
def test_wrong_arguments_in_the_environment(arguments: str | None, message: str) -> None:
    done = pathway("spawn-from-env", **({} if arguments is None else {"PATHWAY_SPAWN_ARGS": arguments}))
    assert done.returncode == 2
    assert message in done.stderr
    assert "PATHWAY_SPAWN_ARGS" in done.stderr
    assert done.stdout == ""


def test_the_status_comes_through_spawn_from_env() -> None:
    assert pathway("spawn-from-env", PATHWAY_SPAWN_ARGS="sh -c 'exit 4'").returncode == 4


# What is refused. Nothing has started then.


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        (["-t", "0", "sh"], ["'--threads'", "0 is not in the range 1<=x<=1024"]),
        (["-n", "0", "sh"], ["'--processes'", "0 is not in the range x>=1"]),
        (["-n", "two", "sh"], ["'--processes'", "'two' is not a valid integer"]),
        (["-n", "2", "--first-port", "65535", "sh"], ["--first-port: 2 ports from 65535 on"]),
        (["--first-port", "0", "sh"], ["'--first-port'", "0 is not in the range"]),
        (["--workers", "2", "sh"], ["No such option", "--workers"]),
        (["no-such-program"], ["program not found: no-such-program"]),
        (["missing.py"], ["program not found: missing.py"]),
        (["/"], ["/ is not a program"]),
        (["--addresses", "a,b", "sh"], ["'--addresses'", "'a' is not an address of the form host:port"]),
        (["--addresses", "a:1,b:0", "sh"], ["'b:0': the port has to be a number from 1 to 65535"]),
        (["--addresses", "a:1,a:1", "sh"], ["a:1 is there twice"]),
        (["--addresses", "a:1,b:1", "-n", "3", "sh"], ["--processes 3 does not fit --addresses, which has 2"]),
        (["--process-id", "0", "sh"], ["--process-id needs --addresses"]),
        (["--addresses", "a:1,b:1", "--process-id", "2", "sh"], ["--process-id 2", "from 0 to 1"]),
        (["--addresses", "a:1,b:1", "--process-id", "0", "sh"], ["PATHWAY_CLUSTER_SECRET"]),
        (["--addresses", "192.0.2.1:1,192.0.2.2:1", "sh"], ["process 0 cannot listen at 192.0.2.1:1"]),
    ],
)
def test_usage_errors(options: list[str], messages: list[str]) -> None:
    done = pathway("spawn", *options, "-c", "echo started")
    check_usage_error(done, messages)


def test_a_program_is_needed() -> None:
    check_usage_error(pathway("spawn", "-t", 2), ["Missing argument 'PROGRAM'"])


def check_usage_error(done: subprocess.CompletedProcess[str], messages: list[str]) -> None:
    assert done.returncode == 2
    assert done.stdout == ""
    for message in messages:
        assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_named_before_anything_starts(show: pathlib.Path, port: int) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port + 1))
        other.listen()
        done = pathway("spawn", "-n", 3, "--first-port", port, show)
        assert done.returncode == 2
        assert f"process 1 cannot listen at 127.0.0.1:{port + 1}: Address already in use" in done.stderr
        assert done.stdout == ""
        # One process needs no port.
        assert len(shown(pathway("spawn", "--first-port", port + 1, show))) == 1


def test_a_program_of_a_wrong_format(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(b"\x00\x01")
    path.chmod(0o755)
    done = pathway("spawn", path)
    assert done.returncode == 1
    assert done.stderr == f"Error: cannot run {path}: Exec format error\n"


# Real computations.

WORDS = """
import sys
import pathway as pw

class Words(pw.io.python.ConnectorSubject):
    def run(self):
        for number in range(1000):
            self.next(word=f"w{number % 7}")

words = pw.io.python.read(Words(), schema=pw.schema_from_types(word=str))
counted = words.groupby(words.word).reduce(words.word, count=pw.reducers.count())
pw.io.csv.write(counted, sys.argv[1])
pw.run()
"""


def test_a_computation_on_three_threads(tmp_path: pathlib.Path) -> None:
    (tmp_path / "main.py").write_text(WORDS)
    counts = []
    for threads in (1, 3):
        path = tmp_path / f"{threads}.csv"
        done = pathway("spawn", "-t", threads, tmp_path / "main.py", path)
        assert done.returncode == 0, done.stderr
        final = {}
        for line in path.read_text().splitlines()[1:]:
            word, count, _, diff = line.split(",")
            if diff.strip('"') == "1":
                final[word] = count
        counts.append(final)
    assert counts[0] == counts[1]
    assert len(counts[0]) == 7


def test_log_lines_of_other_processes_name_them(tmp_path: pathlib.Path) -> None:
    logs = "import logging\n@pw.udf\ndef tell(word: str) -> str:\n    logging.getLogger('pathway').info('told')\n"
    logs += "    return word\ncounted = counted.select(word=tell(counted.word), count=counted.count)\npw.io.csv.write("
    (tmp_path / "main.py").write_text(WORDS.replace("pw.io.csv.write(", logs))
    done = pathway("spawn", "-n", 2, "--first-port", free_ports(2), tmp_path / "main.py", tmp_path / "out.csv")
    assert done.returncode == 0, done.stderr
    lines = sorted({line[:15] for line in done.stderr.splitlines() if "INFO:told" in line})
    assert len(lines) == 2
    assert lines[0].startswith("[20")
    assert lines[1].startswith("[process 1] [20")
