"""A document at an http(s) address: fetched within bounds of time and size, and from no other host."""

from http import HTTPStatus

import aiohttp
from yarl import URL

from eventscache.errors import ConfigError

MAX_BYTES = 8 * 1024 * 1024
"""Of a list of keys or tokens, from wherever it comes."""
_TIMEOUT_SECONDS = 5
_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Download:
    """What is at `address`, asked for with `If-Modified-Since`."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._last_modified = ""
        self._offered = ""  # the `Last-Modified` of the document that was fetched last

    async def fetch(self) -> bytes | None:
        """Return the document, or None if it did not change since `keep` was called.

        Raises `OSError`, `aiohttp.ClientError` or `TimeoutError` without an answer, and `ConfigError` for an answer
        that cannot be used; its text does not hold the address, in which there can be a token.
        """
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS),
            auto_decompress=False,  # a few bytes can hold gigabytes
            headers={"Accept-Encoding": "identity"},
        ) as session:
            address = URL(self._address)
            for _ in range(_MAX_REDIRECTS + 1):
                headers = {"If-Modified-Since": self._last_modified} if self._last_modified else {}
                async with session.get(address, headers=headers, allow_redirects=False) as response:
                    if response.status not in _REDIRECTS:
                        return await self._read(response)
                    address = _redirected(address, response.headers.get("Location", ""))
        raise ConfigError(f"it redirects more than {_MAX_REDIRECTS} times")

    def keep(self) -> None:
        """Take what was fetched last for the current version: from now on only a newer one is asked for."""
        self._last_modified = self._offered

    async def _read(self, response: aiohttp.ClientResponse) -> bytes | None:
        if response.status == HTTPStatus.NOT_MODIFIED and self._last_modified:
            return None
        if response.status != HTTPStatus.OK:
            raise ConfigError(f"the address answers with status {response.status} instead of 200")
        content = bytearray()
        async for chunk in response.content.iter_any():
            content += chunk
            if len(content) > MAX_BYTES:
                raise ConfigError(f"the answer has more than {MAX_BYTES} bytes")
        self._offered = response.headers.get("Last-Modified", "")
        return bytes(content)


def _redirected(address: URL, location: str) -> URL:
    """Return where a redirect leads. Raises `ConfigError` if that is another host or port, or no longer TLS."""
    try:
        target = address.join(URL(location))
    except ValueError:
        raise ConfigError("it redirects to something that is no address") from None
    to_tls = (address.scheme, target.scheme) == ("http", "https")
    if target.host != address.host or not (to_tls or target.origin() == address.origin()):
        raise ConfigError("it redirects to another host, which is not asked: configure the address of that host")
    return target
