"""The private names of aiohttp that this package uses: listed once, and checked when the server starts.

aiohttp may rename them in any release, so `setup.cfg` caps its version as well.
"""

from typing import Any

from aiohttp import helpers, web, web_protocol

ErrInfo: Any = getattr(web_protocol, "_ErrInfo", None)
"""What stands among a connection's requests in place of one that is not valid HTTP."""
rfc822_formatted_time: Any = getattr(helpers, "rfc822_formatted_time", None)
"""Returns the value of the `Date` header, which aiohttp formats once a second."""

_MODULE_NAMES = {"web_protocol._ErrInfo": ErrInfo, "helpers.rfc822_formatted_time": rfc822_formatted_time}
# What `connections` reads and writes of a connection.
_CONNECTION_ATTRIBUTES = (
    "_buffer_paused",
    "_keepalive_timeout",
    "_loop",
    "_manager",
    "_message_tail",
    "_messages",
    "_next_keepalive_close_time",
    "_request_count",
    "_waiter",
)


def with_target(request: web.BaseRequest, target: str) -> web.BaseRequest:
    """Return a request whose body has not been read, with another path and query; the two share the body."""
    other: Any = request.clone()
    other._message = other._message._replace(path=target)
    return other  # type: ignore[no-any-return]


def missing(connection: type = web_protocol.RequestHandler) -> list[str]:
    """Return the names that this version of aiohttp lacks; `connection` is its class for a connection."""
    names = [name for name, value in _MODULE_NAMES.items() if value is None]
    # The attributes are slots, so the class has them too.
    return names + [f"RequestHandler.{name}" for name in _CONNECTION_ATTRIBUTES if not hasattr(connection, name)]
