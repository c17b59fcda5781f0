"""A sidecar on an event loop in a thread, for tests that are not asynchronous."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from eventscache.config.settings import Settings
from eventscache.server.app import Sidecar
from eventscache.storage.memory import MemoryStorage


@contextlib.contextmanager
def served(**changes: Any) -> Iterator[str]:
    """Serve on a free port of loopback, and yield its address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> tuple[Sidecar, str]:
        sidecar = Sidecar(Settings(**changes), MemoryStorage())
        return sidecar, await sidecar.start("127.0.0.1", 0)

    try:
        sidecar, address = asyncio.run_coroutine_threadsafe(start(), loop).result()
        try:
            yield address
        finally:
            asyncio.run_coroutine_threadsafe(sidecar.stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
