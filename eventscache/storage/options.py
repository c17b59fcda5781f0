"""The options that every storage gets."""

from collections.abc import Callable

import msgspec

from eventscache.clock import MICROSECONDS
from eventscache.storage.messages import WRITER_HORIZON_US, Quota


class StorageOptions(msgspec.Struct, frozen=True):
    """The options that every storage gets.

    - `prefix` separates data that shares one place.
    - `ttl_seconds` is for `expiry_seconds`.
    - `max_streams` may be known per namespace. The stream to evict is the one whose last insert is the longest ago, in
      the order of the inserts.
    - `memory_bytes` bounds storages that keep their data in this process.
    - `timeout_seconds` bounds one try of a call to another process, and `pool_size` is how many inserts run at once.
    - `max_memory_percent`: nothing is written to a shared server that uses more of its memory, to protect its other
      users.
    - `now` replaces the storage's own clock (Unix time in whole microseconds) in tests.
    """

    prefix: str = "eventscache"
    ttl_seconds: int = 604_800
    max_streams: int = 10_000
    memory_bytes: int = 256 * 1024 * 1024
    timeout_seconds: float = 0.25
    pool_size: int = 10
    max_memory_percent: int = 90
    now: Callable[[], int] | None = None


def expiry_seconds(ttl_seconds: int, quota: Quota) -> int:
    """Return how long an idle stream is kept: at least as long as its limiters and its last answers are needed.

    A storage may renew an expiry only after an eighth of it has passed, so seven eighths must be long enough.
    """
    needed = -(-2 * quota.window_us // MICROSECONDS) + WRITER_HORIZON_US // MICROSECONDS
    return max(ttl_seconds, -(-8 * needed // 7))
