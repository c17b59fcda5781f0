"""`eventscache demo`: a server in memory with made-up traffic."""

from typing import Any

import click

from eventscache.cli.options import host_option, load_settings, port_option
from eventscache.cli.process import exit_with_error, run_on_loop
from eventscache.demo.run import run
from eventscache.errors import ConfigError
from eventscache.logs import start_logging


@click.command()
@host_option
@port_option
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same traffic.")
def demo(seed: int, **options: Any) -> None:
    """Run a server in memory with made-up traffic, to look around. Nothing is kept."""
    # Not the configured storage: it holds real events.
    settings = load_settings(None, {**options, "storage": "memory://"}).settings
    start_logging()
    try:
        run_on_loop(run(settings, seed, lambda address: click.echo(f"Open {address}/ and press Ctrl-C to end.")))
    except ConfigError as fault:
        exit_with_error(fault)
