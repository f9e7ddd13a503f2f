"""The environment variables that Towpath reads, each with what it does. Nothing else looks at the environment.

| variable | meaning |
|---|---|
| PATHWAY_TERMINATE_ON_ERROR | whether a run ends at the first error in the data (default true) |
| PATHWAY_START_TIMESTAMP_MS | the time of the first commit, in milliseconds since 1970 |
| PATHWAY_THREADS | worker threads of each process (default 1) |
| PATHWAY_PROCESSES | how many processes compute together (default 1, or the number of the addresses) |
| PATHWAY_PROCESS_ID | the number of this process, from 0 |
| PATHWAY_FIRST_PORT | process i listens at 127.0.0.1, port PATHWAY_FIRST_PORT + i (default 10000) |
| PATHWAY_ADDRESSES | where the processes listen instead: ``host:port`` of each, with commas between them |
| PATHWAY_CLUSTER_SECRET | what processes that belong together all know, and prove to each other (default: see below) |
| PATHWAY_CLUSTER_SILENCE | how many seconds another process may be silent before it counts as gone (default 20) |
| PATHWAY_CLUSTER_TIMEOUT | how many seconds a process waits for the others when it starts (default 30) |
| PATHWAY_RUN_ID | a name for this run of all the processes |
| PATHWAY_MONITORING_HTTP_HOST | the address at which ``with_http_server`` listens (default 127.0.0.1) |
| PATHWAY_MONITORING_HTTP_PORT | where ``with_http_server`` listens (default 20000), plus the number of the process |
| PATHWAY_SPAWN_SCALES | set by ``pathway spawn`` where it can start the program again with more or fewer processes |
| PATHWAY_SPAWN_ARGS | the arguments of ``pathway spawn-from-env`` |
| PATHWAY_REPLAY_STORAGE | a folder, or s3://bucket/path, in which a run is kept that has no ``persistence_config`` |
| PATHWAY_SNAPSHOT_ACCESS | what is done there: full (default), record or replay |
| PATHWAY_PERSISTENCE_MODE | how it is kept or played: persisting (default), batch, speedrun, realtime |
| PATHWAY_REPLAY_MODE | the same |
| PATHWAY_CONTINUE_AFTER_REPLAY | whether sources go on after what was kept (default true) |
| PATHWAY_STORAGE_TIMEOUT | how many seconds a bucket in which a run is kept is asked again when it fails (default 60) |
| PATHWAY_PERSISTENT_STORAGE | set during a run that is kept in a folder: where |

Where all processes are on this machine and no secret is set, they have one in a file that only this user can read
(`pathway._ground.secret`), in the folder that XDG_RUNTIME_DIR names or another one.

The command `pathway spawn` (`pathway.cli`) sets those about threads and processes for the programs that it starts, and
takes what it was not told from them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pathway._ground.words import counted

# What workers hold for each other grows with the square of their number: 1.4 GB for 1024 of them, measured. Without a
# limit a slip of the keyboard would take all memory.
MOST_THREADS = 1024

# A year. It has to be a span that the engine can add to the clock.
_LONGEST_SECONDS = 365 * 24 * 3600

# The year 10889. Every commit gets a later time than the one before.
_LATEST_START = 1 << 48

_WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def terminate_on_error() -> bool:
    return _boolean("PATHWAY_TERMINATE_ON_ERROR", default=True)


def start_timestamp() -> int | None:
    start = _number("PATHWAY_START_TIMESTAMP_MS", None)
    if start is not None and not 0 <= start <= _LATEST_START:
        raise ValueError(
            "environment variable PATHWAY_START_TIMESTAMP_MS has to be in milliseconds since 1970, from 0 to "
            f"{_LATEST_START}, found {start}"
        )
    return start


def threads() -> int:
    number = _number("PATHWAY_THREADS", 1)
    if number is None or number < 1:
        raise ValueError(f"environment variable PATHWAY_THREADS has to be above zero, found {number}")
    if number > MOST_THREADS:
        raise ValueError(
            f"environment variable PATHWAY_THREADS has to be at most {MOST_THREADS}, found {number}: every worker "
            "talks to every other one; start more processes"
        )
    return number


@dataclass(frozen=True)
class Cluster:
    """The processes of one computation, as the environment of one of them describes them."""

    processes: int
    process_id: int
    # Where each process listens, `host:port`, in the order of the processes.
    addresses: list[str]
    secret: str = field(repr=False)
    # Seconds to wait for the other processes.
    timeout: float
    # Seconds that another process may be silent.
    silence: float
    run_id: str | None


def cluster() -> Cluster | None:
    """The processes that this one works with; None if it works alone."""
    listed = _addresses()
    processes = _number("PATHWAY_PROCESSES", len(listed) if listed else 1) or 0
    if processes < 1:
        raise ValueError(f"environment variable PATHWAY_PROCESSES has to be above zero, found {processes}")
    if listed and len(listed) != processes:
        raise ValueError(
            f"environment variables PATHWAY_ADDRESSES and PATHWAY_PROCESSES differ: "
            f"{counted(len(listed), 'address', 'addresses')} for {counted(processes, 'process', 'processes')}"
        )
    process_id = _number("PATHWAY_PROCESS_ID", None)
    if processes == 1:
        if process_id:
            raise ValueError(
                f"environment variable PATHWAY_PROCESS_ID is {process_id}, but there is only one process: set "
                "PATHWAY_PROCESSES or PATHWAY_ADDRESSES"
            )
        return None
    if process_id is None or not 0 <= process_id < processes:
        found = "but it is not set" if process_id is None else f"found {process_id}"
        raise ValueError(
            f"environment variable PATHWAY_PROCESS_ID has to be from 0 to {processes - 1}, "
            f"as there are {processes} processes, {found}"
        )
    addresses = listed or _local_addresses(processes)
    return Cluster(
        processes=processes,
        process_id=process_id,
        addresses=addresses,
        secret=os.environ.get("PATHWAY_CLUSTER_SECRET") or _secret_of_this_machine(addresses),
        timeout=_seconds("PATHWAY_CLUSTER_TIMEOUT", 30.0),
        silence=_seconds("PATHWAY_CLUSTER_SILENCE", 20.0),
        run_id=os.environ.get("PATHWAY_RUN_ID") or None,
    )


def is_first_process() -> bool:
    """Whether this process reads the sources, writes the outputs and talks to people, as one that is alone does."""
    return not _number("PATHWAY_PROCESS_ID", 0)


def is_one_of_several() -> bool:
    """Whether this process was started as one of those that compute together."""
    return bool(os.environ.get("PATHWAY_PROCESS_ID", "").strip())


def is_scaled() -> bool:
    """Whether who has started this process starts it again, with more or fewer others, if it asks for that."""
    return _boolean("PATHWAY_SPAWN_SCALES", default=False)


def is_started_with_the_others() -> bool:
    """Whether one command has started all the processes of the run, on this machine."""
    return bool(os.environ.get("PATHWAY_SPAWN_SCALES", "").strip())


def first_worker() -> int:
    """The number of the first worker of this process among those of all."""
    return (_number("PATHWAY_PROCESS_ID", 0) or 0) * threads()


@dataclass(frozen=True)
class ReplayStorage:
    """Where a run is kept that says nothing of it itself."""

    path: str
    access: str
    mode: str
    continues: bool


_MODES = {
    "persisting": "persisting",
    "operator_persisting": "operator_persisting",
    "batch": "batch",
    "speedrun": "speedrun_replay",
    "speedrun_replay": "speedrun_replay",
    "realtime": "realtime_replay",
    "realtime_replay": "realtime_replay",
}


def replay_storage() -> ReplayStorage | None:
    path = os.environ.get("PATHWAY_REPLAY_STORAGE", "").strip()
    if not path:
        return None
    access = os.environ.get("PATHWAY_SNAPSHOT_ACCESS", "").strip().lower() or "full"
    if access not in ("full", "record", "replay"):
        raise ValueError(
            f"environment variable PATHWAY_SNAPSHOT_ACCESS has to be full, record or replay, found {access!r}"
        )
    name = "PATHWAY_PERSISTENCE_MODE" if os.environ.get("PATHWAY_PERSISTENCE_MODE") else "PATHWAY_REPLAY_MODE"
    mode = os.environ.get(name, "").strip().lower() or "persisting"
    if mode not in _MODES:
        raise ValueError(f"environment variable {name} has to be one of {', '.join(_MODES)}, found {mode!r}")
    return ReplayStorage(
        path=path,
        access=access,
        mode=_MODES[mode],
        continues=_boolean("PATHWAY_CONTINUE_AFTER_REPLAY", default=True),
    )


def storage_timeout() -> float:
    """How many seconds a bucket in which a run is kept is asked again when it fails."""
    return _seconds("PATHWAY_STORAGE_TIMEOUT", 60.0)


@contextmanager
def persistent_storage(path: str) -> Iterator[None]:
    """Says meanwhile in the environment where a run is kept."""
    name = "PATHWAY_PERSISTENT_STORAGE"
    before = os.environ.get(name)
    os.environ[name] = path
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


def log_prefix() -> str:
    """What the log lines of this process begin with. Those of process 0 look as if it were alone."""
    return "" if is_first_process() else f"[process {_number('PATHWAY_PROCESS_ID', 0)}] "


def listed_addresses(text: str) -> list[str]:
    """The addresses in a text ``host:port,host:port``; a ValueError says which one is wrong.

    Example:

    >>> listed_addresses("node-a:10000, [::1]:10001")
    ['node-a:10000', '[::1]:10001']
    """
    addresses = [address.strip() for address in text.split(",")]
    for number, address in enumerate(addresses):
        host_and_port(address)
        if address in addresses[:number]:
            raise ValueError(f"{address} is there twice")
    return addresses


def host_and_port(address: str) -> tuple[str, int]:
    """The two halves of an address. The host of an IPv6 address is without its brackets."""
    host, colon, port = address.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not host or not colon or (":" in host and not bracketed):
        hint = "; an IPv6 address needs brackets, [::1]:10000" if ":" in host else ""
        raise ValueError(f"{address!r} is not an address of the form host:port{hint}")
    # int() would also take "+1", "1_0" and " 1".
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(f"{address!r}: the port has to be a number from 1 to 65535")
    return host.removeprefix("[").removesuffix("]"), int(port)


def local_addresses(first_port: int, processes: int) -> list[str]:
    """Where processes of one machine listen if nothing else is said; a ValueError if there are not enough ports."""
    if first_port < 1 or first_port + processes > 65536:
        raise ValueError(f"{processes} ports from {first_port} on are not all from 1 to 65535")
    return [f"127.0.0.1:{first_port + number}" for number in range(processes)]


def monitoring_port() -> int:
    first = _number("PATHWAY_MONITORING_HTTP_PORT", 20000) or 0
    process = _number("PATHWAY_PROCESS_ID", 0) or 0
    if not 0 < first + process < 65536:
        raise ValueError(
            "environment variables PATHWAY_MONITORING_HTTP_PORT and PATHWAY_PROCESS_ID have to add up to a port, "
            f"found {first} + {process}"
        )
    return first + process


def monitoring_host() -> str:
    """Where the counters are served; by default nobody on another machine can ask for them."""
    return os.environ.get("PATHWAY_MONITORING_HTTP_HOST", "").strip() or "127.0.0.1"


def are_on_this_machine(addresses: Iterable[str]) -> bool:
    """Whether processes at these addresses can only be reached from this machine.

    Example:

    >>> are_on_this_machine(["127.0.0.1:10000", "[::1]:10001", "localhost:10002"])
    True
    >>> are_on_this_machine(["127.0.0.1:10000", "node-b:10000"])
    False
    """
    return all(_is_on_this_machine(host_and_port(address)[0]) for address in addresses)


def _is_on_this_machine(host: str) -> bool:
    # Only runs of several processes need it.
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _secret_of_this_machine(addresses: list[str]) -> str:
    wanted = (
        "environment variable PATHWAY_CLUSTER_SECRET has to be set, to the same text for each of the "
        f"{len(addresses)} processes"
    )
    if not are_on_this_machine(addresses):
        raise ValueError(
            f"{wanted}, as they are on several machines: for example to what `openssl rand -hex 32` has printed on one"
        )
    # Nothing else needs it, and what it imports.
    # Few programs need one, and what makes it takes time to import.
    from pathway._ground.secret import of_this_user

    try:
        return of_this_user(os.environ.get("XDG_RUNTIME_DIR", ""))
    except ValueError as error:
        raise ValueError(f"{wanted}: {error}") from None


def _addresses() -> list[str]:
    text = os.environ.get("PATHWAY_ADDRESSES", "").strip()
    try:
        return listed_addresses(text) if text else []
    except ValueError as error:
        raise ValueError(f"environment variable PATHWAY_ADDRESSES: {error}") from None


def _local_addresses(processes: int) -> list[str]:
    try:
        return local_addresses(_number("PATHWAY_FIRST_PORT", 10000) or 0, processes)
    except ValueError as error:
        raise ValueError(f"environment variable PATHWAY_FIRST_PORT: {error}") from None


def _seconds(name: str, default: float) -> float:
    text = os.environ.get(name, "").strip()
    try:
        seconds = float(text) if text else default
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise ValueError(
            f"environment variable {name} has to be a number of seconds above zero, at most {_LONGEST_SECONDS}, "
            f"found {text!r}"
        )
    return seconds


def _boolean(name: str, *, default: bool) -> bool:
    text = os.environ.get(name, "").strip().lower()
    if not text:
        return default
    if text not in _WORDS:
        raise ValueError(f"environment variable {name} has to be true or false, found {text!r}")
    return _WORDS[text]


def _number(name: str, default: int | None) -> int | None:
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"environment variable {name} has to be a whole number, found {text!r}") from None
