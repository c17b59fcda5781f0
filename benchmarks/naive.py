"""The simplest sidecar: each event is written to a Redis list in its request, and parsed again for a read.

    python -m benchmarks.naive redis://127.0.0.1:6379/0

It keeps the last events of a stream and limits nothing; the Redis client has its default settings.
"""

import json
import sys
import uuid
from datetime import UTC, datetime

import redis.asyncio
from aiohttp import web

from benchmarks.bare import ANSWER, run

SIZE = 100


class Naive:
    """The handlers of the naive sidecar."""

    def __init__(self, url: str) -> None:
        self._redis = redis.asyncio.Redis.from_url(url)

    async def post(self, request: web.Request) -> web.Response:
        body = await request.json()
        for event in body if isinstance(body, list) else [body]:
            record = {"original": event, "timestamp": datetime.now(UTC).isoformat(), "uid": str(uuid.uuid4())}
            await self._redis.lpush(_key(request), json.dumps(record))
            await self._redis.ltrim(_key(request), 0, SIZE - 1)
        return web.Response(body=ANSWER, content_type="application/json", charset="utf-8")

    async def get(self, request: web.Request) -> web.Response:
        packed = await self._redis.lrange(_key(request), 0, SIZE - 1)
        return web.json_response({"events": [json.loads(event) for event in packed]})


def _key(request: web.Request) -> str:
    query = request.query
    return f"naive:{query.get('token') or query.get('id') or query['ids']}"


def application(url: str) -> web.Application:
    """Return the naive sidecar, on the paths of the real one."""
    naive = Naive(url)
    app = web.Application(client_max_size=8 * 1024 * 1024)
    for path in ("/api/v1/event", "/api/v1/events", "/api/v1/events/cache"):
        app.router.add_post(path, naive.post)
    app.router.add_get("/api/v1/events/cache", naive.get)
    return app


if __name__ == "__main__":
    run(application(sys.argv[1]))
