"""How a command runs and ends: its event loop, its one-line error, its exit code."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

import click

from eventscache.errors import CannotListen, EventsCacheError
from eventscache.logs import visible
from eventscache.server.supervisor import CONFIG_EXIT, LISTEN_EXIT

try:
    import uvloop
except ImportError:  # not on this platform: asyncio's own loop serves
    uvloop = None  # type: ignore[assignment]

_Result = TypeVar("_Result")


def run_on_loop(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine to its end, on uvloop where there is one."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop if uvloop else None) as runner:
        return runner.run(work)


def exit_with_error(fault: EventsCacheError) -> NoReturn:
    """Print an error as one line to standard error, and end with its exit code.

    That is 1 if the address or port cannot be listened on now, and 2 for a wrong configuration.
    """
    click.echo(f"eventscache: {visible(str(fault))}", err=True)
    sys.exit(LISTEN_EXIT if isinstance(fault, CannotListen) else CONFIG_EXIT)
