"""Back-off: who offers wrong credentials again and again is told to wait."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import structlog

_log = structlog.get_logger()

_FREE_FAILURES: Final = 10
_WITHIN_SECONDS: Final = 60.0
_LONGEST_WAIT_SECONDS: Final = 60
_NETWORK_OF_ONE: Final = 64  # bits of an IPv6 address; the rest whoever has it may choose
_MOST_PEERS: Final = 4096


class _Peer:
    """When somebody failed lately, and how long that one was told to wait the last time."""

    __slots__ = ("failures", "wait_seconds")

    def __init__(self) -> None:
        self.failures: list[float] = []
        self.wait_seconds = 0

    def quiet(self, now: float) -> bool:
        return now - self.failures[-1] >= _WITHIN_SECONDS

    def fail(self, now: float) -> int:
        if self.wait_seconds:
            self.wait_seconds = min(2 * self.wait_seconds, _LONGEST_WAIT_SECONDS)
        elif len(self.failures) == _FREE_FAILURES and now - self.failures[0] < _WITHIN_SECONDS:
            self.wait_seconds = 1
        self.failures = [*self.failures[1 - _FREE_FAILURES :], now]
        return self.wait_seconds


class AuthThrottle:
    """Counts the failures of each peer, by its address or IPv6 network.

    Ten within a minute are free; from then on each one is to be followed by a wait, twice as long as the one before
    and at most a minute. Whoever gives none for a minute begins anew. Nothing is known of who never failed, and the
    peer that has not failed for longest is forgotten for a new one when there are `most_peers`.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic, most_peers: int = _MOST_PEERS) -> None:
        self._now = now
        self._most_peers = most_peers
        self._peers: OrderedDict[str, _Peer] = OrderedDict()

    def __len__(self) -> int:
        """Return how many peers are remembered."""
        return len(self._peers)

    def fail(self, address: str | None) -> int:
        """Count a failure of a peer, and return how many seconds it should wait; 0 if it need not."""
        now, name = self._now(), network_of(address or "")
        peer = self._peers.pop(name, None)
        if peer is None or peer.quiet(now):
            peer = _Peer()
        if len(self._peers) >= self._most_peers:
            self._peers.popitem(last=False)
        self._peers[name] = peer
        waited = peer.wait_seconds
        wait = peer.fail(now)
        if wait and not waited:
            _log.warning("wrong credentials again and again", peer=name)
        return wait


def network_of(address: str) -> str:
    """Return what stands for one peer: an IPv4 address, the network of an IPv6 address, or any other text itself."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped:  # as a socket for both tells it
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(ip), _NETWORK_OF_ONE), strict=False))
