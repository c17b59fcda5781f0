"""A stand-in for Jitsu's server: answers its clients as Jitsu does, and counts what reached it.

`jitsu_lists` and `jitsu_logs` write what a Jitsu keeps of events.
"""

import base64
import json
import re
from collections import Counter
from typing import Any, Final

from aiohttp import web

OK: Final = '{"status":"ok"}'
OK_OF_JITSU2: Final = '{"ok":true}'
_GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_CLASSIC = re.compile(
    r"/api/v1/((s2s/)?events?|s2s/event/|segment(/v1/batch|/compat(/v1/batch)?)?|events/bulk)|/api\..+"
)
_JITSU2 = re.compile(r"/api/s/(s2s/)?(?!batch$)[^/]+|/api/px/[^/]+")
_JITSU2_BATCH = re.compile(r"/api/s/s2s/batch|(/v1)?(/batch|/b|/batch/b)")
_CORS = {
    "Access-Control-Allow-Methods": "POST, GET, OPTIONS, PUT, DELETE, UPDATE, PATCH",
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Max-Age": "86400",
}


class JitsuServer:
    """Serves `runner`; a `token` that is not among `tokens` is unknown, if there are any."""

    def __init__(self, *tokens: str) -> None:
        self.received: Counter[str] = Counter()
        self.bodies: list[bytes] = []
        self._tokens = tokens
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
        token = request.rel_url.query.get("token", "")
        if self._tokens and token not in self._tokens:
            return _error(401, f"The token is not found: {token}", headers)
        if not body.startswith((b"{", b"[")) and "bulk" not in request.path:
            fault = f'malformed JSON body begins with: "{chr(body[0])}"' if body else "empty JSON body"
            return _error(400, f"Error parsing events body: {fault}", headers)
        return _json(OK, headers=headers)


def _got(path: str) -> web.Response | None:
    if path == "/api/v1/p.gif":
        return web.Response(body=_GIF, content_type="image/gif")
    return _json('{"total_events":0,"events":[]}') if path == "/api/v1/events/cache" else None


def _cors(request: web.BaseRequest) -> dict[str, str]:
    origin = request.headers.get("Origin")
    if origin is None or not re.match(r"/api/v1/events?$|/api\.", request.path):
        return {}
    return {**_CORS, "Access-Control-Allow-Origin": origin}


def _json(text: str, **options: Any) -> web.Response:
    return web.Response(text=text, content_type="application/json", charset="utf-8", **options)


def _error(status: int, message: str, headers: dict[str, str]) -> web.Response:
    return _json(json.dumps({"message": message, "error": ""}), status=status, headers=headers)
