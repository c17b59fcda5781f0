"""The ledger of a deployment over the time of a test, against what was offered to it."""

import re
from dataclasses import dataclass
from typing import NamedTuple, Self

_SAMPLE = re.compile(r"^eventscache_(\w+?)(?:_total)?(?:\{(\w+)=\"(\w+)\"\})? ([0-9.e+]+)$", re.MULTILINE)
_PLAIN = ("received", "stored", "limited", "rejected")


class Counts(NamedTuple):
    """What the metrics say at one moment, or how much more they say than at another."""

    received: int
    stored: int
    limited: int
    rejected: int
    queued: int
    dropped: dict[str, int]

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return what Prometheus's text says; None if it is not that of an eventscache."""
        plain, dropped = {}, {}
        for name, label, reason, value in _SAMPLE.findall(text):
            if label == "reason" and name == "events_dropped":
                dropped[reason] = int(float(value))
            elif not label:
                plain[name] = int(float(value))
        try:
            received, stored, limited, rejected = (plain[f"events_{name}"] for name in _PLAIN)
            return cls(received, stored, limited, rejected, plain["queue_events"], dropped)
        except KeyError:
            return None

    def since(self, earlier: "Counts") -> "Counts":
        """Return how much more this says."""
        dropped = {reason: count - earlier.dropped.get(reason, 0) for reason, count in self.dropped.items()}
        return Counts(
            self.received - earlier.received,
            self.stored - earlier.stored,
            self.limited - earlier.limited,
            self.rejected - earlier.rejected,
            self.queued - earlier.queued,
            {reason: count for reason, count in dropped.items() if count},
        )

    @property
    def settled(self) -> int:
        """Of how many events it is known what became of them."""
        return self.stored + self.limited + self.rejected + sum(self.dropped.values())


@dataclass(frozen=True)
class Account:
    """What must have been received, at least and at most, and what the deployment says of the same time."""

    least: int
    most: int
    counts: Counts
    queued: int  # still, at the end

    @property
    def faults(self) -> list[str]:
        """What does not add up, in words."""
        counts = self.counts
        if min(*counts[:4], *counts.dropped.values(), 0) < 0:
            return ["the counters went back: the server was started anew"]
        faults = []
        offered = f"{self.least:,}" if self.least == self.most else f"{self.least:,} to {self.most:,}"
        if counts.received < self.least:
            faults.append(f"received {counts.received:,} is less than the {offered} offered")
        if counts.received > self.most:
            faults.append(f"received {counts.received:,} is more than the {offered} offered: others may have sent")
        if self.queued:
            faults.append(f"{self.queued:,} events are still queued")
        if counts.settled + counts.queued != counts.received:
            faults.append(
                f"{counts.settled:,} settled and {counts.queued:,} queued are not {counts.received:,} received"
            )
        return faults

    @property
    def hopeless(self) -> bool:
        """Whether waiting cannot make it add up: more was received than was offered."""
        return self.counts.received > self.most
