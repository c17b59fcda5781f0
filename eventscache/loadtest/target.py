"""The server that is tested."""

import ssl

import aiohttp

from eventscache.access.loopback import is_loopback
from eventscache.address import Address
from eventscache.errors import ConfigError, EventsCacheError
from eventscache.loadtest.ledger import LedgerCounts

_SCRAPE_TIMEOUT_SECONDS = 10
_OK = 200


class TargetError(EventsCacheError):
    """The server cannot be reached, is no eventscache, or rejects all requests; the message is one line."""


class Target:
    """The server's address, on this machine unless `remote` is true. Raises `ConfigError`."""

    def __init__(self, url: str, *, remote: bool = False) -> None:
        address = Address.parse(url)
        if not remote and not is_loopback(address.host):
            raise ConfigError(
                f"URL: {address.host} is not this machine; --remote allows to load other people's servers"
            )
        self.host = address.host
        self.ssl = ssl.create_default_context() if address.scheme == "https" else None
        self.port = address.port
        self.host_header = address.netloc
        self.path = address.path
        self.url = address.url

    async def counts(self, session: aiohttp.ClientSession) -> LedgerCounts:
        """Return the counts in its metrics now. Raises `TargetError`."""
        url = f"{self.url}/metrics"
        try:
            timeout = aiohttp.ClientTimeout(_SCRAPE_TIMEOUT_SECONDS)
            async with session.get(url, allow_redirects=False, timeout=timeout) as response:
                status, text = response.status, await response.text(errors="replace")
        except aiohttp.ClientConnectorError as fault:
            raise TargetError(
                f"{self.url} cannot be reached: {getattr(fault, 'strerror', None) or type(fault).__name__}"
            ) from None
        except (aiohttp.ClientError, OSError) as fault:  # a timeout too
            raise TargetError(f"{url} cannot be read: {type(fault).__name__}") from None
        counts = LedgerCounts.parse(text) if status == _OK else None
        if counts is None:
            raise TargetError(f"{self.url} is not an eventscache: no metrics of one at /metrics (status {status})")
        return counts
