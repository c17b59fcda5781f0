"""Debian's chromium, driven by Playwright."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

from tests.support.missing import missing


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run a browser, with windows of its own."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        missing("no chromium: install Debian's")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=browser_arguments())
        yield browser
        await browser.close()


def browser_arguments() -> list[str]:
    """A container's root has no sandbox to put the browser in; the pages are our own.

    Each server is an origin of its own, for which the browser would start another process.
    """
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return [*sandbox, "--disable-site-isolation-trials", "--renderer-process-limit=1"]
