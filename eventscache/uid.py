"""Ids of events that came without one."""

import secrets

_NUMBERS = 2**32
_VARIANTS = "89ab"


class Uids:
    """Makes UUIDs (version 4 of RFC 9562): random ones that share all but a number, which is where they differ first.

    Fresh random bits for each would cost as much as a twentieth of an event.
    """

    def __init__(self) -> None:
        self._number = secrets.randbelow(_NUMBERS)
        self._rest = _random_rest()

    def several(self, count: int) -> list[str]:
        """Return that many that nobody else has."""
        first = self._number
        if first + count > _NUMBERS:
            first, self._rest = 0, _random_rest()
        self._number = first + count
        rest = self._rest
        return [f"{number:08x}{rest}" for number in range(first, first + count)]


def _random_rest() -> str:
    text = secrets.token_hex(12)
    return f"-{text[:4]}-4{text[4:7]}-{secrets.choice(_VARIANTS)}{text[7:10]}-{text[10:22]}"
