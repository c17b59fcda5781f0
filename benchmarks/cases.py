"""The cases: what is compared with what, the bar of each, and the results."""

import enum
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Unit(enum.StrEnum):
    """The unit of a case's values."""

    RATIO = "ratio"
    PERCENT = "%"
    BYTES = "bytes"
    MEBIBYTES = "MiB"
    MILLISECONDS = "ms"

    def as_text(self, value: float) -> str:
        if self is Unit.BYTES:
            return f"{value:,.0f} bytes"
        if self in {Unit.MEBIBYTES, Unit.MILLISECONDS}:
            return f"{value:.1f} {self.value}"
        if self is Unit.PERCENT:
            return f"{value:.3g} %"
        return f"{value:.1f}" if value >= 10 else f"{value:.3f}"


class Case(NamedTuple):
    """One row: the ratio of the sidecar to `against`, or its own value, and the bar that it must reach."""

    name: str
    against: str
    bar: float
    at_most: bool = False
    unit: Unit = Unit.RATIO

    @property
    def bar_text(self) -> str:
        return f"{'at most' if self.at_most else 'at least'} {self.unit.as_text(self.bar)}"


CASES: Mapping[str, Case] = {
    "single": Case("single-event POST, overload, 100 streams", "bare aiohttp reading the body", 2.5),
    "clients": Case("the same from browsers, each with its head", "bare aiohttp reading the body", 2.5),
    "mirrored": Case("the same from a proxy, every head another", "bare aiohttp reading the body", 1.8),
    "mirrored-cost": Case("the same, processor time", "bare aiohttp reading the body", 0.55, at_most=True),
    "single-stored": Case("single-event POST, everything stored, 100 streams", "bare aiohttp reading the body", 0.85),
    "clients-stored": Case("the same from browsers, each with its head", "bare aiohttp reading the body", 1.4),
    "batch": Case("batch of 100, overload", "bare aiohttp reading that body", 1.0),
    "batch-stored": Case("batch of 100, everything stored", "naive sidecar", 30),
    "single-naive": Case("single-event POST, overload", "naive sidecar", 4),
    "segment": Case("processor time of a batch of 100, Segment", "native batch of as many bytes", 1.3, at_most=True),
    "segment-jitsu2": Case("the same at /v1/batch, Jitsu 2", "native batch of as many bytes", 1.3, at_most=True),
    "bulk": Case(
        "bulk file of 20 MiB, 20,000 lines, loop held", "longest GET /livez meanwhile", 50, True, Unit.MILLISECONDS
    ),
    "bulk-memory": Case(
        "bulk file of 20 MiB, 20,000 lines, peak of memory", "before the first", 80, True, Unit.MEBIBYTES
    ),
    "get": Case("GET of 100 events of 3 KB", "the same with parse and re-encode", 5),
    "calls": Case("storage calls under overload, one hot stream", "events offered", 0.5, True, Unit.PERCENT),
    "ack": Case("POST with ack=stored, p50", "naive sidecar's p50 at the same rate", 1.0, at_most=True),
    "streams": Case("100,000 streams under overload, throughput", "1 stream", 0.7),
    "stream-memory": Case("100,000 streams, process memory", "each idle stream", 2048, True, Unit.BYTES),
    "refused": Case(
        "processor time of an event of 1,000 unknown tokens, beyond max_streams", "a limited event", 1.5, at_most=True
    ),
    "refused-new": Case("the same, each event of another token", "a limited event", 4, at_most=True),
    "memory": Case("process memory after 5 minutes of overload", "after the first minute", 1.05, at_most=True),
}


class Result(NamedTuple):
    """The values of a case, round by round; `note` is what a reader must know besides."""

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
        return f"{self.case.unit.as_text(min(self.values))} to {self.case.unit.as_text(max(self.values))}"

    def __str__(self) -> str:
        shown = self.case.unit.as_text(self.median)
        return f"{self.case.name} / {self.case.against}: {shown} ({self.spread}), {self.case.bar_text}"


class Contest(NamedTuple):
    """The rates of several contenders, round by round, in `unit` a second."""

    name: str
    unit: str
    rates: Mapping[str, Sequence[float]]


class Latency(NamedTuple):
    """The latencies of each contender, in seconds and sorted, at the same rate for all."""

    name: str
    seconds: Mapping[str, Sequence[float]]


class Findings(NamedTuple):
    """The content of a report."""

    results: list[Result]
    contests: list[Contest]
    latencies: list[Latency]

    @classmethod
    def empty(cls) -> "Findings":
        return cls([], [], [])

    def add(self, other: "Findings") -> None:
        self.results.extend(other.results)
        self.contests.extend(other.contests)
        self.latencies.extend(other.latencies)
