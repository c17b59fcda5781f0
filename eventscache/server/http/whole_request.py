"""Plain requests that came whole in one packet, read in C: nearly all that bring events."""

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["COMPILED", "WholeRequest", "read_request"]

try:
    from eventscache.server.http._head import read_request

    COMPILED = True
except ImportError:
    COMPILED = False

    def read_request(data: bytes, most_bytes: int, /) -> tuple[str, dict[str, str], bytes] | None:  # noqa: ARG001
        """Return that nothing is plain."""
        return None


class WholeRequest(NamedTuple):
    """A POST in HTTP/1.1: its target, those of its headers that matter for events, and its body."""

    raw_path: str
    headers: Mapping[str, str]
    body: bytes
