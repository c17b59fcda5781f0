"""The ledger: what became of every event that was received."""

from collections import Counter

from eventscache.storage.messages import Admission


class Ledger:
    """Whole numbers that always add up: received = stored + limited + dropped + rejected + queued.

    stored: at least one collection admitted it. limited: none did. dropped: lost on our side, by reason.
    rejected: answered with a 4xx, or a 500 for a bug, and not
    kept (a body rejected as a whole counts one). queued: not sent yet, or in flight.
    """

    __slots__ = ("admitted_all", "admitted_error", "dropped", "limited", "queued", "received", "rejected", "stored")

    def __init__(self) -> None:
        self.received = 0
        self.stored = 0
        self.limited = 0
        self.dropped: Counter[str] = Counter()
        self.rejected = 0
        self.queued = 0
        self.admitted_all = 0
        self.admitted_error = 0

    def reject(self, count: int = 1) -> None:
        """Count events that were received and rejected."""
        self.received += count
        self.rejected += count

    def count_admission(self, admission: Admission) -> None:
        """Count what each collection admitted."""
        self.admitted_all += admission.all.admitted if admission.all else 0
        self.admitted_error += admission.error.admitted if admission.error else 0

    def limit(self, count: int) -> None:
        """Count events that were received, and that no collection can admit."""
        self.received += count
        self.limited += count

    @property
    def balanced(self) -> bool:
        """Whether everything received is accounted for."""
        ended = self.stored + self.limited + self.dropped.total() + self.rejected
        return self.received == ended + self.queued
