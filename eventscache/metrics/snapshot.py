"""The values of all metrics at one moment."""

from dataclasses import dataclass
from typing import Final, Self

from eventscache.metrics.definitions import METRICS, WORKER_DEATHS, Kind, Process

_VALUES: Final = tuple(value for metric in METRICS for value in metric.values)
_GAUGES: Final = tuple(value.name for metric in METRICS if metric.kind is Kind.GAUGE for value in metric.values)

VALUE_NAMES: Final = tuple(value.name for value in _VALUES)
"""The names of the values in a snapshot, in their order."""
_INDEXES: Final = {name: index for index, name in enumerate(VALUE_NAMES)}


@dataclass(frozen=True)
class MetricsSnapshot:
    """The values of one process, by name; those of several processes can be added."""

    values: tuple[int, ...] = (0,) * len(VALUE_NAMES)

    @classmethod
    def of(cls, process: Process) -> Self:
        """Return the values of a process now."""
        return cls(tuple(value.read(process) for value in _VALUES))

    def __getitem__(self, name: str) -> int:
        return self.values[_INDEXES[name]]

    def __add__(self, other: "MetricsSnapshot") -> "MetricsSnapshot":
        return MetricsSnapshot(tuple(map(sum, zip(self.values, other.values, strict=True))))

    def after_death(self) -> "MetricsSnapshot":
        """Return what remains of the values of a process that died: its queued events are dropped, its gauges 0."""
        remaining = dict(zip(VALUE_NAMES, self.values, strict=True))
        remaining["dropped_worker_died"] += remaining["queued"]
        remaining[WORKER_DEATHS] += 1
        remaining.update(dict.fromkeys(_GAUGES, 0))
        return MetricsSnapshot(tuple(remaining.values()))
