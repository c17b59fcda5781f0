"""Redis as operators run it: TLS, users, databases, Sentinels with a failover, a Cluster whose slots move."""

import asyncio
import contextlib
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis import exceptions as driver
from redis.asyncio.cluster import ClusterNode
from redis.crc import key_slot

from eventscache.cache import EventsCache
from eventscache.clock import MICROSECONDS
from eventscache.errors import ConfigError, StorageUnavailable
from eventscache.event import Event
from eventscache.storage.base import Storage
from eventscache.storage.messages import Query, Quota
from eventscache.storage.options import StorageOptions
from eventscache.storage.plugins import storage_from_url
from eventscache.storage.redis.connect import client_from_url
from eventscache.storage.redis.keys import Keys
from eventscache.stream import Namespace, Stream
from eventscache.testing import StorageConformance, Writer, payloads, success
from tests.support.certificates import Certificates
from tests.support.redis_cluster import Cluster
from tests.support.redis_sentinel import SentinelTrio
from tests.support.redis_server import NEWEST, SERVERS, RedisServer, binary_of, short_folder

TOKEN = Stream(Namespace.TOKEN, "key")
WIDE = Quota(100_000, MICROSECONDS)


async def answers(url: str) -> bool:
    async with storage_from_url(url, StorageOptions(timeout_seconds=5)) as storage:
        writer = Writer(storage, TOKEN)
        await storage.clear(TOKEN, reset=True)
        await writer.insert(success(b"x"))
        return payloads(await writer.fetch(limit=1)) == [b"x"]


async def test_tls_is_verified_unless_the_url_disables_it(tls_redis: RedisServer, certificates: Certificates) -> None:
    url = tls_redis.storage_url
    assert await answers(f"{url}?ssl_ca_certs={certificates.authority}")
    assert await answers(f"{url}/0?tls_skip_verify=true")
    for untrusted in (url, f"{url}?ssl_ca_certs={certificates.wrong_authority}", f"{url}?tls_skip_verify=false"):
        with pytest.raises(StorageUnavailable, match=r"(?i)certificate") as fault:
            await answers(untrusted)
        assert not fault.value.ambiguous
    with pytest.raises(StorageUnavailable):
        await answers(url.replace("rediss://", "redis://"))


async def test_databases_are_apart(tcp_redis: RedisServer) -> None:
    login_and_host = tcp_redis.storage_url
    async with (
        storage_from_url(f"{login_and_host}/1", StorageOptions()) as one,
        storage_from_url(f"unix://{login_and_host.partition('//')[2].partition('@')[0]}@{tcp_redis.socket}?db=2",
                         StorageOptions()) as two,
    ):  # fmt: skip
        await Writer(one, TOKEN).insert(success(b"1"))
        assert await two.streams(Namespace.TOKEN) == []
        assert [info.total for info in await one.streams(Namespace.TOKEN)] == [1]


async def test_the_error_names_the_right_that_a_user_lacks(tcp_redis: RedisServer) -> None:
    tcp_redis.ask("ACL", "SETUSER", "weak", "on", ">pw", "~eventscache:*", "-@all", "+hello", "+auth", "+ping")
    async with storage_from_url(f"redis://weak:pw@127.0.0.1:{tcp_redis.port}", StorageOptions()) as storage:
        await storage.ping()
        for call in (storage.fetch(TOKEN, Query()), Writer(storage, TOKEN).insert(success(b"x"))):
            with pytest.raises(StorageUnavailable, match="evalsha") as fault:
                await call
            assert not fault.value.ambiguous
        await storage.ping()  # other calls still go through
    tcp_redis.ask("ACL", "DELUSER", "weak")


