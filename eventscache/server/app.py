"""The sidecar: all its parts put together, started and stopped."""

import asyncio
import logging
import os
from typing import Any

import structlog
from aiohttp import web

from eventscache.access.api_keys import ApiKeys
from eventscache.access.credential_reloaders import ApiKeyReloader, ReadTokenFileReloader, TokenFileReloader
from eventscache.access.reloader import Reloader
from eventscache.cache import EventsCache
from eventscache.clock import Clock
from eventscache.config.settings import Settings
from eventscache.errors import CannotListen
from eventscache.follows.follow_list import NAME as FOLLOWS
from eventscache.follows.follow_list import FollowList
from eventscache.ingest.limits import Limits
from eventscache.live.hub import MAX_SUBSCRIBERS, Hub
from eventscache.lookup.explanation import Explainer
from eventscache.lookup.lookup import Lookup
from eventscache.metrics.definitions import Process
from eventscache.metrics.loop_lag import LoopLag
from eventscache.metrics.prometheus import Metrics
from eventscache.metrics.snapshot import MetricsSnapshot
from eventscache.query.members import parse_path
from eventscache.server.asserter import Asserter
from eventscache.server.configured_alerts import configured_alerts
from eventscache.server.configured_sources import configured_sources
from eventscache.server.configured_telemetry import configured_telemetry
from eventscache.server.context import Context
from eventscache.server.fast_lane import FastLane, why_shut
from eventscache.server.http.access_log import AccessLog
from eventscache.server.http.auth import Access
from eventscache.server.http.body import Bodies
from eventscache.server.http.connections import ConnectionLimits, Connections
from eventscache.server.http.log_throttle import LogThrottle
from eventscache.server.notices import Notices
from eventscache.server.replayer import Replayer
from eventscache.server.routes.static_files import page_routes
from eventscache.server.routing import INGESTION_ROUTES, ROUTES, Router, RouteTable, route_of_events
from eventscache.server.startup_checks import max_connections, require_aiohttp_internals, require_c_parser
from eventscache.server.supervisor import Worker
from eventscache.sources.all_sources import AllSources
from eventscache.storage.base import Storage

_log = structlog.get_logger()

_LAST_EXPORT_SHARE = 0.2  # of the shutdown timeout


