"""Sends traffic over some connections, as it is due."""

import asyncio
import contextlib
from collections import deque
from time import perf_counter
from typing import Any

import msgspec

from eventscache.loadtest.answer import Answer
from eventscache.loadtest.connection import Connection, Sent
from eventscache.loadtest.plan import Plan
from eventscache.loadtest.schedule import Schedule
from eventscache.loadtest.tally import Tally
from eventscache.loadtest.target import Target, TargetError
from eventscache.loadtest.traffic import Traffic

# Timers of event loops go by milliseconds. What is sent that little late on a connection that was free is measured
# from when it was sent; everything else from when it was due, so that no stall is hidden.
_TIMER_GRAIN_SECONDS = 0.0015
_SWEEP_SECONDS = 0.1
_RECONNECT_SECONDS = 0.1
_EXCERPT = 200


class Load:
    """One run of a plan against a target; `tally` may be looked at meanwhile."""

    def __init__(self, plan: Plan, target: Target, traffic: Traffic) -> None:
        self.tally = Tally()
        self.seconds = 0.0
        self.note = ""
        self._plan = plan
        self._target = target
        self._traffic = traffic
        self._schedule = Schedule(plan.rate, plan.requests, plan.seconds)
        self._free: deque[Connection] = deque()
        self._busy: set[Connection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._refusal = ""
        self._alive_at = 0.0
        self._opening = 0
        self._began = 0.0
        self._done = asyncio.Event()

    async def run(self) -> None:
        """Return when everything that was due is answered, or given up. Raises `TargetError` if it is refused."""
        self._opening = min(self._plan.connections, self._plan.requests or self._plan.connections)
        tasks = [asyncio.create_task(self._keep_connected()) for _ in range(self._opening)]
        tasks.append(asyncio.create_task(self._sweep()))
        self._began = self._alive_at = perf_counter()
        try:
            await self._done.wait()
        finally:
            self.seconds = perf_counter() - self._began
            if self._timer:
                self._timer.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._refusal:
            raise TargetError(self._refusal)

    def stop(self) -> None:
        """Send nothing more; what is under way may be answered still."""
        now = perf_counter()
        for due in self._schedule.stop(now):
            self.tally.hold_back(now - due)
        self._finish_if_done(now)

    def answered(self, connection: Connection, sent: Sent, answer: Answer) -> None:
        """Take an answer, and send what is due."""
        now = self._alive_at = perf_counter()
        self._busy.discard(connection)
        self.tally.answer(sent.request, answer, now - sent.due)
        refused = 300 <= answer.status < 500 and answer.status not in {400, 413, 429}  # noqa: PLR2004
        if (refused or answer.too_many_failures) and not self.tally.accepted:
            self._refuse(answer)
        all_busy = not self._free
        if answer.keeps:
            self._free.append(connection)
        self._send_due(held_back=all_busy)

    def unanswered(self, connection: Connection, sent: Sent, reason: str) -> None:
        """Take that there will be no answer."""
        now = perf_counter()
        self._busy.discard(connection)
        self.tally.lose(sent.request, reason, now - sent.due)
        self._finish_if_done(now)

    def _refuse(self, answer: Answer) -> None:
        """End: what is refused from the start is no load."""
        self._refusal = f"{self._target.url} refuses with status {answer.status}: {_message(answer.body)}"
        self._done.set()

    def _send_due(self, *, held_back: bool) -> None:
        """Send what is due while connections are free; `held_back` by having had none."""
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
            if not held_back and now - due <= _TIMER_GRAIN_SECONDS:
                due = now
            request = self._traffic.next()
            self.tally.send(request)
            self._busy.add(connection)
            connection.send(Sent(request, due, now))
        self._finish_if_done(now)

    def _wait_for_next(self, now: float) -> None:
        due = self._schedule.next(now)
        if due is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, due - now), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._send_due(held_back=False)

    def _finish_if_done(self, now: float) -> None:
        if self._schedule.next(now) is None and not self._busy:
            self._done.set()

    async def _keep_connected(self) -> None:
        """Hold one connection open, and open another one whenever it ends."""
        target, loop = self._target, asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout(self._plan.timeout_seconds):
                    _, connection = await loop.create_connection(
                        lambda: Connection(self), target.host, target.port, ssl=target.ssl
                    )
            except OSError:  # a timeout too
                self.tally.unconnected += 1
                self._count_opening()
                await asyncio.sleep(_RECONNECT_SECONDS)
                continue
            self._alive_at = perf_counter()
            self._free.append(connection)
            try:
                self._count_opening()
                if self._opening <= 0:
                    self._send_due(held_back=len(self._free) == 1)
                await connection.closed
            finally:
                connection.give_up("ended early")
                with contextlib.suppress(ValueError):
                    self._free.remove(connection)

    def _count_opening(self) -> None:
        """Begin after as many tries as there are to be connections: to open them is no part of the load."""
        self._opening -= 1
        if self._opening == 0:
            self._began = perf_counter()
            self._schedule.start(self._began)
            self._send_due(held_back=False)

    async def _sweep(self) -> None:
        """Give up what takes too long, and end when there is nothing to wait for."""
        patience = self._plan.timeout_seconds
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = perf_counter()
            for connection in [*self._busy]:
                if connection.sent and now - connection.sent.at > patience:
                    connection.give_up("timeout")
            if now > self._schedule.end + patience:
                self.stop()
            if not self._busy and not self._free and now - self._alive_at > patience:
                self.note = f"gave up: no connection for {patience:g} s"
                self.stop()
            self._finish_if_done(now)


def _message(body: bytes) -> str:
    """Return what an error says, as one line."""
    try:
        text = msgspec.json.decode(body, type=dict[str, Any])["message"]
    except (msgspec.DecodeError, KeyError):
        text = body.decode(errors="replace")
    return ascii(str(text)[:_EXCERPT])[1:-1]
