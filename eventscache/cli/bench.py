"""`eventscache bench`: a load test of a running server."""

import sys
from pathlib import Path
from typing import Any

import click

from eventscache.cli.process import exit_with_error, run_on_loop
from eventscache.errors import ConfigError
from eventscache.loadtest.plan import LoadPlan
from eventscache.loadtest.target import Target, TargetError
from eventscache.stream import Namespace

_COUNT = click.IntRange(1)
_SHARE = click.FloatRange(0, 1)
_POSITIVE = click.FloatRange(0, min_open=True)


@click.command()
@click.argument("url")
@click.option("--rate", type=_POSITIVE, help="Requests a second; without it, a closed loop.")
@click.option("--connections", type=_COUNT, default=32, show_default=True, help="Requests under way at most.")
@click.option("--duration", "duration_seconds", type=_POSITIVE, help="Seconds; 10, or --requests.")
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
@click.option("--malformed", type=_SHARE, default=0.0, help="Share of bodies that are no JSON.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same requests.")
@click.option(
    "--timeout",
    "timeout_seconds",
    type=_POSITIVE,
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
        # Here because its packages are an extra: without them `eventscache --help` works all the same.
        from eventscache.loadtest.run import run  # noqa: PLC0415

        plan, target = LoadPlan(**options), Target(url, remote=remote)
        report = run_on_loop(run(plan, target, live=sys.stdout.isatty() and json_file != "-"))
        click.echo(report.to_text(), nl=False, err=json_file == "-")
        if json_file:
            _write(json_file, report.to_json())
    except (ConfigError, TargetError) as fault:
        exit_with_error(fault)
    sys.exit(0 if report.good else 1)


def _write(path: str, data: bytes) -> None:
    try:
        with click.open_file(path, "wb") as file:
            file.write(data)
    except OSError as fault:
        raise ConfigError(f"--json: {path} cannot be written: {fault.strerror}") from None
