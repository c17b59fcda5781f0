"""A network between a sidecar and its Redis that loses, delays, cuts and garbles."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tests.support.fault_proxy import FaultProxy
from tests.support.redis_server import HOST, RedisServer
from tests.support.trial import Try


def refuse(proxy: FaultProxy) -> None:
    proxy.refuse()
    proxy.reset_all()


PROTECTED = (
    b"-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the "
    b"default user. In this mode connections are only accepted from the loopback interface.\r\n"
)
OUTAGES: dict[str, Callable[[FaultProxy], object]] = {
    "takes everything and says nothing": FaultProxy.hang,
    "refuses": refuse,
    "speaks another protocol": FaultProxy.answer_garbage,
    "speaks binary": lambda proxy: proxy.answer_garbage(bytes(range(256))),
    "is in protected mode": lambda proxy: proxy.answer_garbage(PROTECTED),
    "promises more than it sends": lambda proxy: proxy.answer_garbage(b"$1000000\r\nshort"),
}


@pytest.mark.parametrize("outage", OUTAGES)
async def test_a_server_that_is_of_no_use_is_given_up_and_tried_again(
    on_trial: Try, fault_proxy: FaultProxy, outage: str
) -> None:
    async with on_trial(fault_proxy.storage_url) as trial:
        OUTAGES[outage](fault_proxy)
        await trial.until_outage()
        await trial.until_read(503)
        fault_proxy.forward()
    assert trial.ledger.all_dropped


def delay_and_split(proxy: FaultProxy) -> None:
    proxy.delay(0.03)
    proxy.split()


SLOW: dict[str, Callable[[FaultProxy], object]] = {
    "delays": lambda proxy: proxy.delay(0.1),
    "splits": FaultProxy.split,
    "delays and splits": delay_and_split,
}


@pytest.mark.parametrize("slow", SLOW)
async def test_a_slow_network_slows_no_client_and_loses_nothing(
    on_trial: Try, fault_proxy: FaultProxy, slow: str
) -> None:
    async with on_trial(fault_proxy.storage_url, ack_timeout_ms=60_000, storage_timeout_ms=5000) as trial:
        SLOW[slow](fault_proxy)
        await trial.until_stored()
        await trial.until_answered(300)
        await trial.until_ready()
        fault_proxy.forward()
    assert not trial.ledger.all_dropped


async def test_a_network_of_a_thousand_bytes_a_second_slows_no_client(on_trial: Try, fault_proxy: FaultProxy) -> None:
    async with on_trial(fault_proxy.storage_url) as trial:
        fault_proxy.throttle(1000)
        await trial.until_answered(500)
        fault_proxy.forward()
        fault_proxy.reset_all()  # what is on its way slowly stays slow


async def test_replies_that_are_lost_again_and_again_cost_nothing(on_trial: Try, fault_proxy: FaultProxy) -> None:
    async with on_trial(fault_proxy.storage_url, ack_timeout_ms=60_000) as trial:
        for _ in range(20):
            fault_proxy.drop_replies(3, "EVALSHA", "EVAL")
            await trial.until(lambda: no_more_drops(fault_proxy), "replies are lost")
        fault_proxy.forward()
    assert len(fault_proxy.dropped) >= 20
    assert not trial.ledger.all_dropped


async def no_more_drops(proxy: FaultProxy) -> bool:
    return not proxy.drops


async def test_connections_that_are_cut_again_and_again_cost_nothing(on_trial: Try, fault_proxy: FaultProxy) -> None:
    async with on_trial(fault_proxy.storage_url, ack_timeout_ms=60_000) as trial:
        for _ in range(20):
            fault_proxy.reset_all()
            await trial.until_stored(5)
    assert not trial.ledger.all_dropped


@asynccontextmanager
async def clogged(port: int) -> AsyncIterator[None]:
    """Listen on a port, and never take a connection: those of others find no room, and hear nothing."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex((HOST, port))
        try:
            yield
        finally:
            for filler in fillers:
                filler.close()


async def test_a_port_whose_queue_of_connections_is_full_is_given_up(on_trial: Try, fault_proxy: FaultProxy) -> None:
    async with on_trial(fault_proxy.storage_url) as trial:
        await fault_proxy.stop()
        async with clogged(fault_proxy.port):
            await trial.until_outage()
            await trial.until_read(503)
        await fault_proxy.start()


async def test_a_proxy_that_goes_and_comes_is_used_again(
    on_trial: Try, fault_proxy: FaultProxy, tcp_redis: RedisServer
) -> None:
    async with on_trial(fault_proxy.storage_url) as trial:
        await fault_proxy.stop()
        await trial.until_outage()
        await asyncio.to_thread(tcp_redis.ask, "SCRIPT", "FLUSH")
        await fault_proxy.start()
