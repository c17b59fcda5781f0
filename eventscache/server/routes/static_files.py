"""The live view at `/ui/`: a few files, read once at start, under headers that let nothing foreign run in it."""

import gzip
from collections.abc import Iterator
from importlib.resources import files
from typing import NamedTuple

from aiohttp import web

from eventscache.server.context import Context, Handler

_ROOT = "/ui/"
_INDEX = "index.html"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)
_UNUSED = ("accelerometer", "camera", "geolocation", "gyroscope", "magnetometer", "microphone", "payment", "usb")
HEADERS = {
    "Content-Security-Policy": "; ".join(_POLICY),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _UNUSED),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class StaticFile(NamedTuple):
    """A file of the live view as it is and packed, and its headers."""

    content: bytes
    packed: bytes
    headers: dict[str, str]

    @classmethod
    def of(cls, content: bytes, content_type: str) -> "StaticFile":
        """Return a file of one type."""
        headers = {**HEADERS, "Content-Type": content_type, "Vary": "Accept-Encoding"}
        return cls(content, gzip.compress(content, mtime=0), headers)

    async def get(self, _: Context, request: web.BaseRequest) -> web.Response:
        """Answer with the file, packed for those who say that they can unpack it."""
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=self.packed, headers={**self.headers, "Content-Encoding": "gzip"})
        return web.Response(body=self.content, headers=self.headers)


async def get_root(_: Context, __: web.BaseRequest) -> web.Response:
    """Lead to the live view; relatively, as a proxy may serve all of this below a path of its own."""
    return web.Response(status=302, headers={**HEADERS, "Location": _ROOT[1:]})


def page_routes() -> Iterator[tuple[str, str, Handler]]:
    """Read the files of the live view, and yield a route for each."""
    for entry in files("eventscache").joinpath("ui").iterdir():
        suffix = entry.name[entry.name.rfind(".") :]
        if suffix in _TYPES:
            page = StaticFile.of(entry.read_bytes(), _TYPES[suffix])
            path = _ROOT if entry.name == _INDEX else _ROOT + entry.name
            yield "GET", path, page.get
            yield "HEAD", path, page.get
    for path in ("/", _ROOT.rstrip("/")):
        yield "GET", path, get_root
        yield "HEAD", path, get_root
