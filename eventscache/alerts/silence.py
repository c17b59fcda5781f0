"""The rule that tells of streams that fell silent."""

from collections.abc import Container
from typing import Final

from eventscache.alerts.kept_state import KeptState
from eventscache.alerts.look import LOOKED, Look
from eventscache.alerts.rules import PLACES, Alert, Rule, stream_key, time_of
from eventscache.clock import MICROSECONDS
from eventscache.stream import Namespace, Stream

MOST_STREAMS: Final = 10_000
"""So many streams are waited for; of more, those that were seen first are no longer."""
_PREFIX: Final = b"awaited:"
_LOOKED: Final = b"awaited_us"
_MINUTE_US = 60 * MICROSECONDS


class Silence:
    """Waits for each stream that had events while it was watched, and tells when it has had none for some minutes.

    Then it is not waited for until it has events again. What is kept says only who is waited for.
    """

    def __init__(self, state: KeptState, minutes: int, streams: Container[Stream]) -> None:
        self._state = state
        self._minutes = minutes
        self._active_us: dict[Stream, int | None] = {}  # None until it is seen
        # Without this rule in the last look, what is kept is from some time before.
        goes_on = state[_LOOKED] == state[LOOKED]
        for name, _ in state.under(_PREFIX):
            stream = _stream_of(name)
            if goes_on and stream and stream in streams:
                self._active_us[stream] = None
            else:
                state[_PREFIX + name] = b""

    async def look(self, look: Look) -> list[Alert]:
        """Return an alert for each stream that fell silent."""
        self._state[_LOOKED] = b"%d" % look.now_us
        for info in look.changed:
            self._await(info.stream, info.last_active_us)
        alerts = []
        for stream, active_us in [*self._active_us.items()]:
            last_us = self._last_active_us(stream, active_us, look)
            if last_us is None:
                self._forget(stream)
            elif look.now_us - max(last_us, look.since_us) >= self._minutes * _MINUTE_US:
                self._forget(stream)
                alerts.append(_alert(stream, self._minutes, last_us))
            else:
                self._active_us[stream] = last_us
        return alerts

    def _last_active_us(self, stream: Stream, active_us: int | None, look: Look) -> int | None:
        """Return a time after which the stream was surely not active; None if the storage does not have it any more.

        No time is ahead: such a one is from before the storage's clock was set back.
        """
        oldest_us = look.oldest_us.get(stream.namespace)
        if info := look.infos.get(stream):
            active_us = info.last_active_us if active_us is None else active_us
        elif oldest_us is not None:
            active_us = max(active_us or 0, oldest_us)
        else:
            return None
        return min(active_us, look.now_us)

    def _await(self, stream: Stream, active_us: int) -> None:
        self._active_us[stream] = active_us
        self._state[_PREFIX + _name_of(stream)] = b"1"
        if len(self._active_us) > MOST_STREAMS:
            self._forget(next(iter(self._active_us)))

    def _forget(self, stream: Stream) -> None:
        del self._active_us[stream]
        self._state[_PREFIX + _name_of(stream)] = b""


def _name_of(stream: Stream) -> bytes:
    return f"{stream.namespace}:{stream.id}".encode(errors="surrogatepass")


def _stream_of(name: bytes) -> Stream | None:
    namespace, _, stream_id = name.decode(errors="replace").partition(":")
    return Stream(Namespace(namespace), stream_id) if namespace in set(Namespace) else None


def _alert(stream: Stream, minutes: int, last_us: int) -> Alert:
    return Alert(
        Rule.SILENT,
        stream_key(Rule.SILENT, stream),
        f"No events at {PLACES[stream.namespace]}",
        stream,
        (f"none for {minutes:,} minute{'' if minutes == 1 else 's'}, the last one at {time_of(last_us)}",),
    )
