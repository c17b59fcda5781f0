"""Log files as Jitsu classic writes them, made by hand."""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

SECRET = "js.made.up"
MINUTE_US = 60_000_000
FIRST_US = 1_780_000_000_000_000


def stamp_of(number: int) -> str:
    """Return the time in the name of a file that was renamed as the so-and-so-many-th."""
    return f"2026-11-28T12-{number:02}-00.000"


def event_line(number: int, **fields: Any) -> bytes:
    """Return an event as Jitsu logs it; its time is that many seconds after twelve."""
    moment = f"2026-11-28T12:{number // 60 % 60:02}:{number % 60:02}.000000Z"
    return json.dumps({"_timestamp": moment, "n": number, "url": "https://a.example/?b=<c>", **fields}).encode()


def failed_line(number: int, error: str = "refused", **fields: Any) -> bytes:
    """Return a failed event."""
    event = json.loads(event_line(number))
    return json.dumps({"event": event, "error": error, "RecognizedEvent": False, **fields}).encode()


def malformed_line(text: str, error: str = "unexpected EOF") -> bytes:
    """Return what Jitsu logs of a body that it could not read."""
    return json.dumps({"malformed_event": text, "error": error, "RecognizedEvent": False}).encode()


def write_ahead_line(*numbers: int, token: str = SECRET) -> bytes:
    """Return a line of the write-ahead log."""
    events = [{"n": number} for number in numbers]
    return json.dumps({"events": events, "token": token, "processor_type": "js", "request_context": {}}).encode()


class JitsuLog:
    """One log below a directory of logs: it is written, renamed and zipped as Jitsu does it."""

    def __init__(self, directory: Path, name: str) -> None:
        self.live = directory / f"{name}.log"
        self.live.parent.mkdir(parents=True, exist_ok=True)
        self._renamed = 0

    def write(self, *lines: bytes, end: bytes = b"\n") -> None:
        """Append lines."""
        with self.live.open("ab") as file:
            file.writelines(line + end for line in lines)

    def rotate(self) -> Path:
        """Rename the file; the next line begins a new one."""
        self._renamed += 1
        renamed = self.live.with_name(f"{self.live.stem}-{stamp_of(self._renamed)}.log")
        self.live.rename(renamed)
        return renamed

    @staticmethod
    def zip(path: Path, folder: Path | None = None) -> Path:
        """Replace a renamed file by a zipped one, which may lie elsewhere."""
        zipped = JitsuLog.zip_copy(path, folder)
        path.unlink()
        return zipped

    @staticmethod
    def zip_copy(path: Path, folder: Path | None = None) -> Path:
        """Write the zipped file beside the one it is made of."""
        zipped = (folder or path.parent) / f"{path.name}.gz"
        zipped.parent.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as plain, gzip.open(zipped, "wb") as packed:
            shutil.copyfileobj(plain, packed)
        return zipped
