"""Posts cached events again, as their clients sent them, to an address of the configuration."""

from collections.abc import Sequence
from typing import NamedTuple

import aiohttp
from yarl import URL

from eventscache.config.replay_targets import ReplayTarget

TIMEOUT_SECONDS = 10.0
_SHOWN_BYTES = 1000  # of an answer


class Answered(NamedTuple):
    """What a target answered: its status and the beginning of its body; or why there is no answer."""

    status: int | None = None
    body: str = ""
    error: str = ""


class Replayer:
    """Posts bodies to targets, one after another for each caller."""

    def __init__(self, targets: Sequence[ReplayTarget]) -> None:
        self._targets = {target.name: target for target in targets}
        self._session: aiohttp.ClientSession | None = None

    @property
    def names(self) -> list[str]:
        """The names of the targets."""
        return [*self._targets]

    async def close(self) -> None:
        """Close all connections."""
        if self._session:
            await self._session.close()
            self._session = None

    async def post(self, name: str, body: bytes) -> Answered:
        """Post a body as JSON to the target of this name, and return the answer. Redirects are not followed."""
        target = self._targets[name]
        self._session = self._session or aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS))
        headers = {"Content-Type": "application/json", **dict(target.headers)}
        address = URL(target.address, encoded=True)
        try:
            async with self._session.post(address, data=body, headers=headers, allow_redirects=False) as answer:
                content = await answer.content.read(_SHOWN_BYTES)
                return Answered(answer.status, content.decode(errors="replace"))
        except TimeoutError:
            return Answered(error=f"no answer within {TIMEOUT_SECONDS:.0f} seconds")
        except Exception as fault:  # whatever it is: its text can hold the address
            return Answered(error=f"no connection ({type(fault).__name__})")
