"""The `eventscache` command: its subcommands, each imported when it is used."""

import importlib
from typing import Any, Final

import click

from eventscache import __version__

COMMANDS: Final = {
    "bench": "eventscache.cli.bench:bench",
    "config": "eventscache.cli.config:show_config",
    "demo": "eventscache.cli.demo:demo",
    "serve": "eventscache.cli.serve:serve",
    "storage": "eventscache.cli.storage:storage",
    "tail": "eventscache.cli.tail:tail",
}
"""By the name of each command, the module and the function that implement it."""


class LazyGroup(click.Group):
    """A group that imports the module of a command only when the command runs or its help is shown.

    The server must not load what only other commands need: the load test, the demo, the conformance suite.
    """

    def __init__(self, *args: Any, lazy_commands: dict[str, str], **options: Any) -> None:
        super().__init__(*args, **options)
        self._lazy_commands = lazy_commands

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, without importing any."""
        return sorted([*super().list_commands(ctx), *self._lazy_commands])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command; None if there is none of that name."""
        if cmd_name not in self._lazy_commands:
            return super().get_command(ctx, cmd_name)
        module, _, function = self._lazy_commands[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), function)
        return command


@click.group(cls=LazyGroup, lazy_commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="eventscache")
def main() -> None:
    """Keep the last events of every Jitsu API key and destination."""
