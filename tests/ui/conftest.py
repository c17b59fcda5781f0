"""A real browser on a real sidecar. All of it shares one event loop, as a browser outlives a test."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.support.chromium import chromium
from tests.support.live_view import HAS_FOLLOWS, Look, Server, StartServer, View, Windows


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


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


@pytest.fixture(scope="session")
def windows(browser: Browser) -> Windows:
    return Windows(browser)


@pytest_asyncio.fixture(loop_scope="session")
async def look(windows: Windows) -> AsyncIterator[Look]:
    """Open windows, and see to it that they did nothing which they must not do.

    A window with settings is closed after the test, and so is one that is asked for with `own`: for what cannot be
    undone. All others are used again.
    """
    async with AsyncExitStack() as stack:
        views: list[View] = []

        async def window(
            server: Server, width: int = 1440, height: int = 800, *, own: bool = False, **settings: Any
        ) -> View:
            if own or settings:
                view = View(await windows.new(width, height, **settings), server)
                stack.push_async_callback(view.page.context.close)
            else:
                view = View(await windows.take(width, height), server)
                stack.push_async_callback(windows.give_back, view)
            views.append(view)
            if not HAS_FOLLOWS:
                await view.stub_follows()
            return view

        yield window
        for view in views:
            assert view.faults == []


@pytest_asyncio.fixture(loop_scope="session")
async def view(server: Server, look: Look) -> View:
    """A window of the usual size, not opened yet."""
    return await look(server)
