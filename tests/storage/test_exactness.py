"""Several processes write the same streams of a real Redis while their connections are killed; no event too many.

Each process reports what it did, batch by batch. By the times that the servers gave, the batches are then applied
again, one event at a time, by the plain model of the contract.
"""

import asyncio
import contextlib
import itertools
import multiprocessing
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from copy import deepcopy

import pytest

from eventscache.extras.error_groups import EXAMPLES, GROUP
from eventscache.storage.messages import Batch, Offer, Page, Query, Quota
from eventscache.storage.redis import RedisStorage
from eventscache.stream import Namespace, Status, Stream
from tests.support.exactness_worker import (
    GENEROUS_SECONDS,
    OPTIONS,
    Job,
    Report,
    insert_raw,
    offer_to_cache,
    set_up,
)
from tests.support.recording_redis import Deed, check_windows
from tests.support.redis_cluster import Cluster
from tests.support.redis_server import RedisServer
from tests.support.storage_model import SECOND, Model

pytestmark = pytest.mark.slow

PROCESSES = 4
WINDOWS = 8
HOT = [Stream(Namespace.TOKEN, "hot")]
# With three nodes that share the slots evenly, these lie on all of them.
FIVE = [Stream(namespace, f"stream {nth}") for nth, namespace in enumerate([*Namespace, *Namespace, Namespace.TOKEN])]
# Windows that are no multiple of the size, so that rounding shows.
HOT_QUOTA = Quota(50, 150_007)
FIVE_QUOTA = Quota(20, 150_007)

LOADS = [pytest.param(HOT, HOT_QUOTA, id="one stream"), pytest.param(FIVE, FIVE_QUOTA, id="five streams")]
WORKERS = [pytest.param(insert_raw, id="raw"), pytest.param(offer_to_cache, id="with cooldowns")]

