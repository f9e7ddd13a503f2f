"""``pathway state``: looks at what runs have kept in a folder or a bucket, and changes it where nothing else can.

What is looked at is read only, also while a run goes on. The exit status is 0 if all is well, 1 if the state is
damaged, in use, of another version or something else, and 2 for arguments that make no sense.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NoReturn, TypeVar

import click

from pathway import _native
from pathway._ground.words import counted
from pathway._running.backends import place_at
from pathway._values.times import FIRST_TIME_OF_DAY
from pathway.cli._commands import Commands
from pathway.io import _offsets

# The last time that a day can be told of.
_LAST_TIME_OF_DAY = 10**14

Command = TypeVar("Command", bound=Callable[..., Any])

_path = click.argument("path", type=click.Path(file_okay=True, path_type=str))
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def _arguments(command: Command) -> Command:
    return _path(_as_json(command))


@click.group(cls=Commands)
def state() -> None:
    """Look at the state that a run has kept, or change it.

    PATH is the folder that the program names in pw.persistence.Backend.filesystem(), or s3://bucket/path or
    azure://account/container/path; credentials, region and server are then those of the environment (AWS_REGION,
    AWS_ENDPOINT_URL and so on). Looking changes nothing, and may be done while the program runs; to change the state,
    stop it first.

    \b
    The exit status is 0 if all is well, 1 if the state is damaged, in use, of another version
    or no state at all, and 2 if the arguments are wrong.
    """


@state.command("ls")
@_arguments
def list_connectors(path: str, as_json: bool) -> None:
    """List the sources and outputs that are kept, each with its commits, bytes, last time and offset, and the snapshot
    of the state of the operators, if there is one."""
    with _failures(as_json):
        kept = _read(path)
    if as_json:
        _print_json(kept["sources"] + kept["outputs"] + _snapshot_entries(kept))
    else:
        _print_table(kept)


@state.command()
@_arguments
def show(path: str, as_json: bool) -> None:
    """Show all that is known of a state: where and since when it is there, who uses it, how many runs have kept
    something in how many bytes, up to which time, the last snapshot of the state of the operators, and its sources and
    outputs."""
    with _failures(as_json):
        kept = _read(path)
    if as_json:
        _print_json(kept)
        return
    for name, value in (
        ("state", kept["location"]),
        ("begun", _moment(kept["created"])),
        ("in use", _holder(kept)),
        ("runs", f"{kept['generations']}, the last {'has ended well' if kept['ended_well'] else 'was cut off'}"),
        ("bytes", f"{kept['bytes']:,}"),
        ("last time", _moment(kept["last_time"])),
        ("snapshot", _snapshot(kept)),
    ):
        click.echo(f"{name + ':':<11}{value}")
    click.echo()
    _print_table(kept)


@state.command()
@_arguments
def verify(path: str, as_json: bool) -> None:
    """Read all that is kept, and say whether it is whole. If it is not, the message says what is wrong where."""
    with _failures(as_json):
        kept = _read(path, decode=True)
    rows = sum(source["rows"] for source in kept["sources"])
    if as_json:
        _print_json({"whole": True, "rows": rows, "bytes": kept["bytes"], "snapshot": kept["snapshot"]})
    else:
        sources, size = counted(len(kept["sources"]), "source"), counted(kept["bytes"], "byte")
        click.echo(f"whole: {counted(rows, 'row')} of {sources}, {size}")
        if kept["snapshot"] is not None:
            click.echo(f"whole: the snapshot of {_snapshot(kept)}")


@state.command()
@_arguments
def offsets(path: str, as_json: bool) -> None:
    """Print where each source would go on: the offset of its last commit, as JSON."""
    with _failures(as_json):
        kept = _read(path)
    found = {source["name"]: source["offset"] for source in kept["sources"]}
    if as_json:
        _print_json(found)
    for name, offset in found.items() if not as_json else ():
        click.echo(f"{name}\t{'none' if offset is None else json.dumps(offset)}")


@state.command("set-offset")
@_path
@click.argument("source")
@click.argument("offset")
@click.option("--hex", "is_hex", is_flag=True, help="OFFSET are bytes, in hexadecimal digits.")
@_as_json
def set_offset(path: str, source: str, offset: str, is_hex: bool, as_json: bool) -> None:
    """Have SOURCE go on at OFFSET, a JSON value, in the next run.

    SOURCE is called as `pathway state ls` does. What it has sent before stays: an earlier offset has rows come twice, a
    later one leaves rows out.

    \b
    Example:
        pathway state set-offset ./state orders '{"page": 17}'
    """
    if is_hex:
        try:
            value: object = bytes.fromhex(offset)
        except ValueError:
            raise click.BadParameter(f"{offset!r} are no hexadecimal digits", param_hint="OFFSET") from None
    else:
        try:
            value = json.loads(offset)
        except ValueError:
            hint = f"{offset!r} is no JSON value; a text is written with quotes, '{json.dumps(offset)}'"
            raise click.BadParameter(hint, param_hint="OFFSET") from None
    with _failures(as_json):
        kept = _native.inspect_state(place_at(path), False)
        names = {_shown(entry["name"]): entry["name"] for entry in kept["connectors"] if _is_source(entry)}
        if source not in names:
            known = ", ".join(sorted(names)) or "none"
            raise click.BadParameter(f"there is no source {source!r}; there are: {known}", param_hint="SOURCE")
        _native.set_state_position(place_at(path), names[source], _offsets.encoded(value))
    if as_json:
        _print_json({"source": source, "offset": _as_value(value)})
    else:
        click.echo(f"{source} goes on at {offset}")


@state.command()
@_path
@click.option("--yes", is_flag=True, help="Do not ask.")
@_as_json
def reset(path: str, yes: bool, as_json: bool) -> None:
    """Delete all that is kept there, so that the next run begins anew: it reads its sources from the beginning and
    writes its files again. A state that is in use, and a folder that holds other things, stay as they are."""
    if not yes and not as_json:
        click.confirm(f"Delete the state at {path}?", abort=True)
    with _failures(as_json):
        _native.delete_state(place_at(path))
    if as_json:
        _print_json({"reset": path})
    else:
        click.echo(f"the state at {path} is deleted; the next run begins anew")


@contextmanager
def _failures(as_json: bool) -> Iterator[None]:
    """What cannot be done ends the command with status 1."""
    try:
        yield
    except (OSError, ValueError) as error:
        if as_json:
            _print_json({"error": str(error)})
            raise click.exceptions.Exit(1) from None
        _refuse(str(error))


def _refuse(message: str) -> NoReturn:
    raise click.ClickException(message)


def _read(path: str, *, decode: bool = False) -> dict[str, Any]:
    """What is kept there, with sources apart from outputs and offsets as values."""
    kept = _native.inspect_state(place_at(path), decode)
    holder = kept["holder"]
    if holder is not None:
        kept["holder"] = dict(zip(("host", "process", "since"), holder, strict=True))
    connectors = kept.pop("connectors")
    kept["sources"] = [_source(entry) for entry in connectors if _is_source(entry)]
    kept["outputs"] = [_connector(entry) for entry in connectors if not _is_source(entry)]
    return kept


def _is_source(entry: dict[str, Any]) -> bool:
    return str(entry["name"]).startswith("source ")


def _connector(entry: dict[str, Any]) -> dict[str, Any]:
    named = {"name": _shown(entry["name"]), "kind": "source" if _is_source(entry) else "output"}
    return named | {key: entry[key] for key in ("commits", "bytes", "last_time")}


def _source(entry: dict[str, Any]) -> dict[str, Any]:
    position = entry["position"]
    offset = None if position is None else _as_value(_offsets.decoded(position))
    rows = {} if entry["rows"] is None else {"rows": entry["rows"]}
    return _connector(entry) | rows | {"offset": offset}


def _as_value(offset: object) -> object:
    """An offset as JSON."""
    return {"hex": offset.hex()} if isinstance(offset, bytes) else offset


def _shown(name: str) -> str:
    """What the journal calls a connector, without its kind, and without quotes where nothing else is in them."""
    name = name.partition(" ")[2]
    bare = name[1:-1]
    return bare if name == json.dumps(bare, ensure_ascii=False) and '"' not in bare else name


def _moment(time: int | None) -> str:
    if time is None:
        return "-"
    if not FIRST_TIME_OF_DAY <= time < _LAST_TIME_OF_DAY:
        # That of a table in a program.
        return str(time)
    return datetime.fromtimestamp(time / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"


def _holder(kept: dict[str, Any]) -> str:
    if not kept["is_held"]:
        return "no"
    holder = kept["holder"]
    if holder is None:
        return "yes"
    return f"by process {holder['process']} on {holder['host']} since {_moment(holder['since'])}"


def _snapshot(kept: dict[str, Any]) -> str:
    """The last snapshot of the state of the operators."""
    snapshot = kept["snapshot"]
    if snapshot is None:
        return "-"
    size = f"{counted(snapshot['bytes'], 'byte')} in {counted(snapshot['parts'], 'part')}"
    before = "is kept, too" if snapshot["has_journal"] else "is not kept any more"
    return f"{_moment(snapshot['time'])}, {size}; what came in before {before}"


def _snapshot_entries(kept: dict[str, Any]) -> list[dict[str, Any]]:
    """The last snapshot, if there is one, as an entry beside those of sources and outputs."""
    snapshot = kept["snapshot"]
    if snapshot is None:
        return []
    entry = {"name": "operators", "kind": "snapshot", "last_time": snapshot["time"]}
    return [entry | {key: snapshot[key] for key in ("bytes", "parts", "has_journal")}]


def _print_table(kept: dict[str, Any]) -> None:
    lines = [("", "name", "commits", "bytes", "last time", "offset")]
    for entry in kept["sources"] + kept["outputs"] + _snapshot_entries(kept):
        offset = entry.get("offset")
        lines.append(
            (
                entry["kind"],
                entry["name"],
                f"{entry['commits']:,}" if "commits" in entry else "",
                f"{entry['bytes']:,}",
                _moment(entry["last_time"]),
                "" if offset is None else json.dumps(offset),
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        cells = [
            cell.rjust(width) if column in (2, 3) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2))
