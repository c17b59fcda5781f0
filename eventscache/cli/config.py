"""`eventscache config`: the effective settings and their sources."""

from pathlib import Path
from typing import Any

import click

from eventscache.cli.options import load_settings, settings_options


@click.command(name="config")
@settings_options
def show_config(path: Path | None, **options: Any) -> None:
    """Print the effective settings and where each came from, secrets hidden."""
    rows = load_settings(path, options).rows()
    width = max(len(f"{key}: {value}") for key, value, _ in rows)
    for key, value, source in rows:
        click.echo(f"{f'{key}: {value}':<{width}}  # {source}")
