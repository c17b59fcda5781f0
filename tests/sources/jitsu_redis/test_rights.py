"""Jitsu's Redis is only read: as a user that may do nothing else, and by commands that are all recorded."""

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.cache_bench import GENEROUS_SECONDS
from tests.support.jitsu_lists import JitsuLists
from tests.support.paths import ROOT
from tests.support.redis_server import RedisServer
from tests.support.sidecar import Log, Sidecar, Start

PASSWORD = "the-followers-password"
READING = {"scan", "eval", "eval_ro", "evalsha", "evalsha_ro", "lindex", "llen", "lrange"}
OF_A_CONNECTION = {"hello", "auth", "client", "select", "ping", "info"}


def make_follower(server: RedisServer) -> str:
    """Make the user of the documentation, and return the URL for it."""
    (rule,) = re.findall(r"^ACL SETUSER (follower .*)$", (ROOT / "docs" / "sources.md").read_text(), re.MULTILINE)
    words = rule.replace("PASSWORD", PASSWORD)
    with server.client() as client:
        if client.info()["redis_version"] < "7":
            words = words.replace("%R~", "~").replace("_ro", "")
    server.ask("ACL", "SETUSER", *words.split())
    return f"unix://follower:{PASSWORD}@{server.socket}"


async def brought(sidecar: Sidecar, entries: int) -> None:
    async with asyncio.timeout(GENEROUS_SECONDS):
        while sidecar.server.sources.counts["jitsu_redis"].entries < entries:
            await asyncio.sleep(0.01)


async def test_a_user_that_may_only_read_the_lists_is_enough(
    start: Start, each_redis_server: RedisServer, log: Log
) -> None:
    each_redis_server.ask("FLUSHALL")
    url = make_follower(each_redis_server)
    try:
        jitsu = JitsuLists(each_redis_server)
        jitsu.token(original={"n": 1})
        jitsu.destination(original={"n": 2}, error="x")
        sidecar = await start(sources=(("jitsu_redis", url),))
        await brought(sidecar, 2)
        assert sidecar.server.sources.counts["jitsu_redis"].errors.total() == 0
        assert not any("not followed" in line for line in log.lines)
    finally:
        each_redis_server.ask("ACL", "DELUSER", "follower")


async def test_a_user_without_the_right_or_with_a_wrong_password_is_told(
    start: Start, redis_server: RedisServer, log: Log
) -> None:
    url = make_follower(redis_server)
    try:
        redis_server.ask("ACL", "SETUSER", "follower", "-scan")
        forbidden = await start(sources=(("jitsu_redis", url),))
        wrong = await start(sources=(("jitsu_redis", url.replace(PASSWORD, "wrong")),))
        async with asyncio.timeout(GENEROUS_SECONDS):
            for sidecar in (forbidden, wrong):
                while not sidecar.server.sources.counts["jitsu_redis"].errors["unavailable"]:
                    await asyncio.sleep(0.01)
        reasons = " ".join(line for line in log.lines if "source not followed" in line)
        assert "the user of Redis may not use SCAN on the keys of Jitsu's events" in reasons
        assert "Redis rejects the user or the password" in reasons
        assert PASSWORD not in " ".join(log.lines)
    finally:
        redis_server.ask("ACL", "DELUSER", "follower")


@contextmanager
def recorded(server: RedisServer) -> Iterator[list[list[str]]]:
    """Record every command that a server runs, also those of scripts."""
    commands: list[list[str]] = []
    with server.client() as client, client.monitor() as monitor:

        def listen() -> None:
            for entry in monitor.listen():
                words = entry["command"].split()
                if words == ["ECHO", "the-end"]:
                    return
                commands.append(words)

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield commands
        server.ask("ECHO", "the-end")
        thread.join(GENEROUS_SECONDS)


async def test_every_command_reads_and_every_key_is_one_of_the_lists(start: Start, tcp_redis: RedisServer) -> None:
    jitsu = JitsuLists(tcp_redis)
    jitsu.token(original={"n": 1})
    tcp_redis.ask("SADD", "sources_index:project#p", "x")
    tcp_redis.ask("LPUSH", "events_queue:x", "x")
    with recorded(tcp_redis) as commands:
        sidecar = await start(sources=(("jitsu_redis", tcp_redis.url),))
        await brought(sidecar, 1)
        for n in range(2, 40):
            jitsu.destination(original={"n": n}, **({"error": "x"} if n % 3 else {}))
        await brought(sidecar, 39)
        await sidecar.server.sources.stop()
    ours = [words for words in commands if words[0].lower() not in {"lpush", *OF_A_CONNECTION}]
    assert {words[0].lower() for words in ours} <= READING
    keys = {word for words in ours for word in words if re.match("(events|sources)_", word)} - {"events_cache:*"}
    assert keys == {
        "events_cache:token#key",
        "events_cache:destination#pg",
        "events_cache:destination#pg:error",
    }
    assert {tuple(words[2:4]) for words in ours if words[0].lower() == "scan"} == {("MATCH", "events_cache:*")}
