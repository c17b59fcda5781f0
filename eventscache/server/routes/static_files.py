"""The live view at `/ui/`: files that are read once at start, and headers that allow no code but their own."""

import gzip
from collections.abc import Callable, Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

from aiohttp import web
from rcssmin import cssmin
from rjsmin import jsmin

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


def _without_indentation(page: bytes) -> bytes:
    """Return HTML without the tabs at the beginnings of its lines, as it has no text that keeps them."""
    return b"\n".join(line.lstrip(b"\t") for line in page.split(b"\n"))


_MINIFIERS: dict[str, Callable[[bytes], bytes]] = {".css": cssmin, ".html": _without_indentation, ".js": jsmin}


def served(content: bytes, suffix: str) -> bytes:
    """Return what is served of a file.

    Scripts and style sheets are without comments and without spaces between words, HTML without its indentation.
    """
    minify = _MINIFIERS.get(suffix)
    return minify(content) if minify else content


class StaticFile(NamedTuple):
    """A file of the live view, plain and compressed, and its headers."""

    content: bytes
    compressed: bytes
    headers: dict[str, str]

    @classmethod
    def of(cls, content: bytes, content_type: str) -> "StaticFile":
        """Compress the content, and add the headers for its type."""
        headers = {**HEADERS, "Content-Type": content_type, "Vary": "Accept-Encoding"}
        return cls(content, gzip.compress(content, mtime=0), headers)

    async def get(self, _: Context, request: web.BaseRequest) -> web.Response:
        """Answer with the file, compressed if the client accepts gzip."""
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=self.compressed, headers={**self.headers, "Content-Encoding": "gzip"})
        return web.Response(body=self.content, headers=self.headers)


async def get_root(_: Context, __: web.BaseRequest) -> web.Response:
    """Redirect to the live view. The location is relative, as a proxy may serve the paths below one of its own."""
    return web.Response(status=302, headers={**HEADERS, "Location": _ROOT[1:]})


def page_routes() -> Iterator[tuple[str, str, Handler]]:
    """Read the files of the live view, and yield the routes for each."""
    for path, entry in _files(files("eventscache").joinpath("ui"), _ROOT):
        suffix = entry.name[entry.name.rfind(".") :]
        if suffix in _TYPES:
            page = StaticFile.of(served(entry.read_bytes(), suffix), _TYPES[suffix])
            yield "GET", path.removesuffix(_INDEX), page.get
            yield "HEAD", path.removesuffix(_INDEX), page.get
    for path in ("/", _ROOT.rstrip("/")):
        yield "GET", path, get_root
        yield "HEAD", path, get_root


def _files(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    """Yield all files below a folder, which may be inside a zipped wheel, and their paths below `path`."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files(entry, f"{path}{entry.name}/")
        else:
            yield path + entry.name, entry