class Sidecar:
    """The cache behind HTTP."""

    def __init__(
        self, settings: Settings, storage: Storage, worker: Worker | None = None, *, clock: Clock | None = None
    ) -> None:
        """Build it on the running loop, over a storage that it opens and closes. Raises `ConfigError`.

        A `worker` shares its port and its metrics with the other workers. `clock` is the clock of the live view
        and of the alerts.
        """
        require_c_parser()
        require_aiohttp_internals()
        connection_limits = _connection_limits(settings)
        self._max_connections = connection_limits.most
        self._telemetry = configured_telemetry(settings, worker, self._own_metrics)
        if self._telemetry:
            storage = self._telemetry.storage(storage)
        self.cache = _cache(settings, storage)
        self.live = Hub(self.cache, clock, max_subscribers=min(MAX_SUBSCRIBERS, max(1, connection_limits.most // 2)))
        self._settings = settings
        self._worker = worker
        self._inherited = worker.metrics.read(worker.number) if worker else MetricsSnapshot()
        access, api_keys, limits = Access(settings), ApiKeys(settings.api_keys), _limits(settings)
        self.sources = AllSources(configured_sources(settings, api_keys), self.cache, storage)
        self._replayer = Replayer(settings.replay_targets)
        self._follows = FollowList(self.cache, storage.checkpoints(FOLLOWS))
        self._alerts = configured_alerts(settings, storage, clock)
        self._reloaders = _reloaders(settings, access, api_keys)
        context = Context(
            self.cache,
            self.live,
            Lookup(self.cache),
            Explainer(self.cache),
            settings,
            access,
            api_keys,
            limits,
            RouteTable(INGESTION_ROUTES),
            Metrics(self.metrics_of_all_workers),
            Bodies(limits, settings.body_timeout_ms / 1000),
            Asserter(),
            self.sources,
            Notices(route_of_events),
            self._follows,
            self._replayer,
            self._reloaders,
        )
        self._loop = asyncio.get_running_loop()
        self._loop_lag = LoopLag()
        self._router = Router(context, (*ROUTES, *page_routes()))
        reason = why_shut(settings, traced=self._telemetry is not None)
        if reason and settings.fast_lane:
            _log.warning("fast lane shut", reason=reason)
        self.fast_lane = FastLane(self._router) if settings.fast_lane and not reason else None
        self._connections = Connections(
            self._telemetry.answer(self._router) if self._telemetry else self._router.answer,
            connection_limits,
            LogThrottle(),
            request_factory=self._request,
            on_refused=self._router.refuse,
            answer_at_once=self.fast_lane.answer if self.fast_lane else None,
            access_log=logging.getLogger(__name__) if settings.access_log else None,
            access_log_class=AccessLog,
        )
        self._runner = web.ServerRunner(
            self._connections,
            handle_signals=False,
            # Requests under way have the first half of the time, the queue has the rest. aiohttp waits twice this long.
            shutdown_timeout=settings.shutdown_timeout_ms / 4000,
        )

    async def start(self, host: str, port: int) -> str:
        """Open the cache, listen, and return the address. Raises `ConfigError`."""
        await self.cache.open()
        self._follows.start()
        for reloader in self._reloaders:
            await reloader.start()
        await self._runner.setup()
        self._connections.start()
        self._loop_lag.start()
        if self._telemetry:
            self._telemetry.start()
        try:
            await web.TCPSite(self._runner, host, port, backlog=1024, reuse_port=bool(self._worker) or None).start()
        except OSError as fault:
            await self.stop()
            raise CannotListen(
                f"eventscache.port: cannot listen on {host}:{port}: {os.strerror(fault.errno or 0)}"
            ) from None
        await self.sources.start()
        if self._alerts:
            self._alerts.start()
        bound_host, bound_port = self._runner.addresses[0][:2]
        return f"http://[{bound_host}]:{bound_port}" if ":" in bound_host else f"http://{bound_host}:{bound_port}"

    def use(self, settings: Settings) -> None:
        """Use those settings from now on that can change while it runs; after a `ConfigError` all is as before."""
        context = self._context
        context.access.use(settings)
        if not settings.api_keys.url:
            context.api_keys.list(settings.api_keys)
        limits = _limits(settings)
        context.bodies.use(limits)
        self.cache.use_mask(settings.mask)
        self.cache.producers.bound(settings.max_new_streams_per_minute)
        self._settings = settings
        self._router.context = context._replace(settings=settings, limits=limits)

    def debug(self, *, on: bool) -> None:
        """Log each request, and each batch that the storage answered, or no more."""
        self._router.debugs = on
        self.cache.queue.sender.debug(on=on)

    async def stop(self) -> None:
        """Finish the requests under way, then flush and close the cache, then send the last metrics."""
        timeout_seconds = self._settings.shutdown_timeout_ms / 1000
        deadline = self._loop.time() + timeout_seconds
        last_export_seconds = timeout_seconds * _LAST_EXPORT_SHARE if self._telemetry else 0.0
        self.live.close()
        await self._runner.cleanup()
        await self._connections.stop()
        await self._loop_lag.stop()
        self._context.bodies.close()
        self._context.asserter.close()
        for reloader in self._reloaders:
            await reloader.stop()
        await self.sources.stop()
        await self._follows.stop()
        await self._replayer.close()
        if self._alerts:
            await self._alerts.stop_watching()
        closing = self.cache.close(max(0, deadline - last_export_seconds - self._loop.time()))
        await asyncio.gather(closing, *([self._alerts.stop()] if self._alerts else []))
        if self._telemetry:
            await self._telemetry.stop(last_export_seconds)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections.connections)

    def metrics_of_all_workers(self) -> MetricsSnapshot:
        """Publish this worker's metrics, and return the sum with what the other workers published last."""
        own = self.publish_metrics()
        return own + self._worker.metrics.sum_of_others(self._worker.number) if self._worker else own

    def publish_metrics(self) -> MetricsSnapshot:
        """Publish this worker's metrics to the others, and return them; they go on from those of its predecessor."""
        own = self._inherited + self._own_metrics()
        if self._worker:
            self._worker.metrics.publish(self._worker.number, own)
        return own

    def _own_metrics(self) -> MetricsSnapshot:
        return MetricsSnapshot.of(self._process)

    @property
    def _context(self) -> Context:
        return self._router.context

    @property
    def _process(self) -> Process:
        return Process(
            self.cache,
            self.live.subscribers,
            self.sources.counts,
            self._loop_lag,
            self.connections,
            self._max_connections,
            self._alerts.counts if self._alerts else None,
            self.fast_lane.taken if self.fast_lane else 0,
        )

    def _request(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        """Return a request whose body may be as large as the settings allow."""
        size = self._settings.max_body_bytes
        return web.BaseRequest(message, payload, protocol, writer, task, self._loop, client_max_size=size)


def _cache(settings: Settings, storage: Storage) -> EventsCache:
    return EventsCache(
        storage,
        quota=settings.quota,
        enabled=settings.enabled,
        pool_size=settings.pool_size,
        queue_bytes=settings.queue_bytes,
        max_new_streams_per_minute=settings.max_new_streams_per_minute,
        trim_interval_seconds=settings.trim_interval_ms / 1000,
        ack_timeout_seconds=settings.ack_timeout_ms / 1000,
        storage_timeout_seconds=settings.storage_timeout_ms / 1000,
        mask=settings.mask,
        record_bytes=settings.record_bytes,
        record_seconds=settings.record_minutes * 60,
        per_type=settings.per_type,
        error_groups=settings.error_groups,
        type_path=parse_path(settings.type_path) if settings.type_path else (),
    )


def _limits(settings: Settings) -> Limits:
    return Limits(
        max_event_bytes=settings.max_event_bytes,
        max_malformed_bytes=settings.max_malformed_bytes,
        max_batch=settings.max_batch,
        max_depth=settings.max_depth,
        max_body_bytes=settings.max_body_bytes,
        max_id_bytes=settings.max_id_bytes,
        max_bulk_bytes=settings.max_bulk_bytes,
    )


def _connection_limits(settings: Settings) -> ConnectionLimits:
    return ConnectionLimits(
        most=max_connections(settings),
        header_seconds=settings.header_timeout_ms / 1000,
        stall_seconds=settings.body_timeout_ms / 1000,
        keepalive_seconds=settings.keepalive_ms / 1000,
    )


def _reloaders(settings: Settings, access: Access, api_keys: ApiKeys) -> list[Reloader]:
    """Return the reloaders of keys and tokens that are kept outside the configuration."""
    seconds = settings.api_keys_reload_seconds
    reloaders: list[Reloader] = []
    if settings.api_keys.url:
        reloaders.append(ApiKeyReloader(settings.api_keys.url, api_keys, seconds, settings.max_id_bytes))
    for what, path, tokens in (
        ("admin tokens", settings.admin_tokens_file, access.admins),
        ("ingest tokens", settings.ingest_tokens_file, access.ingesters),
    ):
        if path:
            reloaders.append(TokenFileReloader(what, path, tokens, seconds))
    if settings.read_tokens_file:  # after the others, which no read token may equal
        reloaders.append(ReadTokenFileReloader(settings.read_tokens_file, access.readers, seconds))
    return reloaders
