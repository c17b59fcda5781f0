"""A first look at JSON, in C: most bodies need no second one.

It vouches for valid syntax, UTF-8, numbers and surrogates, as `strict` does for less common bodies, and explains
nothing. Where the extension was not built it vouches for nothing, and all that is slower: `COMPILED` tells.
"""

from collections.abc import Iterator, Sequence
from typing import Any, overload

__all__ = ["COMPILED", "Elements", "object_end", "object_members", "object_spans", "vouched_elements"]

try:
    from eventscache.ingest.json._scan import object_end, object_members, object_spans

    COMPILED = True
except ImportError:
    COMPILED = False

    def object_end(data: bytes, levels: int, unwanted: bytes = b"", /) -> int:  # noqa: ARG001
        """Vouch for nothing."""
        return -1

    def object_spans(data: bytes, levels: int, /) -> bytes | None:  # noqa: ARG001
        """Vouch for nothing."""
        return None

    def object_members(
        data: bytes,  # noqa: ARG001
        levels: int,  # noqa: ARG001
        largest: int,  # noqa: ARG001
        objects: tuple[bytes, ...],  # noqa: ARG001
        texts: tuple[bytes, ...],  # noqa: ARG001
        /,
    ) -> list[tuple[Any, ...] | bytes] | None:
        """Vouch for nothing."""
        return None


class Elements(Sequence[bytes]):
    """The objects in the JSON array of a body; they are cut out as they are asked for."""

    __slots__ = ("_body", "_spans")

    def __init__(self, body: bytes, spans: bytes) -> None:
        self._body = body
        self._spans = memoryview(spans).cast("q")

    def __len__(self) -> int:
        return len(self._spans) // 2

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | Sequence[bytes]:
        return [*self][place]

    def __iter__(self) -> Iterator[bytes]:
        body = self._body
        places = iter(self._spans)
        return (body[start:end] for start, end in zip(places, places, strict=True))


def vouched_elements(data: bytes, max_depth: int) -> Elements | None:
    """Return the elements of a JSON array of objects, each nested at most so deep; None if not vouched for."""
    spans = object_spans(data, max_depth)
    return None if spans is None else Elements(data, spans)
