"""What one look at the storage sees."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from eventscache.storage.messages import StreamInfo
from eventscache.stream import Namespace, Stream

LOOKED: Final = b"looked_us"
"""The name under which the time of the last look is kept."""


class Look(NamedTuple):
    """The streams that are listed, the most recently active first, and the `changed` ones: active since the last look.

    `now_us` is the storage's time, watched without a gap from `since_us` on. `oldest_us` is when the last listed stream
    of a namespace was active, where there may be more streams than are listed: those were not active later than that.
    """

    now_us: int
    since_us: int
    infos: Mapping[Stream, StreamInfo]
    changed: Sequence[StreamInfo]
    oldest_us: Mapping[Namespace, int]
