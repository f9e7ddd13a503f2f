"""A command with commands of its own: they are listed in whole sentences, and a slip of the pen gets a suggestion."""

from __future__ import annotations

import click

from pathway._ground import hints

# More than any first sentence of a command has.
_WHOLE = 500


class Commands(click.Group):
    """A group of commands."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is named first, with the arguments for it."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            ctx.fail(self._no_such(ctx, name))
        return super().resolve_command(ctx, args)

    def _no_such(self, ctx: click.Context, name: str) -> str:
        message = f"No such command {name!r}."
        if name.endswith(".py"):
            return f"{message} To run a program: pathway spawn python {name}"
        names = self.list_commands(ctx)
        close = hints.nearest(name, names)
        return f"{message} Did you mean {close!r}?" if close else f"{message} There are {', '.join(names)}."

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands, each with its first sentence."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, command.get_short_help_str(_WHOLE)) for name, command in commands if command is not None]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
