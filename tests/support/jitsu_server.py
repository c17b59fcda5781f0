"""A stand-in for Jitsu's server: answers its clients as Jitsu does, and counts what reached it.

`jitsu_lists` and `jitsu_logs` write what a Jitsu keeps of events.
"""

import base64
import json
import re
from collections import Counter
from collections.abc import Collection
from typing import Any, Final

from aiohttp import web

from tests.support.go_json import GoFault, go_end

OK: Final = '{"status":"ok"}'
OK_OF_JITSU2: Final = '{"ok":true}'
_GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_CLASSIC = re.compile(
    r"/api/v1/((s2s/)?events?|s2s/event/|segment(/v1/batch|/compat(/v1/batch)?)?|events/bulk)|/api\..+"
)
_JITSU2 = re.compile(r"/api/s/(s2s/)?(?!batch$)[^/]+|/api/px/[^/]+")
_JITSU2_BATCH = re.compile(r"/api/s/s2s/batch|(/v1)?(/batch|/b|/batch/b)")
_WITH_CORS = re.compile(r"/api/v1/events?$|/api\.")
_CORS = {
    "Access-Control-Allow-Methods": "POST, GET, OPTIONS, PUT, DELETE, UPDATE, PATCH",
    "Access-Control-Allow-Headers": (
        "Content-Type, Content-Length, Accept-Encoding, X-CSRF-Token, Authorization, Host, X-Auth-Token"
    ),
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Max-Age": "86400",
}


class JitsuServer:
    """Serves `runner`. With secrets of `clients` or `servers`, other tokens are unknown; else all are known."""

    def __init__(self, clients: Collection[str] = (), servers: Collection[str] = ()) -> None:
        self.received: Counter[str] = Counter()
        self.bodies: list[bytes] = []
        self._clients, self._servers = clients, servers
        self.runner = web.ServerRunner(web.Server(self._answer))

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        body = await request.content.read()
        self.received[request.path] += 1
        self.bodies.append(body)
        if request.method == "OPTIONS":
            return web.Response(headers=_cors(request))
        answer = self._posted(request, body) if request.method == "POST" else _got(request.path)
        return answer or web.Response(status=404, text="404 page not found")

    def _posted(self, request: web.BaseRequest, body: bytes) -> web.Response | None:
        if _CLASSIC.fullmatch(request.path):
            return self._classic(request, body)
        if _JITSU2_BATCH.fullmatch(request.path):
            count = len(json.loads(body)["batch"])
            return _json(json.dumps({"ok": True, "receivedEvents": count, "okEvents": count}, separators=(",", ":")))
        return _json(OK_OF_JITSU2) if _JITSU2.fullmatch(request.path) else None

    def _classic(self, request: web.BaseRequest, body: bytes) -> web.Response:
        headers = _cors(request)
        if (self._clients or self._servers) and (fault := self._fault_of_token(request.path, _token(request))):
            return _error(401, fault, headers)
        if fault := "" if "bulk" in request.path else _fault_of_body(body, is_segment="segment" in request.path):
            return _error(400, f"Error parsing events body: {fault}", headers)
        return _json(OK, headers=headers)

    def _fault_of_token(self, path: str, token: str) -> str:
        from_client = _WITH_CORS.match(path)
        right, wrong = (self._clients, self._servers) if from_client else (self._servers, self._clients)
        if token in right:
            return ""
        if token not in wrong or "segment" in path:
            return f"The token is not found: {token}"
        if from_client:
            return "The token isn't a client secret token. Please use a js integration token"
        secret = "" if "bulk" in path else "secret "
        return f"The token isn't a server {secret}token. Please use an s2s integration token"


def _token(request: web.BaseRequest) -> str:
    """Return the token from the first place that has one, in Jitsu's order."""
    query, headers = request.rel_url.query, request.headers
    places = (query.get("token"), headers.get("X-Auth-Token"), headers.get("api_key"))
    if found := next(filter(None, places), ""):
        return found
    if p_token := next((value for name, value in query.items() if name.startswith("p_")), ""):
        return p_token
    basic = headers.get("Authorization", "").removeprefix("Basic ")
    return base64.b64decode(basic).decode().partition(":")[0]


def _fault_of_body(body: bytes, *, is_segment: bool) -> str:
    """Return what Jitsu says of a body that it cannot read; what follows the first value does not matter."""
    body = body.lstrip() if is_segment else body
    if not body:
        return "empty JSON body"
    if not (is_segment or body.startswith((b"{", b"["))):
        return f'malformed JSON body begins with: "{chr(body[0])}"'
    try:
        go_end(body)
    except GoFault as fault:
        return f"error parsing HTTP body: {fault}"
    into_map = is_segment and body.startswith(b"[")
    what = "json: cannot unmarshal array into Go value of type map[string]interface {}"
    return f"error parsing HTTP body: {what}" if into_map else ""


def _got(path: str) -> web.Response | None:
    if path == "/api/v1/p.gif":
        return web.Response(body=_GIF, content_type="image/gif")
    return _json('{"total_events":0,"events":[]}') if path == "/api/v1/events/cache" else None


def _cors(request: web.BaseRequest) -> dict[str, str]:
    origin = request.headers.get("Origin")
    if origin is None or not _WITH_CORS.match(request.path):
        return {}
    return {**_CORS, "Access-Control-Allow-Origin": origin}


def _json(text: str, **options: Any) -> web.Response:
    return web.Response(text=text, content_type="application/json", charset="utf-8", **options)


def _error(status: int, message: str, headers: dict[str, str]) -> web.Response:
    return _json(json.dumps({"message": message, "error": ""}), status=status, headers=headers)
