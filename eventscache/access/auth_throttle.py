"""Makes clients wait that send wrong credentials too often."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import structlog

_log = structlog.get_logger()

_FREE_FAILURES: Final = 10
_WINDOW_SECONDS: Final = 60.0
_LONGEST_WAIT_SECONDS: Final = 60
_IPV6_PREFIX_BITS: Final = 64  # the rest of an IPv6 address is the client's to choose
_MAX_CLIENTS: Final = 4096


class _ClientFailures:
    """The times of a client's last failures, in seconds, and the last wait that it was given."""

    __slots__ = ("times", "wait_seconds")

    def __init__(self) -> None:
        self.times: list[float] = []
        self.wait_seconds = 0

    def expired(self, now: float) -> bool:
        return now - self.times[-1] >= _WINDOW_SECONDS

    def add(self, now: float) -> int:
        if self.wait_seconds:
            self.wait_seconds = min(2 * self.wait_seconds, _LONGEST_WAIT_SECONDS)
        elif len(self.times) == _FREE_FAILURES and now - self.times[0] < _WINDOW_SECONDS:
            self.wait_seconds = 1
        self.times = [*self.times[1 - _FREE_FAILURES :], now]
        return self.wait_seconds


class AuthThrottle:
    """Counts the failed logins of each client, by its IPv4 address or IPv6 network.

    Ten within a minute are free. Each further one makes the client wait: one second, then twice as long each time, at
    most a minute. After a minute without a failure a client starts from zero. A client that never failed takes no
    memory; when there are `max_clients`, a new one replaces the one whose last failure is the oldest.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic, max_clients: int = _MAX_CLIENTS) -> None:
        self._now = now
        self._max_clients = max_clients
        self._clients: OrderedDict[str, _ClientFailures] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of clients that are remembered."""
        return len(self._clients)

    def count_failure(self, address: str | None) -> int:
        """Count a failed login, and return how many seconds the client must wait; 0 if it need not."""
        now, client = self._now(), client_of(address or "")
        failures = self._clients.pop(client, None)
        if failures is None or failures.expired(now):
            failures = _ClientFailures()
        if len(self._clients) >= self._max_clients:
            self._clients.popitem(last=False)
        self._clients[client] = failures
        first_wait = not failures.wait_seconds
        wait_seconds = failures.add(now)
        if wait_seconds and first_wait:
            _log.warning("too many failed logins from this client", client=client)
        return wait_seconds


def client_of(address: str) -> str:
    """Return what identifies a client: its IPv4 address, the /64 of its IPv6 address, or any other address itself."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped:  # an IPv4 client of a dual-stack socket
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(ip), _IPV6_PREFIX_BITS), strict=False))
