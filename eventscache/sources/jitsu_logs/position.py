"""How far a file was read, in a form that can be saved."""

import secrets

import msgspec

from eventscache.errors import InvalidEvent
from eventscache.sources.jitsu_logs.file_name import Kind, LogName

HEAD_BYTES = 1024
"""How many bytes at the beginning of a file make it known again under another inode; less if less was read."""


class Position(msgspec.Struct, kw_only=True):
    """What was read of a file, whatever its name is now.

    `offset` counts bytes before compression. It is the beginning of a line, or if `is_skipping` within one that is too
    long.
    `head` is a hash of the first `head_bytes`, all of them read. Lines before `old_bytes` were there at the start.
    `gone_s` is the Unix time when the file was missed first; 0 while it is there.
    """

    kind: Kind
    id: str
    device: int
    inode: int
    rotated_us: int | None = None
    is_zipped: bool = False
    offset: int = 0
    head: str = ""
    head_bytes: int = 0
    is_skipping: bool = False
    is_finished: bool = False
    old_bytes: int = 0
    gone_s: int = 0
    key: str = msgspec.field(default_factory=lambda: secrets.token_urlsafe(9))

    @classmethod
    def of(cls, name: LogName, device: int, inode: int) -> "Position":
        """Return the beginning of a file."""
        return cls(
            kind=name.kind,
            id=name.id,
            device=device,
            inode=inode,
            rotated_us=name.rotated_us,
            is_zipped=name.is_zipped,
        )

    def encode(self) -> bytes:
        """Return the text that `decode` reads."""
        return msgspec.json.encode(self)

    @staticmethod
    def decode(key: bytes, text: bytes) -> "Position":
        """Return the position that was saved by a key; raise `InvalidEvent` if it is damaged."""
        try:
            position = _decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise InvalidEvent("damaged") from None
        if (
            position.key.encode(errors="replace") != key
            or min(position.offset, position.head_bytes, position.old_bytes) < 0
            or position.head_bytes > HEAD_BYTES
        ):
            raise InvalidEvent("damaged")
        return position


_decode = msgspec.json.Decoder(Position).decode
