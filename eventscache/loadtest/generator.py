"""Sends the requests of a load test over its connections, when they are due."""

import asyncio
import contextlib
from collections import deque
from time import perf_counter
from typing import Any

import msgspec

from eventscache.loadtest.connection import ClientConnection, SentRequest
from eventscache.loadtest.plan import LoadPlan
from eventscache.loadtest.request_counts import RequestCounts
from eventscache.loadtest.requests import RequestSource
from eventscache.loadtest.response import Response
from eventscache.loadtest.schedule import Schedule
from eventscache.loadtest.target import Target, TargetError

# Timers of event loops are exact to a millisecond. The latency of a request that is sent so little late on a free
# connection counts from when it was sent; that of all others from when it was due, so that no stall is hidden.
_TIMER_PRECISION_SECONDS = 0.0015
_CHECK_SECONDS = 0.1
_RECONNECT_SECONDS = 0.1
_MAX_MESSAGE = 200


class LoadGenerator:
    """Runs a plan once against a target. `counts` can be read meanwhile; `seconds` and `note` are known at the end."""

    def __init__(self, plan: LoadPlan, target: Target, maker: RequestSource) -> None:
        self.counts = RequestCounts()
        self.seconds = 0.0
        self.note = ""
        self._plan = plan
        self._target = target
        self._maker = maker
        self._schedule = Schedule(plan.rate, plan.requests, plan.seconds)
        self._free: deque[ClientConnection] = deque()
        self._busy: set[ClientConnection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._rejection = ""
        self._last_response_at = 0.0
        self._opening = 0
        self._began = 0.0
        self._done = asyncio.Event()

    async def run(self) -> None:
        """Return when each request that was due got a response or failed. Raises `TargetError` if all are rejected."""
        self._opening = min(self._plan.connections, self._plan.requests or self._plan.connections)
        tasks = [asyncio.create_task(self._keep_connected()) for _ in range(self._opening)]
        tasks.append(asyncio.create_task(self._check_timeouts()))
        self._began = self._last_response_at = perf_counter()
        try:
            await self._done.wait()
        finally:
            self.seconds = perf_counter() - self._began
            if self._timer:
                self._timer.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._rejection:
            raise TargetError(self._rejection)

    def stop(self) -> None:
        """Send nothing more, and wait for the responses that are still to come."""
        now = perf_counter()
        for due in self._schedule.stop(now):
            self.counts.count_unsent(now - due)
        self._finish_if_done(now)

    def on_response(self, connection: ClientConnection, sent: SentRequest, response: Response) -> None:
        """Count a response, and send what is due."""
        now = self._last_response_at = perf_counter()
        self._busy.discard(connection)
        self.counts.count_response(sent.request, response, now - sent.due)
        rejected = 300 <= response.status < 500 and response.status not in {400, 413, 429}  # noqa: PLR2004
        if (rejected or response.too_many_failures) and not self.counts.accepted:
            self._stop_rejected(response)
        all_busy = not self._free
        if response.keeps_alive:
            self._free.append(connection)
        self._send_due(delayed=all_busy)

    def on_failure(self, connection: ClientConnection, sent: SentRequest, reason: str) -> None:
        """Count a request without a response."""
        now = perf_counter()
        self._busy.discard(connection)
        self.counts.count_failure(sent.request, reason, now - sent.due)
        self._finish_if_done(now)

    def _stop_rejected(self, response: Response) -> None:
        """End the test: a server that rejects everything is not loaded."""
        self._rejection = (
            f"{self._target.url} rejects requests with status {response.status}: {_message(response.body)}"
        )
        self._done.set()

    def _send_due(self, *, delayed: bool) -> None:
        """Send what is due while connections are free; `delayed` if there was no free one before."""
        now = perf_counter()
        while self._free:
            connection = self._free.popleft()
            if not connection.usable:
                continue
            due = self._schedule.take(now)
            if due is None:
                self._free.appendleft(connection)
                self._wait_for_next(now)
                break
            if not delayed and now - due <= _TIMER_PRECISION_SECONDS:
                due = now
            request = self._maker.next()
            self.counts.count_sent(request)
            self._busy.add(connection)
            connection.send(SentRequest(request, due, now))
        self._finish_if_done(now)

    def _wait_for_next(self, now: float) -> None:
        due = self._schedule.next(now)
        if due is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, due - now), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._send_due(delayed=False)

    def _finish_if_done(self, now: float) -> None:
        if self._schedule.next(now) is None and not self._busy:
            self._done.set()

    async def _keep_connected(self) -> None:
        """Keep one connection open, and open another one whenever it ends."""
        target, loop = self._target, asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout(self._plan.timeout_seconds):
                    _, connection = await loop.create_connection(
                        lambda: ClientConnection(self), target.host, target.port, ssl=target.ssl
                    )
            except OSError:  # a timeout too
                self.counts.unconnected += 1
                self._count_opening()
                await asyncio.sleep(_RECONNECT_SECONDS)
                continue
            self._last_response_at = perf_counter()
            self._free.append(connection)
            try:
                self._count_opening()
                if self._opening <= 0:
                    self._send_due(delayed=len(self._free) == 1)
                await connection.closed
            finally:
                connection.abort("ended early")
                with contextlib.suppress(ValueError):
                    self._free.remove(connection)

    def _count_opening(self) -> None:
        """Start the schedule after one try for each connection: opening them is no part of the load."""
        self._opening -= 1
        if self._opening == 0:
            self._began = perf_counter()
            self._schedule.start(self._began)
            self._send_due(delayed=False)

    async def _check_timeouts(self) -> None:
        """Abort requests that take too long, and end when there is nothing to wait for."""
        timeout = self._plan.timeout_seconds
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            now = perf_counter()
            for connection in [*self._busy]:
                if connection.sent and now - connection.sent.sent_at > timeout:
                    connection.abort("timeout")
            if now > self._schedule.end + timeout:
                self.stop()
            if not self._busy and not self._free and now - self._last_response_at > timeout:
                self.note = f"gave up: no connection for {timeout:g} s"
                self.stop()
            self._finish_if_done(now)


def _message(body: bytes) -> str:
    """Return the message of an error response, as one line."""
    try:
        text = msgspec.json.decode(body, type=dict[str, Any])["message"]
    except (msgspec.DecodeError, KeyError):
        text = body.decode(errors="replace")
    return ascii(str(text)[:_MAX_MESSAGE])[1:-1]
