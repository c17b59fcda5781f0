"""Who may: admin tokens, ingest tokens, and the open first minute on a loopback address."""

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from aiohttp import web

from eventscache.config import Settings
from eventscache.errors import ConfigError
from eventscache.server.answers import Refused
from eventscache.server.query import parameters

_BEARER = "bearer "


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _digest(token: str) -> bytes:
    # A header may hold bytes that are no text; they come as surrogates.
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


class Access:
    """Decides by the settings who may read and write; without an admin token only this machine's operator may."""

    def __init__(self, settings: Settings) -> None:
        self._admins = [_digest(token) for token in settings.all_admin_tokens]
        self._ingesters = [_digest(token) for token in settings.ingest_tokens]
        self._in_query = settings.admin_token_in_query
        self.on_loopback = is_loopback(settings.host)
        if not self._admins and not self.on_loopback:
            raise ConfigError(f"eventscache.admin_tokens: needed to listen on {settings.host}, which others can reach")

    def require_admin(self, request: web.BaseRequest) -> None:
        """Return if the request may read and clear; else refuse it."""
        if not self._admins:
            self._require_operator(request)
        elif not self._is_admin(request):
            raise Refused(401, "Admin token does not match", {"WWW-Authenticate": "Bearer"})

    def require_writer(self, request: web.BaseRequest) -> None:
        """Return if the request may write records; else refuse it."""
        if not self._admins:
            self._require_operator(request)
        elif not self._is_admin(request) and not _matches(request.headers.getall("X-Auth-Token", []), self._ingesters):
            raise Refused(401, "neither an admin token nor an ingest token matches", {"WWW-Authenticate": "Bearer"})

    def _is_admin(self, request: web.BaseRequest) -> bool:
        headers = request.headers
        bearers = [
            value[len(_BEARER) :].strip()
            for value in headers.getall("Authorization", [])
            if value.lower().startswith(_BEARER)
        ]
        in_query = parameters(request).all("token") if self._in_query else []
        return any(
            _matches(tokens, self._admins) for tokens in (headers.getall("X-Admin-Token", []), bearers, in_query)
        )

    @staticmethod
    def _require_operator(request: web.BaseRequest) -> None:
        """Refuse what comes through a proxy or from a web page on this machine: neither is its operator."""
        headers = request.headers
        try:
            host = urlsplit(f"//{headers.get('Host', '')}").hostname or ""
        except ValueError:
            host = ""
        if not is_loopback(host) or "@" in headers["Host"]:
            raise Refused(403, "without an admin token, the Host must be a loopback name")
        if any(name.lower().startswith(("x-forwarded-", "forwarded", "x-real-ip")) for name in headers):
            raise Refused(403, "without an admin token, no forwarded request is served")
        origin = headers.get("Origin")
        if origin is not None and origin.lower() != f"http://{headers['Host']}".lower():
            raise Refused(403, "without an admin token, no page of another origin is served")


def _matches(given: Iterable[str], known: list[bytes]) -> bool:
    """Compare the one token given with all known ones, in the same time whatever it is."""
    tokens = list(given)
    if len(tokens) != 1:
        return False
    digest = _digest(tokens[0])
    return sum(hmac.compare_digest(digest, other) for other in known) > 0
