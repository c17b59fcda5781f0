"""`eventscache config`: the effective settings and their sources, and whether the server would start with them."""

from pathlib import Path
from typing import Any

import click

from eventscache.cli.options import load_settings, settings_options
from eventscache.cli.process import exit_with_error
from eventscache.errors import ConfigError
from eventscache.logs import start_logging
from eventscache.server.startup_checks import check_start, max_connections


@click.command(name="config")
@settings_options
def show_config(path: Path | None, **options: Any) -> None:
    """Print the effective settings and where each came from, secrets hidden, and check them as `serve` does.

    What `serve` would say about them goes to standard error; if it would not start, the exit code is
    not 0 but the one of `serve`.
    """
    loaded = load_settings(path, options)
    rows = loaded.rows()
    width = max(len(f"{key}: {value}") for key, value, _ in rows)
    for key, value, source in rows:
        click.echo(f"{f'{key}: {value}':<{width}}  # {source}")
    start_logging()
    try:
        check_start(loaded)
        max_connections(loaded.settings)
    except ConfigError as fault:
        exit_with_error(fault)
