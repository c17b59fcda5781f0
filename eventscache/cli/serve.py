"""`eventscache serve`: the server, in one process or several."""

import dataclasses
import gc
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import structlog

from eventscache.cli.options import load_settings, settings_options
from eventscache.cli.process import exit_with_error, run_on_loop
from eventscache.config.loading import LoadedSettings, load
from eventscache.config.settings import Settings
from eventscache.errors import ConfigError
from eventscache.logs import on_terminal, start_logging
from eventscache.server.reload import changes
from eventscache.server.run import serve as run_server
from eventscache.server.runtime_signals import hold_signals
from eventscache.server.startup_checks import check_start
from eventscache.server.supervisor import Supervisor, Worker, free_port

_GC_THRESHOLD = 15_000


@click.command()
@settings_options
def serve(path: Path | None, **options: Any) -> None:
    """Run the server until it is told to stop."""
    hold_signals()
    loaded = load_settings(path, options)
    start_logging()
    settings = loaded.settings
    try:
        check_start(loaded)
        port = settings.port if settings.workers == 1 else free_port(settings.host, settings.port)
    except ConfigError as fault:
        exit_with_error(fault)
    current = loaded._replace(settings=dataclasses.replace(settings, port=port))

    def read() -> Settings:
        again = load(path, options=options).settings
        return dataclasses.replace(again, port=port) if again.port == settings.port else again

    def reload() -> None:
        """Let workers that are started from now on begin with what is used now."""
        nonlocal current
        current = current._replace(settings=changes(current.settings, read()).settings)

    if settings.workers == 1:
        _run(current, read)
    else:
        sys.exit(Supervisor(settings.workers, lambda worker: _run(current, read, worker), reload).run())


def _run(loaded: LoadedSettings, read: Callable[[], Settings], worker: Worker | None = None) -> None:
    """Run the server in this process until SIGTERM or SIGINT; `read` reads the settings again."""
    if worker:
        structlog.contextvars.bind_contextvars(worker=worker.number)
    # Few objects of a request live longer than the request: a garbage collection after every 700 new ones is too often.
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)
    # Of several workers the one that starts last tells a person where to look.
    announces = on_terminal() and (worker is None or worker.number == loaded.settings.workers - 1)
    try:
        run_on_loop(run_server(loaded, worker, partial(_announce, loaded.settings) if announces else None, read))
    except ConfigError as fault:
        exit_with_error(fault)


def _announce(settings: Settings, address: str) -> None:
    """Print where to look; an address that stands for all of this machine's leads nowhere."""
    if settings.limited:
        click.echo(
            f"Each stream takes {settings.size} events in {settings.window_seconds} s. "
            "EVENTSCACHE_CACHE_EVENTS_LIMITED=false limits nothing, for development.",
            err=True,
        )
    reachable = address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    click.echo(f"Ctrl-C stops it. Open {reachable}/", err=True)
