"""Debugging, which can be switched on while the server runs."""

from typing import Protocol

import structlog

_log = structlog.get_logger()


class Debug(Protocol):
    """Switches debugging somewhere."""

    def __call__(self, *, on: bool) -> None:
        """Switch it on or off."""


class Debugging:
    """Off at first. While it is on, the log has a line for each request and each batch that was answered."""

    def __init__(self, use: Debug) -> None:
        self.on = False
        self._use = use

    def switch(self) -> None:
        """Switch it on if it is off, and off if it is on."""
        self.set(on=not self.on)

    def set(self, *, on: bool) -> None:
        """Switch it on or off, if it is not so already."""
        if on == self.on:
            return
        self.on = on
        self._use(on=self.on)
        _log.info("debugging on: a line for each request and batch" if self.on else "debugging off")
