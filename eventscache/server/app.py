"""The sidecar: every route in one list, one place that dispatches, and its start and stop."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import structlog
from aiohttp import web

from eventscache.access.api_keys import ApiKeys
from eventscache.access.credential_reloaders import ApiKeyReloader, TokenFileReloader
from eventscache.access.reloader import Reloader
from eventscache.cache import EventsCache
from eventscache.clock import Clock
from eventscache.config.loading import LoadedSettings
from eventscache.config.settings import Settings
from eventscache.errors import ConfigError, StorageError
from eventscache.ingest.json import scan
from eventscache.ingest.limits import Limits
from eventscache.live.hub import MOST_WATCHERS, Hub
from eventscache.logs import hide_secrets
from eventscache.metrics.prometheus import Metrics
from eventscache.metrics.snapshot import MetricsSnapshot
from eventscache.server.context import Context, Handler
from eventscache.server.descriptors import connections_that_fit
from eventscache.server.http.access_log import AccessLog
from eventscache.server.http.auth import Access
from eventscache.server.http.body import Bodies
from eventscache.server.http.connections import ConnectionLimits, Connections
from eventscache.server.http.log_throttle import LogThrottle
from eventscache.server.http.responses import HttpError, error_response
from eventscache.server.routes import event_stream, events, health, ingestion, openapi
from eventscache.server.routes.static_files import page_routes
from eventscache.server.startup_checks import require_c_parser
from eventscache.server.supervisor import Worker
from eventscache.storage.base import Storage
from eventscache.storage.plugins import storage_class, storage_from_url

_log = structlog.get_logger()

_SHOW_EVERY_SECONDS = 0.5
# What is open beside connections: libraries, logs, listeners, followed files; and connections to a storage, of which a
# Cluster has some with each of its nodes.
_OTHER_FILES, _FILES_PER_CALL = 48, 6

_CACHE = "/api/v1/events/cache"
ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", _CACHE, events.get_events),
    ("POST", _CACHE, events.post_events),
    ("DELETE", _CACHE, events.delete_events),
    ("GET", "/api/v1/events/stream", event_stream.get_stream),
    ("GET", "/api/v1/streams", events.get_streams),
    ("POST", "/api/v1/event", ingestion.post_client_events),
    ("OPTIONS", "/api/v1/event", ingestion.preflight),
    ("POST", "/api/v1/events", ingestion.post_client_events),
    ("OPTIONS", "/api/v1/events", ingestion.preflight),
    ("POST", "/api/v1/s2s/event", ingestion.post_server_events),
    ("POST", "/api/v1/s2s/event/", ingestion.post_server_events),
    ("POST", "/api/v1/s2s/events", ingestion.post_server_events),
    ("GET", "/livez", health.get_livez),
    ("GET", "/readyz", health.get_readyz),
    ("GET", "/ping", health.get_ping),
    ("GET", "/metrics", health.get_metrics),
    ("GET", "/openapi.json", openapi.get_openapi),
)


class Sidecar:
    """The cache behind HTTP.

    It stands on aiohttp's `web.Server`: on an `Application`, routing and one middleware would cost each event a
    third of what aiohttp costs altogether, and all our paths are plain.
    """

    def __init__(
        self, settings: Settings, storage: Storage, worker: Worker | None = None, *, clock: Clock | None = None
    ) -> None:
        """Set up on the running loop, over a storage that is opened and closed with it. Raises `ConfigError`.

        As a `worker` it shares its port, and its figures with the others. `clock` is that of the live view.
        """
        self.cache = EventsCache(
            storage,
            quota=settings.quota,
            enabled=settings.enabled,
            pool_size=settings.pool_size,
            queue_bytes=settings.queue_bytes,
            trim_interval_seconds=settings.trim_interval_ms / 1000,
            ack_timeout_seconds=settings.ack_timeout_ms / 1000,
            storage_timeout_seconds=settings.storage_timeout_ms / 1000,
            mask=settings.mask,
        )
        most_connections = _most_connections(settings)
        self.live = Hub(self.cache, clock, most_watchers=min(MOST_WATCHERS, max(1, most_connections // 2)))
        self._settings = settings
        self._worker = worker
        self._inherited = worker.board.read(worker.number) if worker else MetricsSnapshot()
        require_c_parser()
        access, api_keys = Access(settings), ApiKeys(settings.api_keys)
        self._reloaders = _reloaders(settings, access, api_keys)
        limits = Limits(
            max_event_bytes=settings.max_event_bytes,
            max_malformed_bytes=settings.max_malformed_bytes,
            max_batch=settings.max_batch,
            max_depth=settings.max_depth,
            max_body_bytes=settings.max_body_bytes,
            max_id_bytes=settings.max_id_bytes,
        )
        self._context = Context(
            self.cache,
            self.live,
            settings,
            access,
            api_keys,
            limits,
            Metrics(self.figures),
            Bodies(limits, settings.body_timeout_ms / 1000),
        )
        self._handlers: dict[str, dict[str, Handler]] = {"*": {}}  # for OPTIONS, which is refused, and not unknown
        for method, path, handler in (*ROUTES, *page_routes()):
            self._handlers.setdefault(path, {})[method] = handler
        self._loop = asyncio.get_running_loop()
        self._connections = Connections(
            self._answer,
            ConnectionLimits(
                most=most_connections,
                header_seconds=settings.header_timeout_ms / 1000,
                stall_seconds=settings.body_timeout_ms / 1000,
                keepalive_seconds=settings.keepalive_ms / 1000,
            ),
            LogThrottle(),
            request_factory=self._request,
            access_log=logging.getLogger(__name__) if settings.access_log else None,
            access_log_class=AccessLog,
        )
        self._runner = web.ServerRunner(
            self._connections,
            handle_signals=False,
            # Requests under way have the first half of the time, the queue has the rest. aiohttp takes it twice.
            shutdown_timeout=settings.shutdown_timeout_ms / 4000,
        )

    async def start(self, host: str, port: int) -> str:
        """Open the cache, listen, and return the address. Raises `ConfigError`."""
        await self.cache.open()
        for reloader in self._reloaders:
            await reloader.start()
        await self._runner.setup()
        self._connections.start()
        try:
            await web.TCPSite(self._runner, host, port, backlog=1024, reuse_port=bool(self._worker) or None).start()
        except OSError as fault:
            await self.stop()
            raise ConfigError(
                f"eventscache.port: cannot listen on {host}:{port}: {os.strerror(fault.errno or 0)}"
            ) from None
        bound_host, bound_port = self._runner.addresses[0][:2]
        return f"http://[{bound_host}]:{bound_port}" if ":" in bound_host else f"http://{bound_host}:{bound_port}"

    async def stop(self) -> None:
        """Finish the requests under way, then flush and close the cache."""
        deadline = self._loop.time() + self._settings.shutdown_timeout_ms / 1000
        self.live.close()
        await self._runner.cleanup()
        await self._connections.stop()
        self._context.bodies.close()
        for reloader in self._reloaders:
            await reloader.stop()
        await self.cache.close(max(0, deadline - self._loop.time()))

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._connections.connections)

    def figures(self) -> MetricsSnapshot:
        """Return the figures of all workers, with those of the others as they showed them last."""
        own = self.show_figures()
        return own + self._worker.board.sum_of_others(self._worker.number) if self._worker else own

    def show_figures(self) -> MetricsSnapshot:
        """Show the other workers our figures, which go on from our predecessor's, and return them."""
        own = self._inherited + MetricsSnapshot.of(self.cache, self.live.watchers)
        if self._worker:
            self._worker.board.publish(self._worker.number, own)
        return own

    def _request(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        """Return a request that may have as large a body as is allowed."""
        size = self._settings.max_body_bytes
        return web.BaseRequest(message, payload, protocol, writer, task, self._loop, client_max_size=size)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Dispatch a request, and turn what handlers raise into answers."""
        try:
            methods = self._handlers.get(request.raw_path.partition("?")[0])
            if methods is None:
                return error_response(404, "there is nothing at this path")
            handler = methods.get(request.method)
            if handler is None:
                return error_response(405, "this path does not take that method", {"Allow": ", ".join(methods)})
            if request.method == "GET" and request.headers.get("Upgrade", "").lower() == "websocket":
                raise HttpError(400, "there is no WebSocket here")  # noqa: TRY301 - as a handler would
            return await handler(self._context, request)
        except HttpError as refusal:
            return refusal.answer()
        except StorageError as fault:
            _log.warning("request not served", path=request.path, reason=str(fault))
            return error_response(503, "the storage does not answer", {"Retry-After": "1"})
        except ConnectionError:
            raise  # the client went away, and the server knows
        except Exception:
            _log.exception("a handler failed", path=request.path)
            return error_response(500, "internal error")


def _most_connections(settings: Settings) -> int:
    """Return how many connections there may be; say so if that is less than is configured. Raises `ConfigError`."""
    others = _OTHER_FILES + _FILES_PER_CALL * settings.pool_size
    most = connections_that_fit(settings.max_connections, others)
    if most < 1:
        raise ConfigError(f"the system allows too few open files: more than {others} are needed (ulimit -n)")
    if most < settings.max_connections:
        _log.warning(
            "the system allows too few open files for eventscache.max_connections",
            max_connections=settings.max_connections,
            connections=most,
        )
    return most


def _reloaders(settings: Settings, access: Access, api_keys: ApiKeys) -> list[Reloader]:
    """Return what follows the keys and tokens that are kept elsewhere."""
    seconds = settings.api_keys_reload_seconds
    reloaders: list[Reloader] = []
    if settings.api_keys.url:
        reloaders.append(ApiKeyReloader(settings.api_keys.url, api_keys, seconds))
    for what, path, tokens in (
        ("admin tokens", settings.admin_tokens_file, access.admins),
        ("ingest tokens", settings.ingest_tokens_file, access.ingesters),
    ):
        if path:
            reloaders.append(TokenFileReloader(what, path, tokens, seconds))
    return reloaders


def storage_url(settings: Settings) -> str:
    """Return the URL of the storage that is used: none is contacted for a cache that is disabled."""
    return settings.storage if settings.enabled else "memory://"


def check_workers(settings: Settings) -> None:
    """Raise `ConfigError` if there are to be more processes than the storage can serve."""
    url = storage_url(settings)
    if settings.enabled and not storage_class(url).multiprocess:
        raise ConfigError(
            f"eventscache.workers: {settings.workers} processes cannot share {hide_secrets(url)}: use 1, or a storage "
            "outside the process, such as --storage redis://localhost:6379/0"
        )


async def serve(loaded: LoadedSettings, worker: Worker | None = None) -> None:
    """Serve until SIGTERM or SIGINT. Raises `ConfigError`."""
    settings = loaded.settings
    url = storage_url(settings)
    sidecar = Sidecar(settings, storage_from_url(url, settings.storage_options), worker)
    if not scan.COMPILED:
        _log.warning("bodies are parsed without the module in C: install a compiler and Python's headers, then again")
    _log.info("storage", url=hide_secrets(url), source=loaded.sources["storage"])
    async with running(sidecar, settings) as (_, stopped):
        await _ended(stopped, sidecar, worker)


@contextlib.asynccontextmanager
async def running(sidecar: Sidecar, settings: Settings) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Run a sidecar; yield its address, and what is set at SIGTERM or SIGINT. Raises `ConfigError`."""
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
    sidecar.show_figures()
    ledger = sidecar.cache.ledger
    _log.info(
        "stopped",
        received=ledger.received,
        stored=ledger.stored,
        limited=ledger.limited,
        dropped=ledger.dropped.total(),
        rejected=ledger.rejected,
    )


async def _ended(stopped: asyncio.Event, sidecar: Sidecar, worker: Worker | None) -> None:
    """Return when it is time to stop; a worker shows its figures meanwhile, and stops without its parent as well."""
    if not worker:
        await stopped.wait()
        return
    while not (stopped.is_set() or worker.orphaned):
        sidecar.show_figures()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SHOW_EVERY_SECONDS):
                await stopped.wait()
