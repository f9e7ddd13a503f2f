"""The command `pathway`.

`_spawn` turns the options of ``pathway spawn`` into the environment of each process; `_supervisor` starts the processes
and looks after them until all have ended. The computation itself is the business of the programs. `_state` looks at
what they have kept. `_demo` and `_new` are for the first hour: something to look at, and something to start from.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence

import click

from pathway._ground.version import __version__
from pathway.cli._commands import Commands
from pathway.cli._demo import demo
from pathway.cli._new import new
from pathway.cli._spawn import replay, spawn
from pathway.cli._state import state


@click.group(cls=Commands)
@click.version_option(__version__, prog_name="pathway", message="%(prog)s, version %(version)s (towpath)")
def command() -> None:
    """Live computations on data that keeps arriving.

    A program that computes on one thread runs on more threads, processes and machines without a change:

    \b
        pathway spawn --threads 4 python main.py

    `pathway COMMAND --help` says more of a command, and the guide of all the rest:
    https://github.com/towpath/towpath/tree/main/docs
    """


@command.command("spawn-from-env")
@click.pass_context
def spawn_from_env(context: click.Context) -> None:
    """Do what `pathway spawn` does, with arguments from the environment.

    They are in the variable PATHWAY_SPAWN_ARGS, quoted as for a shell. So an image of a container can be started with
    more threads or processes without a change to its command.

    \b
    Example:
        export PATHWAY_SPAWN_ARGS='--threads 4 python main.py "first argument"'
        pathway spawn-from-env
    """
    text = os.environ.get("PATHWAY_SPAWN_ARGS", "").strip()
    if not text:
        raise click.UsageError(
            "the environment variable PATHWAY_SPAWN_ARGS is not set; it has to hold the arguments of `pathway spawn`"
        )
    try:
        arguments = shlex.split(text)
    except ValueError as error:
        raise click.UsageError(f"environment variable PATHWAY_SPAWN_ARGS: {error}: {text}") from None
    try:
        with spawn.make_context("spawn", arguments, parent=context.parent) as spawning:
            spawn.invoke(spawning)
    except click.UsageError as error:
        message = f"{error.format_message()} (The arguments are those in PATHWAY_SPAWN_ARGS.)"
        raise click.UsageError(message, error.ctx) from None


command.add_command(demo)
command.add_command(new)
command.add_command(spawn)
command.add_command(replay)
command.add_command(state)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command and leaves with its exit status, by SystemExit."""
    command.main(args=arguments, prog_name="pathway")
