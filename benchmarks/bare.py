"""The cost of aiohttp alone: an application that reads the body and answers. It logs its address."""

import asyncio
import sys

import uvloop
from aiohttp import web

ANSWER = b'{"status":"ok"}'


async def answer(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(body=ANSWER, content_type="application/json", charset="utf-8")


async def serve(app: web.Application) -> None:
    """Serve an application on a free port of loopback until the process is ended."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", file=sys.stderr, flush=True)
    await asyncio.Event().wait()


def run(app: web.Application) -> None:
    """Serve on uvloop, as the sidecar does."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(app))


if __name__ == "__main__":
    bare = web.Application()
    bare.router.add_post("/api/v1/event", answer)
    bare.router.add_post("/api/v1/events", answer)
    bare.router.add_post("/mirror/api/v1/event", answer)
    run(bare)
