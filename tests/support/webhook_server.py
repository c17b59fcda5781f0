"""A webhook on a real port, which answers as a test decides."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Self

from aiohttp import web


class WebhookServer:
    """`answers` gets the number of a request, from 0, and returns a status, or None to say nothing at all."""

    def __init__(self, answers: Callable[[int], int | None] = lambda _: 200) -> None:
        self.answers = answers
        self.requests: list[web.Request] = []
        self.bodies: list[dict[str, Any]] = []
        self.left = asyncio.Event()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/services/s3cr3t?sig=s3cr3t"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.left.set()
        await self._runner.cleanup()

    @property
    def texts(self) -> list[str]:
        return [body["text"] for body in self.bodies]

    async def _answer(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        self.bodies.append(json.loads(await request.read()))
        status = self.answers(len(self.bodies) - 1)
        if status is None:
            await self.left.wait()
        return web.Response(status=status or 200, text="s3cr3t", headers={"Location": "/elsewhere"})
