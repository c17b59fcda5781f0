"""Fails calls to a server at once while it is away, and tries it again now and then."""

from eventscache.errors import StorageRefused, StorageUnavailable
from eventscache.storage.redis.driver_errors import Outcome

# The first and the longest pause before the next probe, in seconds.
_AWAY_SECONDS = (0.05, 0.25)
_OTHER_SECONDS = {
    Outcome.DENIED: (1.0, 30.0),
    # It answers at once, and perhaps only a few connections are ended: such as those of an operator's CLIENT KILL.
    Outcome.NO_LOGIN: (0.01, 0.05),
}
_MAX_SILENT = 2  # calls without an answer in between


class CircuitBreaker:
    """Closed: calls go through. Open: calls fail at once. Half-open: one call, the probe, goes through.

    A server that cannot be reached or denies access opens it with one call, one that is silent or ends connections
    before the login with two. After a pause it
    is half-open: an answer closes it, a failed probe opens it again, for twice as long up to a bound. Times in seconds.
    """

    def __init__(self) -> None:
        self.reason = ""  # why it opened
        self._denied = False
        self._silent = 0
        self._pause = 0.0
        self._open_until: float | None = None  # None while closed; half-open once it has passed
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether it is open or half-open."""
        return self._open_until is not None

    def enter(self, now: float) -> bool:
        """Let a call through, and return whether it is the probe; raise `StorageUnavailable` if it must not run."""
        if self._open_until is None:
            return False
        if self._probing or now < self._open_until:
            raise StorageRefused(self.reason) if self._denied else StorageUnavailable(self.reason, ambiguous=False)
        self._probing = True
        return True

    def leave(self, *, probe: bool) -> None:
        """End a call, whatever its outcome."""
        if probe:
            self._probing = False

    def record(self, outcome: Outcome, reason: str, now: float, *, probe: bool) -> None:
        """Close or open, depending on the outcome of a call; `reason` is what later calls fail with."""
        if outcome is Outcome.ANSWERED:
            self._silent, self._pause, self._open_until = 0, 0.0, None
            return
        self._silent += outcome in {Outcome.TIMED_OUT, Outcome.NO_LOGIN}
        enough = outcome in {Outcome.UNREACHABLE, Outcome.DENIED} or self._silent >= _MAX_SILENT
        # Calls that were in progress when the first of them failed do not prolong the pause.
        if probe or (enough and self._open_until is None):
            first, longest = _OTHER_SECONDS.get(outcome, _AWAY_SECONDS)
            self._pause = min(max(first, 2 * self._pause), longest)
            self._open_until = now + self._pause
            self.reason, self._denied = reason, outcome is Outcome.DENIED
