"""The environment variables that Towpath reads, each with what it does. Nothing else looks at the environment.

| variable | meaning |
|---|---|
| PATHWAY_TERMINATE_ON_ERROR | whether a run ends at the first error in the data (default true) |
| PATHWAY_START_TIMESTAMP_MS | the time of the first commit, in milliseconds since 1970 |
| PATHWAY_THREADS | worker threads (default 1) |
| PATHWAY_PROCESSES | worker processes; only 1 for now |
| PATHWAY_PROCESS_ID | the number of this process, from 0 |
| PATHWAY_MONITORING_HTTP_PORT | where ``with_http_server`` listens (default 20000), plus the number of the process |
"""

from __future__ import annotations

import os

_WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def terminate_on_error() -> bool:
    return _boolean("PATHWAY_TERMINATE_ON_ERROR", default=True)


def start_timestamp() -> int | None:
    return _number("PATHWAY_START_TIMESTAMP_MS", None)


def threads() -> int:
    number = _number("PATHWAY_THREADS", 1)
    if number is None or number < 1:
        raise ValueError(f"environment variable PATHWAY_THREADS has to be above zero, found {number}")
    return number


def processes() -> int:
    number = _number("PATHWAY_PROCESSES", 1)
    if number != 1:
        raise NotImplementedError("environment variable PATHWAY_PROCESSES: several processes are not supported yet")
    return number


def monitoring_port() -> int:
    first = _number("PATHWAY_MONITORING_HTTP_PORT", 20000) or 0
    process = _number("PATHWAY_PROCESS_ID", 0) or 0
    if not 0 < first + process < 65536:
        raise ValueError(
            "environment variables PATHWAY_MONITORING_HTTP_PORT and PATHWAY_PROCESS_ID have to add up to a port, "
            f"found {first} + {process}"
        )
    return first + process


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
