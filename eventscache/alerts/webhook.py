"""One request to the webhook. Its address is a secret: it is in no log line and in no error."""

from http import HTTPStatus
from typing import Final

import aiohttp
from yarl import URL

TIMEOUT_SECONDS: Final = 5
_TRIED_AGAIN: Final = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


class NotTaken(Exception):
    """The webhook did not take a message; the text says why, and holds nothing of its address and its answer."""

    def __init__(self, reason: str, *, passes: bool) -> None:
        super().__init__(reason)
        self.passes = passes
        """Whether another try may succeed."""


class Webhook:
    """Posts JSON to an address, until it is closed."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close all connections."""
        if self._session:
            await self._session.close()
            self._session = None

    async def post(self, body: bytes) -> None:
        """Return when the webhook took a message. Raises `NotTaken`."""
        self._session = self._session or _session()
        try:
            async with self._session.post(URL(self._address), data=body, allow_redirects=False) as answer:
                status = answer.status
        except TimeoutError:
            raise NotTaken(f"no answer within {TIMEOUT_SECONDS} seconds", passes=True) from None
        except Exception as fault:  # whatever it is: its text can hold the address
            raise NotTaken(f"no connection ({type(fault).__name__})", passes=True) from None
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            passes = status in _TRIED_AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR
            raise NotTaken(f"it answered with status {status}", passes=passes)


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS), headers={"Content-Type": "application/json"}
    )
