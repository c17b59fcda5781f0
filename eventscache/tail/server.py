"""The running sidecar, read through HTTP."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Final

import aiohttp
import msgspec
from yarl import URL

from eventscache import __version__
from eventscache.address import Address
from eventscache.logs import HIDDEN
from eventscache.query.event_type import TypeOf, event_type, event_type_at
from eventscache.query.members import decoded, parse_path
from eventscache.tail.faults import ConnectionLost, Rejected

SILENCE_SECONDS: Final = 40.0
"""After how long without a byte a connection counts as lost: the server sends something every 15 seconds."""
_STREAM: Final = "/api/v1/events/stream"
_ACCESS: Final = "/api/v1/access"
_OK, _CLIENT_ERRORS, _SERVER_ERRORS = 200, 400, 500
_UNAUTHORIZED, _FORBIDDEN = 401, 403
_LATER: Final = {408, 429}  # client errors after which another try may succeed
_LOGINS: Final = "too_many_failed_logins"  # the code of a 429 that only another token changes
_LONGEST_ANSWER: Final = 65_536
_SHOWN_CHARACTERS: Final = 300


class _Answer(msgspec.Struct):
    message: str
    code: str


class _Access(msgspec.Struct):
    type_path: str = ""


_answer = msgspec.json.Decoder(_Answer).decode
_access = msgspec.json.Decoder(_Access).decode


class Server:
    """Sends requests to the sidecar at an address, with a token if there is one. No error shows the token."""

    def __init__(self, address: Address, token: str, session: aiohttp.ClientSession) -> None:
        self.url = address.url
        self._token = token
        self._session = session
        self._headers = {"User-Agent": f"eventscache-tail/{__version__}", "Accept-Encoding": "identity"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    async def type_of(self) -> TypeOf:
        """Return what finds the type of an event where the server looks for it; the usual place if it does not say.

        Raises `Rejected` if the token is wrong, and `ConnectionLost`.
        """
        async with self._answered(_ACCESS) as response:
            if response.status in {_UNAUTHORIZED, _FORBIDDEN, *_LATER}:
                raise await self._fault(response)
            with _told("the connection broke off"):
                access = decoded(_access, await _beginning(response)) if response.status == _OK else None
        try:
            return event_type_at(parse_path(access.type_path)) if access and access.type_path else event_type
        except ValueError:
            return event_type

    async def push(self, query: str, last_id: str) -> AsyncGenerator[bytes, None]:
        """Yield no bytes when the server accepts, and then those that it pushes, until the connection is lost.

        It resumes after the message of `last_id`, if there is one. Raises `Rejected` and `ConnectionLost`.
        """
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
        async with self._answered(f"{_STREAM}?{query}", **headers) as response:
            if response.status != _OK:
                raise await self._fault(response)
            if response.content_type != "text/event-stream":
                raise Rejected(f"{self.url} is not an eventscache: its answer is {response.content_type!a}")
            yield b""
            while piece := await self._next(response):
                yield piece
        raise ConnectionLost("the server ended the connection")

    @contextlib.asynccontextmanager
    async def _answered(self, path: str, **headers: str) -> AsyncIterator[aiohttp.ClientResponse]:
        with _told(f"{self.url} cannot be reached"):
            async with asyncio.timeout(SILENCE_SECONDS):
                # A redirect is not followed: it could lead the token to somebody else.
                response = await self._session.get(
                    URL(self.url + path, encoded=True),
                    headers={**self._headers, **headers},
                    allow_redirects=False,
                )
        try:
            yield response
        finally:
            response.close()

    async def _next(self, response: aiohttp.ClientResponse) -> bytes:
        with _told("the connection broke off"):
            # Begun anew for each piece: the time that a slow reader of our output takes does not count.
            async with asyncio.timeout(SILENCE_SECONDS):
                return await response.content.readany()

    async def _fault(self, response: aiohttp.ClientResponse) -> Rejected | ConnectionLost:
        """Return the fault that an answer tells of, in one line."""
        status = response.status
        with _told(f"{self.url} answers {status}, and breaks off"):
            answer = decoded(_answer, await _beginning(response))
        if answer is None:
            words = f"{self.url} answers with status {status}, and not as an eventscache does"
        else:
            words = f"{self.url} answers {status}: {answer.message[:_SHOWN_CHARACTERS]}"
        if status == _UNAUTHORIZED:
            words += f"; {'give another' if self._token else 'give a'} token by EVENTSCACHE_TOKEN or --token"
        if self._token:
            words = words.replace(self._token, HIDDEN)
        later = status >= _SERVER_ERRORS or (status in _LATER and not (answer and answer.code == _LOGINS))
        return ConnectionLost(words) if later else Rejected(words)


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """Return the first 64 KiB of a body, or all of it."""
    try:
        async with asyncio.timeout(SILENCE_SECONDS):
            return await response.content.readexactly(_LONGEST_ANSWER)
    except asyncio.IncompleteReadError as fault:
        return fault.partial


@contextlib.contextmanager
def _told(words: str) -> Iterator[None]:
    """Raise `ConnectionLost` with these words and the reason for whatever a connection can end with."""
    try:
        yield
    except TimeoutError:
        raise ConnectionLost(f"{words}: nothing came for {SILENCE_SECONDS:.0f} s") from None
    except (aiohttp.ClientError, OSError, UnicodeError) as fault:  # the last for a host that no DNS can have
        raise ConnectionLost(f"{words}: {_reason(fault)}") from None


def _reason(fault: Exception) -> str:
    if isinstance(fault, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not valid: {getattr(fault.certificate_error, 'verify_message', '')}"
    if isinstance(fault, aiohttp.ClientPayloadError | aiohttp.ServerDisconnectedError):
        return "the server ended it before its end"
    number = getattr(fault, "errno", None) or 0
    return os.strerror(number) if number > 0 else getattr(fault, "strerror", None) or type(fault).__name__
