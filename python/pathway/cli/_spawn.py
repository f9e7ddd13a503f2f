"""``pathway spawn``: from its options to the environment of each process.

A process learns its number from the environment alone (`pathway._ground.environment`), so that the program needs no
change. Whatever can be wrong before the start is found here and is a usage error; nothing has been started then.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import click
from click.core import ParameterSource

from pathway._ground import environment
from pathway._running import scaling
from pathway.cli import _supervisor


def _listed_addresses(_context: click.Context, _parameter: click.Parameter, text: str | None) -> list[str]:
    try:
        return environment.listed_addresses(text) if text else []
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


Command = TypeVar("Command", bound=Callable[..., None])

_OPTIONS = [
    click.option(
        "-t",
        "--threads",
        metavar="T",
        type=click.IntRange(1, environment.MOST_THREADS),
        default=1,
        envvar="PATHWAY_THREADS",
        show_default=True,
        show_envvar=True,
        help="Worker threads of each process.",
    ),
    click.option(
        "-n",
        "--processes",
        metavar="P",
        type=click.IntRange(min=1),
        envvar="PATHWAY_PROCESSES",
        show_envvar=True,
        help="Number of processes.  [default: 1, or the number of the addresses]",
    ),
    click.option(
        "--first-port",
        metavar="PORT",
        type=click.IntRange(1, 65535),
        default=10000,
        envvar="PATHWAY_FIRST_PORT",
        show_default=True,
        show_envvar=True,
        help="Process i listens at 127.0.0.1, port PORT + i, if there are several and no addresses are given.",
    ),
    click.option(
        "--addresses",
        metavar="HOST:PORT,...",
        callback=_listed_addresses,
        envvar="PATHWAY_ADDRESSES",
        show_envvar=True,
        help="Where each process listens, in the order of the processes.",
    ),
    click.option(
        "-pi",
        "--process-id",
        metavar="I",
        type=click.IntRange(min=0),
        envvar="PATHWAY_PROCESS_ID",
        show_envvar=True,
        help="Start only process I, counted from 0; others start the rest, on other machines. Needs --addresses.",
    ),
    click.argument("program"),
    click.argument("arguments", nargs=-1, type=click.UNPROCESSED),
]


def _starting(function: Command) -> Command:
    """Takes the options of a command that starts programs."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--record", is_flag=True, help="Keep what the sources send, for `pathway replay`.")
@click.option(
    "--record-path",
    metavar="FOLDER",
    default="record",
    show_default=True,
    help="Where it is kept.",
)
@_starting
@click.pass_context
def spawn(
    context: click.Context,
    record: bool,
    record_path: str,
    threads: int,
    processes: int | None,
    first_port: int,
    addresses: list[str],
    process_id: int | None,
    program: str,
    arguments: tuple[str, ...],
) -> None:
    """Run a program on several threads, processes or machines.

    PROGRAM is a command, or a script whose name ends in .py; what follows it belongs to it. It needs no change: T times
    P workers share its computation, and its results stay the same.

    \b
    Examples:
        pathway spawn --threads 4 python main.py
        pathway spawn -n 2 -t 2 python main.py --input data/

    Two machines work together if each starts one process and both know the same secret:

    \b
        export PATHWAY_CLUSTER_SECRET=...
        pathway spawn --addresses a:10000,b:10000 --process-id 0 python main.py
        pathway spawn --addresses a:10000,b:10000 --process-id 1 python main.py

    Ctrl-C and SIGTERM reach every process once, and all end in order; a second one kills them. If one process fails,
    the others are ended within a few seconds. The exit status is the largest of those of the processes, where 128 + n
    stands for a process that signal n has killed. Standard input goes to process 0.

    Where all processes are started here, a program whose process 0 ends with status 12 is started again with twice as
    many processes, as long as there are processors for them, and with status 10 with half as many: so a run that is
    kept asks for it, with worker_scaling_enabled.
    """
    kept = {"PATHWAY_REPLAY_STORAGE": record_path, "PATHWAY_SNAPSHOT_ACCESS": "record"} if record else {}
    _start(context, kept, threads, processes, first_port, addresses, process_id, program, arguments)


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--record-path", metavar="FOLDER", default="record", show_default=True, help="Where a run was kept.")
@click.option(
    "--mode",
    type=click.Choice(["batch", "speedrun", "realtime"]),
    default="speedrun",
    show_default=True,
    help="All at one time; at the times it had, as fast as it goes; or with the pauses that were between them.",
)
@click.option("--continue", "continues", is_flag=True, help="Let the sources go on after what was kept.")
@_starting
@click.pass_context
def replay(
    context: click.Context,
    record_path: str,
    mode: str,
    continues: bool,
    threads: int,
    processes: int | None,
    first_port: int,
    addresses: list[str],
    process_id: int | None,
    program: str,
    arguments: tuple[str, ...],
) -> None:
    """Run a program on what the sources of an earlier run have sent.

    That run was kept by `pathway spawn --record`. The sources of the program are not asked, unless it is to continue
    with them. The other options are those of `pathway spawn`.

    \b
    Example:
        pathway spawn --record python main.py
        pathway replay --mode batch python main.py
    """
    kept = {
        "PATHWAY_REPLAY_STORAGE": record_path,
        "PATHWAY_SNAPSHOT_ACCESS": "replay",
        "PATHWAY_REPLAY_MODE": mode,
        "PATHWAY_CONTINUE_AFTER_REPLAY": "true" if continues else "false",
    }
    _start(context, kept, threads, processes, first_port, addresses, process_id, program, arguments)


