"""A transport without a socket: packets come exactly as a test gives them."""

import asyncio
from typing import Any


class Transport(asyncio.Transport):
    """Takes the answers of a connection that has no socket, so that packets come exactly as given."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = b""
        self.closed = False
        self._paused = False

    def write(self, data: Any) -> None:
        self.answer += bytes(data)

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name in {"peername", "sockname"} else default

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False

    def is_reading(self) -> bool:
        return not self._paused
