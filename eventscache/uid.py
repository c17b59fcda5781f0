"""Ids for events that have none."""

import itertools
import secrets
from collections.abc import Iterator

_NUMBERS = 2**32
_VARIANTS = "89ab"


def uids() -> Iterator[str]:
    """Yield UUIDs (version 4 of RFC 9562) without end; they are random, but differ only in their first eight digits.

    Those count up; when they are used up, the rest is random anew. New random bits for each id would cost as much as
    a twentieth of an event.
    """
    return itertools.chain.from_iterable(_series())


def _series() -> Iterator[Iterator[str]]:
    first = secrets.randbelow(_NUMBERS)
    while True:
        yield map(f"%08x{_random_rest()}".__mod__, range(first, _NUMBERS))
        first = 0


def _random_rest() -> str:
    text = secrets.token_hex(12)
    return f"-{text[:4]}-4{text[4:7]}-{secrets.choice(_VARIANTS)}{text[7:10]}-{text[10:22]}"
