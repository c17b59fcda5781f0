"""One process's watch over the storage, for as long as it has the lease."""

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from eventscache.alerts.counts import AlertCounts
from eventscache.alerts.error_share import ErrorShare
from eventscache.alerts.kept_state import KeptState
from eventscache.alerts.look import LOOKED, Look
from eventscache.alerts.new_groups import NewGroups
from eventscache.alerts.rules import Alert, Rules
from eventscache.alerts.sent_alerts import SentAlerts
from eventscache.alerts.silence import Silence
from eventscache.alerts.storage_time import StorageTime
from eventscache.clock import MICROSECONDS, Clock
from eventscache.errors import InvalidEvent
from eventscache.event import Event
from eventscache.storage.base import Storage
from eventscache.storage.messages import Query, StreamInfo
from eventscache.stream import Namespace, Stream

LISTED_STREAMS: Final = 1000
"""So many streams of each namespace are looked at, the most recently active ones."""
_SINCE = b"since_us"


class _Watcher(Protocol):
    async def look(self, look: Look) -> list[Alert]: ...


class Watch:
    """Looks at the storage with all rules, and goes on where the watch of another process ended."""

    def __init__(
        self,
        storage: Storage,
        state: KeptState,
        rules: Rules,
        counts: AlertCounts,
        clock: Clock,
        *,
        interrupted: bool = False,
    ) -> None:
        """`interrupted` says that the storage did not answer before: what came meanwhile is not known."""
        self.state = state
        self._storage = storage
        self._rules = rules
        self._clock = clock
        self._time = StorageTime(state.number(LOOKED), state.number(_SINCE), interrupted=interrupted)
        self._sent = SentAlerts(state, counts)
        self._active_us: dict[Stream, int] | None = None  # by the last look
        self._watchers = self._of_rules()

    def _of_rules(self) -> list[_Watcher]:
        watchers: list[_Watcher] = []
        if self._rules.new_error_group and self._storage.has_extras:
            watchers.append(NewGroups(self._storage, self.state))
        if self._rules.error_share:
            watchers.append(ErrorShare(self._storage, self._rules.error_share, self._rules.error_share_min_events))
        if self._rules.silent_minutes:
            watchers.append(Silence(self.state, self._rules.silent_minutes, self._rules.streams))
        return watchers

    async def look(self) -> list[Alert]:
        """Return what is to be told now, once `state` is saved.

        Raises `StorageError`: then nothing is known, and nothing is to be saved.
        """
        await self._storage.ready()  # one that takes no events would make all streams silent
        look = await self._look()
        found = [alert for watcher in self._watchers for alert in await watcher.look(look)]
        admitted = self._sent.take(found, self._clock.unix_us() // MICROSECONDS)
        self.state[LOOKED], self.state[_SINCE] = b"%d" % look.now_us, b"%d" % look.since_us
        return [await self._with_quote(alert) for alert in admitted]

    async def _look(self) -> Look:
        listed = {namespace: await self._listed(namespace) for namespace in self._rules.namespaces}
        every = [info for infos in listed.values() for info in infos]
        changed = self._changed(every)
        # What was not active since the last look may have its time from before the storage's clock was set back.
        newest = every if self._active_us is None else changed
        newest_us = max((info.last_active_us for info in newest), default=None)
        self._time.look(newest_us, int(self._clock.now() * MICROSECONDS))
        self._active_us = {info.stream: info.last_active_us for info in every}
        chosen = self._rules.streams
        oldest_us = {
            namespace: min(info.last_active_us for info in infos)
            for namespace, infos in listed.items()
            if len(infos) >= LISTED_STREAMS
        }
        return Look(
            self._time.now_us,
            self._time.since_us,
            {info.stream: info for info in every if info.stream in chosen},
            [info for info in changed if info.stream in chosen],
            oldest_us,
        )

    async def _listed(self, namespace: Namespace) -> Sequence[StreamInfo]:
        return await self._storage.streams(namespace, LISTED_STREAMS)

    def _changed(self, infos: Iterable[StreamInfo]) -> list[StreamInfo]:
        """Return the streams that were active since the last look, by whichever process; none at the very first."""
        looked_us, before = self._time.now_us, self._active_us or {}
        return [
            info
            for info in infos
            if looked_us and info.last_active_us != before.get(info.stream, min(info.last_active_us, looked_us))
        ]

    async def _with_quote(self, alert: Alert) -> Alert:
        """Return an alert with its newest example's error, if there is one."""
        if not alert.extra or not alert.stream:
            return alert
        page = await self._storage.fetch(alert.stream, Query(limit=1, extra=alert.extra))
        return alert._replace(quote=_error_of(page.entries[0].event)) if page.entries else alert


def _error_of(packed: bytes) -> str:
    try:
        event = Event.unpack(packed)
    except InvalidEvent:
        return ""
    return event.error or event.malformed
