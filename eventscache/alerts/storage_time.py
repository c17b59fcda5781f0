"""The time of the storage, as far as it can be known by looking at it now and then."""

from typing import Final

from eventscache.clock import MICROSECONDS

GAP_US: Final = 60 * MICROSECONDS
"""A longer time in which nobody looked is not watched."""


class StorageTime:
    """A time in microseconds that is never ahead of the storage's clock, unless that was set back just now.

    It is the newest activity that was seen, and what passed since on this process's own clock: that of the storage
    cannot be asked, and those of other machines may differ. Where the two do not fit, nobody watched: events came that
    nobody saw, or the storage's clock was set. Then `since_us`, when watching began, begins anew.
    """

    def __init__(self, now_us: int = 0, since_us: int = 0, *, interrupted: bool = False) -> None:
        """Go on where another watch ended, or begin with 0. It was `interrupted` if the storage did not answer."""
        self.now_us = now_us
        self.since_us = since_us
        self._interrupted = interrupted
        self._looked_us: int | None = None

    def look(self, newest_us: int | None, own_us: int) -> None:
        """Take the newest activity since the last look, if there was any, and the time of this process's own clock.

        The first time that is the newest activity of all.
        """
        passed_us = 0 if self._looked_us is None else max(0, own_us - self._looked_us)
        expected_us = self.now_us + passed_us
        newest_us = expected_us if newest_us is None else newest_us
        is_set_back = self._looked_us is not None and newest_us < self.now_us - GAP_US
        is_watched = not self._interrupted and passed_us <= GAP_US and newest_us <= expected_us + GAP_US
        self.now_us = newest_us if is_set_back else max(1, expected_us, newest_us)
        if is_set_back or not is_watched:
            self.since_us = self.now_us
        self._looked_us, self._interrupted = own_us, False
