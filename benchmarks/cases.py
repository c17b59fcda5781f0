"""The table: what is compared with what, and how much is asked for; and what came of it."""

import enum
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Unit(enum.StrEnum):
    """What the figures of a case are."""

    RATIO = "ratio"
    PERCENT = "%"
    BYTES = "bytes"

    def show(self, value: float) -> str:
        if self is Unit.BYTES:
            return f"{value:,.0f} bytes"
        if self is Unit.PERCENT:
            return f"{value:.3g} %"
        return f"{value:.1f}" if value >= 10 else f"{value:.3f}"


class Case(NamedTuple):
    """One row: the sidecar does at least, or at most, `bar` of what stands in `against`."""

    name: str
    against: str
    bar: float
    at_most: bool = False
    unit: Unit = Unit.RATIO

    @property
    def asked(self) -> str:
        return f"{'at most' if self.at_most else 'at least'} {self.unit.show(self.bar)}"


CASES: Mapping[str, Case] = {
    "single": Case("single-event POST, overload, 100 streams", "bare aiohttp reading the body", 0.95),
    "single-stored": Case("single-event POST, everything stored, 100 streams", "bare aiohttp reading the body", 0.85),
    "batch": Case("batch of 100, overload", "bare aiohttp reading that body", 0.60),
    "batch-stored": Case("batch of 100, everything stored", "naive sidecar", 30),
    "single-naive": Case("single-event POST, overload", "naive sidecar", 4),
    "get": Case("GET of 100 events of 3 KB", "the same with parse and re-encode", 3),
    "calls": Case("storage calls under overload, one hot stream", "events offered", 0.5, True, Unit.PERCENT),
    "ack": Case("POST with ack=stored, p50", "naive sidecar's p50 at the same rate", 1.0, at_most=True),
    "streams": Case("100,000 streams under overload, throughput", "1 stream", 0.7),
    "stream-memory": Case("100,000 streams, process memory", "each idle stream", 2048, True, Unit.BYTES),
    "memory": Case("process memory after 5 minutes of overload", "after the first minute", 1.05, at_most=True),
}


class Result(NamedTuple):
    """What a case came to, round by round. `note` says what a reader has to know beside it."""

    case: Case
    values: Sequence[float]
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def met(self) -> bool:
        return self.median <= self.case.bar if self.case.at_most else self.median >= self.case.bar

    @property
    def spread(self) -> str:
        """The smallest and the largest round."""
        if len(self.values) == 1:
            return "one round"
        return f"{self.case.unit.show(min(self.values))} to {self.case.unit.show(max(self.values))}"

    def __str__(self) -> str:
        shown = self.case.unit.show(self.median)
        return f"{self.case.name} / {self.case.against}: {shown} ({self.spread}), {self.case.asked}"


class Contest(NamedTuple):
    """The rates of some contenders, round by round, in `unit` a second."""

    name: str
    unit: str
    rates: Mapping[str, Sequence[float]]


class Latency(NamedTuple):
    """The times that answers took, in seconds and sorted, by contender, at a rate that was the same for all."""

    name: str
    seconds: Mapping[str, Sequence[float]]


class Findings(NamedTuple):
    """Everything that a report tells."""

    results: list[Result]
    contests: list[Contest]
    latencies: list[Latency]

    @classmethod
    def nothing(cls) -> "Findings":
        return cls([], [], [])

    def add(self, other: "Findings") -> None:
        self.results.extend(other.results)
        self.contests.extend(other.contests)
        self.latencies.extend(other.latencies)
