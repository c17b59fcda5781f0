"""`eventscache tail`: the events of a running server on the terminal."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, Final

import click

from eventscache.address import Address
from eventscache.cli.options import config_option, load_settings
from eventscache.cli.process import exit_with_error
from eventscache.clock import unix_us
from eventscache.errors import ConfigError
from eventscache.logs import visible
from eventscache.stream import Namespace, Status
from eventscache.tail.faults import TailError
from eventscache.tail.formats import NAMES
from eventscache.tail.output import Output
from eventscache.tail.query import MOST_HISTORY, TailQuery, start_time
from eventscache.tail.run import run

_DEFAULT_HISTORY: Final = 20
_INTERRUPTED: Final = 130
_EVERY_HOST: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - as a server listens, and none can be reached


@click.command()
@click.argument("url", required=False)
@config_option
@click.option(
    "--token",
    default="",
    envvar="EVENTSCACHE_TOKEN",
    metavar="SECRET",
    help="An admin or read token; better in the environment as EVENTSCACHE_TOKEN.",
)
@click.option("--incoming", is_flag=True, help="Events of API keys, and not those of destinations.")
@click.option("--id", "ids", multiple=True, metavar="ID", help="Only this stream; repeatable.")
@click.option("--status", type=click.Choice([status.value for status in Status]), help="Only events with this status.")
@click.option("--type", "event_type", metavar="TYPE", help="Only events of this type.")
@click.option("-q", "--search", "text", metavar="TEXT", help="Only events with this text in their JSON.")
@click.option(
    "--where",
    multiple=True,
    metavar="'PATH OP VALUE'",
    help="Only events with such a field, as 'user.email ~ jitsu.com' or '-price > 10'; repeatable.",
)
@click.option("--since", metavar="TIME", help="Only events from then on: 90s, 15m, 12h, 2d, or 2026-11-23T21:18:53Z.")
@click.option(
    "-n",
    "--history",
    type=click.IntRange(0, MOST_HISTORY),
    help=f"How many of the newest cached events come first; {_DEFAULT_HISTORY}, with --since {MOST_HISTORY}.",
)
@click.option("-f", "--follow", "follows", is_flag=True, help="Go on with new events as they come.")
@click.option("--format", "format_name", type=click.Choice(NAMES), default=NAMES[0], show_default=True)
def tail(
    url: str | None,
    path: Path | None,
    token: str,
    format_name: str,
    *,
    follows: bool,
    since: str | None,
    history: int | None,
    **selection: Any,
) -> None:
    """Show the last events of the server at URL, oldest first, and with -f new ones as they come.

    Without URL it is the server that the settings describe, on this machine. The exit code is 1 if the events
    cannot be read.
    """
    signal.signal(signal.SIGINT, _end)
    try:
        address = Address.parse(url or _address_of_settings(path))
        query = _query(since, history, **selection)
        output = Output(sys.stdout.buffer, sys.stdout.encoding)
        # Not on uvloop: where it watches a pipe, writing to that pipe waits no more for a slow reader, but fails.
        asyncio.run(
            run(
                address,
                _checked_token(token),
                query,
                output,
                format_name=format_name,
                follows=follows,
                tells_left_out=bool(since) and history is None,
            )
        )
    except ConfigError as fault:
        exit_with_error(fault)
    except TailError as fault:
        click.echo(f"eventscache: {visible(str(fault))}", err=True)
        sys.exit(1)


def _checked_token(token: str) -> str:
    if not token.isprintable():
        raise ConfigError("--token: it holds characters that no header can hold")
    return token


def _query(
    since: str | None,
    history: int | None,
    *,
    incoming: bool,
    ids: tuple[str, ...],
    status: str | None,
    event_type: str | None,
    text: str | None,
    where: tuple[str, ...],
) -> TailQuery:
    try:
        start = start_time(since, unix_us()) if since else ""
    except (ValueError, OverflowError):
        raise ConfigError("--since: it is a time such as 15m, 2d or 2026-11-23T21:18:53Z") from None
    if history is None:
        history = MOST_HISTORY if since else _DEFAULT_HISTORY
    namespace = Namespace.TOKEN if incoming else Namespace.DESTINATION
    return TailQuery(namespace, ids, status or "", event_type or "", text or "", where, start, history)


def _address_of_settings(path: Path | None) -> str:
    settings = load_settings(path, {}).settings
    host = _EVERY_HOST.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def _end(_: int, __: FrameType | None) -> None:
    """End at once: nothing is to be saved, and a reader that is stuck may hold the output up for ever."""
    if os.isatty(sys.stderr.fileno()):
        os.write(sys.stderr.fileno(), b"\n")  # behind the ^C of the terminal
    os._exit(_INTERRUPTED)
