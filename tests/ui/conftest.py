"""A real browser on a real sidecar. All of it shares one event loop, as a browser outlives a test."""

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.support.live_view import Look, Server, StartServer, View, browser_arguments
from tests.support.missing import missing


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        missing("no chromium: install Debian's")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=browser_arguments())
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def start() -> AsyncIterator[StartServer]:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(aiohttp.ClientSession())

        async def start_server(**changes: Any) -> Server:
            server = Server(client, **changes)
            await server.start()
            stack.push_async_callback(server.stop)
            return server

        yield start_server


@pytest_asyncio.fixture(loop_scope="session")
async def server(start: StartServer) -> Server:
    return await start()


@pytest_asyncio.fixture(loop_scope="session")
async def look(browser: Browser) -> AsyncIterator[Look]:
    """Open windows, and see to it that they did nothing which they must not do."""
    async with AsyncExitStack() as stack:
        views: list[View] = []

        async def window(server: Server, width: int = 1440, height: int = 800, **settings: Any) -> View:
            context = await browser.new_context(
                viewport={"width": width, "height": height},
                permissions=["clipboard-read", "clipboard-write"],
                **settings,
            )
            stack.push_async_callback(context.close)
            view = View(await context.new_page(), server)
            views.append(view)
            return view

        yield window
        for view in views:
            assert view.faults == []


@pytest_asyncio.fixture(loop_scope="session")
async def view(server: Server, look: Look) -> View:
    """A window of the usual size, not opened yet."""
    return await look(server)
