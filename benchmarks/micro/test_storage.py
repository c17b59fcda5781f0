"""Storages: ten calls one after another, so that starting the loop is a small part of the time."""

import itertools

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.events import page_views
from benchmarks.micro.conftest import Opened
from eventscache.storage.messages import Batch, Offer, Page, Query, Quota
from eventscache.stream import Namespace, Status, Stream

TOKEN = Stream(Namespace.TOKEN, "key")
OPEN = Quota(100, 1)  # a window of 1 µs: everything is admitted
CALLS = 10


@pytest.mark.parametrize("events", [1, 100])
def test_ten_inserts(benchmark: BenchmarkFixture, opened: Opened, events: int) -> None:
    numbers = itertools.count(1)
    offers = [Offer(event, Status.SUCCESS) for event in page_views(events, 1000)]

    async def insert() -> None:
        for _ in range(CALLS):
            await opened.storage.insert(Batch(TOKEN, OPEN, "benchmark", next(numbers), offers))

    benchmark(lambda: opened.loop.run_until_complete(insert()))


def test_ten_fetches_of_a_hundred(benchmark: BenchmarkFixture, opened: Opened) -> None:
    offers = [Offer(event, Status.SUCCESS) for event in page_views(100, 1000)]
    opened.loop.run_until_complete(opened.storage.insert(Batch(TOKEN, OPEN, "benchmark", 1, offers)))

    async def fetch() -> Page:
        for _ in range(CALLS):
            page = await opened.storage.fetch(TOKEN, Query())
        return page

    assert len(benchmark(lambda: opened.loop.run_until_complete(fetch())).entries) == 100
