"""The names of the keys in Redis."""

import re
from urllib.parse import quote

from eventscache.stream import Namespace, Stream

KINDS = ("state", "all", "all:at", "error", "error:at")
EXTRA_KINDS = ("extras", "extras:events")
_UNQUOTED = re.compile(r"[\w.~-]+", re.ASCII)  # what `quote` leaves as it is


class Keys:
    """Names all keys under a prefix; the keys of one stream share a Cluster slot, whatever characters its id has."""

    def __init__(self, prefix: str) -> None:
        self._root = f"{prefix}:v1"

    def key(self, stream: Stream, kind: str) -> str:
        """Return the key of one kind of a stream."""
        return f"{self._root}:{_tag(stream)}:{kind}"

    def lists(self, stream: Stream) -> list[str]:
        """Return the keys of a stream without those of extra collections, in the order of `KINDS`."""
        base = f"{self._root}:{_tag(stream)}:"
        return [base + kind for kind in KINDS]

    def all(self, stream: Stream) -> list[str]:
        """Return all keys of a stream, in the order of `KINDS` and `EXTRA_KINDS`."""
        base = f"{self._root}:{_tag(stream)}:"
        return [base + kind for kind in (*KINDS, *EXTRA_KINDS)]

    def registry(self, namespace: Namespace) -> str:
        """Return the key of the sorted set of known streams."""
        return f"{self._root}:streams:{namespace[0]}"

    def sources(self) -> str:
        """Return the key of the hash whose fields are the names of all sources."""
        return f"{self._root}:sources"

    def source(self, name: str) -> tuple[str, str]:
        """Return the keys of a source's lease and checkpoints, which share a slot."""
        base = f"{self._root}:{{source.{quote(name, safe='')}}}"
        return f"{base}:lease", f"{base}:checkpoints"

    def probe(self, number: int) -> str:
        """Return a key that is never written; each number has its own slot."""
        return f"{self._root}:{{probe.{number}}}"


def _tag(stream: Stream) -> str:
    """Return the hash tag, which alone decides the slot: different for each stream, and with no other braces in it."""
    quoted = stream.id
    if not _UNQUOTED.fullmatch(quoted):
        quoted = quote(quoted, safe="", errors="surrogatepass")
    return f"{{{stream.namespace[0]}.{quoted}}}"
