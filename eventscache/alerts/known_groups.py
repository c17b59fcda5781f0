"""The groups of errors that were seen before."""

import hashlib
from collections import OrderedDict
from typing import Final

from eventscache.alerts.kept_state import KeptState, number_of
from eventscache.clock import MICROSECONDS
from eventscache.stream import Stream

MOST_GROUPS: Final = 10_000
"""So many are remembered; then the least recently seen ones leave."""
_PREFIX: Final = b"group:"
_SEEN_AGAIN_SECONDS = 3600  # not each sight is worth a write


class KnownGroups:
    """Remembers groups by a digest of stream and name, with the second when each was seen last."""

    def __init__(self, state: KeptState) -> None:
        self._state = state
        seen = sorted((number_of(value), key) for key, value in state.under(_PREFIX))
        self._seen_s = OrderedDict((key, second) for second, key in seen)

    def see(self, stream: Stream, name: str, last_us: int) -> bool:
        """Remember a group whose last error was at that time; return whether it was known."""
        key, second = _key(stream, name), last_us // MICROSECONDS
        before = self._seen_s.get(key)
        self._seen_s[key] = second if before is None else max(before, second)
        self._seen_s.move_to_end(key)
        if before is None or second - number_of(self._state[_PREFIX + key]) >= _SEEN_AGAIN_SECONDS:
            self._state[_PREFIX + key] = b"%d" % second
        while len(self._seen_s) > MOST_GROUPS:
            left, _ = self._seen_s.popitem(last=False)
            self._state[_PREFIX + left] = b""
        return before is not None


def _key(stream: Stream, name: str) -> bytes:
    text = "\0".join((stream.namespace, stream.id, name))
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()[:12]
