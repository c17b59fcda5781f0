"""Parsing of bodies: Jitsu's ingestion, and native records."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.events import page_views
from eventscache.ingest.jitsu import parse_events
from eventscache.ingest.limits import Limits
from eventscache.ingest.native import parse_json
from eventscache.stream import Namespace, Stream

LIMITS = Limits()
TOKEN = Stream(Namespace.TOKEN, "key")


@pytest.mark.parametrize("events", [1, 100])
def test_ingestion(benchmark: BenchmarkFixture, events: int) -> None:
    views = page_views(events, 1000)
    body = views[0] if events == 1 else b"[" + b",".join(views) + b"]"
    assert len(benchmark(parse_events, body, LIMITS)) == events


@pytest.mark.parametrize("events", [1, 100])
def test_records(benchmark: BenchmarkFixture, events: int) -> None:
    views = [b'{"original":%b}' % view for view in page_views(events, 1000)]
    body = views[0] if events == 1 else b"[" + b",".join(views) + b"]"
    assert len(benchmark(parse_json, body, TOKEN, LIMITS).records) == events
