"""The alerts of a server: one process of all looks at the storage, and sends what it finds."""

import asyncio
from typing import Final

import structlog

from eventscache.alerts.counts import AlertCounts
from eventscache.alerts.formats import FORMATS
from eventscache.alerts.kept_state import KeptState
from eventscache.alerts.outbox import Outbox
from eventscache.alerts.rules import Alert, Rules
from eventscache.alerts.watch import Watch
from eventscache.alerts.webhook import Webhook
from eventscache.alerts.wording import message_of
from eventscache.clock import Clock
from eventscache.errors import StorageError
from eventscache.storage.base import Storage
from eventscache.storage.lease import Lease, LeaseLost

LOOK_SECONDS: Final = 10.0
"""Between two looks at the storage, and between two tries to get the lease."""

_log = structlog.get_logger()


class Alerts:
    """Looks at a storage every `LOOK_SECONDS` while this process has the lease, and sends messages to a webhook.

    What was told is kept before it is sent: no message is sent twice, whichever process takes over, and one is lost
    if a process ends in between.
    """

    def __init__(
        self,
        storage: Storage,
        webhook: str,
        rules: Rules,
        *,
        style: str = "slack",
        link: str = "",
        clock: Clock | None = None,
    ) -> None:
        """`style` is one of `FORMATS`; `link` is the public address of the server, without a slash at its end."""
        self.counts = AlertCounts()
        self._storage = storage
        self._rules = rules
        self._body_of = FORMATS[style]
        self._link = link
        self._clock = clock or Clock()
        self._checkpoints = storage.checkpoints("eventscache.alerts")
        self._lease = Lease(self._checkpoints, self._clock)
        self._outbox = Outbox(Webhook(webhook), self.counts, self._clock)
        self._watching: asyncio.Task[None] | None = None
        self._interrupted = False
        self._fails = False

    def start(self) -> None:
        """Start watching, on the running loop. The storage is open until `stop`."""
        if self._rules.new_error_group and not self._storage.has_extras:
            _log.info("the storage keeps no extra collections: eventscache.alerts.new_error_group has no effect")
        self._outbox.start()
        self._watching = asyncio.create_task(self._watch_always())

    async def stop_watching(self) -> None:
        """Stop watching: the storage may be closed then."""
        if self._watching:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._watching = None

    async def stop(self) -> None:
        """Stop watching, and give what waits a second."""
        await self.stop_watching()
        await self._outbox.stop()

    async def _watch_always(self) -> None:
        while True:
            try:
                await self._watch_once()
            except (LeaseLost, StorageError):  # the sender logs that the storage is away
                self._interrupted = True
            except Exception as fault:  # a bug here stops nothing else
                self._interrupted = True
                self._note_failure(fault)
            await self._clock.sleep(LOOK_SECONDS)

    async def _watch_once(self) -> None:
        """Watch while this process can have the lease. Raises `LeaseLost` and `StorageError`."""
        if await self._lease.acquire():
            await self._lease.run(self._watch)
        else:
            self._interrupted = False  # another process has it, and knows what this one missed

    async def _watch(self) -> None:
        state = KeptState(await self._checkpoints.load())
        watch = Watch(self._storage, state, self._rules, self.counts, self._clock, interrupted=self._interrupted)
        while True:
            alerts = await watch.look()
            await self._save(state)
            self._interrupted = self._fails = False
            for alert in alerts:
                self._send(alert)
            await self._clock.sleep(LOOK_SECONDS)

    async def _save(self, state: KeptState) -> None:
        self._lease.require()
        if not await self._checkpoints.save(self._lease.owner, state.take_changed()):
            raise LeaseLost("another process has it")

    def _send(self, alert: Alert) -> None:
        self._outbox.put(alert.rule, self._body_of(message_of(alert, self._link)))

    def _note_failure(self, fault: Exception) -> None:
        if not self._fails:
            self._fails = True
            _log.error("alerts failed, trying again", exc_info=fault)
