"""The alerts of a server, as its settings say."""

from eventscache.storage.memory import MemoryStorage
from eventscache.storage.options import StorageOptions
from eventscache.testing import ManualClock
from tests.support.alert_bench import DESTINATION, OTHER, SteppedClock, Writer
from tests.support.cache_bench import until
from tests.support.sidecar import Start
from tests.support.webhook_server import WebhookServer


async def test_a_sidecar_with_a_webhook_sends_alerts_and_counts_them(start: Start) -> None:
    manual = ManualClock()
    storage = MemoryStorage(StorageOptions(now=manual))
    writer, clock = Writer(storage), SteppedClock(manual)
    async with WebhookServer() as server:
        changes = {"alerts_webhook": server.url, "alerts_ids": ("sh*",), "alerts_link": "http://h"}
        sidecar = await start(storage, clock, record_bytes=0, **changes)
        await clock.advance(10)
        for stream in (OTHER, DESTINATION):
            await writer.write(stream, errors=1, group="a")
        await clock.advance(10)
        alerts = sidecar.server._alerts
        assert alerts
        await until(lambda: alerts.counts.sent.total() == 1)
        (text,) = server.texts
    assert text.endswith("<http://h/ui/#tab=processed&amp;id=shop|Open>")
    metrics = (await sidecar.get("/metrics")).body.decode()
    assert 'eventscache_alerts_sent_total{rule="new_error_group"} 1.0' in metrics
    assert "s3cr3t" not in metrics


async def test_without_a_webhook_nothing_is_watched(start: Start) -> None:
    assert (await start(alerts_silent_minutes=3)).server._alerts is None
    assert (await start(alerts_webhook="http://h/", enabled=False)).server._alerts is None
