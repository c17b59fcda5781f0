"""The application: every route in one list, and its start and stop."""

import asyncio
import signal
from collections.abc import AsyncIterator

import structlog
from aiohttp import web

from eventscache.apikeys import ApiKeys
from eventscache.cache import EventsCache
from eventscache.config import Effective, Settings, hide_secrets
from eventscache.errors import ConfigError
from eventscache.ingest.limits import Limits
from eventscache.metrics import Metrics
from eventscache.server import events, health, ingestion
from eventscache.server.answers import answer_errors
from eventscache.server.auth import Access
from eventscache.server.context import CONTEXT, Context
from eventscache.storage import storage_from_url
from eventscache.storage.base import Storage

_log = structlog.get_logger()

_CACHE = "/api/v1/events/cache"
_CLIENT_ROUTES = ("/api/v1/event", "/api/v1/events")
_SERVER_ROUTES = ("/api/v1/s2s/event", "/api/v1/s2s/event/", "/api/v1/s2s/events")


def build_app(settings: Settings, storage: Storage) -> web.Application:
    """Return the application over a storage that it opens and closes. Raises `ConfigError`."""
    cache = EventsCache(
        storage,
        quota=settings.quota,
        enabled=settings.enabled,
        pool_size=settings.pool_size,
        queue_bytes=settings.queue_bytes,
        trim_interval_seconds=settings.trim_interval_ms / 1000,
        ack_timeout_seconds=settings.ack_timeout_ms / 1000,
        storage_timeout_seconds=settings.storage_timeout_ms / 1000,
    )
    limits = Limits(
        max_event_bytes=settings.max_event_bytes,
        max_malformed_bytes=settings.max_malformed_bytes,
        max_batch=settings.max_batch,
        max_depth=settings.max_depth,
        max_id_bytes=settings.max_id_bytes,
    )
    app = web.Application(middlewares=[answer_errors], client_max_size=settings.max_body_bytes)
    app[CONTEXT] = Context(cache, settings, Access(settings), ApiKeys(settings.api_keys), limits)
    app[health.METRICS] = Metrics(cache)
    app.cleanup_ctx.append(_run_cache)
    app.router.add_get(_CACHE, events.get_events, allow_head=False)
    app.router.add_post(_CACHE, events.post_events)
    app.router.add_delete(_CACHE, events.delete_events)
    app.router.add_get("/api/v1/streams", events.get_streams, allow_head=False)
    for path in _CLIENT_ROUTES:
        app.router.add_post(path, ingestion.post_client_events)
        app.router.add_options(path, ingestion.preflight)
    for path in _SERVER_ROUTES:
        app.router.add_post(path, ingestion.post_server_events)
    app.router.add_get("/livez", health.get_livez)
    app.router.add_get("/readyz", health.get_readyz)
    app.router.add_get("/ping", health.get_ping)
    app.router.add_get("/metrics", health.get_metrics)
    return app


async def _run_cache(app: web.Application) -> AsyncIterator[None]:
    """Open the cache before the first request; flush and close it after the last."""
    context = app[CONTEXT]
    await context.cache.open()
    yield
    # Requests under way have had the first half of the time.
    await context.cache.close(context.settings.shutdown_timeout_ms / 2000)


def build_runner(app: web.Application) -> web.AppRunner:
    """Return what connects the application to sockets."""
    settings = app[CONTEXT].settings
    return web.AppRunner(
        app,
        access_log=None,
        auto_decompress=False,
        handle_signals=False,
        keepalive_timeout=settings.keepalive_ms / 1000,
        shutdown_timeout=settings.shutdown_timeout_ms / 2000,
    )


async def serve(effective: Effective) -> None:
    """Serve until SIGTERM or SIGINT. Raises `ConfigError`."""
    settings = effective.settings
    storage_url = settings.storage if settings.enabled else "memory://"
    app = build_app(settings, storage_from_url(storage_url, settings.storage_options))
    _log.info("storage", url=hide_secrets(storage_url), source=effective.origins["storage"])
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    runner = build_runner(app)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, settings.host, settings.port, backlog=1024).start()
        except OSError as fault:
            raise ConfigError(
                f"eventscache.port: cannot listen on {settings.host}:{settings.port}: {fault.strerror or fault}"
            ) from None
        host, port = runner.addresses[0][:2]
        address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        _log.info("listening", url=address)
        await stopped.wait()
        _log.info("stopping")
    finally:
        await runner.cleanup()
    _log.info("stopped", **_account(app))


def _account(app: web.Application) -> dict[str, int]:
    ledger = app[CONTEXT].cache.ledger
    return {
        "received": ledger.received,
        "stored": ledger.stored,
        "limited": ledger.limited,
        "dropped": ledger.dropped.total(),
        "rejected": ledger.rejected,
    }
