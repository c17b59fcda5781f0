"""The messages that wait for the webhook."""

import asyncio
from collections import deque
from typing import Final, NamedTuple

import structlog

from eventscache.alerts.counts import AlertCounts
from eventscache.alerts.rules import Rule
from eventscache.alerts.webhook import NotTaken, Webhook
from eventscache.clock import Clock

MOST_WAITING: Final = 100
"""So many messages wait; more are given up at once."""
PAUSES_SECONDS: Final = (1.0, 5.0, 25.0)
"""Before each further try of a message."""
_LAST_SECONDS = 1.0

_log = structlog.get_logger()


class _Waiting(NamedTuple):
    rule: Rule
    body: bytes


class Outbox:
    """Sends messages one after the other, each at most four times, and delays nobody who puts them in."""

    def __init__(self, webhook: Webhook, counts: AlertCounts, clock: Clock) -> None:
        self._webhook = webhook
        self._counts = counts
        self._clock = clock
        self._waiting: deque[_Waiting] = deque()  # the first one is being sent
        self._changed = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None
        self._closing = False
        self._fails = False

    def start(self) -> None:
        """Start sending."""
        self._sending = asyncio.create_task(self._send_all())

    async def stop(self) -> None:
        """Send what waits if that takes no longer than a second; the rest is given up."""
        self._closing = True
        self._changed.set()
        if self._sending:
            await asyncio.wait([self._sending], timeout=_LAST_SECONDS)
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
            self._sending = None
        while self._waiting:
            self._counts.failed[self._waiting.popleft().rule] += 1
        await self._webhook.close()

    def put(self, rule: Rule, body: bytes) -> None:
        """Let a message wait; if too many do, it is given up."""
        if len(self._waiting) >= MOST_WAITING:
            self._counts.failed[rule] += 1
            return
        self._waiting.append(_Waiting(rule, body))
        self._changed.set()

    async def _send_all(self) -> None:
        while self._waiting or not self._closing:
            if not self._waiting:
                self._changed.clear()
                await self._changed.wait()
                continue
            rule, body = self._waiting[0]
            outcomes = self._counts.sent if await self._send(body) else self._counts.failed
            outcomes[rule] += 1
            self._waiting.popleft()

    async def _send(self, body: bytes) -> bool:
        """Return whether the webhook took a message, at last."""
        for pause_seconds in (*PAUSES_SECONDS, None):
            try:
                await self._webhook.post(body)
            except NotTaken as fault:
                self._note_fault(str(fault))
                if not fault.passes or pause_seconds is None:
                    return False
                await self._clock.sleep(pause_seconds)
            else:
                self._note_success()
                return True
        return False

    def _note_fault(self, reason: str) -> None:
        if not self._fails:
            self._fails = True
            _log.warning("alert webhook fails", reason=reason)

    def _note_success(self) -> None:
        if self._fails:
            self._fails = False
            _log.info("alert webhook works again")
