"""Probes and metrics, open to everybody: they show no ids and nothing of events."""

from aiohttp import web

from eventscache.errors import NotReady
from eventscache.metrics.prometheus import CONTENT_TYPE
from eventscache.server.context import Context, Route
from eventscache.server.http.responses import COMMON_HEADERS, error_response, json_response


async def get_livez(_: Context, __: web.BaseRequest) -> web.Response:
    """Answer 200: the process is alive."""
    return json_response({"status": "ok"})


async def get_readyz(context: Context, _: web.BaseRequest) -> web.Response:
    """Answer 200 if keys and tokens were read, the storage takes events and the queue has room; else 503 and why."""
    try:
        for reloader in context.reloaders:
            reloader.require_read()
        await context.cache.check()
    except NotReady as fault:
        return error_response(503, "not_ready", str(fault))
    return json_response({"status": "ok"})


async def get_ping(_: Context, __: web.BaseRequest) -> web.Response:
    """Answer `pong`, as Jitsu does."""
    return web.Response(text="pong", headers=COMMON_HEADERS)


async def get_metrics(context: Context, _: web.BaseRequest) -> web.Response:
    """Answer with the metrics in Prometheus's text format."""
    return web.Response(body=context.metrics.render(), headers={**COMMON_HEADERS, "Content-Type": CONTENT_TYPE})


ROUTES: tuple[Route, ...] = (
    ("GET", "/livez", get_livez),
    ("GET", "/readyz", get_readyz),
    ("GET", "/ping", get_ping),
    ("GET", "/metrics", get_metrics),
)
