"""Options that several commands have, and the settings that they lead to."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from eventscache.cli.process import exit_with_error
from eventscache.config.loading import LoadedSettings, load
from eventscache.errors import ConfigError

_Command = TypeVar("_Command", bound=Callable[..., Any])

host_option = click.option("--host", metavar="H", help="The address to listen on.")
port_option = click.option("--port", type=int, metavar="P", help="The port to listen on; 0 takes a free one.")
_storage_option = click.option(
    "--storage", metavar="URL", help="memory://, redis://HOST:PORT/DB, or another of docs/redis.md."
)
_workers_option = click.option(
    "--workers", type=int, metavar="N", help="Processes that share the port; more need a storage such as Redis."
)
config_option = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    envvar="EVENTSCACHE_CONFIG",
    metavar="FILE",
    help="Jitsu's eventnative.yaml, with an eventscache: section of ours.",
)


def settings_options(command: _Command) -> _Command:
    """Add the option for the configuration file, and those that override file and environment."""
    return config_option(host_option(port_option(_workers_option(_storage_option(command)))))


def load_settings(path: Path | None, options: Mapping[str, Any]) -> LoadedSettings:
    """Return the settings by command line, environment and file; end the process if they cannot be used."""
    try:
        return load(path, options=options)
    except ConfigError as fault:
        exit_with_error(fault)
