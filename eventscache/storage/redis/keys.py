"""The names of the keys."""

from urllib.parse import quote

from eventscache.stream import Namespace, Stream

KINDS = ("state", "all", "all:at", "error", "error:at")


class Keys:
    """Names everything under a prefix; all keys of a stream share a Cluster slot, whatever its id holds."""

    def __init__(self, prefix: str) -> None:
        self._root = f"{prefix}:v1"

    def key(self, stream: Stream, kind: str) -> str:
        """Return the key of one kind."""
        # Injective, and without braces, which would move the slot.
        quoted = quote(stream.id, safe="", errors="surrogatepass")
        return f"{self._root}:{{{stream.namespace[0]}.{quoted}}}:{kind}"

    def all(self, stream: Stream) -> list[str]:
        """Return the keys of a stream, in the order of `KINDS`."""
        return [self.key(stream, kind) for kind in KINDS]

    def registry(self, namespace: Namespace) -> str:
        """Return the key of the sorted set of known streams."""
        return f"{self._root}:streams:{namespace[0]}"
