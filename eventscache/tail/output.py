"""Standard output: a terminal, a pipe or a file."""

import asyncio
import contextlib
import os
import shutil
import stat
from collections.abc import AsyncIterator, Iterator
from typing import BinaryIO

from eventscache.logs import wants_colours
from eventscache.tail.faults import TailError


class ReaderLeft(Exception):
    """The other end of the pipe was closed."""


class Output:
    """Writes to a file. It waits for a slow reader and keeps nothing for it: meanwhile nothing is read either."""

    def __init__(self, file: BinaryIO, encoding: str = "utf-8") -> None:
        self._file = file
        self._encoding = encoding
        self.on_terminal = file.isatty()
        self.coloured = self.on_terminal and wants_colours()

    @property
    def columns(self) -> int | None:
        """How many columns the terminal has now; None without a terminal."""
        return shutil.get_terminal_size().columns if self.on_terminal else None

    def write(self, text: str | bytes) -> None:
        """Write a text, or bytes as they are. Raises `ReaderLeft` and `TailError`."""
        data = text.encode(self._encoding, "backslashreplace") if isinstance(text, str) else text
        with self._guarded():
            self._file.write(data)

    def flush(self) -> None:
        """Let all be seen that was written. Raises `ReaderLeft` and `TailError`."""
        with self._guarded():
            self._file.flush()

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Raise `ReaderLeft` inside as soon as the reader of a pipe leaves, even if nothing is to be written."""
        number = self._pipe()
        if number is None:
            yield
            return
        loop, task, left = asyncio.get_running_loop(), asyncio.current_task(), False

        def leave() -> None:
            nonlocal left
            left = True
            loop.remove_reader(number)
            if task:
                task.cancel()

        loop.add_reader(number, leave)
        try:
            yield
        except asyncio.CancelledError:
            if not left:
                raise
            self._abandon()
            raise ReaderLeft from None
        finally:
            loop.remove_reader(number)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            self._abandon()
            raise ReaderLeft from None
        except OSError as fault:
            self._abandon()
            raise TailError(f"the output cannot be written: {fault.strerror}") from None

    def _abandon(self) -> None:
        """Let what is still buffered go nowhere: Python writes it when the process ends, and would complain."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._file.fileno())
        os.close(nowhere)

    def _pipe(self) -> int | None:
        """Return the number of the file if it is a pipe, of which nothing can ever be read."""
        try:
            number = self._file.fileno()
        except OSError:  # it has none
            return None
        return number if stat.S_ISFIFO(os.fstat(number).st_mode) else None
