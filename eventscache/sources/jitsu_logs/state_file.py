"""Positions in a file, for a storage that keeps nothing when the process ends."""

import asyncio
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec

_VERSION = 1


class _Saved(msgspec.Struct):
    version: int
    positions: dict[str, str]


class DamagedStateError(Exception):
    """The file is there, and holds no positions that can be read; the text says why."""


class StateFile:
    """Keeps small values by name. A file is replaced as a whole, so it is never half written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._values: dict[str, str] = {}

    async def load(self) -> dict[bytes, bytes]:
        """Return all values, none if there is no file yet. Raises `DamagedStateError`."""
        try:
            text = await asyncio.to_thread(self.path.read_bytes)
            saved = msgspec.json.decode(text, type=_Saved)
        except FileNotFoundError:
            self._values = {}
        except OSError as fault:
            raise DamagedStateError(fault.strerror or type(fault).__name__) from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise DamagedStateError("not the JSON that was written") from None
        else:
            if saved.version != _VERSION:
                raise DamagedStateError(f"version {saved.version} is not known")
            self._values = saved.positions
        return {key.encode(): value.encode() for key, value in self._values.items()}

    async def save(self, changed: Mapping[bytes, bytes]) -> None:
        """Change some values; an empty one is removed. Raises `OSError`."""
        values = {**self._values, **{key.decode(): value.decode() for key, value in changed.items()}}
        self._values = {key: value for key, value in values.items() if value}
        await asyncio.to_thread(self._write, msgspec.json.encode(_Saved(_VERSION, self._values)))

    def _write(self, text: bytes) -> None:
        new = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}.new")
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
            new.replace(self.path)
        except OSError:
            new.unlink(missing_ok=True)
            raise
