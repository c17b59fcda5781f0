"""The two copies of an error: one in the list of all entries, one in that of errors; either may be missing."""

from collections import OrderedDict
from typing import NamedTuple

from eventscache.sources.jitsu_redis.entry import Entry
from eventscache.stream import Stream

WAIT_SECONDS = 1.0
"""How long the copy in the list of errors waits for the other one."""
_REMEMBER_SECONDS = 60.0
_MOST_REMEMBERED = 100_000
_MOST_APART_US = 1_000_000

_Key = tuple[Stream, bytes]


class _Waiting(NamedTuple):
    until: float
    entry: Entry


class _Unpaired(NamedTuple):
    until: float
    at_us: int


class ErrorCopies:
    """Pairs the copies, so that an error is brought once.

    Jitsu puts them into the lists one right after the other, each with a time of its own, and limits each list by
    itself. The same error again, as of a webhook that is tried again, has another time. Times are monotonic seconds.
    """

    def __init__(self) -> None:
        self._unpaired: OrderedDict[_Key, list[_Unpaired]] = OrderedDict()
        """Copies of the list of all entries whose other copy has not been seen: until when each is remembered."""
        self._waiting: OrderedDict[_Key, list[_Waiting]] = OrderedDict()

    def note(self, entry: Entry, now: float) -> None:
        """Note an error that was in the list of all entries: its copy is not brought."""
        key = (entry.stream, entry.content)
        waiting = self._waiting.get(key, [])
        for index, one in enumerate(waiting):
            if are_copies(one.entry.at_us, entry.at_us):
                del waiting[index]
                if not waiting:
                    del self._waiting[key]
                return
        self._unpaired.setdefault(key, []).append(_Unpaired(now + _REMEMBER_SECONDS, entry.at_us))
        self._unpaired.move_to_end(key)
        if len(self._unpaired) > _MOST_REMEMBERED:
            self._unpaired.popitem(last=False)

    def offer(self, entry: Entry, now: float) -> None:
        """Take an entry of a list of errors: it waits, unless its copy has been seen."""
        key = (entry.stream, entry.content)
        copies = self._unpaired.get(key, [])
        for index, copy in enumerate(copies):
            if are_copies(copy.at_us, entry.at_us):
                del copies[index]
                if not copies:
                    del self._unpaired[key]
                return
        self._waiting.setdefault(key, []).append(_Waiting(now + WAIT_SECONDS, entry))

    def due(self, now: float) -> list[Entry]:
        """Return the entries that have waited long enough: they are in the list of errors only."""
        due: list[_Waiting] = []
        for key in [*self._waiting]:
            waiting = self._waiting[key]
            due += (one for one in waiting if one.until <= now)
            left = [one for one in waiting if one.until > now]
            if left:
                self._waiting[key] = left
            else:
                del self._waiting[key]
        for key in [*self._unpaired]:
            copies = [copy for copy in self._unpaired[key] if copy.until > now]
            if copies:
                self._unpaired[key] = copies
                break  # the later ones were noted later
            del self._unpaired[key]
        return [one.entry for one in sorted(due, key=lambda one: (one.until, one.entry.at_us))]

    @property
    def streams_that_wait(self) -> set[Stream]:
        """The streams of all entries that wait."""
        return {stream for stream, _ in self._waiting}


def are_copies(one_us: int, other_us: int) -> bool:
    """Whether two entries with equal content, of these times, are copies of one error."""
    return abs(one_us - other_us) <= _MOST_APART_US
