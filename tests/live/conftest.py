from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.support.live_bench import LiveBench


@pytest.fixture
async def bench() -> AsyncIterator[LiveBench]:
    async with AsyncExitStack() as stack:
        bench = LiveBench(stack)
        await bench.cache.open()
        stack.push_async_callback(bench.cache.close)
        yield bench
