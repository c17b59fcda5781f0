"""Handlers whose rejections are told in the log."""

from aiohttp import web

from eventscache.server.context import Context, Handler
from eventscache.server.http.responses import HttpError


def told_once(route: str, handler: Handler) -> Handler:
    """Return a handler that tells each kind of error once; the route is named as it is declared."""

    async def handle(context: Context, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await handler(context, request)
        except HttpError as error:
            context.notices.tell(route, error.code)
            raise

    return handle
