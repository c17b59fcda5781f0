"""The address of a running sidecar, as people give it."""

from typing import NamedTuple, Self
from urllib.parse import urlsplit

from eventscache.errors import ConfigError


class Address(NamedTuple):
    """Where a sidecar listens, maybe behind a proxy that serves it below a `path`; the path ends in no slash."""

    scheme: str
    netloc: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Return the address that a URL means. Raises `ConfigError`, which never shows what may be a secret."""
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
        port = port or (443 if parts.scheme == "https" else 80)
        return cls(parts.scheme, parts.netloc, host, port, parts.path.rstrip("/"))

    @property
    def url(self) -> str:
        """The URL, to which the path of a route can be added."""
        return f"{self.scheme}://{self.netloc}{self.path}"
