"""Who may: admin tokens, ingest tokens, and the open first minute on a loopback address."""

import re
from typing import Final

from aiohttp import web

from eventscache.access.auth_throttle import AuthThrottle
from eventscache.access.loopback import is_loopback
from eventscache.access.tokens import Tokens
from eventscache.config.settings import Settings
from eventscache.errors import ConfigError
from eventscache.server.http.parameters import parameters
from eventscache.server.http.responses import HttpError

TOO_MANY_FAILURES: Final = "wrong credentials, too often"
_BEARER = "bearer "
_HOST = re.compile(r"(\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\]|[0-9A-Za-z.-]+)(?::[0-9]{0,5})?")
# The names of what proxies add, and of what clients of theirs may have asked for; a name a line.
_FORWARDING = re.compile(
    "^(?:forwarded|x[-_]forwarded|x[-_]real[-_]ip|x[-_]original[-_]|x[-_]host|via)", re.IGNORECASE | re.MULTILINE
)
_OWN_SITES: Final = frozenset({"same-origin", "none"})  # none: the operator typed the address


class Access:
    """Decides by the settings who may read and write; without an admin token only this machine's operator may."""

    def __init__(self, settings: Settings, throttle: AuthThrottle | None = None) -> None:
        self.admins = Tokens(settings.all_admin_tokens, settings.admin_tokens_file)
        self.ingesters = Tokens(settings.ingest_tokens, settings.ingest_tokens_file)
        self._in_query = settings.admin_token_in_query
        self._throttle = throttle or AuthThrottle()
        self.on_loopback = is_loopback(settings.host)
        if not self.admins.configured and not self.on_loopback:
            raise ConfigError(f"eventscache.admin_tokens: needed to listen on {settings.host}, which others can reach")

    def require_admin(self, request: web.BaseRequest) -> None:
        """Return if the request may read and clear; else refuse it."""
        if not self.admins.configured:
            _require_operator(request)
        elif not self._is_admin(request):
            raise self.unknown(request, "Admin token does not match", {"WWW-Authenticate": "Bearer"})

    def require_writer(self, request: web.BaseRequest) -> None:
        """Return if the request may write records; else refuse it."""
        if not self.admins.configured:
            _require_operator(request)
        elif not self._is_admin(request) and not self.ingesters.match(request.headers.getall("X-Auth-Token", [])):
            raise self.unknown(
                request, "neither an admin token nor an ingest token matches", {"WWW-Authenticate": "Bearer"}
            )

    def unknown(self, request: web.BaseRequest, message: str, headers: dict[str, str] | None = None) -> HttpError:
        """Return the refusal of wrong credentials: a 401, or a 429 for who offers them again and again."""
        wait_seconds = self._throttle.count_failure(request.remote)
        if wait_seconds:
            return HttpError(429, TOO_MANY_FAILURES, {"Retry-After": str(wait_seconds)})
        return HttpError(401, message, headers)

    def _is_admin(self, request: web.BaseRequest) -> bool:
        headers = request.headers
        bearers = [
            value[len(_BEARER) :].strip()
            for value in headers.getall("Authorization", [])
            if value.lower().startswith(_BEARER)
        ]
        in_query = parameters(request).all("token") if self._in_query else []
        return any(self.admins.match(tokens) for tokens in (headers.getall("X-Admin-Token", []), bearers, in_query))


def _require_operator(request: web.BaseRequest) -> None:
    """Refuse what comes through a proxy or from a web page on this machine: neither is its operator."""
    headers = request.headers
    hosts = headers.getall("Host", [])
    named = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if not named or not is_loopback(named[1]):
        raise HttpError(403, "without an admin token, the Host must be a loopback name")
    if _FORWARDING.search("\n".join(headers)):
        raise HttpError(403, "without an admin token, no forwarded request is served")
    own = f"http://{hosts[0]}".lower()
    sites = headers.getall("Sec-Fetch-Site", [])  # tells of a page's plain GET, which has no Origin
    if any(origin.lower() != own for origin in headers.getall("Origin", [])) or not _OWN_SITES.issuperset(sites):
        raise HttpError(403, "without an admin token, no page of another origin is served")
