"""The server that is tested."""

import ssl
from urllib.parse import urlsplit

import aiohttp

from eventscache.access.loopback import is_loopback
from eventscache.errors import ConfigError, EventsCacheError
from eventscache.loadtest.ledger import LedgerCounts

_SCRAPE_TIMEOUT_SECONDS = 10
_OK = 200


class TargetError(EventsCacheError):
    """The server cannot be reached, is no eventscache, or rejects all requests; the message is one line."""


class Target:
    """The server's address, on this machine unless `remote` is true. Raises `ConfigError`."""

    def __init__(self, url: str, *, remote: bool = False) -> None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host or parts.scheme not in {"http", "https"} or parts.query or parts.fragment:
            raise ConfigError("URL: it is http://HOST:PORT or https://HOST:PORT, and maybe a path before the routes")
        if parts.username is not None:
            raise ConfigError("URL: no user and no password in it; a token goes into EVENTSCACHE_TOKEN")
        if not url.isascii() or any(character.isspace() for character in url):
            raise ConfigError("URL: it holds characters that no URL can hold")
        if not remote and not is_loopback(host):
            raise ConfigError(f"URL: {host} is not this machine; --remote allows to load other people's servers")
        self.host = host
        self.ssl = ssl.create_default_context() if parts.scheme == "https" else None
        self.port = port or (443 if self.ssl else 80)
        self.host_header = parts.netloc
        self.path = parts.path.rstrip("/")
        self.url = f"{parts.scheme}://{parts.netloc}{self.path}"

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
