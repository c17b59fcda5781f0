"""Gzip that arrives in pieces, unzipped in pieces of bounded size."""

import zlib
from collections.abc import Iterator
from typing import Any

from eventscache.errors import InvalidEvent

_GZIP = 31  # zlib's code for a gzip header and the largest window
_MAX_MEMBERS = 16
_PIECE_BYTES = 262_144
# What zlib says, and Go's words for it.
_FAULTS = {"incorrect header check": "gzip: invalid header", "incorrect data check": "gzip: invalid checksum"}


class Unzipping:
    """Unzips up to sixteen gzip members. Raises `InvalidEvent` with Go's words for what is wrong."""

    def __init__(self) -> None:
        self._member: Any = None
        self._members = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what the next piece unzips to."""
        while data:
            if self._member is None:
                self._members += 1
                if self._members > _MAX_MEMBERS:
                    raise InvalidEvent(f"gzip: more than {_MAX_MEMBERS} members")
                self._member = zlib.decompressobj(_GZIP)
            try:
                unzipped = self._member.decompress(data, _PIECE_BYTES)
            except zlib.error as fault:
                told = str(fault).rpartition(": ")[2]
                raise InvalidEvent(_FAULTS.get(told, "flate: corrupt input")) from None
            if self._member.eof:
                data, self._member = self._member.unused_data, None
            else:
                data = self._member.unconsumed_tail
            if unzipped:
                yield unzipped

    def end(self) -> None:
        """Raise `InvalidEvent` if the last member has not ended, or there is none."""
        if self._member is not None or not self._members:
            raise InvalidEvent("unexpected EOF" if self._members else "EOF")
