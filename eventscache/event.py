"""One record of the cache, its packed form in a storage and its JSON form on the wire."""

from typing import Any, Self

import msgpack
import msgspec

from eventscache.errors import InvalidEvent
from eventscache.stream import Namespace, Status, Stream

_PACKED_FIELDS = 9
_encode = msgspec.json.encode


class Event(msgspec.Struct):
    """An event with Jitsu's own fields; texts are empty where Jitsu leaves them out.

    `original` and `success` are the bytes of valid JSON objects, exactly as they came in.
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

    @classmethod
    def of(cls, stream: Stream, **fields: Any) -> Self:
        """Return an event that names `stream` as its own."""
        event = cls(**fields)
        if stream.namespace is Namespace.TOKEN:
            event.token_id = stream.id
        else:
            event.destination_id = stream.id
        return event

    @property
    def status(self) -> Status:
        """An error or a malformed body makes an `error`; a reason to skip makes a `skip`."""
        if self.error or self.malformed:
            return Status.ERROR
        return Status.SKIP if self.skip else Status.SUCCESS

    def pack(self) -> bytes:
        """Return the MessagePack array of all fields in the order of the class.

        Raises `InvalidEvent` if a text is no valid Unicode: such an event could never be shown.
        """
        fields = (
            self.malformed,
            self.original,
            self.success,
            self.error,
            self.skip,
            self.timestamp,
            self.uid,
            self.destination_id,
            self.token_id,
        )
        try:
            packed: bytes = msgpack.packb(fields)
        except UnicodeEncodeError as fault:
            raise InvalidEvent(f"a text is not valid Unicode: {fault.reason}") from None
        return packed

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        """Return the event that `pack` made; raise `InvalidEvent` if the bytes are something else."""
        try:
            fields = msgpack.unpackb(packed)
        except (ValueError, msgpack.UnpackException) as fault:
            raise InvalidEvent(f"not a packed event: {fault}") from fault
        if not isinstance(fields, list) or len(fields) != _PACKED_FIELDS:
            raise InvalidEvent("not a packed event: wrong shape")
        for name, value in zip(cls.__struct_fields__, fields, strict=True):
            if not isinstance(value, bytes if name in {"original", "success"} else str):
                raise InvalidEvent(f"not a packed event: wrong type of {name}")
        return cls(*fields)

    def to_json(self, sequence: int) -> bytes:
        """Return the JSON object of the wire: Jitsu's order, empty fields left out, `seq` added.

        `original` and `success` are spliced in as they are.
        """
        parts: list[bytes] = []
        if self.malformed:
            parts += (b'"malformed":', _encode(self.malformed), b",")
        if self.original:
            parts += (b'"original":', self.original, b",")
        if self.success:
            parts += (b'"success":', self.success, b",")
        for name in ("error", "skip", "timestamp", "uid"):
            if value := getattr(self, name):
                parts += (b'"%b":' % name.encode(), _encode(value), b",")
        parts += (
            b'"destination_id":',
            _encode(self.destination_id),
            b',"token_id":',
            _encode(self.token_id),
            b',"seq":%d}' % sequence,
        )
        return b"{" + b"".join(parts)
