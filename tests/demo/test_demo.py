"""The demo: lifelike traffic, the same for the same seed, with a history at the start."""

import asyncio
import json
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator

import aiohttp
import pytest

from eventscache.config.settings import Settings
from eventscache.demo.run import Demo
from eventscache.demo.traffic import CYCLE_SECONDS, Record, ShopTraffic
from eventscache.extras.error_groups import GROUP
from eventscache.storage.messages import Query
from eventscache.stream import Namespace, Status, Stream
from tests.support.command import EVENTSCACHE, GENEROUS_SECONDS, clean_environment, run
from tests.support.fake_clock import FakeClock
from tests.support.paths import ROOT

START_US = 1_600_000_000_000_000
CYCLE_US = CYCLE_SECONDS * 1_000_000


def records(seed: int, cycles: int = 3) -> list[Record]:
    return [
        record
        for _, several in ShopTraffic(seed, START_US).records_until(START_US + cycles * CYCLE_US)
        for record in several
    ]


def test_the_same_seed_makes_the_same_traffic() -> None:
    assert records(1) == records(1)
    assert records(1) != records(2)


def test_small_steps_give_the_same_records() -> None:
    traffic = ShopTraffic(1, START_US)
    in_steps = [
        record
        for step in range(1, 601)
        for _, several in traffic.records_until(START_US + step * 3 * CYCLE_US // 600)
        for record in several
    ]
    assert in_steps == records(1)


def test_every_kind_of_event_is_there() -> None:
    everything = records(1, cycles=10)
    assert {stream for stream, _ in everything} == {
        *(Stream(Namespace.TOKEN, name) for name in ("js.shop", "js.app", "s2s.billing")),
        *(Stream(Namespace.DESTINATION, name) for name in ("bigquery.main", "postgres.crm", "webhook.slack")),
    }
    assert {event.status for _, event in everything} == set(Status)
    assert any(event.malformed for _, event in everything)
    assert any("type changing from: INT64 to: STRING" in event.error for _, event in everything)
    kinds = Counter(json.loads(event.original)["event_type"] for _, event in everything if event.original)
    assert kinds.keys() >= {"pageview", "product_view", "purchase", "signup", "invoice_paid"}


def test_results_have_the_shape_of_jitsus() -> None:
    for stream, event in records(1):
        if event.success:
            success = json.loads(event.success)
            assert success["destination_id"] == stream.id == event.destination_id
            if stream.id == "webhook.slack":
                assert success.keys() == {"destination_id", "url", "method", "headers", "body"}
            else:
                assert success.keys() == {"destination_id", "table", "record"}
                assert all(field.keys() == {"field", "type", "value"} for field in success["record"])


def test_an_event_and_its_results_have_the_same_id() -> None:
    ids = Counter(json.loads(event.original)["eventn_ctx_event_id"] for _, event in records(1) if event.original)
    assert set(ids.values()) == {4}


def test_there_are_quiet_times_and_bursts() -> None:
    arrivals = [time_us for time_us, _ in ShopTraffic(1, START_US).records_until(START_US + CYCLE_US)]
    by_second = Counter((time_us - START_US) // 1_000_000 for time_us in arrivals)
    assert sum(by_second[second] for second in range(70, 90)) < 10
    assert sum(by_second[second] for second in range(98, 102)) > 200


async def test_the_history_is_there_at_the_start_and_limited() -> None:
    demo = Demo(Settings(), 1, FakeClock())
    await demo.write_history()
    pages = {
        stream: await demo.storage.fetch(stream, Query(limit=1000))
        for namespace in Namespace
        for stream in [info.stream for info in await demo.storage.streams(namespace)]
    }
    assert len(pages) == 6
    assert all(page.total > 10 for page in pages.values())
    assert pages[Stream(Namespace.TOKEN, "js.app")].limited > 0
    errors = await demo.storage.fetch(Stream(Namespace.DESTINATION, "bigquery.main"), Query(Status.ERROR))
    assert errors.total > 0


@pytest.mark.parametrize("error_groups", [True, False])
async def test_the_history_has_its_error_groups_if_they_are_kept(error_groups: bool) -> None:
    demo = Demo(Settings(error_groups=error_groups), 1, FakeClock())
    await demo.write_history()
    groups = await demo.storage.extras(Stream(Namespace.DESTINATION, "bigquery.main"), GROUP)
    assert (sum(group.offered for group in groups) > 10) is error_groups


async def test_traffic_is_sent_when_it_is_due() -> None:
    clock = FakeClock()
    demo = Demo(Settings(), 1, clock)
    await demo.write_history()
    offered: list[Record] = []
    going = asyncio.create_task(demo.send_traffic(offered.extend))
    await clock.advance(5 * 60)
    going.cancel()
    assert 50 < len(offered) < 400
    times = [event.timestamp for stream, event in offered if stream.id == "js.shop"]
    assert times == sorted(times)


@pytest.fixture
def process() -> Iterator["subprocess.Popen[str]"]:
    """A demo, started where another storage is configured."""
    environment = clean_environment(EVENTSCACHE_STORAGE="redis://127.0.0.1:1/0", PYTHONUNBUFFERED="1")
    command = [*EVENTSCACHE, "demo", "--port", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT, env=environment
    )
    yield process
    process.kill()
    process.communicate()


async def test_the_command_serves_a_filled_cache_until_sigterm(process: "subprocess.Popen[str]") -> None:
    assert process.stdout
    address = process.stdout.readline().split()[1]
    async with aiohttp.ClientSession() as session, session.get(f"{address}api/v1/events/cache") as answer:
        assert (await answer.json())["response_events"] > 100
    process.send_signal(signal.SIGTERM)
    assert process.wait(GENEROUS_SECONDS) == 0


def test_the_demo_does_not_listen_on_all_addresses_without_a_token() -> None:
    finished = run("demo", "--port", "0", "--host", "0.0.0.0")
    assert finished.returncode == 2
    assert "admin_tokens" in finished.stderr


@pytest.mark.parametrize("size", [1, 5])
async def test_a_small_cache_is_filled_as_well(size: int) -> None:
    demo = Demo(Settings(size=size), 1, FakeClock())
    await demo.write_history()
    assert (await demo.storage.fetch(Stream(Namespace.TOKEN, "js.shop"), Query())).total == size
