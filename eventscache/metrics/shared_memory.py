"""The metrics of all worker processes of one server, in memory that they share."""

import mmap
import struct

from eventscache.metrics.snapshot import METRIC_NAMES, MetricsSnapshot


class SharedMetrics:
    """A slot for each worker, in memory that they share since they were forked."""

    _LAYOUT = struct.Struct(f"={len(METRIC_NAMES)}q")

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._memory = mmap.mmap(-1, workers * self._LAYOUT.size)

    def show(self, worker: int, snapshot: MetricsSnapshot) -> None:
        """Show a worker's snapshot."""
        self._LAYOUT.pack_into(self._memory, worker * self._LAYOUT.size, *snapshot.values)

    def read(self, worker: int) -> MetricsSnapshot:
        """Return what a worker showed last."""
        start = worker * self._LAYOUT.size
        seen = b""
        # Until it reads the same twice: its owner may be writing.
        while seen != (seen := self._memory[start : start + self._LAYOUT.size]):
            pass
        return MetricsSnapshot(self._LAYOUT.unpack(seen))

    def others(self, worker: int) -> MetricsSnapshot:
        """Return the sum of what all other workers showed."""
        return sum((self.read(other) for other in range(self._workers) if other != worker), MetricsSnapshot())
