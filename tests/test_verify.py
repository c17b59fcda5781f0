"""`eventscache storage verify`: what it says of good backends and of bad ones, and what it leaves behind."""

import msgspec
import pytest
from click.testing import CliRunner, Result

import eventscache.verify
from eventscache.cli import main
from eventscache.conformance import Conformance
from eventscache.storage.base import Admission, Batch, Page, Query, StorageOptions
from eventscache.storage.memory import MemoryStorage
from eventscache.stream import Stream
from eventscache.testing import StorageConformance
from tests.redis_server import RedisServer

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
    monkeypatch.setattr(eventscache.verify, "storage_from_url", lambda _, options: kind(options))
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


def test_every_promise_of_the_suite_is_tried() -> None:
    tried = [name for name in vars(Conformance) if name.startswith("test_")]
    assert sorted(tried) == sorted(PROMISES)
    assert StorageOptions().prefix == "eventscache"
