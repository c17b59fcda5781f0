"""What every storage is configured with."""

from collections.abc import Callable

import msgspec

from eventscache.clock import MICROSECONDS
from eventscache.storage.messages import WRITER_HORIZON_US, Quota


class StorageOptions(msgspec.Struct, frozen=True):
    """What every storage is configured with.

    `prefix` sets data apart that shares one place. `ttl_seconds` is for `expiry_seconds`. `max_streams` may be known
    per namespace; least recently active is the one inserted into longest ago, in the order of inserts. `now` replaces
    the storage's own clock (Unix time in whole microseconds) in tests. `memory_bytes` is for storages that live in
    this process. For those that do not, `timeout_seconds` bounds one try, `pool_size` is how many inserts come at
    once, and beyond `max_memory_percent` of a shared server's memory nothing is written, for the sake of whoever
    shares it.
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
    """Return how long an idle stream is kept: never so short that a limiter or a writer's answer is lost too early.

    A storage may renew an expiry after an eighth of it has gone, hence the sevenths.
    """
    remembered = -(-2 * quota.window_us // MICROSECONDS) + WRITER_HORIZON_US // MICROSECONDS
    return max(ttl_seconds, -(-8 * remembered // 7))
