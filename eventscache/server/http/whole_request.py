"""Plain requests that came whole in one packet, read in C: nearly all that bring events."""

__all__ = ["COMPILED", "WholeRequest", "read_request", "without_prefix"]

try:
    from eventscache.server.http._head import WholeRequest, read_request

    COMPILED = True
except ImportError:
    COMPILED = False

    class WholeRequest:  # type: ignore[no-redef]
        """A request that nothing here makes."""

    def read_request(data: bytes, most_bytes: int, /) -> WholeRequest | None:  # noqa: ARG001
        """Return that nothing is plain."""
        return None


def without_prefix(request: WholeRequest, length: int) -> WholeRequest:
    """Return a request for what is behind so many characters of the path."""
    return WholeRequest(
        (request.raw_path[length:], request.path[length:], request.query, request.headers, request.body)
    )