def _start(
    context: click.Context,
    kept: dict[str, str],
    threads: int,
    processes: int | None,
    first_port: int,
    addresses: list[str],
    process_id: int | None,
    program: str,
    arguments: tuple[str, ...],
) -> None:
    """Starts a program, with more in its environment that says where it is kept."""
    command = _command_line(program, arguments)
    count = processes or len(addresses) or 1
    if addresses and len(addresses) != count:
        raise click.UsageError(
            f"--processes {count} does not fit --addresses, which has {len(addresses)}: leave out --processes"
        )
    variables = {**os.environ, **kept, "PATHWAY_THREADS": str(threads), "PATHWAY_PROCESSES": str(count)}
    scales = not addresses and process_id is None
    start_is_given = bool(os.environ.get("PATHWAY_START_TIMESTAMP_MS"))
    if addresses:
        variables["PATHWAY_ADDRESSES"] = ",".join(addresses)
    else:
        variables["PATHWAY_FIRST_PORT"] = str(first_port)
    if not addresses and context.get_parameter_source("process_id") is ParameterSource.ENVIRONMENT:
        # We were started by a program that another `pathway spawn` has started.
        process_id = None
    if process_id is None:
        started = range(count)
        # What all processes have to agree on. Several machines have to be told, or process 0 tells the others.
        for name, value in (
            ("PATHWAY_RUN_ID", str(uuid.uuid4())),
            ("PATHWAY_START_TIMESTAMP_MS", _now()),
            ("PATHWAY_CLUSTER_SECRET", secrets.token_hex(32)),
        ):
            variables[name] = variables.get(name) or value
        variables["PATHWAY_SPAWN_SCALES"] = "true" if scales else "false"
    else:
        _check_that_it_can_join(process_id, count, addresses, variables.get("PATHWAY_CLUSTER_SECRET"))
        started = range(process_id, process_id + 1)
    if count > 1:
        try:
            listening = addresses or environment.local_addresses(first_port, count)
        except ValueError as error:
            raise click.UsageError(f"--first-port: {error}") from None
        for process in started:
            _check_that_it_is_free(listening[process], process)
    environments = {process: {**variables, "PATHWAY_PROCESS_ID": str(process)} for process in started}

    def again(statuses: Mapping[int, int]) -> _supervisor.Environments | None:
        following = _following(statuses, threads) if scales else None
        if following is None:
            return None
        click.echo(f"pathway spawn: going on with {following} {'process' if following == 1 else 'processes'}", err=True)
        changed = {**variables, "PATHWAY_PROCESSES": str(following)}
        if not start_is_given:
            changed["PATHWAY_START_TIMESTAMP_MS"] = _now()
        return {process: {**changed, "PATHWAY_PROCESS_ID": str(process)} for process in range(following)}

    try:
        status = _supervisor.run(command, environments, again)
    except OSError as error:
        raise click.ClickException(f"cannot run {command[0]}: {error.strerror or error}") from None
    context.exit(status)


def _now() -> str:
    """The time of the day as the time of a commit."""
    return str(time.time_ns() // 2_000_000 * 2)


def _following(statuses: Mapping[int, int], threads: int) -> int | None:
    """How many processes the program asks to go on with, if it does: its first one, and nothing has gone wrong in the
    others, which may have been ended since the first one has."""
    status, *others = (statuses[process] for process in sorted(statuses))
    if any(other not in (0, 128 + signal.SIGTERM, 128 + signal.SIGKILL) for other in others):
        return None
    if status == scaling.MORE and 2 * len(statuses) * threads <= scaling.most_workers():
        return 2 * len(statuses)
    if status == scaling.FEWER and others:
        return len(statuses) // 2
    return None


def _command_line(program: str, arguments: Sequence[str]) -> list[str]:
    """How to start the program: as a command, or with this Python if it is a script that is not one."""
    if shutil.which(program) is not None:
        return [program, *arguments]
    if program.endswith(".py") and os.path.isfile(program):
        return [sys.executable, program, *arguments]
    if os.path.exists(program):
        raise click.UsageError(f"{program} is not a program: it cannot be executed, and its name does not end in .py")
    raise click.UsageError(f"program not found: {program}")


def _check_that_it_can_join(process_id: int, count: int, addresses: Sequence[str], secret: str | None) -> None:
    if not addresses:
        raise click.UsageError("--process-id needs --addresses: where all the processes listen, this one included")
    if process_id >= count:
        raise click.UsageError(f"--process-id {process_id}: with {count} addresses it is from 0 to {count - 1}")
    if count > 1 and not secret and not environment.are_on_this_machine(addresses):
        raise click.UsageError(
            "--process-id needs a secret that all the processes know: set the environment variable "
            "PATHWAY_CLUSTER_SECRET to the same text on every machine, for example to what `openssl rand -hex 32` "
            "has printed on one of them"
        )


def _check_that_it_is_free(address: str, process: int) -> None:
    """Takes the port and gives it back, so that a port in use is told before anything has started."""
    host, port = environment.host_and_port(address)
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listener:
            # As the processes do it: connections that have just ended do not count.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(where)
            listener.listen()
    except OSError as error:
        raise click.UsageError(
            f"process {process} cannot listen at {address}: {error.strerror or error}; "
            "choose others with --first-port or --addresses. All processes are started on this machine: where they are "
            "on several, say with --process-id which one this is"
        ) from None
