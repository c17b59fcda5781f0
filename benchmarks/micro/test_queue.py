"""Between the parser and the storage: events that a cooldown limits, and events that are put into the queue."""

from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.events import page_views
from eventscache.delivery.cooldown import Cooldown
from eventscache.delivery.ledger import Ledger
from eventscache.delivery.pending import PendingEvents
from eventscache.delivery.producer import CONFIGURED
from eventscache.delivery.queue import Queue
from eventscache.storage.memory import MemoryStorage
from eventscache.storage.messages import Offer, Quota
from eventscache.stream import Namespace, Status, Stream

QUOTA = Quota(100, 60_000_000)
STREAMS = [Stream(Namespace.TOKEN, f"key{number}") for number in range(100)]
PUTS = 1000


def test_cooldown_limits(benchmark: BenchmarkFixture) -> None:
    cooldown = Cooldown()
    cooldown.start(0, 1_000_000, 1_000_000)
    benchmark(cooldown.count_limited, 500_000)


def test_queue_takes_a_thousand_events(benchmark: BenchmarkFixture) -> None:
    events = page_views(PUTS, 1000)

    def empty_queue() -> tuple[tuple[Queue, list[PendingEvents]], dict[str, object]]:
        queue = Queue(MemoryStorage(), Ledger(), QUOTA, pool_size=10, max_bytes=2**30, deadline_seconds=2)
        return (
            queue,
            [pending for event in events for pending in PendingEvents.split([Offer(event, Status.SUCCESS)], [event])],
        ), {}

    def put_all(queue: Queue, parts: list[PendingEvents]) -> Queue:
        for number, pending in enumerate(parts):
            queue.reserve(pending.size_bytes)
            queue.put(STREAMS[number % len(STREAMS)], pending, CONFIGURED)
        return queue

    filled = benchmark.pedantic(put_all, setup=empty_queue, rounds=200)  # type: ignore[no-untyped-call]
    assert filled.bytes > PUTS * 1000
