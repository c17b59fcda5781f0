"""The exceptions of redis-py are translated, for the caller and for the circuit breaker."""

import functools
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest
import redis.asyncio as aioredis
from redis import exceptions as driver
from redis.asyncio.sentinel import MasterNotFoundError

from eventscache.errors import StorageError, StorageUnavailable
from eventscache.storage.redis.driver_errors import Outcome, translate
from eventscache.storage.redis.driver_internals import HandshakeFailed
from tests.support.redis_server import RedisServer

FAULTS = [
    (driver.AuthenticationError("invalid username-password pair or user is disabled."), Outcome.DENIED, False),
    (driver.ResponseError("WRONGPASS invalid username-password pair"), Outcome.DENIED, False),
    (driver.ResponseError("NOAUTH HELLO must be called with the client already authenticated"), Outcome.DENIED, False),
    (driver.NoPermissionError("this user has no permissions to run the 'evalsha' command"), Outcome.ANSWERED, False),
    (driver.ResponseError("OOM command not allowed when used memory > 'maxmemory'."), Outcome.ANSWERED, False),
    (driver.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), Outcome.ANSWERED, False),
    (driver.ResponseError("BUSY Redis is busy running a script."), Outcome.ANSWERED, False),
    (driver.ReadOnlyError("READONLY You can't write against a read only replica."), Outcome.ANSWERED, False),
    (driver.BusyLoadingError("LOADING Redis is loading the dataset in memory"), Outcome.ANSWERED, False),
    (driver.ClusterDownError("CLUSTERDOWN Hash slot not served"), Outcome.ANSWERED, False),
    (driver.ConnectionError("Error 111 connecting to h:1. Connection refused."), Outcome.UNREACHABLE, False),
    (driver.ConnectionError("max number of clients reached"), Outcome.UNREACHABLE, False),
    (driver.TimeoutError("Timeout connecting to server"), Outcome.UNREACHABLE, False),
    (HandshakeFailed("Connection closed by server."), Outcome.NO_LOGIN, False),
    (
        driver.RedisClusterException("Redis Cluster cannot be connected. Please provide at least one"),
        Outcome.UNREACHABLE,
        False,
    ),
    (driver.ConnectionError("Error connecting to h:1."), Outcome.UNREACHABLE, False),
    (
        driver.ConnectionError("Error Multiple exceptions: [Errno 111] a, [Errno 111] b connecting to h:1."),
        Outcome.UNREACHABLE,
        False,
    ),
    (driver.ConnectionError("Error 1 connecting to /a while b/sock. x."), Outcome.UNREACHABLE, False),
    (driver.MaxConnectionsError("Too many connections"), Outcome.UNREACHABLE, False),
    (MasterNotFoundError("No master found for 'WRONGPASS': h - network:ConnectionError"), Outcome.UNREACHABLE, False),
    (ConnectionRefusedError(111, "Connection refused"), Outcome.UNREACHABLE, False),
    (driver.ConnectionError("The previous master is now a slave"), Outcome.ANSWERED, False),
    *(
        (driver.ResponseError(text), Outcome.ANSWERED, False)
        for text in (
            "OOM command not allowed when used memory > 'maxmemory'. script: 62e6, on @user_script:1.",
            "NOREPLICAS Not enough good replicas to write.",
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
            "UNKILLABLE Sorry the script already executed write commands against the dataset.",
            "The user executing the script can't run this command or subcommand script: 62e6, on @user_script:1.",
            "@user_script: 1: -OOM command not allowed when used memory > 'maxmemory'.",
            "@user_script: 57: OOM command not allowed when used memory > 'maxmemory'.",
            "Error running script (call to f_62e6): @user_script:1: @user_script: 1: -READONLY You can't write",
            "Error running script (call to f_62e6): @user_script:1: The user executing the script can't",
            "Command # 1 (SET k x) of pipeline caused error: ('NOREPLICAS Not enough good replicas to write.',)",
            'Command # 12 (SET k x) of pipeline caused error: ("MISCONF it\'s currently unable to persist",)',
            "Command # 1 (SET k x) of pipeline caused error: BUSY Redis is busy running a script.",
            'Command # 1 (x) of pipeline caused error: ("Error running script (call to f_6): @user_script:1: OOM ",)',
        )
    ),
    # Names of hosts, users and streams have no meaning.
    (driver.ConnectionError("Error 111 connecting to ROOM-5:1. Connect call failed."), Outcome.UNREACHABLE, False),
    (
        driver.ConnectionError("Error -2 connecting to REDIS-LOADING:1. Name or service not known."),
        Outcome.UNREACHABLE,
        False,
    ),
    (
        driver.ConnectionError("Error 13 connecting to /NOAUTH WRONGPASS /sock. Permission denied."),
        Outcome.UNREACHABLE,
        False,
    ),
    (driver.TimeoutError("Timeout reading from OOM READONLY connecting to:1"), Outcome.TIMED_OUT, True),
    (
        driver.ConnectionError("Error while reading from /a connecting to b/sock : (104, 'reset')"),
        Outcome.DISCONNECTED,
        True,
    ),
    (driver.ConnectionError("Error 32 while writing to socket. NOPERM connecting to h."), Outcome.DISCONNECTED, True),
    (driver.RedisClusterException("NOAUTH WRONGPASS Connection refused"), Outcome.DISCONNECTED, True),
    (driver.TimeoutError("Timeout reading from h:1"), Outcome.TIMED_OUT, True),
    (driver.ConnectionError("Connection closed by server."), Outcome.DISCONNECTED, True),
    (driver.ClusterError("TTL exhausted."), Outcome.DISCONNECTED, True),
    (driver.InvalidResponse("Protocol Error"), Outcome.DISCONNECTED, True),
    (ConnectionResetError(104, "reset"), Outcome.DISCONNECTED, True),
    (AttributeError("'NoneType' object has no attribute 'writelines'"), Outcome.DISCONNECTED, True),
]