BAD = [
    "redis://[::1",
    "redis://h:port",
    "redis://h/0?unknown=1",
    "redis://h/0?db=x",
    "redis://h/0?db=-3",
    "redis://h/0?db=%201",
    "redis://",
    "redis://:the-secret@/0",
    "redis://h1,h2",
    "redis://h/abc",
    "redis://h/-1",
    "redis://h/1/2",
    "redis://h//1",
    "redis://h/1/",
    "redis://h/%31",
    "redis://h/\N{ARABIC-INDIC DIGIT ONE}",
    "redis://h/0#fragment",
    "redis://user:12/the-secret@h:6379/1",
    "redis://user:12?the-secret@h:6379/1",
    "redis://user:12#the-secret@h:6379/1",
    "redis://h:0",
    "redis://h:",
    "redis://h:65536",
    "redis://::1",
    "redis://::1:6379",
    "redis://[h]:6379",
    "redis://[::1]6379",
    "redis://[::1]:0",
    "redis://h?tls_skip_verify=true",
    "redis://h?tls_skip_verify=false",
    "redis://h?ssl_cert_reqs=none",
    "rediss://h?ssl_cert_reqs=bogus",
    "rediss://h/one",
    "unix:///tmp/a.sock?db=-1",
    "unix:///tmp/a.sock?tls_skip_verify=true",
    "unix:///",
    "unix://",
    "unix://h/tmp/a.sock",
    "unix://:12/the-secret@/tmp/a.sock",
    "rediss://h?ssl_ca_certs=/no/such/file.pem",
    "rediss://h?tls_skip_verify=maybe",
    "sentinel://h1,h2",
    "sentinel://master:the-secret@",
    "sentinel://master:the-secret@h:port",
    "sentinel://master:the-secret@h/one",
    "sentinel://master:the-secret@h/1/2",
    "sentinel://master:the-secret@h/-1",
    "sentinel://master:12/the-secret@h/1",
    "sentinel://master@::1",
    "sentinel://master@h:99999",
    "sentinel://master@h1:1,h2:0",
    "sentinel://master@[::1]:1,::2",
    "sentinel://master@h?tls_skip_verify=true",
    "sentinel://master@h?ssl_cert_reqs=none",
    "sentinels://master@h?ssl_cert_reqs=bogus",
    "sentinel://master:the-secret@h?passwort=x",
    "sentinels://master:the-secret@h?ssl_ca_certs=/no/such/file.pem",
    "redis+cluster://:the-secret@h/1",
    "redis+cluster://:the-secret@",
    "redis+cluster://:the-secret@h:port",
    "redis+cluster://:the-secret@h:99999",
    "redis+cluster://:12/the-secret@h",
    "redis+cluster://::1",
    "redis+cluster://h?ssl_check_hostname=false",
    "rediss+cluster://h?ssl_cert_reqs=bogus",
    "redis+cluster://:the-secret@h?x=the-secret",
    "rediss+cluster://h?ssl_ca_certs=/no/such/file.pem",
]


@pytest.mark.parametrize("url", BAD)
async def test_the_error_for_a_bad_url_shows_the_form_it_should_have(url: str) -> None:
    with pytest.raises(ConfigError, match="not a usable Redis URL") as fault:
        await storage_from_url(url, StorageOptions()).close()
    scheme = url.partition(":")[0]
    assert f"{scheme}://" in str(fault.value)
    assert "the-secret" not in str(fault.value)


