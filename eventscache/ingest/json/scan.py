"""A fast scan that validates JSON, in C: most bodies need no other check.

It validates syntax and UTF-8, and gives no reasons. What it does not validate may still be valid, but unusual: `strict`
and `go` decide, and name what is wrong. Where the module in C was not built (`COMPILED` is False)
nothing is validated here, and `strict` does all the work, several times as slowly.
"""

from array import array
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, Self, overload

__all__ = [
    "COMPILED",
    "LEVELS_AROUND",
    "Batch",
    "Elements",
    "object_batch",
    "object_end",
    "object_members",
    "object_spans",
    "string_member",
    "validated_batch",
    "validated_elements",
]

LEVELS_AROUND: Final = 2
"""The object and the array around the events of a batch."""

try:
    from eventscache.ingest.json._scan import object_batch, object_end, object_members, object_spans, string_member

    COMPILED = True
except ImportError:
    COMPILED = False

    def object_end(data: bytes, levels: int, unwanted: bytes = b"", /) -> int:  # noqa: ARG001
        """Return that nothing is validated."""
        return -1

    def object_spans(data: bytes, levels: int, /) -> bytes | None:  # noqa: ARG001
        """Return that nothing is validated."""
        return None

    def object_members(
        data: bytes,  # noqa: ARG001
        levels: int,  # noqa: ARG001
        largest: int,  # noqa: ARG001
        objects: tuple[bytes, ...],  # noqa: ARG001
        texts: tuple[bytes, ...],  # noqa: ARG001
        /,
    ) -> list[tuple[Any, ...] | bytes] | None:
        """Return that nothing is validated."""
        return None

    def object_batch(
        data: bytes,  # noqa: ARG001
        levels: int,  # noqa: ARG001
        array: bytes,  # noqa: ARG001
        texts: tuple[bytes, ...],  # noqa: ARG001
        checked: bool,  # noqa: ARG001
        /,
    ) -> tuple[bytes | None, int, tuple[str | None, ...], list[int] | None] | None:
        """Return that nothing is validated."""
        return None

    def string_member(data: bytes, levels: int, name: bytes, /) -> str | None:  # noqa: ARG001
        """Return that nothing is validated."""
        return None


class Elements(Sequence[bytes]):
    """The objects in the JSON array of a body; each is cut out of it when it is read."""

    __slots__ = ("_body", "_spans")

    def __init__(self, body: bytes, spans: bytes) -> None:
        self._body = body
        self._spans = memoryview(spans).cast("q")

    @classmethod
    def of(cls, objects: Sequence[bytes]) -> Self:
        """Return objects in as little memory: their bytes behind one another."""
        spans = array("q")
        end = 0
        for data in objects:
            spans.append(end)
            end += len(data)
            spans.append(end)
        return cls(b"".join(objects), spans.tobytes())

    def __len__(self) -> int:
        return len(self._spans) // 2

    @property
    def size_bytes(self) -> int:
        """How many bytes of memory it holds: the whole body."""
        return len(self._body) + self._spans.nbytes

    @property
    def text(self) -> bytes:
        """The part of the body that has them all."""
        return self._body[self._spans[0] : self._spans[-1]] if self._spans else b""

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        return [*self][index]

    def __iter__(self) -> Iterator[bytes]:
        body = self._body
        offsets = iter(self._spans)
        return (body[start:end] for start, end in zip(offsets, offsets, strict=True))


def validated_elements(data: bytes, max_depth: int) -> Elements | None:
    """Return the elements of a JSON array of objects, each with at most `max_depth` levels; None if not validated."""
    spans = object_spans(data, max_depth)
    return None if spans is None else Elements(data, spans)


class Batch(NamedTuple):
    """What an object has around its array of objects `events`, which is None if it has none.

    `size_bytes` is that of the array, `texts` are those that were asked for, None for what is null or absent, and
    `unclear` has the indexes of the events that Jitsu 2 may refuse, if that was asked.
    """

    events: Elements | None
    size_bytes: int
    texts: tuple[str | None, ...]
    unclear: Sequence[int]


def validated_batch(
    data: bytes, max_depth: int, array: bytes, texts: tuple[bytes, ...] = (), *, checked: bool = False
) -> Batch | None:
    """Return the batch that a JSON object is; each event has at most `max_depth` levels. None if not validated.

    The texts may have secret halves of write keys, and the events have none.
    """
    found = object_batch(data, max_depth + LEVELS_AROUND, array, texts, checked)
    if found is None:
        return None
    spans, size_bytes, values, unclear = found
    return Batch(None if spans is None else Elements(data, spans), size_bytes, values, unclear or ())