Work = Callable[[Job], Report]


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    """Processes that start each round together."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    with ProcessPoolExecutor(PROCESSES, context, initializer=set_up, initargs=(barrier,)) as executor:
        yield executor


@pytest.mark.parametrize("work", WORKERS)
@pytest.mark.parametrize(("streams", "quota"), LOADS)
async def test_processes_on_one_redis_together_admit_exactly_what_one_would(
    redis_server: RedisServer,
    processes: ProcessPoolExecutor,
    work: Work,
    streams: Sequence[Stream],
    quota: Quota,
) -> None:
    redis_server.ask("FLUSHALL")
    await check(processes, work, [redis_server], redis_server.storage_url, streams, quota)


@pytest.mark.parametrize("work", WORKERS)
@pytest.mark.parametrize(("streams", "quota"), LOADS)
async def test_processes_on_a_cluster_together_admit_exactly_what_one_would(
    redis_cluster: Cluster,
    processes: ProcessPoolExecutor,
    work: Work,
    streams: Sequence[Stream],
    quota: Quota,
) -> None:
    await check(processes, work, redis_cluster.nodes, redis_cluster.storage_url, streams, quota)
    if len(streams) > 1:
        assert all(node.ask("DBSIZE") for node in redis_cluster.nodes)


async def check(
    processes: ProcessPoolExecutor,
    work: Work,
    servers: Sequence[RedisServer],
    url: str,
    streams: Sequence[Stream],
    quota: Quota,
) -> None:
    # However slow the machine is, together they fill more than one window.
    least = quota.size // PROCESSES + 1
    futures = [processes.submit(work, Job(url, streams, quota, WINDOWS, least, seed)) for seed in range(PROCESSES)]
    kills = await asyncio.to_thread(kill_connections, servers, futures)
    reports = [future.result() for future in futures]

    assert kills > WINDOWS
    deeds: dict[Stream, list[Deed]] = {stream: [] for stream in streams}
    for deed in (deed for report in reports for deed in report.deeds):
        deeds[deed.batch.stream].append(deed)
    for done in deeds.values():
        assert all(count > quota.size for count in check_windows(done, quota).values())
    models = {stream: applied_again(done) for stream, done in deeds.items()}
    check_ledgers(reports, [*models.values()])
    async with RedisStorage.from_url(url, OPTIONS) as storage:
        for stream, model in models.items():
            await check_content(storage, model, deeds[stream])
            await check_groups(storage, stream, reports)


def kill_connections(servers: Sequence[RedisServer], until: Sequence[Future[Report]]) -> int:
    """Break all connections to a server again and again, until the work is done; return how many."""
    dice = random.Random(1)
    kills = 0
    with contextlib.ExitStack() as stack:
        killers = [stack.enter_context(server.client()) for server in servers]
        while wait(until, dice.uniform(0.001, 0.02)).not_done:
            kills += int(dice.choice(killers).execute_command("CLIENT", "KILL", "TYPE", "normal"))
    return kills


def applied_again(deeds: Sequence[Deed]) -> Model:
    """Return a model to which all batches of a stream came in the order of their times, with the same answers."""
    model = Model()
    in_order = sorted(deeds, key=lambda deed: deed.admission.at_us)
    for _, group in itertools.groupby(in_order, key=lambda deed: deed.admission.at_us):
        model = applied_at_once(model, list(group))
    return model


def applied_at_once(model: Model, deeds: list[Deed]) -> Model:
    """Apply batches that have the same time: there must be an order that explains their answers."""
    if len(deeds) == 1:
        explain(model, deeds[0])
        return model
    for order in itertools.permutations(deeds):
        attempt = deepcopy(model)
        with contextlib.suppress(AssertionError):
            for deed in order:
                explain(attempt, deed)
            return attempt
    raise AssertionError(f"no order explains {deeds}")


def explain(model: Model, deed: Deed) -> None:
    """Every event that was limited had to be, and each `retry_after_us` is exact."""
    admission = deed.admission
    expected = model.insert(deed.batch, admission.at_us)
    assert not admission.stale
    assert admission.other_quota is None
    assert expected.at_us == admission.at_us
    assert expected.extras.keys() == admission.extras.keys()
    in_extras = [(decision, admission.extras[name]) for name, decision in expected.extras.items()]
    for right, got in ((expected.all, admission.all), (expected.error, admission.error), *in_extras):
        if right is None or got is None:
            assert got == right
            continue
        least_us, most_us = deed.late_us
        assert got.admitted == right.admitted, deed
        assert (
            max(0, right.retry_after_us - most_us) <= got.retry_after_us <= max(0, right.retry_after_us - least_us)
        ), deed


async def check_groups(storage: RedisStorage, stream: Stream, reports: Sequence[Report]) -> None:
    """Each error group counts all errors of any process that belong to it, limited or not, and keeps the last ones."""
    sent: Counter[str] = Counter()
    for report in reports:
        sent.update({name: count for (of, name), count in report.groups.items() if of == stream})
    infos = {info.name: info for info in await storage.extras(stream, GROUP)}
    assert {name: info.offered for name, info in infos.items()} == sent
    for name, info in infos.items():
        assert len((await storage.fetch(stream, Query(extra=name))).entries) == info.total == EXAMPLES


def check_ledgers(reports: Sequence[Report], models: Sequence[Model]) -> None:
    """Every event that was received is stored or limited; by each collection it was admitted, or counted as limited."""
    for ledger in (report.ledger for report in reports):
        assert ledger.received == ledger.stored + ledger.limited
        assert ledger.dropped.total() == ledger.queued == 0
    assert sum(report.ledger.stored for report in reports) == sum(model.sequence for model in models)
    for offered, admitted, collections in (
        (
            sum(report.offered_all for report in reports),
            sum(report.ledger.admitted_all for report in reports),
            [model.all for model in models],
        ),
        (
            sum(report.offered_error for report in reports),
            sum(report.ledger.admitted_error for report in reports),
            [model.error for model in models],
        ),
    ):
        assert offered == admitted + sum(count for collection in collections for _, count in collection.limited_counts)


async def check_content(storage: RedisStorage, model: Model, deeds: Sequence[Deed]) -> None:
    """The events of the storage are those that were admitted, each once, and the limited ones are counted."""
    placed = [
        offer.event
        for deed in deeds
        for in_extras in [deed.admission.in_extras(deed.batch)]
        for index, (offer, there) in enumerate(
            zip(deed.batch.offers, deed.admission.placed(deed.batch.offers), strict=True)
        )
        if any(there) or index in in_extras
    ]
    assert len({*placed}) == len(placed) == model.sequence
    stream, quota = deeds[0].batch.stream, deeds[0].batch.quota
    batches = (
        Batch(stream, quota, "last", number, [Offer(b"last %d" % number, Status.SKIP)]) for number in itertools.count(1)
    )
    for query in (Query(), Query(Status.ERROR), Query(Status.SUCCESS)):
        page, expected = await looks(storage, model, stream, batches, query)
        assert page == expected
        events = [entry.event for entry in page.entries if not entry.event.startswith(b"last")]
        assert len({*events}) == len(events)
        assert {*events} <= {*placed}


async def looks(
    storage: RedisStorage, model: Model, stream: Stream, batches: Iterator[Batch], query: Query
) -> tuple[Page, Page]:
    """Return what the storage has and what the model has, both as of the same second by the stream's time."""

    async def insert() -> int:
        batch = next(batches)
        admission = await storage.insert(batch)
        explain(model, Deed(batch, admission))
        return admission.at_us

    async with asyncio.timeout(GENEROUS_SECONDS):
        while True:
            before_us = await insert()
            pages = await storage.fetch(stream, query), model.fetch(query, before_us)
            if await insert() // SECOND == before_us // SECOND:
                return pages
