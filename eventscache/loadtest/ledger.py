"""The ledger of the tested server, compared with what the load test sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, Self

from eventscache.metrics.parsing import parse_metrics


class LedgerCounts(NamedTuple):
    """The server's counts of events at one moment, or their growth between two moments. `dropped` is by reason."""

    received: int = 0
    stored: int = 0
    limited: int = 0
    rejected: int = 0
    queued: int = 0
    dropped: Mapping[str, int] = MappingProxyType({})

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the counts in Prometheus's text; None if it is not that of an eventscache."""
        try:
            metrics = parse_metrics(text)
            return cls(
                received=int(metrics["eventscache_events_received_total"][""]),
                stored=int(metrics["eventscache_events_stored_total"][""]),
                limited=int(metrics["eventscache_events_limited_total"][""]),
                rejected=int(metrics["eventscache_events_rejected_total"][""]),
                queued=int(metrics["eventscache_queue_events"][""]),
                dropped={reason: int(count) for reason, count in metrics["eventscache_events_dropped_total"].items()},
            )
        except (KeyError, ValueError, OverflowError):
            return None

    def since(self, earlier: "LedgerCounts") -> "LedgerCounts":
        """Return the growth since then; of `dropped` only the reasons that grew."""
        dropped = {reason: count - earlier.dropped.get(reason, 0) for reason, count in self.dropped.items()}
        return LedgerCounts(
            self.received - earlier.received,
            self.stored - earlier.stored,
            self.limited - earlier.limited,
            self.rejected - earlier.rejected,
            self.queued - earlier.queued,
            {reason: count for reason, count in dropped.items() if count},
        )

    @property
    def all_dropped(self) -> int:
        """The events dropped for any reason."""
        return sum(self.dropped.values())

    @property
    def settled(self) -> int:
        """The events that were stored, limited, rejected or dropped; the others are queued."""
        return self.stored + self.limited + self.rejected + self.all_dropped


@dataclass(frozen=True)
class LedgerCheck:
    """Whether the ledger adds up: the events that the server must have received, and the growth of its counts.

    `least` and `most` bound the received events; `queued` is the number still queued at the end.
    """

    least: int
    most: int
    counts: LedgerCounts
    queued: int

    @property
    def faults(self) -> list[str]:
        """What does not add up, one sentence each."""
        counts = self.counts
        if min(*counts[:4], *counts.dropped.values(), 0) < 0:
            return ["the counters went back: the server was restarted"]
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
        """Whether waiting cannot make it add up: more was received than was sent."""
        return self.counts.received > self.most
