"""`eventscache storage verify`: its report on good and bad backends, and that it leaves nothing behind."""

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
from eventscache.conformance.suites.conformance import promise_names
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
    """Admits one event more than its quota."""

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
def test_the_report_names_the_broken_promises_and_the_failing_line(
    monkeypatch: pytest.MonkeyPatch, kind: type[MemoryStorage], sentence: str, reason: str
) -> None:
    monkeypatch.setattr(eventscache.conformance.verify, "storage_from_url", lambda _, options: kind(options))
    result = verify("mine://")
    assert f"BROKEN  {sentence}" in result.output
    assert reason in result.output
    assert "promises broken" in result.output
    assert result.exit_code == 1


class Plain(MemoryStorage):
    has_extras = False


def test_what_a_backend_lacks_is_said_and_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eventscache.conformance.verify, "storage_from_url", lambda _, options: Plain(options))
    result = verify("mine://")
    assert result.exit_code == 0, result.output
    assert "kept  one that is reset admits events at once" not in result.output
    assert result.output.count("kept  ") == len(promise_names(extras=False)) < len(PROMISES)
    for lacking in ("by type", "error groups", "follows", "test scopes"):
        assert lacking in result.output.partition("it lacks extra collections")[2].partition("\n")[0]


def test_a_backend_that_is_away_or_unknown_is_reported_in_one_line() -> None:
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
def test_stopping_it_leaves_nothing_behind(redis_server: RedisServer, number: signal.Signals) -> None:
    with redis_server.client() as admin, verifying(redis_server, admin) as process:
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        assert process.wait(20) == 1
        assert admin.keys() == []


def test_killing_it_leaves_only_data_that_soon_expires(redis_server: RedisServer) -> None:
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


def test_every_promise_of_the_suites_is_checked() -> None:
    assert sorted(promise_names()) == PROMISES
    assert len(set(promise_names())) == len(promise_names()), "two suites use the same name"
    assert StorageOptions().prefix == "eventscache"