GOOD: list[tuple[str, dict[str, Any]]] = [
    ("redis://h", {"host": "h", "port": 6379, "db": 0, "username": None, "password": None}),
    ("redis://h/", {"host": "h", "db": 0}),
    ("redis://h:1/12", {"port": 1, "db": 12}),
    ("redis://h:65535/0?db=3", {"port": 65535, "db": 3}),
    ("redis://[::1]", {"host": "::1", "port": 6379}),
    ("redis://:pw@[fe80::1%25eth0]:7000/1", {"host": "fe80::1%eth0", "port": 7000, "password": "pw", "db": 1}),
    ("redis://u%40s%3Aer:p%2F%3F%23%25w@h", {"host": "h", "username": "u@s:er", "password": "p/?#%w"}),
    ("redis://:p@s:s@h", {"host": "h", "username": None, "password": "p@s:s"}),
    ("rediss://h?ssl_cert_reqs=optional", {"host": "h", "ssl_cert_reqs": "optional"}),
    ("rediss://h?tls_skip_verify=1", {"ssl_cert_reqs": "none", "ssl_check_hostname": False}),
    ("unix:///tmp/a%20b.sock", {"path": "/tmp/a b.sock", "db": 0, "username": None, "password": None}),
    ("unix://u%2F:p%2F@/a.sock?db=4", {"path": "/a.sock", "username": "u/", "password": "p/", "db": 4}),
    ("sentinel://m%40s:p%2Fw@h/2?username=u%40v", {"db": 2, "username": "u@v", "password": "p/w"}),
    ("sentinels://m@h?ssl_cert_reqs=none", {"ssl_cert_reqs": "none"}),
]


@pytest.mark.parametrize(("url", "settings"), GOOD)
async def test_all_parts_of_a_url_are_used(url: str, settings: dict[str, Any]) -> None:
    client: Any = client_from_url(url, StorageOptions(), 1)
    used = client.connection_pool.connection_kwargs
    assert {name: used.get(name) for name in settings} == settings


@pytest.mark.parametrize(
    ("hosts", "servers"),
    [
        ("h", [("h", None)]),
        ("h1:1, h2,[::1]:3,[2001:db8::2],", [("h1", 1), ("h2", None), ("::1", 3), ("2001:db8::2", None)]),
        ("[::1],[::2]:65535", [("::1", None), ("::2", 65535)]),
    ],
)
async def test_lists_of_servers_may_hold_addresses_of_both_kinds(
    hosts: str, servers: list[tuple[str, int | None]]
) -> None:
    behind: Any = client_from_url(f"sentinel://m:pw@{hosts}/1", StorageOptions(), 1)
    manager = behind.connection_pool.sentinel_manager
    asked = [one.connection_pool.connection_kwargs for one in manager.sentinels]
    assert [(one["host"], one["port"]) for one in asked] == [(host, port or 26379) for host, port in servers]
    cluster: Any = client_from_url(f"redis+cluster://u%40:p%2F@{hosts}/0", StorageOptions(), 1)
    nodes = cluster.nodes_manager.startup_nodes.values()
    assert {(node.host, node.port) for node in nodes} == {(host, port or 6379) for host, port in servers}
    assert (cluster.connection_kwargs["username"], cluster.connection_kwargs["password"]) == ("u@", "p/")


@contextlib.asynccontextmanager
async def producing(cache: EventsCache, streams: list[Stream]) -> AsyncIterator[dict[Stream, list[str]]]:
    """Store events in each stream, one after the other, meanwhile; what it yields gets those that were acknowledged."""
    done: dict[Stream, list[str]] = {stream: [] for stream in streams}
    enough = asyncio.Event()

    async def produce(stream: Stream) -> None:
        number = 0
        while not enough.is_set():
            number += 1
            uid = f"{stream.id}-{number}"
            with contextlib.suppress(StorageUnavailable):
                receipt = await cache.store([(stream, Event(original=b"{}", uid=uid, token_id=stream.id))])
                assert receipt, "the queue has no room"
                done[stream].append(uid)

    tasks = [asyncio.create_task(produce(stream)) for stream in streams]
    try:
        yield done
        enough.set()
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@contextlib.asynccontextmanager
async def cache_over(url: str, ack_timeout_seconds: float = 30) -> AsyncIterator[EventsCache]:
    storage = storage_from_url(url, StorageOptions(timeout_seconds=0.25))
    cache = EventsCache(storage, quota=WIDE, ack_timeout_seconds=ack_timeout_seconds)
    await cache.open()
    try:
        yield cache
    finally:
        await cache.close()


