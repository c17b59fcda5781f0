"""Ids of events that came without one."""

import os

_AT_ONCE = 256
_DIGITS = 32  # hexadecimal, of one id
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))


class Uids:
    """Makes random UUIDs (version 4 of RFC 4122); a system call for each would cost as much as a fifth of an event."""

    def __init__(self) -> None:
        self._random = ""
        self._used = 0

    def next(self) -> str:
        """Return one that nobody else has."""
        if self._used == len(self._random):
            self._random, self._used = os.urandom(_AT_ONCE * _DIGITS // 2).hex(), 0
        start = self._used
        self._used = end = start + _DIGITS
        text = self._random[start:end]
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:]}"
