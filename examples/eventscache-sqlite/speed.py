"""Print how many batches a second one process inserts: python speed.py [FILE] [SECONDS]."""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from eventscache.storage.messages import Quota
from eventscache.stream import Namespace, Stream
from eventscache.testing import Writer, success

from eventscache_sqlite import SqliteStorage

EVENT = b"x" * 1000


async def measure(path: Path, seconds: float) -> None:
    """Insert into one hot stream, first single events, then batches of 100."""
    async with SqliteStorage(path) as storage:
        writer = Writer(storage, Stream(Namespace.TOKEN, "speed"), Quota(100, 1))
        for size in (1, 100):
            calls, end = 0, time.perf_counter() + seconds
            while time.perf_counter() < end:
                await writer.insert(success(*[EVENT] * size))
                calls += 1
            print(f"{size:4} events of 1 KB a batch: {calls / seconds:6.0f} batches/s")
        calls, end = 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            await writer.fetch()
            calls += 1
        print(f"reading 100 events of 1 KB: {calls / seconds:6.0f} pages/s")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        file = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / "speed.db"
        asyncio.run(measure(file, float(sys.argv[2]) if len(sys.argv) > 2 else 2.0))  # noqa: PLR2004
