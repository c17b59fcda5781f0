"""`eventscache storage verify`: what it says of good backends and of bad ones, and what it leaves behind."""

import contextlib
import signal
import subprocess
from collections.abc import Iterator

import msgspec
import pytest
import redis
from click.testing import CliRunner, Result

import eventscache.conformance.verify
from eventscache.cli.main import main
from eventscache.conformance.suite import Conformance
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Admission, Batch, Page, Query
from eventscache.storage.options import StorageOptions
from eventscache.stream import Stream
from eventscache.testing import StorageConformance
from tests.support.command import EVENTSCACHE
from tests.support.redis_server import RedisServer, wait_until

PROMISES = [name for name in dir(StorageConformance) if name.startswith("test_")]


def verify(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["storage", "verify", "--rounds", "3", *arguments])


def test_a_good_backend_keeps_every_promise_and_is_left_as_it_was(redis_server: RedisServer) -> None:
    with redis_server.client() as admin:
        admin.flushall()
        admin.set("eventscache:of-production", "x")
        result = verify(redis_server.storage_url)
        assert result.exit_code == 0, result.output
        assert result.output.count("kept  ") == len(PROMISES) >= 35
        assert "all promises kept" in result.output
        for operation in ("ping", "insert of 1 event", "insert of 100 events", "fetch of 100", "streams"):
            assert operation in result.output
        assert result.output.count("p50") == result.output.count("p99") == 7
        assert admin.keys() == ["eventscache:of-production"]


class Careless(MemoryStorage):
    """Admits one more than it may, and forgets which batches it has seen."""

    async def insert(self, batch: Batch) -> Admission:
        quota = msgspec.structs.replace(batch.quota, size=batch.quota.size + 1)
        return await super().insert(msgspec.structs.replace(batch, quota=quota))


class Faulty(MemoryStorage):
    async def fetch(self, stream: Stream, query: Query) -> Page:
        raise KeyError("a bug of its own")


@pytest.mark.parametrize(
    ("kind", "sentence", "reason"),
    [
        (Careless, "admits exactly the size and counts the rest", " at: assert admission.all =="),
        (Faulty, "clearing keeps the limiter", "KeyError: 'a bug of its own'"),
    ],
)
def test_a_bad_backend_is_told_which_promises_it_breaks_and_where(
    monkeypatch: pytest.MonkeyPatch, kind: type[MemoryStorage], sentence: str, reason: str
) -> None:
    monkeypatch.setattr(eventscache.conformance.verify, "storage_from_url", lambda _, options: kind(options))
    result = verify("mine://")
    assert f"BROKEN  {sentence}" in result.output
    assert reason in result.output
    assert "promises broken" in result.output
    assert result.exit_code == 1


def test_a_backend_that_is_away_or_unknown_is_one_line() -> None:
    away = verify("redis://127.0.0.1:1")
    assert (away.exit_code, away.output.count("\n")) == (1, 1)
    assert "no connection to Redis" in away.output
    unknown = verify("nothing://")
    assert (unknown.exit_code, unknown.output.count("\n")) == (2, 1)


@contextlib.contextmanager
def verifying(redis_server: RedisServer, admin: redis.Redis) -> Iterator[subprocess.Popen[bytes]]:
    """A process that verifies an otherwise empty server, frozen while its scratch data is there."""
    admin.flushall()
    command = [*EVENTSCACHE, "storage", "verify", "--rounds", "1000000"]
    with subprocess.Popen([*command, redis_server.storage_url], stdout=subprocess.DEVNULL) as process:
        try:
            while not admin.keys("eventscache:scratch*"):
                process.send_signal(signal.SIGCONT)
                wait_until(lambda: admin.keys("eventscache:scratch*"), "the process writes something")
                process.send_signal(signal.SIGSTOP)
            yield process
        finally:
            process.kill()
            process.wait()
            admin.flushall()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_whoever_stops_it_finds_nothing_left_behind(redis_server: RedisServer, number: signal.Signals) -> None:
    with redis_server.client() as admin, verifying(redis_server, admin) as process:
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        assert process.wait(20) == 1
        assert admin.keys() == []


def test_whoever_kills_it_finds_nothing_left_behind_after_a_while(redis_server: RedisServer) -> None:
    with redis_server.client() as admin, verifying(redis_server, admin) as process:
        process.kill()
        process.wait()
        left = [admin.ttl(key) for key in admin.scan_iter()]
        assert left
        assert all(0 <= seconds <= 30 * 60 for seconds in left)


def test_all_scratch_data_is_short_lived(monkeypatch: pytest.MonkeyPatch) -> None:
    scratch: list[StorageOptions] = []

    def opened(_: str, options: StorageOptions) -> MemoryStorage:
        if options.prefix != StorageOptions().prefix:
            scratch.append(options)
        return MemoryStorage(options)

    monkeypatch.setattr(eventscache.conformance.verify, "storage_from_url", opened)
    assert verify("mine://").exit_code == 0
    assert {options.ttl_seconds for options in scratch} == {60}


def test_every_promise_of_the_suite_is_tried() -> None:
    tried = [name for name in vars(Conformance) if name.startswith("test_")]
    assert sorted(tried) == sorted(PROMISES)
    assert StorageOptions().prefix == "eventscache"
