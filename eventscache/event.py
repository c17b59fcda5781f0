"""One event of the cache: its packed form in a storage and its JSON form on the wire."""

from collections.abc import Iterable, Iterator
from typing import Any, Self

import msgspec

from eventscache.errors import InvalidEvent
from eventscache.stream import Namespace, Status, Stream
from eventscache.timestamp import format_time

_encode = msgspec.json.encode
_pack = msgspec.msgpack.Encoder().encode
# The first byte of a packed event is that of an array, of ten fields where the last two are None. An older version
# reads only these, which most entries are. A newer version may add fields at the end, which are ignored here.
_TEN_FIELDS = b"\x9a"
_ARRAYS = frozenset(range(0x9A, 0xA0))
# Between tokens JSON may hold line breaks; inside them it cannot.
_LINE_BREAKS_TO_SPACES = bytes.maketrans(b"\r\n", b"  ")


class Response(msgspec.Struct, omit_defaults=True, frozen=True):
    """What a destination answered: its HTTP status, and the beginning of its body."""

    status: int | None = None
    body: str = ""


class _Tail(msgspec.Struct, omit_defaults=True):
    """The small fields of the JSON form, left out where they have their default; ids are given, even if empty."""

    error: str = ""
    skip: str = ""
    timestamp: str = ""
    uid: str = ""
    destination_id: str | None = None
    token_id: str | None = None
    masked: bool = False
    attempt: int | None = None
    response: Response | None = None
    seq: int | None = None


class Event(msgspec.Struct, array_like=True):
    """An event with Jitsu's own fields, and ours at the end; a text is empty where Jitsu leaves it out.

    `original` and `success` are the bytes of valid JSON objects, exactly as they were received, unless the event was
    `masked`.
    """

    malformed: str = ""
    original: bytes = b""
    success: bytes = b""
    error: str = ""
    skip: str = ""
    timestamp: str = ""
    uid: str = ""
    destination_id: str = ""
    token_id: str = ""
    masked: bool = False
    attempt: int | None = None
    response: Response | None = None

    @classmethod
    def of(cls, stream: Stream, **fields: Any) -> Self:
        """Return an event of `stream`, with its token or destination id."""
        event = cls(**fields)
        if stream.namespace is Namespace.TOKEN:
            event.token_id = stream.id
        else:
            event.destination_id = stream.id
        return event

    @property
    def status(self) -> Status:
        """`error` if there is an error or a malformed body, `skip` if there is a reason to skip, else `success`."""
        if self.error or self.malformed:
            return Status.ERROR
        return Status.SKIP if self.skip else Status.SUCCESS

    @property
    def size_bytes(self) -> int:
        """About how many bytes its JSON form has."""
        return len(self.original) + len(self.success) + len(self.malformed) + len(self.error) + len(self.skip)

    def pack(self) -> bytes:
        """Return the MessagePack array of all fields in the order of the class; without the last two if both are None.

        Raises `InvalidEvent` if a text is not valid Unicode: such an event could never be sent as JSON.
        """
        try:
            packed = _pack(self)
            # Each None at the end is one byte.
            return packed if self.attempt is not None or self.response is not None else _TEN_FIELDS + packed[1:-2]
        except UnicodeEncodeError as fault:
            raise InvalidEvent(f"a text is not valid Unicode: {fault.reason}") from None

    @staticmethod
    def pack_originals(stream: Stream, arrived: Iterable[tuple[int, bytes]], uids: Iterator[str]) -> list[bytes]:
        """Return packed events of a stream that have nothing but an original, and the Unix microseconds of its arrival.

        Each takes one of `uids`.
        """
        destination, token = ("", stream.id) if stream.namespace is Namespace.TOKEN else (stream.id, "")
        packed = []
        last_us, timestamp = -1, ""
        for (unix_us, original), uid in zip(arrived, uids, strict=False):
            if unix_us != last_us:
                last_us, timestamp = unix_us, format_time(unix_us)
            packed.append(_pack(("", original, b"", "", "", timestamp, uid, destination, token, False)))
        return packed

    @staticmethod
    def unpack(packed: bytes) -> "Event":
        """Return the event that `pack` packed; raise `InvalidEvent` for other bytes."""
        try:
            if packed and packed[0] in _ARRAYS:
                return _unpack(packed)
        except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
            raise InvalidEvent(f"not a packed event: {fault}") from None
        raise InvalidEvent("not a packed event")

    def to_json(self, sequence: int) -> bytes:
        """Return the JSON form: the fields in Jitsu's order without the empty ones, and `seq`.

        `original` and `success` are inserted byte for byte.
        """
        parts = [b"{"]
        if self.malformed:
            parts += (b'"malformed":', _encode(self.malformed), b",")
        if self.original:
            parts += (b'"original":', self.original, b",")
        if self.success:
            parts += (b'"success":', self.success, b",")
        tail = _Tail(
            self.error,
            self.skip,
            self.timestamp,
            self.uid,
            self.destination_id,
            self.token_id,
            self.masked,
            self.attempt,
            self.response,
            sequence,
        )
        parts.append(_encode(tail)[1:])
        return b"".join(parts)

    def to_json_line(self, sequence: int) -> bytes:
        """Return the JSON object of the wire on one line, without a line break at its end."""
        return self.to_json(sequence).translate(_LINE_BREAKS_TO_SPACES)


_unpack = msgspec.msgpack.Decoder(Event).decode
