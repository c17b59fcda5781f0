"""How much work a search may make: counted, so that it depends on no clock, and is the same on every machine."""

import math

_CHARACTERS = 50  # of a text that take as long as one test


class BudgetSpent(Exception):
    """There was more to do than a budget allows."""


class Budget:
    """So many tests of single values; without a number, as many as there are. A test takes about a microsecond.

    One thread spends it. Any other one may stop it: then whatever is spent next is too much.
    """

    def __init__(self, tests: float = math.inf) -> None:
        self._left = tests
        self._stopped = False

    def spend(self, tests: int = 1, characters: int = 0) -> None:
        """Count some tests, and the characters that they read. Raises `BudgetSpent`."""
        self._left -= tests + characters // _CHARACTERS
        if self._left < 0 or self._stopped:
            raise BudgetSpent

    def stop(self) -> None:
        """Let nothing more be spent."""
        self._stopped = True
