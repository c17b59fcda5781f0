"""Authentication: admin, read and ingest tokens, and requests of this machine's operator where none is configured."""

import re
from collections.abc import Container, Sequence
from typing import Final, NamedTuple

from aiohttp import web

from eventscache.access.auth_throttle import AuthThrottle
from eventscache.access.loopback import is_loopback
from eventscache.access.read_tokens import ReadTokens
from eventscache.access.tokens import Tokens
from eventscache.config.settings import Settings
from eventscache.errors import ConfigError
from eventscache.server.http.error_codes import ErrorCode
from eventscache.server.http.parameters import authority_of, parameters
from eventscache.server.http.responses import HttpError
from eventscache.stream import ALL_STREAMS, Stream

_BEARER = "bearer "
_HOST = re.compile(r"(\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\]|[0-9A-Za-z.-]+)(?::[0-9]{0,5})?")
# Names of headers that proxies add, or that their clients may have sent; searched in the names joined by line breaks.
_FORWARDING = re.compile(
    r"""forwarded | forwarding[-_] | (?:[-_]|client)(?:ip|ipv6|addr|address)$
    | ^x[-_](?:original|originating|real|rewrite|remote|proxy|host|http[-_]host|script[-_]name|scheme|url[-_]scheme)
    | ^x[-_](?:envoy|vercel|azure|arr|appengine|amzn|amz[-_]cf|nf|goog|ms[-_]client|akamai|varnish|edge|sucuri|cdn)[-_]
    | ^(?:cf|cdn|cloudfront|fastly|fly|akamai|incap|tailscale|front[-_]end)[-_]
    | via$ | ^via | ^remote[-_]user
    """,
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
_LONGEST_FORWARDING = 64  # no proxy's header has a longer name
_OWN_SITES: Final = frozenset({"same-origin", "none"})  # none: the operator typed the address
_WWW_AUTHENTICATE: Final = {"WWW-Authenticate": "Bearer"}


class Reader(NamedTuple):
    """Who may read, and which streams; `digest` is that of the token, no bytes if none is needed."""

    streams: Container[Stream]
    digest: bytes = b""

    @property
    def is_admin(self) -> bool:
        """Whether it may do everything else too."""
        return self.streams is ALL_STREAMS


_OPERATOR: Final = Reader(ALL_STREAMS)


class Access:
    """Decides who may read, write and clear; without a configured admin token, only this machine's operator may."""

    def __init__(self, settings: Settings, throttle: AuthThrottle | None = None) -> None:
        self.admins = Tokens(settings.all_admin_tokens, settings.admin_tokens_file)
        self.ingesters = Tokens(settings.ingest_tokens, settings.ingest_tokens_file)
        self.readers = ReadTokens((), (self.admins, self.ingesters))
        self._throttle = throttle or AuthThrottle()
        self.on_loopback = is_loopback(settings.host)
        self.use(settings)

    def use(self, settings: Settings) -> None:
        """Use the tokens of the settings from now on. Raises `ConfigError`, and changes nothing then."""
        needs_token = not self.on_loopback and not settings.admin_tokens_file
        if needs_token and not Tokens(settings.all_admin_tokens).configured:
            raise ConfigError(f"eventscache.admin_tokens: needed to listen on {settings.host}, which others can reach")
        read_tokens = settings.checked_read_tokens
        self.admins.list(settings.all_admin_tokens)
        self.ingesters.list(settings.ingest_tokens)
        self.readers.list(read_tokens)
        self._in_query = settings.admin_token_in_query

    def require_reader(self, request: web.BaseRequest) -> Reader:
        """Return who sent a request that may read some streams or all; raise `HttpError` for any other request.

        Which streams these are is for the caller to mind.
        """
        if not self.admins.configured:
            _require_operator(request)
            return _OPERATOR
        reader = self._reader(request)
        if reader is None:
            raise self.failed_login(request, "unknown_token", "Admin token does not match", _WWW_AUTHENTICATE)
        return reader

    def still_reads(self, reader: Reader) -> bool:
        """Tell whether a reader may still read the same streams: its token was neither changed nor taken away."""
        if not reader.digest:
            return True
        if reader.is_admin:
            return self.admins.holds(reader.digest)
        known = self.readers.find(reader.digest)
        return known is not None and known.streams == reader.streams

    def require_still(self, reader: Reader) -> None:
        """Raise `HttpError` if the token of a request that waited was changed or taken away meanwhile."""
        if not self.still_reads(reader):
            raise HttpError(401, "unknown_token", "the token was changed or taken away meanwhile", _WWW_AUTHENTICATE)

    def require_admin(self, request: web.BaseRequest) -> None:
        """Raise `HttpError` unless the request may do everything."""
        if not self.require_reader(request).is_admin:
            raise _admin_token_needed()

    def require_writer(self, request: web.BaseRequest) -> bytes:
        """Raise `HttpError` unless the request may write records; return the digest of its token.

        That is no bytes if no token is needed.
        """
        digest = self.writer(request)
        if digest is None:
            if self._reader(request):
                raise _admin_token_needed()
            raise self.failed_login(
                request,
                "unknown_token",
                "neither an admin token in X-Admin-Token nor an ingest token in X-Auth-Token matches",
                _WWW_AUTHENTICATE,
            )
        return digest

    def writer(self, request: web.BaseRequest) -> bytes | None:
        """Return the digest of a request's token as `require_writer` does, and None for one that does not match.

        An ingest token counts with and without admin tokens, and a wrong one does not. Raises `HttpError` where no
        admin token is configured, no ingest token was sent, and the request is not the operator's.
        """
        sent = request.headers.getall("X-Auth-Token", [])
        if digest := self.ingesters.match(sent):
            return digest
        if self.admins.configured:
            return self._admin_token(request) or None
        if sent and self.ingesters.configured:
            return None
        _require_operator(request)
        return b""

    def failed_login(
        self, request: web.BaseRequest, code: ErrorCode, message: str, headers: dict[str, str] | None = None
    ) -> HttpError:
        """Count a failed login and return its error: a 401, or a 429 if too many came from the client's address.

        Not for the ingestion routes: behind a proxy all their clients share one address.
        """
        wait_seconds = self._throttle.count_failure(request.remote)
        if wait_seconds:
            return HttpError(
                429,
                "too_many_failed_logins",
                "too many failed logins from this address: send the right token, or wait as Retry-After says",
                {"Retry-After": str(wait_seconds)},
            )
        return HttpError(401, code, message, headers)

    def _admin_token(self, request: web.BaseRequest) -> bytes:
        """Return the digest of a request's admin token, no bytes if it has none."""
        return next(filter(None, map(self.admins.match, self._given(request))), b"")

    def _reader(self, request: web.BaseRequest) -> Reader | None:
        """Return who has the token of a request: an admin token, else a read token."""
        if digest := self._admin_token(request):
            return Reader(ALL_STREAMS, digest)
        known = next(filter(None, map(self.readers.match, self._given(request))), None)
        return known and Reader(known.streams, known.digest)

    def _given(self, request: web.BaseRequest) -> Sequence[Sequence[str]]:
        """Return the tokens of a request, by the places where an admin or read token may be."""
        headers = request.headers
        bearers = [
            value[len(_BEARER) :].strip()
            for value in headers.getall("Authorization", [])
            if value.lower().startswith(_BEARER)
        ]
        in_query = parameters(request).all("token") if self._in_query else []
        return headers.getall("X-Admin-Token", []), bearers, in_query


def _admin_token_needed() -> HttpError:
    return HttpError(403, "admin_token_needed", "a read token only reads its streams; this needs an admin token")


def _require_operator(request: web.BaseRequest) -> None:
    """Raise `HttpError` for a request through a proxy or of a web page on this machine: it is not the operator's."""
    headers = request.headers
    hosts = headers.getall("Host", [])
    target = authority_of(request.raw_path)
    if len(hosts) != 1 or not all(map(_is_loopback_host, hosts if target is None else (*hosts, target))):
        raise HttpError(403, "forbidden", "without eventscache.admin_tokens, the Host must be a loopback name")
    if _FORWARDING.search("\n".join(name for name in headers if len(name) <= _LONGEST_FORWARDING)):
        raise HttpError(403, "forbidden", "without eventscache.admin_tokens, no forwarded request is served")
    own_origin = f"http://{hosts[0]}".lower()
    sites = headers.getall("Sec-Fetch-Site", [])  # a page's plain GET has this header, and no Origin
    if any(origin.lower() != own_origin for origin in headers.getall("Origin", [])) or not _OWN_SITES.issuperset(sites):
        raise HttpError(403, "forbidden", "without eventscache.admin_tokens, no page of another origin is served")


def _is_loopback_host(text: str) -> bool:
    """Whether a host, with a port or not, means this machine."""
    host = _HOST.fullmatch(text)
    return host is not None and is_loopback(host[1])
