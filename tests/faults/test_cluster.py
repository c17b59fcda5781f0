"""A Cluster that lacks a node: only the streams of that node are away."""

import asyncio
import itertools

from eventscache.storage.options import StorageOptions
from eventscache.storage.redis.keys import Keys
from eventscache.stream import Namespace, Stream
from tests.support.redis_cluster import Cluster
from tests.support.redis_server import RedisServer
from tests.support.trial import Trial, Try


def streams_on(cluster: Cluster, node: RedisServer, count: int) -> list[Stream]:
    keys = Keys(StorageOptions().prefix)
    names = (Stream(Namespace.TOKEN, f"stream-{number}") for number in itertools.count())
    on_node = (stream for stream in names if cluster.node_of(keys.key(stream, "state")) is node)
    return [*itertools.islice(on_node, count)]


def stream_on(cluster: Cluster, node: RedisServer) -> Stream:
    return streams_on(cluster, node, 1)[0]


async def test_a_node_that_dies_takes_only_its_own_streams_with_it(on_trial: Try, redis_cluster: Cluster) -> None:
    doomed = redis_cluster.nodes[1]
    streams = [stream_on(redis_cluster, node) for node in redis_cluster.nodes]
    lost, *kept = streams[1], streams[0], streams[2]
    async with on_trial(redis_cluster.storage_url, streams=streams) as trial:
        await asyncio.to_thread(redis_cluster.kill, doomed)
        trial.forgot(lost)
        await trial.until_dropped()
        await trial.until_read(503)
        await trial.until_ready()  # there is a server that takes writes
        for stream in kept:
            await until_it_goes_on(trial, stream)
        await asyncio.to_thread(doomed.start)
        await asyncio.to_thread(redis_cluster.wait_until_agreed)
        await until_it_goes_on(trial, lost)
    assert trial.ledger.all_dropped


async def test_the_streams_of_a_node_that_dies_delay_no_others(on_trial: Try, redis_cluster: Cluster) -> None:
    doomed = redis_cluster.nodes[1]
    lost, *kept = (streams_on(redis_cluster, node, 20) for node in (doomed, *redis_cluster.nodes[::2]))
    streams = [*itertools.chain.from_iterable(zip(lost, *kept, strict=True))]
    # One call at a time, and nothing of the lost streams is given up meanwhile: others would wait for all of them.
    async with on_trial(redis_cluster.storage_url, streams=streams, pool_size=1, ack_timeout_ms=600_000) as trial:
        await asyncio.to_thread(redis_cluster.kill, doomed)
        trial.forgot(*lost)
        await trial.until_answered(len(streams))
        for stream in itertools.chain(*kept):
            await until_it_goes_on(trial, stream)
        assert (await trial.counts()).queued
        await asyncio.to_thread(doomed.start)
        await asyncio.to_thread(redis_cluster.wait_until_agreed)
        for stream in lost:
            await until_it_goes_on(trial, stream)
    assert not trial.ledger.all_dropped


async def until_it_goes_on(trial: Trial, stream: Stream) -> None:
    """Return once newer events of a stream are read: written and read on, while another node is away."""
    last = trial.load.requests.sent

    async def newer() -> bool:
        page = await trial.page(stream)
        return bool(page and page[0]["original"]["n"] >= last)

    await trial.until(newer, f"new events of {stream}")


async def test_a_cluster_that_freezes_altogether_is_an_outage(on_trial: Try, redis_cluster: Cluster) -> None:
    streams = [stream_on(redis_cluster, node) for node in redis_cluster.nodes]
    async with on_trial(redis_cluster.storage_url, streams=streams) as trial:
        for node in redis_cluster.nodes:
            node.freeze()
        await trial.until_outage()
        await trial.until_read(503)
        for node in redis_cluster.nodes:
            node.thaw()
        await asyncio.to_thread(redis_cluster.wait_until_agreed)
    assert trial.ledger.all_dropped
