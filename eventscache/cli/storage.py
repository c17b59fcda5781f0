"""`eventscache storage verify`: whether a storage keeps the contract, and how fast it is."""

import asyncio
import contextlib
import signal
import sys

import click

from eventscache.cli.process import exit_with_error
from eventscache.conformance.verify import Verification
from eventscache.errors import ConfigError, StorageError
from eventscache.logs import start_logging
from eventscache.storage.options import StorageOptions


@click.group()
def storage() -> None:
    """Look after storages."""


@storage.command()
@click.argument("url")
@click.option("--prefix", default="eventscache", show_default=True, help="What the scratch data's names begin with.")
@click.option("--timeout-ms", default=1000, show_default=True, help="For one try of an operation.")
@click.option("--rounds", default=200, show_default=True, help="How often each operation is measured.")
def verify(url: str, prefix: str, timeout_ms: int, rounds: int) -> None:
    """Check that the storage at URL keeps its promises, and how fast it is. What it writes is erased again."""
    start_logging()
    options = StorageOptions(prefix=prefix, timeout_seconds=timeout_ms / 1000)
    try:
        all_kept = asyncio.run(_verify(Verification(url, options), rounds))
    except asyncio.CancelledError:
        raise click.Abort from None
    except ConfigError as fault:
        exit_with_error(fault)
    except StorageError as fault:
        click.echo(f"eventscache: {fault}", err=True)
        all_kept = False
    sys.exit(0 if all_kept else 1)


async def _verify(verification: Verification, rounds: int) -> bool:
    """Print each promise and, if all are kept, the timings; return whether all are kept."""
    _cancel_on_sigterm()
    await verification.reach()
    broken = 0
    async for promise in verification.promises():
        broken += bool(promise.fault)
        click.echo(f"{'BROKEN' if promise.fault else 'kept'}  {promise.name}")
        if promise.fault:
            click.echo(f"        {promise.fault}")
    if broken:  # timings would be of no use
        click.echo(f"\n{broken} promises broken")
        return False
    click.echo("\nall promises kept\n")
    for lacking in verification.lacks():
        click.echo(f"it lacks {lacking}\n")
    async for timing in verification.timings(rounds):
        click.echo(f"{timing.operation:<36} p50 {timing.p50:8.3f} ms   p99 {timing.p99:8.3f} ms")
    return True


def _cancel_on_sigterm() -> None:
    """Let SIGTERM end this task as Ctrl-C does, so that it cleans up; a second one ends the process."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()

    def cancel() -> None:
        loop.remove_signal_handler(signal.SIGTERM)
        if task:
            task.cancel()

    with contextlib.suppress(NotImplementedError):  # not on this platform
        loop.add_signal_handler(signal.SIGTERM, cancel)
