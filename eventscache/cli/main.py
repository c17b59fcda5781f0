"""The `eventscache` command."""

import asyncio
import contextlib
import dataclasses
import gc
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
import structlog

from eventscache import __version__
from eventscache.config.loading import Effective, load
from eventscache.errors import ConfigError, EventsCacheError, StorageError
from eventscache.logs import start_logging, visible
from eventscache.server.run import serve as run_server
from eventscache.server.startup_checks import check_workers
from eventscache.server.supervisor import CONFIG_EXIT, Supervisor, Worker, free_port
from eventscache.storage.options import StorageOptions
from eventscache.stream import Namespace

if TYPE_CHECKING:
    from eventscache.conformance.verify import Verification

try:
    import uvloop
except ImportError:  # not on this platform: asyncio's own loop serves
    uvloop = None  # type: ignore[assignment]

_LOOP_FACTORY = uvloop.new_event_loop if uvloop else None
_COUNT = click.IntRange(1)
_SHARE = click.FloatRange(0, 1)
_COLLECT_AFTER = 15_000

_file = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    envvar="EVENTSCACHE_CONFIG",
    metavar="FILE",
    help="Jitsu's eventnative.yaml, with an eventscache: section of ours.",
)


def _overriding(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that override the file and the environment."""
    for option in (
        click.option("--storage", metavar="URL", help="memory://, redis://HOST:PORT/DB, or another of docs/redis.md."),
        click.option("--port", type=int, metavar="P", help="The port to listen on; 0 takes a free one."),
        click.option("--host", metavar="H", help="The address to listen on."),
        _file,
    ):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="eventscache")
def main() -> None:
    """Keep the last events of every Jitsu API key and destination."""


@main.command()
@click.option(
    "--workers",
    type=int,
    metavar="N",
    help="Processes that share the port; more need a storage such as Redis.",
)
@_overriding
def serve(path: Path | None, **options: Any) -> None:
    """Run the server until it is told to stop."""
    effective = _load(path, options)
    start_logging()
    settings = effective.settings
    if settings.workers == 1:
        _run(effective)
        return
    try:
        check_workers(settings)
        port = free_port(settings.host, settings.port)
    except ConfigError as fault:
        _stop(fault)
    effective = effective._replace(settings=dataclasses.replace(settings, port=port))
    sys.exit(Supervisor(settings.workers, lambda worker: _run(effective, worker)).run())


def _run(effective: Effective, worker: Worker | None = None) -> None:
    """Run the server, in this process, until it is told to stop."""
    if worker:
        structlog.contextvars.bind_contextvars(worker=worker.number)
    # Of what one request makes little outlives it: to look for cycles after every 700 objects is too often.
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
    try:
        with asyncio.Runner(loop_factory=_LOOP_FACTORY) as runner:
            runner.run(run_server(effective, worker))
    except ConfigError as fault:
        _stop(fault)


@main.command()
@click.option("--host", metavar="H", help="The address to listen on.")
@click.option("--port", type=int, metavar="P", help="The port to listen on; 0 takes a free one.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same traffic.")
def demo(seed: int, **options: Any) -> None:
    """Run a server in memory with made-up traffic, to look around. Nothing is kept."""
    from eventscache.demo.run import run  # noqa: PLC0415 - nothing that a server should load

    # A storage that is configured holds real events.
    settings = _load(None, {**options, "storage": "memory://"}).settings
    start_logging()
    try:
        with asyncio.Runner(loop_factory=_LOOP_FACTORY) as runner:
            runner.run(run(settings, seed, lambda address: click.echo(f"Open {address}/ and press Ctrl-C to end.")))
    except ConfigError as fault:
        _stop(fault)


@main.command(name="config")
@_overriding
def show_config(path: Path | None, **options: Any) -> None:
    """Print the effective settings and where each came from, secrets hidden."""
    rows = _load(path, options).shown()
    width = max(len(f"{key}: {value}") for key, value, _ in rows)
    for key, value, origin in rows:
        click.echo(f"{f'{key}: {value}':<{width}}  # {origin}")


@main.command()
@click.argument("url")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Requests a second; without it, a closed loop.")
@click.option("--connections", type=_COUNT, default=32, show_default=True, help="Requests under way at most.")
@click.option(
    "--duration", "duration_seconds", type=click.FloatRange(0, min_open=True), help="Seconds; 10, or --requests."
)
@click.option("--requests", type=_COUNT, help="How many to send at most.")
@click.option(
    "--namespace",
    type=click.Choice([namespace.value for namespace in Namespace]),
    callback=lambda _, __, name: Namespace(name),
    default="token",
    show_default=True,
    help="token: Jitsu's ingestion route; destination: records by POST /api/v1/events/cache.",
)
@click.option("--ack", type=click.Choice(["queued", "stored"]), help="What answers to records wait for.")
@click.option("--ids", type=_COUNT, help="How many streams; 100.")
@click.option("--id-prefix", default="bench", show_default=True, help="What their ids begin with.")
@click.option(
    "--token",
    "tokens",
    multiple=True,
    envvar="EVENTSCACHE_TOKEN",
    metavar="SECRET",
    help="Better in the environment as EVENTSCACHE_TOKEN. Several name several streams.",
)
@click.option("--batch", type=_COUNT, default=1, show_default=True, help="Events in a request.")
@click.option("--event-bytes", type=click.IntRange(11), default=1000, show_default=True, help="Of one event.")
@click.option("--file", type=click.Path(path_type=Path), help="Real events: a JSON array, or one event a line.")
@click.option("--errors", type=_SHARE, default=0.0, help="Share of records that tell of an error, such as 0.1.")
@click.option("--malformed", type=_SHARE, default=0.0, help="Unsent of bodies that are no JSON.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same requests.")
@click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(0, min_open=True),
    default=10.0,
    show_default=True,
    help="Seconds to wait for an answer or a connection.",
)
@click.option(
    "--settle",
    "settle_seconds",
    type=click.FloatRange(0),
    default=10.0,
    show_default=True,
    help="Seconds to wait for the queue afterwards.",
)
@click.option("--shared", is_flag=True, help="Others send as well: a ledger that differs is no failure.")
@click.option("--remote", is_flag=True, help="Allow a URL that is not this machine's.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(allow_dash=True, path_type=str),
    metavar="FILE",
    help="Write the report as JSON too; - is standard output, with the text on standard error.",
)
def bench(url: str, remote: bool, json_file: str | None, **options: Any) -> None:
    """Load-test the running deployment at URL through HTTP, and check its ledger.

    The exit code is 1 if the ledger does not account for every event that was offered.
    """
    try:
        # Not for a server to load, and its packages are an extra.
        from eventscache.loadtest.plan import Plan  # noqa: PLC0415
        from eventscache.loadtest.run import run  # noqa: PLC0415
        from eventscache.loadtest.target import Target, TargetError  # noqa: PLC0415

        plan, target = Plan(**options), Target(url, remote=remote)
    except ConfigError as fault:
        _stop(fault)
    try:
        with asyncio.Runner(loop_factory=_LOOP_FACTORY) as runner:
            report = runner.run(run(plan, target, live=sys.stdout.isatty() and json_file != "-"))
    except (ConfigError, TargetError) as fault:
        _stop(fault)
    click.echo(report.to_text(), nl=False, err=json_file == "-")
    if json_file:
        try:
            with click.open_file(json_file, "wb") as file:
                file.write(report.to_json())
        except OSError as fault:
            _stop(ConfigError(f"--json: {json_file} cannot be written: {fault.strerror}"))
    sys.exit(0 if report.good else 1)


@main.group()
def storage() -> None:
    """Look after storages."""


@storage.command()
@click.argument("url")
@click.option("--prefix", default="eventscache", show_default=True, help="What the scratch data's names begin with.")
@click.option("--timeout-ms", default=1000, show_default=True, help="For one try of an operation.")
@click.option("--rounds", default=200, show_default=True, help="How often each operation is measured.")
def verify(url: str, prefix: str, timeout_ms: int, rounds: int) -> None:
    """Check that the storage at URL keeps its promises, and how fast it is. What it writes is erased again."""
    from eventscache.conformance.verify import Verification  # noqa: PLC0415 - the suite is nothing that a server should load

    start_logging()
    options = StorageOptions(prefix=prefix, timeout_seconds=timeout_ms / 1000)
    try:
        kept = asyncio.run(_verify(Verification(url, options), rounds))
    except asyncio.CancelledError:
        raise click.Abort from None
    except ConfigError as fault:
        _stop(fault)
    except StorageError as fault:
        click.echo(f"eventscache: {fault}", err=True)
        kept = False
    sys.exit(0 if kept else 1)


async def _verify(verification: "Verification", rounds: int) -> bool:
    """Print what comes of it, and return whether every promise was kept."""
    _cancel_at_sigterm()
    await verification.reach()
    broken = 0
    async for promise in verification.promises():
        broken += bool(promise.fault)
        click.echo(f"{'BROKEN' if promise.fault else 'kept'}  {promise.name}")
        if promise.fault:
            click.echo(f"        {promise.fault}")
    if broken:  # nobody needs to know how fast
        click.echo(f"\n{broken} promises broken")
        return False
    click.echo("\nall promises kept\n")
    async for timing in verification.timings(rounds):
        click.echo(f"{timing.operation:<36} p50 {timing.p50:8.3f} ms   p99 {timing.p99:8.3f} ms")
    return True


def _cancel_at_sigterm() -> None:
    """Let SIGTERM end this task as Ctrl-C does, so that it cleans up; a second one ends the process."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()

    def cancel() -> None:
        loop.remove_signal_handler(signal.SIGTERM)
        if task:
            task.cancel()

    with contextlib.suppress(NotImplementedError):  # not on this platform
        loop.add_signal_handler(signal.SIGTERM, cancel)


def _load(path: Path | None, options: dict[str, Any]) -> Effective:
    try:
        return load(path, options=options)
    except ConfigError as fault:
        _stop(fault)


def _stop(fault: EventsCacheError) -> NoReturn:
    click.echo(f"eventscache: {visible(str(fault))}", err=True)
    sys.exit(CONFIG_EXIT)
