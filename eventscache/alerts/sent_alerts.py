"""What was sent within the hour, by whichever process."""

import hashlib
from typing import Final

from eventscache.alerts.counts import AlertCounts
from eventscache.alerts.kept_state import KeptState, number_of
from eventscache.alerts.rules import Alert, Rule

MOST_PER_HOUR: Final = 60
"""So many messages are sent in an hour, over all rules and streams."""
_HOUR_SECONDS = 3600
_PREFIX: Final = b"sent:"
_BEGAN, _COUNT, _LEFT_OUT = b"hour_began", b"hour_count", b"hour_left_out"


class SentAlerts:
    """Decides which alerts are sent: each at most once an hour, and no more than `MOST_PER_HOUR` of all.

    Times are Unix seconds, as processes on several machines have them: they agree well enough for an hour.
    """

    def __init__(self, state: KeptState, counts: AlertCounts) -> None:
        self._state = state
        self._counts = counts

    def take(self, alerts: list[Alert], now_s: int) -> list[Alert]:
        """Return those to be sent now, the report of the hour before among them; the others are counted."""
        for name, value in self._state.under(_PREFIX):
            if not _within_hour(number_of(value), now_s):
                self._state[_PREFIX + name] = b""
        report = self._end_hour(now_s)
        return [alert for alert in (*report, *alerts) if self._admits(alert, now_s)]

    def _end_hour(self, now_s: int) -> list[Alert]:
        """Return the report of an hour that is over, if something was left out in it."""
        if _within_hour(self._state.number(_BEGAN), now_s):
            return []
        left_out = self._state.number(_LEFT_OUT)
        self._state[_BEGAN] = self._state[_COUNT] = self._state[_LEFT_OUT] = b""
        return [_report(left_out)] if left_out else []

    def _admits(self, alert: Alert, now_s: int) -> bool:
        mark = _PREFIX + hashlib.sha256(alert.key).digest()[:12]
        if self._state[mark]:
            if alert.rule is not Rule.ERROR_SHARE:  # a share that lasts is no other alert in each look
                self._counts.suppressed[alert.rule] += 1
            return False
        admitted = self._state.number(_COUNT) < MOST_PER_HOUR
        if admitted or alert.rule is not Rule.NEW_ERROR_GROUP:  # a group is known now, and needs no mark
            self._state[mark] = b"%d" % now_s
        if not self._state[_BEGAN]:
            self._state[_BEGAN] = b"%d" % now_s
        if not admitted:
            self._counts.suppressed[alert.rule] += 1
        self._add_one(_COUNT if admitted else _LEFT_OUT)
        return admitted

    def _add_one(self, name: bytes) -> None:
        self._state[name] = b"%d" % (self._state.number(name) + 1)


def _within_hour(then_s: int, now_s: int) -> bool:
    """Whether a time is less than an hour away, on whichever side: clocks of machines differ."""
    return abs(now_s - then_s) < _HOUR_SECONDS


def _report(left_out: int) -> Alert:
    return Alert(
        Rule.LEFT_OUT,
        Rule.LEFT_OUT.encode(),
        f"{left_out:,} {'alert was' if left_out == 1 else 'alerts were'} left out",
        facts=(f"there were more than {MOST_PER_HOUR} within an hour",),
    )
