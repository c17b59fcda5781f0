"""Sidecars behind gates, and a browser. All of it shares one event loop, as a browser outlives a test."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser

from tests.support.chromium import chromium
from tests.support.clients import FOLDER, OpenPage, Page, Serve, packages
from tests.support.gate import HOST, Gate
from tests.support.sidecar import Sidecar, sidecars


@pytest_asyncio.fixture(loop_scope="session")
async def serve() -> AsyncIterator[Serve]:
    """Start sidecars, each behind a gate, which is open unless a test wants it closed."""
    async with sidecars() as start, AsyncExitStack() as stack:

        async def served(*, closed: bool = False, **changes: Any) -> tuple[Sidecar, Gate]:
            sidecar = await start(**changes)
            gate = await stack.enter_async_context(Gate(sidecar.address))
            if not closed:
                await gate.open()
            return sidecar, gate

        yield served


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shop() -> AsyncIterator[str]:
    """The address of a server of another origin, which has the pages with the clients."""
    app = web.Application()
    app.router.add_static("/node_modules", packages())
    app.router.add_static("/", FOLDER / "pages")
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    yield f"http://{HOST}:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium_browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(shop: str, chromium_browser: Browser) -> AsyncIterator[OpenPage]:
    """Open pages, each with cookies and a storage of its own."""
    async with AsyncExitStack() as stack:

        async def opened(name: str) -> Page:
            context = await chromium_browser.new_context()
            stack.push_async_callback(context.close)
            page = Page(await context.new_page())
            await page.goto(f"{shop}/{name}")
            return page

        yield opened