async def stored(cache: EventsCache, stream: Stream) -> list[str]:
    """Return the uids of a stream, oldest first."""
    found = await cache.fetch(stream, Query(limit=WIDE.size))
    return [event.uid for _, event in reversed(found.events)]


async def until_acknowledged(cache: EventsCache, streams: list[Stream]) -> None:
    """Return once every stream can be written to."""
    for stream in streams:
        while True:
            with contextlib.suppress(StorageUnavailable):
                assert await cache.store([(stream, Event(original=b"{}", uid="sentry", token_id=stream.id))])
                break


@pytest.mark.parametrize("fault", ["kill", "freeze"])
async def test_a_failover_stores_nothing_twice(sentinel_trio: SentinelTrio, fault: str) -> None:
    run = secrets.token_hex(3)  # the servers are shared with other tests: nothing of theirs may pass for ours
    streams = [Stream(Namespace.TOKEN, f"s{number} of {run}") for number in range(4)]
    async with cache_over(sentinel_trio.storage_url) as cache:
        async with producing(cache, streams) as done:
            await until_acknowledged(cache, streams)
            break_master = sentinel_trio.kill_master if fault == "kill" else sentinel_trio.freeze_master
            old = await asyncio.to_thread(break_master)
            await asyncio.to_thread(sentinel_trio.wait_for_failover, old)
            await until_acknowledged(cache, streams)
            if fault == "freeze":
                old.thaw()  # and what was the master comes back, and must not be written to
                await until_acknowledged(cache, streams)
        for stream in streams:
            there = [uid for uid in await stored(cache, stream) if uid != "sentry"]
            assert [uid for uid, times in Counter(there).items() if times > 1] == []
            numbers = [int(uid.rpartition("-")[2]) for uid in there]
            assert numbers == sorted(numbers), "out of order"
            # What a master acknowledged and had not replicated when it died is lost, and that is Redis's own: one
            # run of events. Nothing from before or after is.
            lost = [position for position, uid in enumerate(done[stream]) if uid not in set(there)]
            assert lost == list(range(lost[0], lost[-1] + 1) if lost else [])
            assert there[-1] == done[stream][-1]
        ledger = cache.ledger
        assert ledger.received == ledger.stored + ledger.limited + sum(ledger.dropped.values())


async def test_sentinels_and_servers_have_their_own_passwords_and_speak_tls(certificates: Certificates) -> None:
    binary = binary_of(NEWEST)
    with (
        short_folder() as folder,
        SentinelTrio(
            binary, folder, password="of-redis", sentinel_password="of-sentinels", certificates=certificates
        ) as trio,
    ):
        trusted = f"{trio.storage_url}&ssl_ca_certs={certificates.authority}"
        assert await answers(trusted)
        hosts = trusted.partition("@")[2].partition("/")[0]
        assert await answers(f"sentinels://events:of-redis@{hosts}?sentinel_password=of-sentinels&tls_skip_verify=true")
        for wrong in (
            trio.storage_url,  # nobody trusts the certificate
            trusted.replace("of-sentinels", "wrong"),
            trusted.replace("//events:", "//unknown:"),
        ):
            with pytest.raises(StorageUnavailable):
                await answers(wrong)


@pytest.mark.parametrize("redis_cluster", sorted(SERVERS) or ["none installed"], indirect=True)
class TestCluster(StorageConformance):
    @pytest.fixture(autouse=True)
    def _cluster(self, redis_cluster: Cluster) -> None:
        self.cluster = redis_cluster

    def storage(self, options: StorageOptions) -> Storage:
        return storage_from_url(self.cluster.storage_url, options)


def stream_on(cluster: Cluster, node: RedisServer, prefix: str = "s") -> Stream:
    keys = Keys("eventscache")
    return next(
        stream
        for stream in (Stream(Namespace.TOKEN, f"{prefix}{number}") for number in range(1000))
        if cluster.node_of(keys.key(stream, "state")) is node
    )


