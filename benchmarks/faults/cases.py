"""The measured faults: each begins, lasts as long as its block, and ends."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import NamedTuple

from benchmarks.faults.scenes import MakeScene, Scene, cluster, proxied, sentinels, single
from tests.support import redis_rights
from tests.support.redis_sentinel import HURRIED_DOWN_AFTER_MS, STAGGER_MS

USER = redis_rights.USER
_AGAIN_SECONDS = 0.05
_LOADED_KEYS, _LOADING_US = 20_000, 250
# Two Sentinels of three have to miss the master; the last of the two waits a little longer.
DOWN_AFTER_SECONDS = (HURRIED_DOWN_AFTER_MS + STAGGER_MS) / 1000

Fault = Callable[[Scene], AbstractAsyncContextManager[None]]


class Case(NamedTuple):
    """A fault, and how soon after its end something has to be stored again, in seconds.

    None if that is not asked: then nothing is away, or the pause is longer on purpose. A failover ends by itself: what
    is asked of it counts from when the master is called down.
    """

    scene: MakeScene
    fault: Fault
    first_write: float | None = 0.5
    fails_over: bool = False


@asynccontextmanager
async def nothing(_: Scene) -> AsyncIterator[None]:
    """No fault, to compare with."""
    yield


@asynccontextmanager
async def killed(scene: Scene) -> AsyncIterator[None]:
    scene.server.kill()
    yield
    await asyncio.to_thread(scene.server.start)


@asynccontextmanager
async def frozen(scene: Scene) -> AsyncIterator[None]:
    scene.server.freeze()
    yield
    scene.server.thaw()


@asynccontextmanager
async def loading(scene: Scene) -> AsyncIterator[None]:
    """Killed, and then it loads its data for as long as the fault lasts."""
    server = scene.server
    with server.client() as client:
        await asyncio.to_thread(client.mset, {f"others:{number}": number for number in range(_LOADED_KEYS)})
        await asyncio.to_thread(client.save)
    server.kill()
    usual = server.options
    server.options = [
        *usual, "--key-load-delay", str(_LOADING_US), "--loading-process-events-interval-bytes", "1024",
    ]  # fmt: skip
    starting = asyncio.create_task(asyncio.to_thread(server.start))
    yield
    with server.client() as client:
        client.config_set("key-load-delay", 0)
    await starting
    server.options = usual
    (server.folder / "dump.rdb").unlink()


def commanded(begin: list[str], end: list[str]) -> Fault:
    """Return a fault that an operator's commands begin and end."""

    @asynccontextmanager
    async def fault(scene: Scene) -> AsyncIterator[None]:
        for command in begin:
            await scene.ask(*command.split())
        yield
        for command in end:
            await scene.ask(*command.split())

    return fault


@asynccontextmanager
async def crowded(scene: Scene) -> AsyncIterator[None]:
    """All places of the server are taken by others."""
    with scene.server.client() as operator:
        usual = str(operator.config_get("maxclients")["maxclients"])
        others = [scene.server.client() for _ in range(10)]
        for other in others:
            other.ping()
        operator.config_set("maxclients", 5)
        operator.execute_command("CLIENT", "KILL", "USER", USER)
        yield
        operator.config_set("maxclients", usual)
        for other in others:
            other.close()


def again_and_again(*command: str) -> Fault:
    """Return a fault that is a command, twenty times a second."""

    @asynccontextmanager
    async def fault(scene: Scene) -> AsyncIterator[None]:
        async def run_on() -> None:
            while True:
                await scene.ask(*command)
                await asyncio.sleep(_AGAIN_SECONDS)

        running = asyncio.create_task(run_on())
        yield
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    return fault


def through(*doings: Callable[[Scene], object]) -> Fault:
    """Return a fault of the proxy."""

    @asynccontextmanager
    async def fault(scene: Scene) -> AsyncIterator[None]:
        for do in doings:
            do(scene)
        yield
        scene.proxy.forward()

    return fault


@asynccontextmanager
async def losing_replies(scene: Scene) -> AsyncIterator[None]:
    """Every answer to a script is lost, twenty times a second."""

    async def lose_on() -> None:
        while True:
            scene.proxy.drop_replies(1, "EVALSHA")
            await asyncio.sleep(_AGAIN_SECONDS)

    losing = asyncio.create_task(lose_on())
    yield
    losing.cancel()
    scene.proxy.forward()


@asynccontextmanager
async def master_killed(scene: Scene) -> AsyncIterator[None]:
    old = await asyncio.to_thread(scene.trio.kill_master)
    yield
    await asyncio.to_thread(scene.trio.wait_for_failover, old)


@asynccontextmanager
async def master_frozen(scene: Scene) -> AsyncIterator[None]:
    """Frozen, and when it comes back it is a replica."""
    old = await asyncio.to_thread(scene.trio.freeze_master)
    yield
    await asyncio.to_thread(scene.trio.wait_for_failover, old)
    old.thaw()


@asynccontextmanager
async def node_killed(scene: Scene) -> AsyncIterator[None]:
    node = scene.cluster.nodes[1]
    await asyncio.to_thread(scene.cluster.kill, node)
    yield
    await asyncio.to_thread(node.start)
    await asyncio.to_thread(scene.cluster.wait_until_agreed)


CASES: dict[str, Case] = {
    "no fault": Case(single, nothing, None),
    "killed, and started again": Case(single, killed),
    "frozen": Case(single, frozen),
    "loading its data": Case(single, loading),
    "paused (CLIENT PAUSE)": Case(single, commanded(["CLIENT PAUSE 600000 WRITE"], ["CLIENT UNPAUSE"])),
    "full (maxmemory)": Case(single, commanded(["CONFIG SET maxmemory 1"], ["CONFIG SET maxmemory 0"]), 1.5),
    "a read-only replica": Case(single, commanded(["REPLICAOF 127.0.0.1 1"], ["REPLICAOF NO ONE"])),
    "out of clients": Case(single, crowded, 1.0),
    "with another password": Case(
        single,
        commanded(
            [f"ACL SETUSER {USER} resetpass >other", f"CLIENT KILL USER {USER}"],
            [f"ACL SETUSER {USER} resetpass >{redis_rights.PASSWORD}"],
        ),
        None,
    ),
    "scripts flushed, 20 times a second": Case(single, again_and_again("SCRIPT", "FLUSH"), None),
    "connections killed, 20 times a second": Case(single, again_and_again("CLIENT", "KILL", "TYPE", "normal"), None),
    "replies lost, 20 times a second": Case(proxied, losing_replies, None),
    "a black hole": Case(proxied, through(lambda scene: scene.proxy.hang())),
    "connections refused": Case(
        proxied, through(lambda scene: scene.proxy.refuse(), lambda scene: scene.proxy.reset_all())
    ),
    "garbage for answers": Case(proxied, through(lambda scene: scene.proxy.answer_garbage()), 1.0),
    "answers 100 ms late": Case(proxied, through(lambda scene: scene.proxy.delay(0.1)), None),
    "answers at 1 KB/s": Case(proxied, through(lambda scene: scene.proxy.throttle(1000)), None),
    "byte by byte": Case(proxied, through(lambda scene: scene.proxy.split()), None),
    "the master behind Sentinels killed": Case(sentinels, master_killed, 2.5, fails_over=True),
    "the master behind Sentinels frozen": Case(sentinels, master_frozen, 2.5, fails_over=True),
    "one of three Cluster nodes killed": Case(cluster, node_killed),
}
