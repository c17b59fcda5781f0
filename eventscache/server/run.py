"""Running the server until a signal stops it, with a log line at each step."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable

import structlog

from eventscache.cache import splicing
from eventscache.config.loading import LoadedSettings
from eventscache.config.settings import Settings
from eventscache.ingest.json import scan
from eventscache.logs import hide_secrets, on_terminal
from eventscache.server.app import Sidecar
from eventscache.server.debugging import Debugging
from eventscache.server.http import whole_request
from eventscache.server.reload import SettingsReloader
from eventscache.server.runtime_signals import take_signals
from eventscache.server.supervisor import Worker
from eventscache.storage.plugins import storage_from_url

_log = structlog.get_logger()

_PUBLISH_EVERY_SECONDS = 0.5


async def serve(
    loaded: LoadedSettings,
    worker: Worker | None = None,
    announce: Callable[[str], object] | None = None,
    read: Callable[[], Settings] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; `announce` gets the address once it listens. Raises `ConfigError`.

    SIGHUP reads the settings again with `read`, and SIGUSR1 switches debugging on or off; that of a worker is as its
    supervisor says.
    """
    settings = loaded.settings
    url = settings.storage if settings.enabled else "memory://"  # a disabled cache contacts no storage
    sidecar = Sidecar(settings, storage_from_url(url, settings.storage_options), worker)
    if not (scan.COMPILED and splicing.COMPILED and whole_request.COMPILED):
        _log.warning(
            "the modules in C were not built, and an event costs several times as much: install a C compiler and "
            "Python's headers, then reinstall eventscache"
        )
    _log.info("storage", url=hide_secrets(url), source=loaded.sources["storage"])
    async with running(sidecar, settings) as (address, stopped):
        if announce:
            announce(address)
        async with _on_signals(sidecar, settings, worker, read):
            await _wait_for_stop(stopped, sidecar, worker)


@contextlib.asynccontextmanager
async def _on_signals(
    sidecar: Sidecar, settings: Settings, worker: Worker | None, read: Callable[[], Settings] | None
) -> AsyncIterator[None]:
    """Do meanwhile what signals ask for."""
    loop = asyncio.get_running_loop()
    debugging = Debugging(sidecar.debug)

    def look_at_debugging() -> None:
        if worker:
            debugging.set(on=worker.shared.debugs)
        else:
            debugging.switch()

    loop.add_signal_handler(signal.SIGUSR1, look_at_debugging)
    if worker:
        look_at_debugging()
    reloader = SettingsReloader(settings, read, sidecar.use) if read else None
    # On a terminal SIGHUP tells that it was closed, and ends the server as any other program.
    if reloader and not on_terminal():
        loop.add_signal_handler(signal.SIGHUP, reloader.request)
    take_signals()
    try:
        yield
    finally:
        if reloader:
            await reloader.stop()


@contextlib.asynccontextmanager
async def running(sidecar: Sidecar, settings: Settings) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Start a sidecar, and stop it in the end; yield its address, and an event that SIGTERM and SIGINT set.

    Raises `ConfigError`.
    """
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    address = await sidecar.start(settings.host, settings.port)
    try:
        _log.info("listening", url=address)
        yield address, stopped
        _log.info("stopping")
    finally:
        await sidecar.stop()
    sidecar.publish_metrics()
    ledger = sidecar.cache.ledger
    _log.info(
        "stopped",
        received=ledger.received,
        stored=ledger.stored,
        limited=ledger.limited,
        dropped=ledger.dropped.total(),
        rejected=ledger.rejected,
    )


async def _wait_for_stop(stopped: asyncio.Event, sidecar: Sidecar, worker: Worker | None) -> None:
    """Return when it is time to stop. A worker publishes its metrics meanwhile, and stops when its parent is gone."""
    if not worker:
        await stopped.wait()
        return
    while not (stopped.is_set() or worker.orphaned):
        sidecar.publish_metrics()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PUBLISH_EVERY_SECONDS):
                await stopped.wait()
