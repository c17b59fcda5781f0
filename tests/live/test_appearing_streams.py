"""Streams that appear, for subscribers that may read all streams or some of them."""

import pytest

from eventscache.access.some_streams import SomeStreams
from eventscache.live.appearing_streams import AppearingStreams
from eventscache.live.hub import TICK_SECONDS
from eventscache.live.stream_filter import MAX_STREAMS
from eventscache.live.tail import EVERYTHING
from eventscache.storage.messages import StreamInfo
from eventscache.stream import Namespace, Stream
from tests.support.live_bench import ALL, A, B, C, LiveBench

OF_A = ALL._replace(readable=SomeStreams(("a*",)))
OF_B = ALL._replace(readable=SomeStreams(("b",)))
TICKS_PER_SECOND = int(1 / TICK_SECONDS)


def named(name: str) -> Stream:
    return Stream(Namespace.TOKEN, name)


async def test_a_subscriber_to_some_streams_follows_its_own_that_appear(bench: LiveBench) -> None:
    await bench.store(A)
    of_all, of_a, of_b = await bench.ready(), await bench.ready(OF_A), await bench.ready(OF_B)
    await bench.store(named("a2"))
    await bench.store(B)
    await bench.store(C)
    await bench.tick(2 * TICKS_PER_SECOND)
    assert sorted(of_all.events()) == [("a2", 1), ("b", 1), ("c", 1)]
    assert (of_a.events(), of_b.events()) == ([("a2", 1)], [("b", 1)])
    assert [of_a.counters()[-1].streams, of_b.counters()[-1].streams] == [2, 1]
    assert of_a.counters()[-1].dropped is None
    assert of_all.counters()[-1].dropped == 0
    assert set(bench.hub._pollers._pollers) == {(stream, EVERYTHING) for stream in (A, named("a2"), B, C)}


async def test_all_streams_are_listed_once_for_all_readers_of_some(bench: LiveBench) -> None:
    await bench.store(A)
    for each in (OF_A, OF_B, OF_A, ALL):
        await bench.ready(each)
    bench.storage.lists = 0
    await bench.tick(TICKS_PER_SECOND)
    assert bench.storage.lists == 1


async def test_thousands_of_streams_are_listed_less_often(bench: LiveBench, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2000):
        bench.cache.offer_originals(named(str(number)), [b"{}"])
    await bench.store(A)
    of_a = await bench.ready(OF_A)
    of_all = await bench.ready()
    appearing = bench.hub._appearing[Namespace.TOKEN]
    assert isinstance(appearing, AppearingStreams)
    lengths: list[int] = []
    streams = bench.storage.streams

    async def list_streams(namespace: Namespace, limit: int | None = None) -> list[StreamInfo]:
        infos = await streams(namespace, limit)
        lengths.append(len(infos))
        return infos

    monkeypatch.setattr(bench.storage, "streams", list_streams)
    await bench.tick(6 * TICKS_PER_SECOND)
    assert max(lengths) == 2001
    assert 2 <= lengths.count(2001) <= 4
    assert lengths.count(MAX_STREAMS) >= 3
    assert of_a.events() == []
    assert of_all.counters()[-1].streams == MAX_STREAMS


async def test_a_subscriber_to_some_streams_waits_for_its_first(bench: LiveBench) -> None:
    await bench.store(C)
    of_a = await bench.ready(OF_A)
    assert of_a.events() == []
    await bench.store(A)
    await bench.tick(2 * TICKS_PER_SECOND)
    assert of_a.events() == [("a", 1)]


async def test_a_named_stream_that_is_not_readable_is_not_followed(bench: LiveBench) -> None:
    await bench.store(A)
    await bench.store(B)
    subscriber = await bench.ready(OF_A._replace(streams=(A, B)), history=5)
    assert subscriber.events() == [("a", 1)]
    await bench.store(B)
    await bench.tick(2 * TICKS_PER_SECOND)
    assert subscriber.events() == [("a", 1)]
    assert subscriber.counters()[-1]._replace(per_second=0) == (0, 0, 1, None, 1, None)
    assert {stream for stream, _ in bench.hub._pollers._pollers} == {A}