@pytest.mark.parametrize(("fault", "outcome", "ambiguous"), FAULTS, ids=lambda value: str(value)[:30])
def test_exceptions_of_the_driver_are_translated(fault: Exception, outcome: Outcome, ambiguous: bool) -> None:
    translated = translate(fault, ambiguous=True)
    assert isinstance(translated.error, StorageUnavailable)
    assert (translated.outcome, translated.error.ambiguous) == (outcome, ambiguous)
    again = translate(fault, ambiguous=False).error
    assert isinstance(again, StorageUnavailable)
    assert not again.ambiguous


def test_an_error_that_will_not_pass_is_no_outage() -> None:
    error = translate(driver.ResponseError("WRONGTYPE Operation against a key"), ambiguous=True).error
    assert isinstance(error, StorageError)
    assert not isinstance(error, StorageUnavailable)


@pytest.mark.parametrize(
    "text",
    [
        "WRONGTYPE Operation against a key: OOM command not allowed",
        "OOMPH",
        "value is not an integer @user_script: 57: NOAUTH READONLY",
        "Command # 1 (LTRIM eventscache:v1:{t.NOAUTH}:all 0 3) of pipeline caused error: ('WRONGTYPE Operation',)",
        "Command # 1 (SET BUSY OOM READONLY ) of pipeline caused error: ('syntax error',)",
    ],
)
def test_words_that_a_reply_quotes_have_no_meaning(text: str) -> None:
    error, outcome = translate(driver.ResponseError(text), ambiguous=True)
    assert not isinstance(error, StorageUnavailable)
    assert outcome is Outcome.ANSWERED


def test_a_cluster_that_refuses_the_login_denies_access() -> None:
    fault = driver.RedisClusterException("Redis Cluster cannot be connected. Please provide at least one: invalid")
    fault.__cause__ = driver.AuthenticationError("invalid username-password pair or user is disabled.")
    assert translate(fault, ambiguous=True).outcome is Outcome.DENIED


async def outcomes_of(calls: Iterable[Callable[[], Awaitable[object]]]) -> list[Outcome]:
    outcomes = []
    for call in calls:
        with pytest.raises(driver.RedisError) as raised:
            await call()
        error, outcome = translate(raised.value, ambiguous=True)
        assert isinstance(error, StorageUnavailable), raised.value
        assert not error.ambiguous
        outcomes.append(outcome)
    return outcomes


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["CONFIG SET maxmemory 1"], ["CONFIG SET maxmemory 0"]),
        (["CONFIG SET min-replicas-to-write 1"], ["CONFIG SET min-replicas-to-write 0"]),
        (["REPLICAOF 127.0.0.1 1"], ["REPLICAOF NO ONE"]),
        (
            ["CONFIG SET replica-serve-stale-data no", "REPLICAOF 127.0.0.1 1"],
            ["REPLICAOF NO ONE", "CONFIG SET replica-serve-stale-data yes"],
        ),
        (["ACL SETUSER default -set"], ["ACL SETUSER default +set"]),
    ],
    ids=["full", "without replicas", "a replica", "a stale replica", "without the right"],
)
async def test_an_error_that_an_operator_can_repair_passes_for_every_kind_of_call(
    redis_server: RedisServer, before: list[str], after: list[str]
) -> None:
    async with aioredis.Redis(unix_socket_path=str(redis_server.socket)) as client:

        def piped(*command: str | int) -> Callable[[], Awaitable[object]]:
            pipeline: Any = client.pipeline(transaction=False)
            pipeline.execute_command(*command)
            execute: Callable[[], Awaitable[object]] = pipeline.execute
            return execute

        called = ("EVAL", "return redis.call('SET', KEYS[1], 'x')", 1, "k")
        handed_on = ("EVAL", "return redis.pcall('SET', KEYS[1], 'x')", 1, "k")
        ways = [("SET", "k", "x"), called, handed_on]
        for command in before:
            redis_server.ask(*command.split())
        try:
            outcomes = await outcomes_of(
                [*(functools.partial(client.execute_command, *way) for way in ways), *(piped(*way) for way in ways)]
            )
        finally:
            for command in after:
                redis_server.ask(*command.split())
    assert set(outcomes) == {Outcome.ANSWERED}
