"""`ack=stored` tells a definite refusal of the storage from an unknown outcome."""

import pytest

from tests.support.fault_proxy import FaultProxy
from tests.support.redis_server import RedisServer
from tests.support.sidecar import CACHE, Start

RECORD = b'{"destination_id":"d","original":{}}'
SHORT = {"ack_timeout_ms": 300, "storage_timeout_ms": 100, "prefix": "eventscache:ack"}


@pytest.mark.parametrize(
    ("begins", "ends", "reason"),
    [
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "(READONLY): name its master in eventscache.storage"),
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "(OOM): raise its maxmemory"),
        ("ACL SETUSER eventscache -hset", "ACL SETUSER eventscache +hset", "(NOPERM): give it the rights"),
    ],
)
async def test_records_that_redis_refuses_are_surely_not_stored(
    start: Start, redis_server: RedisServer, begins: str, ends: str, reason: str
) -> None:
    redis_server.ask("FLUSHALL")
    sidecar = await start(redis_server.storage_url, **SHORT)
    assert (await sidecar.record(RECORD)).status == 200
    redis_server.ask(*begins.split())
    assert (await sidecar.get("/readyz")).status == 503  # it would find out by itself within a second
    try:
        answer = await sidecar.record(RECORD)
    finally:
        redis_server.ask(*ends.split())
    assert (answer.status, answer.json["code"]) == (503, "not_stored")
    assert reason in answer.json["message"]
    assert "unknown" not in answer.json["message"]
    counts = {name: answer.json[name] for name in ("received", "stored", "limited")}
    assert counts == {"received": 1, "stored": 0, "limited": 0}
    assert answer.headers["Retry-After"] == "1"
    assert len(await sidecar.events("ids=d")) == 1
    assert (await sidecar.get("/readyz")).status == 200
    assert (await sidecar.record(RECORD)).status == 200


async def test_a_missing_right_is_known_before_the_first_record(start: Start, redis_server: RedisServer) -> None:
    redis_server.ask("FLUSHALL")
    redis_server.ask("ACL", "SETUSER", "eventscache", "-hset")
    try:
        sidecar = await start(redis_server.storage_url, **SHORT)
        answer = await sidecar.record(RECORD)
        assert (answer.status, answer.json["code"]) == (503, "not_stored")
        assert "may not run the command hset (NOPERM)" in answer.json["message"]
        assert redis_server.ask("EXISTS", "eventscache:ack:v1:{d.d}:all") == 0  # not one half of it
    finally:
        redis_server.ask("ACL", "SETUSER", "eventscache", "+hset")


async def test_a_script_that_broke_off_has_an_unknown_outcome_and_is_not_run_again(
    start: Start, redis_server: RedisServer
) -> None:
    redis_server.ask("FLUSHALL")
    sidecar = await start(redis_server.storage_url, **SHORT)
    assert (await sidecar.record(RECORD)).status == 200
    redis_server.ask("ACL", "SETUSER", "eventscache", "-hset")
    try:
        answer = await sidecar.record(RECORD)
    finally:
        redis_server.ask("ACL", "SETUSER", "eventscache", "+hset")
    assert answer.status == 503
    assert "(NOPERM)" in answer.json["message"]
    assert len(await sidecar.events("ids=d")) <= 2  # broken off once at most, or known before


async def test_records_whose_answer_is_lost_have_an_unknown_outcome(start: Start, fault_proxy: FaultProxy) -> None:
    sidecar = await start(fault_proxy.storage_url, **SHORT)
    assert (await sidecar.record(RECORD)).status == 200
    fault_proxy.hang()
    answer = await sidecar.post(f"{CACHE}?ack=stored", RECORD, Content_Type="application/json")
    fault_proxy.forward()
    assert (answer.status, answer.json["code"]) == (503, "not_confirmed")
    assert "unknown" in answer.json["message"]
