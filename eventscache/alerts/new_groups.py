"""The rule that tells of new groups of errors."""

from collections.abc import Iterable
from typing import Final

from eventscache.alerts.kept_state import KeptState
from eventscache.alerts.known_groups import KnownGroups
from eventscache.alerts.look import Look
from eventscache.alerts.rules import PLACES, Alert, Rule, time_of
from eventscache.clock import MICROSECONDS
from eventscache.extras.error_groups import GROUP
from eventscache.storage.base import Storage
from eventscache.storage.messages import ExtraInfo, StreamInfo
from eventscache.stream import Stream

STREAMS_PER_LOOK: Final = 100
"""Of so many streams the groups are read in one look; the others have their turns later."""
_FRESH_US = 3600 * MICROSECONDS
_BEGAN = b"groups_since"


class NewGroups:
    """Reads the groups of the streams that were active, and tells of those that were never seen.

    What was there before the very first look is remembered and not told, nor is a group whose first error is older
    than an hour: it was there while nobody looked, such as while this rule was off or its streams were others.
    """

    def __init__(self, storage: Storage, state: KeptState) -> None:
        self._storage = storage
        self._state = state
        self._known = KnownGroups(state)
        self._due: dict[Stream, None] = {}
        self._began = False

    async def look(self, look: Look) -> list[Alert]:
        """Return an alert for each new group. Raises `StorageError`."""
        self._note_due(look)
        if not self._state[_BEGAN]:
            self._state[_BEGAN] = b"%d" % look.now_us
        alerts = []
        for stream in [*self._due][:STREAMS_PER_LOOK]:
            alerts += await self._new_of(stream, look.now_us)
            del self._due[stream]
        return alerts

    def _note_due(self, look: Look) -> None:
        """Note whose groups are to be read: those that were active; and all at the start, as not all is kept."""
        self._due.update(_with_errors(look.changed))
        if not self._began:
            self._due.update(_with_errors(look.infos.values()))
            self._began = True

    async def _new_of(self, stream: Stream, now_us: int) -> list[Alert]:
        oldest_us = max(self._state.number(_BEGAN), now_us - _FRESH_US)
        return [
            _alert(stream, group)
            for group in await self._storage.extras(stream, GROUP)
            if not self._known.see(stream, group.name, group.last_us) and group.first_us > oldest_us
        ]


def _with_errors(infos: Iterable[StreamInfo]) -> dict[Stream, None]:
    return dict.fromkeys(info.stream for info in infos if info.errors)


def _alert(stream: Stream, group: ExtraInfo) -> Alert:
    errors = "1 error" if group.offered == 1 else f"{group.offered:,} errors"
    return Alert(
        Rule.NEW_ERROR_GROUP,
        f"{Rule.NEW_ERROR_GROUP}:{stream.namespace}:{stream.id}:{group.name}".encode(errors="surrogatepass"),
        f"New kind of error at {PLACES[stream.namespace]}",
        stream,
        (f"{errors} so far, the first at {time_of(group.first_us)}",),
        extra=group.name,
    )
