"""A model of the limiter, the memory backend, fakeredis and every real Redis agree, step by step."""

import asyncio
import itertools
import secrets

import fakeredis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from eventscache.storage.base import Storage
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Batch, LimitedCount, Offer, Query, Quota, Unsent
from eventscache.storage.options import StorageOptions
from eventscache.storage.plugins import storage_from_url
from eventscache.storage.redis import RedisStorage
from eventscache.stream import Namespace, Status, Stream
from eventscache.testing import ManualClock
from tests.support.redis_server import RedisServer
from tests.support.storage_model import Model

STEPS = 10_000
SIZES = (1, 7, 100, 1_500)
WINDOWS_US = (7, 1_000_000, 60_000_000, 61_234_567)

KINDS = (
    (Status.SUCCESS, True, False),
    (Status.SKIP, True, False),
    (Status.ERROR, True, True),
    (Status.ERROR, True, False),
    (Status.ERROR, False, True),
)
quotas = st.builds(Quota, st.sampled_from(SIZES), st.sampled_from(WINDOWS_US))
# Relative to what matters: instants, admission intervals, windows, the minute that refusals are counted for.
ages = st.sampled_from((0, 1, 400_000, 999_999, 1_000_000, 30_000_000, 59_999_999, 60_000_000, 61_000_000))
carried = st.lists(st.builds(LimitedCount, ages, st.integers(1, 50)), max_size=3).map(tuple)
numbers = st.none() | st.integers(0, 3_000)


class Agreement(RuleBasedStateMachine):
    servers: dict[str, RedisServer]
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.stream = Stream(Namespace.TOKEN, "model")
        self.model = Model()
        self.numbers = itertools.count(1)
        self.events = itertools.count()
        self.sent: list[Batch] = []
        self.runner = asyncio.Runner()
        self.storages: dict[str, Storage] = {}

    @initialize(quota=quotas)
    def open_storages(self, quota: Quota) -> None:
        self.quota = quota
        options = StorageOptions(
            prefix=f"eventscache:{secrets.token_hex(8)}", now=self.clock, ttl_seconds=100_000, timeout_seconds=60
        )
        self.storages = {
            "memory": MemoryStorage(options),
            "fakeredis": RedisStorage(fakeredis.FakeAsyncRedis(), options),
            **{version: storage_from_url(server.storage_url, options) for version, server in self.servers.items()},
        }

    def teardown(self) -> None:
        for storage in self.storages.values():
            self.runner.run(storage.close())
        self.runner.close()

    def ask_all(self, method: str, *args: object, expected: object, **kwargs: object) -> None:
        for name, storage in self.storages.items():
            answer = self.runner.run(getattr(storage, method)(*args, **kwargs))
            assert answer == expected, name
        type(self).steps += 1

    def send(self, batch: Batch) -> None:
        self.ask_all("insert", batch, expected=self.model.insert(batch, self.clock.now_us))

    @rule(
        kinds=st.lists(st.sampled_from(KINDS), max_size=4),
        fill=st.sampled_from((0, 0, 0, -1, 1)),
        surplus=st.booleans(),
        all_carried=carried,
        error_carried=carried,
        writer=st.sampled_from(("one", "two")),
        carries=st.booleans(),
    )
    def insert(self, kinds, fill, surplus, all_carried, error_carried, writer, carries) -> None:
        if fill:  # up to the size, and beyond it
            kinds = kinds + [kinds[0] if kinds else KINDS[2]] * (self.quota.size + fill - len(kinds))
        offers = [Offer(b"%d" % next(self.events), *kind) for kind in kinds]
        beyond = [
            3 if surplus and sum(offered) >= self.quota.size else 0
            for offered in ([offer.to_all for offer in offers], [offer.to_error for offer in offers])
        ]
        batch = Batch(
            self.stream,
            self.quota,
            writer,
            next(self.numbers),
            offers,
            Unsent(beyond[0], all_carried if carries else ()),
            Unsent(beyond[1], error_carried if carries else ()),
        )
        self.sent.append(batch)
        self.send(batch)

    @precondition(lambda self: self.sent)
    @rule(back=st.integers(1, 3))
    def resend(self, back: int) -> None:
        self.send(self.sent[-min(back, len(self.sent))])

    @rule(fraction=st.sampled_from((0, 1, 2, 3, 7)), nudge=st.integers(-1, 1))
    def let_intervals_pass(self, fraction: int, nudge: int) -> None:
        self.clock.advance(max(0, fraction * self.quota.window_us // self.quota.size + nudge))

    @rule(windows=st.sampled_from((0.5, 1, 2)), nudge=st.integers(-1, 1))
    def let_windows_pass(self, windows: float, nudge: int) -> None:
        self.clock.advance(max(0, int(windows * self.quota.window_us) + nudge))

    @rule(microseconds=st.sampled_from((1, 999_999, 59_000_000, 60_000_000)))
    def let_time_pass(self, microseconds: int) -> None:
        self.clock.advance(microseconds)

    @rule(microseconds=st.sampled_from((1, 1_000, 5_000_000, 3_600_000_000)))
    def step_the_clock_back(self, microseconds: int) -> None:
        self.clock.advance(-microseconds)

    @rule(quota=quotas)
    def change_settings(self, quota: Quota) -> None:
        self.quota = quota

    @rule(
        status=st.none() | st.sampled_from(Status),
        before=numbers,
        after=numbers,
        limit=st.sampled_from((0, 1, 5, 10_000)),
    )
    def fetch(self, status: Status | None, before: int | None, after: int | None, limit: int) -> None:
        query = Query(status, before, after, limit)
        self.ask_all("fetch", self.stream, query, expected=self.model.fetch(query, self.clock.now_us))

    @rule(reset=st.booleans())
    def clear(self, reset: bool) -> None:
        self.ask_all("clear", self.stream, reset=reset, expected=self.model.clear(reset=reset))


def test_all_backends_agree_with_the_model(redis_servers: dict[str, RedisServer]) -> None:
    class OverTheseServers(Agreement):
        servers = redis_servers
        steps = 0

    while OverTheseServers.steps < STEPS:
        run_state_machine_as_test(OverTheseServers, settings=settings(max_examples=100, stateful_step_count=60))
