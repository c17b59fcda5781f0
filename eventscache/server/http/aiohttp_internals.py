"""The private names of aiohttp that this package uses: listed once, and checked when the server starts.

aiohttp may rename them in any release, so `setup.cfg` caps its version as well.
"""

from typing import Any

from aiohttp import helpers, web, web_protocol
from aiohttp.http import HttpRequestParser

ErrInfo: Any = getattr(web_protocol, "_ErrInfo", None)
"""What stands among a connection's requests in place of one that is not valid HTTP."""
rfc822_formatted_time: Any = getattr(helpers, "rfc822_formatted_time", None)
"""Returns the value of the `Date` header, which aiohttp formats once a second."""

_MODULE_NAMES = {"web_protocol._ErrInfo": ErrInfo, "helpers.rfc822_formatted_time": rfc822_formatted_time}
# What `connections` reads and writes of a connection.
_CONNECTION_ATTRIBUTES = (
    "_keepalive_timeout",
    "_loop",
    "_manager",
    "_max_msg_queue_size",
    "_message_tail",
    "_messages",
    "_next_keepalive_close_time",
    "_parser",
    "_read_bufsize",
    "_request_count",
    "_waiter",
)
# What the fast lane reads besides.
_FAST_LANE_ATTRIBUTES = ("_keepalive_handle", "_paused")


def with_target(request: web.BaseRequest, target: str) -> web.BaseRequest:
    """Return a request whose body has not been read, with another path and query; the two share the body."""
    other: Any = request.clone()
    other._message = other._message._replace(path=target)
    return other  # type: ignore[no-any-return]


def new_parser(connection: Any) -> Any:
    """Return a parser for what follows on a connection, as aiohttp makes one for a new connection."""
    return HttpRequestParser(
        connection,
        connection._loop,
        connection._read_bufsize,
        max_line_size=connection.max_line_size,
        max_field_size=connection.max_field_size,
        max_headers=connection.max_headers,
        payload_exception=web.RequestPayloadError,
        auto_decompress=False,
        max_msg_queue_size=connection._max_msg_queue_size,
    )


def missing(connection: type = web_protocol.RequestHandler) -> list[str]:
    """Return the names that this version of aiohttp lacks; `connection` is its class for a connection."""
    names = [name for name, value in _MODULE_NAMES.items() if value is None]
    return names + _missing_attributes(connection, _CONNECTION_ATTRIBUTES)


def missing_for_fast_lane(connection: type = web_protocol.RequestHandler) -> list[str]:
    """Return the names without which there is no fast lane, and that this version of aiohttp lacks."""
    return _missing_attributes(connection, _FAST_LANE_ATTRIBUTES)


def _missing_attributes(connection: type, attributes: tuple[str, ...]) -> list[str]:
    # The attributes are slots, so the class has them too.
    return [f"RequestHandler.{name}" for name in attributes if not hasattr(connection, name)]