async def test_a_slot_that_moves_loses_nothing_and_stores_nothing_twice(redis_cluster: Cluster) -> None:
    home, target = redis_cluster.nodes[:2]
    moving, resident = stream_on(redis_cluster, home), stream_on(redis_cluster, target)
    streams = [moving, resident]
    slot = key_slot(Keys("eventscache").key(moving, "state").encode())
    async with cache_over(redis_cluster.storage_url) as cache:
        async with producing(cache, streams) as done:
            await until_acknowledged(cache, streams)
            steps = redis_cluster.migrate_slot(slot, target, batch=1)
            while await asyncio.to_thread(next, steps, None):
                await until_acknowledged(cache, [resident])
            await until_acknowledged(cache, streams)
        assert redis_cluster.owner(slot) is target
        for stream in streams:
            there = [uid for uid in await stored(cache, stream) if uid != "sentry"]
            assert there == done[stream]
        ledger = cache.ledger
        assert ledger.received == ledger.stored
        assert not sum(ledger.dropped.values())


async def test_a_node_that_dies_leaves_the_others_available(redis_cluster: Cluster) -> None:
    doomed, healthy = redis_cluster.nodes[0], redis_cluster.nodes[1]
    lost, kept = stream_on(redis_cluster, doomed), stream_on(redis_cluster, healthy)
    async with cache_over(redis_cluster.storage_url, ack_timeout_seconds=1) as cache:
        await until_acknowledged(cache, [lost, kept])
        await asyncio.to_thread(redis_cluster.kill, doomed)
        with pytest.raises(StorageUnavailable):
            await cache.store([(lost, Event(original=b"{}", token_id="x"))])
        await until_acknowledged(cache, [kept])
        assert (await cache.fetch(kept, Query())).total == 2
        with pytest.raises(StorageUnavailable):
            await cache.fetch(lost, Query())
        await cache.check()  # it can still be worked with
        await asyncio.to_thread(redis_cluster.heal)
        await until_acknowledged(cache, [lost, kept])


async def test_all_keys_of_a_stream_are_in_one_slot_of_a_cluster(redis_cluster: Cluster) -> None:
    async with storage_from_url(redis_cluster.storage_url, StorageOptions()) as storage:
        for name in ("{a}", "a}b{", "x:y", "\N{PILE OF POO}" * 100):
            await Writer(storage, Stream(Namespace.DESTINATION, name)).insert(success(b"x"))
        infos = await storage.streams(Namespace.DESTINATION)
        assert {info.stream.id for info in infos} == {"{a}", "a}b{", "x:y", "\N{PILE OF POO}" * 100}
        await storage.erase()
    assert sum(int(str(node.ask("DBSIZE"))) for node in redis_cluster.nodes) == 0


async def test_a_frozen_node_of_a_cluster_is_not_asked_for_the_slots_while_others_tell_them(
    redis_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    execute = ClusterNode.execute_command

    async def record(node: ClusterNode, *command: Any, **options: Any) -> Any:
        if command[0] == "CLUSTER SLOTS":
            asked.append(int(node.port))
        return await execute(node, *command, **options)

    monkeypatch.setattr(ClusterNode, "execute_command", record)
    keys = [f"eventscache:{number}" for number in range(100)]
    async with client_from_url(redis_cluster.storage_url, StorageOptions(timeout_seconds=0.1), 10) as client:
        await client.initialize()
        for frozen in redis_cluster.nodes:
            own = next(key for key in keys if redis_cluster.node_of(key) is frozen)
            others = next(key for key in keys if redis_cluster.node_of(key) is not frozen)
            asked.clear()
            frozen.freeze()
            for _ in range(5):  # redis-py asks in a random order
                with pytest.raises((driver.TimeoutError, driver.ConnectionError)):
                    await client.execute_command("HGETALL", own)
                await client.execute_command("HGETALL", others)
            frozen.thaw()
            assert asked
            assert frozen.port not in asked
            await asyncio.to_thread(redis_cluster.wait_until_agreed)
